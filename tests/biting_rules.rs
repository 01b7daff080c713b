//! Rules that bite: what no machine could run is refused at the start, quickly and with its
//! place; what costs too much on some name gives up on that name alone, and says so everywhere.

use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::Message;

use crate::testenv::stream::update;
use crate::testenv::{Folder, Observed, Server, Tls, wait_until};

/// A rule that, by backtracking, tries every way to cut a label of letters into pieces.
const CATASTROPHIC: &str = r"^(?:(?=[a-z])[a-z]+)+\.bank\.example$";
/// On this name it would take until the end of the world, and then not match.
const ENDLESS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1.bank.example";

#[test]
fn what_grows_too_large_is_refused_at_its_line_within_bounds() {
    let too_long = "a".repeat(65_000);
    let far_too_long = "a".repeat(70_000);
    let alternatives: Vec<String> = (0..3000).map(|n| format!("abc{n}.*x{n}")).collect();
    let alternatives = alternatives.join("|");
    let nested = format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000));
    let nested_look = format!("{}(?=a)a{}", "(".repeat(20_000), ")".repeat(20_000));
    let large = "it needs more than 1024 KiB";
    let table: [(&str, &str, &str); 11] = [
        ("a{100000}", "r.txt:2: ", large),
        ("((a{100}){100}){100}", "r.txt:2: ", large),
        ("(((a{1000}){1000}){1000}){1000}", "r.txt:2: ", large),
        (r"(?:\w{1000}){100}", "r.txt:2: ", large),
        (r"((a{100}){100}){100}(?=b)", "r.txt:2:1: ", large),
        (&alternatives, "r.txt:2: ", large),
        (&too_long, "r.txt:2: ", large),
        (&far_too_long, "r.txt:2:1: ", "the pattern has more than 65536 bytes"),
        (&nested, "r.txt:2:251: ", "maximum number of nested parentheses"),
        (&nested_look, "r.txt:2:64: ", "too deeply nested"),
        (&"[".repeat(3000), "r.txt:2:1: ", "the class is not closed"),
    ];
    for (pattern, place, says) in table {
        let folder = Folder::new();
        folder.write("r.txt", format!("fine\n{pattern}\n"));
        folder.write("empty.jsonl", "");
        let started = Instant::now();
        let mut program = folder.start(&["replay", "--rules", "r.txt", "empty.jsonl"]);
        let (code, peak) = program.end_watched();
        let shown = folder.stderr();
        let head: String = pattern.chars().take(30).collect();
        assert_eq!(code, 2, "{head}: {shown}");
        assert!(shown.contains(place) && shown.contains(says), "{head}: {shown}");
        assert!(shown.contains("remedy: "), "{head}: {shown}");
        // The promise of the product, with room for a machine that is busy.
        assert!(started.elapsed() < Duration::from_secs(10), "{head}: {:?}", started.elapsed());
        assert!(peak < 200, "{head}: {peak} MiB");
    }
}

#[test]
fn what_gives_up_on_a_name_is_kept_for_review_and_seen_everywhere() {
    let folder = Folder::new();
    let names = ["abc.bank.example", ENDLESS, "abc1.bank.example", "plain.shop.example"];
    let server = Server::start(Tls::Off, move |visit| {
        let mut peer = visit.upgrade()?;
        peer.send((0..).zip(names).map(|(n, name)| Message::text(update(n, name))))?;
        peer.keep_open()
    });
    let config = format!(
        "certstream: {{server: '{}'}}\nobserve: {{listen: '127.0.0.1:0'}}\n\
         rules:\n  - {{name: steps, pattern: '{CATASTROPHIC}'}}\n  - {{name: shop, pattern: shop}}\n",
        server.url("/")
    );
    folder.write("config.yaml", config);
    let mut program = folder.start(&[]);
    let observed = Observed::of(&folder);
    wait_until("all are stored", || observed.sum("certstream_new_domains_total") == 3);
    assert_eq!(observed.sum("certstream_give_ups_total"), 1);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());

    let verdicts = folder.texts(
        "certstream.db",
        "SELECT domain || ' ' || name || ' ' || ifnull(verdict, 'proven') FROM matches
         JOIN domains d ON d.id = domain_id JOIN rules r ON r.id = rule_id ORDER BY domain",
    );
    let endless = format!("{ENDLESS} steps gave up");
    assert_eq!(
        verdicts,
        [&endless, "abc.bank.example steps proven", "plain.shop.example shop proven"]
    );
    let shown = folder.stdout();
    assert!(shown.contains(&format!("{ENDLESS}\tsteps (gave up)\t")), "{shown}");
    assert!(shown.contains("abc.bank.example\tsteps\t"), "{shown}");
    let said = folder.stderr();
    assert!(said.contains("; 1 matches gave up and await review"), "{said}");
    assert!(folder.lines("certstream.txt").contains(&ENDLESS.to_owned()));

    assert_eq!(folder.run(&["report"]), 0);
    let report = folder.stdout();
    assert!(report.contains("1 of them not proven: the rule reached its step limit"), "{report}");
    assert_eq!(folder.run(&["export", "--output", "-", "--format", "jsonl"]), 0);
    assert!(folder.stderr().contains("; 1 matches gave up and await review"));
    let records: Vec<Value> =
        folder.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records[0]["verdicts"], serde_json::json!(["gave up"]));
    assert_eq!(records[1]["verdicts"], serde_json::json!([null]));
    assert_eq!(folder.run(&["export", "--output", "-", "--format", "csv"]), 0);
    assert!(folder.stdout().contains(&format!("{ENDLESS},bank.example,steps,,,gave up,")));
    assert_eq!(folder.run(&["explain", ENDLESS]), 0);
    let explained = folder.stdout();
    assert!(explained.contains("gave up at its step limit"), "{explained}");
}

/// The hostile names of `regex_stress` under rules made to backtrack: no silent miss.
#[test]
fn each_name_under_each_catastrophic_rule_is_a_match_a_miss_or_a_give_up() {
    let folder = Folder::new();
    let rules = [
        r"^(?:(?=a)a|a)+$",
        r"^(?:(?:a|aa)(?!b))+\.x$",
        r"^(.*)(.*)(.*)\1\2\3x$",
        r"(?=(?:[a-z0-9-]+)+!)",
        r"^(?:(?=[a-z0-9-])[a-z0-9-]+\.?)+[A-F]{9}\.example$",
    ];
    folder.write("r.txt", rules.join("\n"));
    let label = "a".repeat(60);
    let long = [label.as_str(); 4].join(".");
    let frames: String = [ENDLESS, "aaaa.x", &long, &format!("{label}.bank.example")]
        .iter()
        .map(|name| format!("{{\"message_type\":\"dns_entries\",\"data\":[\"{name}\"]}}\n"))
        .collect();
    folder.write("c.jsonl", frames.repeat(50));
    let words = ["replay", "--rules=r.txt", "--database=d.db", "c.jsonl"];
    let mut program = folder.start(&words);
    let (code, peak) = program.end_watched();
    assert_eq!(code, 0, "{}", folder.stderr());
    assert!(peak < 200, "{peak} MiB");
    let give_ups = folder.number("d.db", "SELECT count(*) FROM matches WHERE verdict = 'gave up'");
    assert!(give_ups > Some(0), "the rules bite: {}", folder.stderr());
    assert_eq!(folder.number("d.db", "SELECT position FROM positions"), Some(200));
}

#[test]
fn a_hundred_thousand_rules_of_every_kind_load_and_match() {
    let folder = Folder::new();
    let rule = |n: u32| match n % 3 {
        0 => format!("brand{n}x"),
        1 => format!(r"brand{n}x[0-9a-z]*\.(com|net)$"),
        _ => format!(r"brand{n}x(?!\.good)"),
    };
    let rules: Vec<String> = (0..100_000).map(rule).collect();
    folder.write("r.txt", rules.join("\n"));
    let name = |n: u32| format!("www.brand{n}x7.com");
    let frames: String = (0..3000)
        .map(|n| format!("{{\"message_type\":\"dns_entries\",\"data\":[\"{}\"]}}\n", name(33 * n)))
        .collect();
    folder.write("c.jsonl", frames);
    let words = ["replay", "-q", "--rules=r.txt", "--database=d.db", "c.jsonl"];
    let mut program = folder.start(&words);
    let (code, peak) = program.end_watched();
    assert_eq!(code, 0, "{}", folder.stderr());
    assert!(peak < 700, "{peak} MiB");
    let one = "SELECT count(*) FROM matches JOIN rules r ON r.id = rule_id
               JOIN domains d ON d.id = domain_id
               WHERE instr(r.pattern, 'brand' || substr(domain, 6, instr(domain, 'x') - 6) || 'x')";
    // Of each brand its own rule alone: the rest of every pattern matches these names.
    assert_eq!(folder.number("d.db", "SELECT count(*) FROM domains"), Some(3000));
    assert_eq!(folder.number("d.db", "SELECT count(*) FROM matches"), Some(3000));
    assert_eq!(folder.number("d.db", one), Some(3000));
    assert_eq!(folder.number("d.db", "SELECT count(*) FROM rules"), Some(100_000));
}

#[test]
fn a_rule_that_matches_everything_is_told_and_works() {
    let folder = Folder::new();
    folder.write("r.txt", "paypal\n.\n");
    folder.write("c.jsonl", "{\"message_type\":\"dns_entries\",\"data\":[\"a.example.com\"]}\n");
    let words = ["replay", "--rules=r.txt", "--database=d.db", "c.jsonl"];
    assert_eq!(folder.run(&words), 0);
    let said = folder.stderr();
    assert!(
        said.contains("WARN") && said.contains("r.txt:2: the rule `.` matches every"),
        "{said}"
    );
    assert!(!said.contains("`paypal`"), "{said}");
    assert_eq!(folder.texts("d.db", "SELECT domain FROM domains"), ["a.example.com"]);
}
