//! Attacker-written text wherever it can come out: on stdout, in JSON, CSV, exports, logs, the
//! report, explanations, metrics and health. Escaped or refused, nowhere raw.

use serde_json::{Value, json};
use tungstenite::Message;

use crate::testenv::ctwatch::{folder as watch_folder, made, wait_for_end, watch};
use crate::testenv::hostile::assert_harmless;
use crate::testenv::log::{Key, LogServer, TestLog};
use crate::testenv::{Folder, Observed, Server, Tls, wait_until};

/// Acts on terminals, reorders and hides, breaks lines, is a formula, and ends quotes and tags.
const POISON: [&str; 9] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\u{202e}moc.knab\u{2066}",
    "=HYPERLINK(\"http://evil.example\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "a\r\nSet-Cookie: b\n# TYPE fake counter\nfake 1",
    "\u{0}\u{8}\u{9b}31m\u{ad}\u{feff}",
    "'; DROP TABLE domains; --",
    "</script><script>alert(1)</script>",
    "\u{2028}\"}\\,\t-2+3",
];

/// A certificate whose every text is `poison`, and whose one good name is number `n`.
fn poisoned(n: usize, poison: &str) -> String {
    let name = format!("n{n}.bank.example");
    json!({
        "message_type": "certificate_update",
        "data": {
            "update_type": poison,
            "leaf_cert": {
                "all_domains": [name, format!("{poison}.bank.example"), format!("  *.{name}"), poison],
                "subject": {"CN": poison, "aggregated": format!("/CN={poison}")},
                "issuer": {"O": poison, "CN": poison, "aggregated": poison},
                "serial_number": format!("{n:X}"),
                "fingerprint": poison,
                "not_before": 1, "not_after": 2,
            },
            "cert_link": poison,
            "cert_index": n,
            "seen": 1_700_000_000.5,
            "source": {"name": poison, "url": poison},
        },
    })
    .to_string()
}

/// Sends every poison in every place, messages of poisonous types, and leaves with poison.
fn server() -> Server {
    Server::start(Tls::Off, |visit| {
        let number = visit.number;
        if number == 1 {
            return visit
                .refuse("502 \u{1b}[31mBad\u{202e}", &["X: \u{1b}[2J", "Server: \u{202e}"]);
        }
        let mut peer = visit.upgrade()?;
        peer.send(POISON.iter().enumerate().map(|(n, text)| Message::text(poisoned(n, text))))?;
        peer.send(POISON.map(|text| Message::text(json!({"message_type": text}).to_string())))?;
        peer.send(POISON.map(Message::text))?;
        let megabyte = "\u{1b}[31m".repeat(100_000);
        peer.send([Message::text(poisoned(POISON.len(), &megabyte))])?;
        let huge = "a".repeat(5 << 20);
        let leaf = json!({
            "all_domains": ["n99.bank.example", huge], "issuer": {"CN": huge}, "serial_number": "99",
        });
        let update = json!({"message_type": "certificate_update", "data": {"leaf_cert": leaf}});
        peer.send([Message::text(update.to_string())])?;
        if number == 0 {
            return peer.close(1001, "\u{1b}[2Jgone\u{202e}\n");
        }
        peer.keep_open()
    })
}

#[test]
fn nothing_an_attacker_writes_comes_out_raw() {
    let folder = Folder::new();
    let server = server();
    folder.write("rules.txt", "bank\n");
    let config = format!(
        "certstream: {{server: '{}', input: rules.txt}}\nobserve: {{listen: '127.0.0.1:0'}}\n",
        server.url("/")
    );
    folder.write("config.yaml", config);
    let certificates = POISON.len() as i64 + 2;
    let mut program = folder.start(&["-v", "--every-sighting"]);
    let observed = Observed::of(&folder);
    let stored = "SELECT count(*) FROM domains WHERE sightings > 1 AND domain LIKE 'n%.bank.%'";
    wait_until("all are stored twice", || {
        folder.number("certstream.db", stored) == Some(certificates)
    });
    for path in ["/metrics", "/healthz", "/readyz", "/\u{1b}[2J"] {
        assert_harmless(path, &observed.get(path).1);
    }
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_harmless("the text of a watch", &folder.stdout());
    assert_harmless("the log of a watch", &folder.stderr());
    assert!(folder.stderr().contains("gone"), "the server's words are shown: {}", folder.stderr());
    // Nothing new but what sanitising lets through, and of the long text nothing.
    for domain in folder.texts("certstream.db", "SELECT domain FROM domains") {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        assert!(domain.bytes().all(plain), "{domain:?}");
    }
    for longest in [
        "SELECT max(length(ifnull(issuer, '')) + length(ifnull(subject_cn, ''))
         + length(ifnull(log_name, '')) + length(ifnull(cert_link, ''))) FROM certificates",
        "SELECT max(length(name)) FROM names",
        "SELECT max(length(detail)) FROM gaps",
    ] {
        let length = folder.number("certstream.db", longest).unwrap();
        assert!((1..5 * 4096).contains(&length), "{longest}: {length}");
    }
    assert_harmless("the text export", &folder.read("certstream.txt"));
    assert_eq!(folder.run(&["report"]), 0);
    assert_harmless("the report", &folder.stdout());
    exports(&folder, certificates);
    replays(&folder);
}

/// JSON Lines and CSV say what was written, and do nothing.
fn exports(folder: &Folder, certificates: i64) {
    assert_eq!(folder.run(&["export", "--output", "-", "--format", "jsonl"]), 0);
    let lines = folder.stdout();
    assert_harmless("JSON Lines", &lines);
    assert_harmless("the log of an export", &folder.stderr());
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    let issuers: Vec<&str> = records.iter().filter_map(|r| r["issuer"].as_str()).collect();
    for poison in POISON {
        assert!(issuers.iter().any(|issuer| issuer.contains(poison)), "{poison:?} in {issuers:?}");
    }
    assert!(records.len() as i64 >= certificates);

    assert_eq!(folder.run(&["export", "--output", "-", "--format", "csv"]), 0);
    let table = folder.stdout();
    assert_harmless("CSV", &table);
    let mut rows = 0;
    for line in csv_rows(&table) {
        rows += 1;
        for cell in line.iter().flat_map(|cell| cell.split("; ")) {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a formula: {cell:?}");
        }
    }
    assert_eq!(rows, records.len() + 1);
}

/// The rows of a CSV file, by its rules of quoting alone.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    rows
}

/// The same from a capture: `--json`, and the explanation of each poison as a name.
fn replays(folder: &Folder) {
    let frames: String =
        POISON.iter().enumerate().map(|(n, text)| poisoned(n, text) + "\n").collect();
    folder.write("c.jsonl", frames);
    let words = ["replay", "-v", "--json", "--rules=rules.txt", "c.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    assert_harmless("JSON of a replay", &folder.stdout());
    assert_harmless("the log of a replay", &folder.stderr());
    assert!(folder.stdout().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    for poison in POISON.iter().filter(|text| !text.contains('\0')) {
        for name in [(*poison).to_owned(), format!("{poison}.bank.example")] {
            for json in [&[][..], &["--json"]] {
                let words = [&["explain", "--rules=rules.txt"], json, &["--", &name]].concat();
                folder.run(&words);
                assert_harmless("an explanation", &folder.stdout());
                assert_harmless("the log of an explanation", &folder.stderr());
            }
        }
        // A rule of that name, and a file.
        let words = ["export", "--output", "-", "--rule", poison];
        assert_ne!(folder.run(&words), 0);
        assert_harmless("an unknown rule", &folder.stderr());
    }
}

/// The list of logs comes from elsewhere, too.
#[test]
fn a_poisonous_list_of_logs_is_shown_escaped() {
    let log = TestLog::new("alpha", Key::Ecdsa);
    log.append(made(1).entries(0..300));
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = watch_folder(&server, "");
    let mut list: Value = serde_json::from_str(&server.list()).unwrap();
    let poison = "\u{1b}[2J\u{202e}Operator\u{7}\n";
    list["operators"][0]["name"] = poison.into();
    list["operators"][0]["tiled_logs"][0]["description"] = poison.into();
    folder.write("list.json", list.to_string());
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_harmless("the log", &folder.stderr());
    assert_harmless("stdout", &folder.stdout());
    for words in [&["report"][..], &["export", "--output", "-", "--format", "jsonl"], &["logs"]] {
        folder.run(words);
        assert_harmless(words[0], &folder.stdout());
        assert_harmless(words[0], &folder.stderr());
    }
}
