//! Brand rules: what passes for a brand is found, named by its technique, stored and exported.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use certstream::domain::{Forms, sanitise};
use certstream::matcher::Engine;
use certstream::rule::{Anchor, Loader, RuleEntry, Syntax, Typosquat};
use certstream::yaml::Document;

use crate::testenv::Folder;

/// Brands with a domain of their own, for the figures below.
const BRANDS: &str = include_str!("brands/brands.txt");

#[test]
fn a_brand_is_stored_and_exported_with_technique_and_distance() {
    let folder = Folder::new();
    folder.write(
        "rules.yaml",
        "- brand: PayPal\n  own: [paypal.com, paypal.me]\n  tags: [payment]\n\
         - {name: lookalike, pattern: '^swiss', lookalikes: true, scope: registered}\n",
    );
    let names = [
        "www.paypal.com",
        "me.paypal.me",
        "paypa1.com",
        "login.payapl.net",
        "paypal.com.evil.example",
        "secure-paypal.zip",
        "login.svv1ss.ch",
        "swiss.example.org",
    ];
    let frame =
        |name: &str| format!("{{\"message_type\":\"dns_entries\",\"data\":[\"{name}\"]}}\n");
    folder.write("cap.jsonl", names.map(frame).concat());
    let replay = ["replay", "--rules", "rules.yaml", "--database", "d.db", "cap.jsonl"];
    assert_eq!(folder.run(&replay), 0, "{}", folder.stderr());
    let rows = folder.texts(
        "d.db",
        "SELECT domain || ' ' || r.name || ' ' || ifnull(technique || ' ' || distance, '-')
         FROM matches m JOIN domains d ON d.id = m.domain_id JOIN rules r ON r.id = m.rule_id
         ORDER BY domain",
    );
    assert_eq!(
        rows,
        [
            "login.payapl.net PayPal transposition 1",
            "login.svv1ss.ch lookalike -",
            "paypa1.com PayPal homoglyph 1",
            "paypal.com.evil.example PayPal subdomain 0",
            "secure-paypal.zip PayPal combosquat 0",
        ]
    );
    let export = ["export", "--database", "d.db", "--output", "-", "--format", "jsonl"];
    assert_eq!(folder.run(&export), 0, "{}", folder.stderr());
    let records: Vec<serde_json::Value> =
        folder.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records[0]["techniques"], serde_json::json!(["transposition"]));
    assert_eq!(records[0]["distances"], serde_json::json!([1]));
    assert_eq!(records[1]["techniques"], serde_json::json!([null]));
    assert_eq!(folder.run(&["explain", "--rules", "rules.yaml", "paypa1.com", "paypal.com"]), 0);
    let explained = folder.stdout();
    assert!(explained.contains("`paypa1`, view a-label, technique homoglyph, distance 1"));
    assert!(explained.contains("no hit: the domain is one of the brand's own"), "{explained}");
    assert_eq!(folder.run(&["lint", "--rules", "rules.yaml", "--check"]), 0, "{}", folder.stdout());
}

#[test]
fn a_key_that_means_nothing_is_refused_with_its_place() {
    let folder = Folder::new();
    for (rule, what) in [
        ("{brand: paypal, scope: label}", "this key means nothing without `pattern`"),
        ("{pattern: paypal, own: [paypal.com]}", "this key means nothing without `brand`"),
        ("{brand: paypal, pattern: paypal}", "the rule has a pattern and a brand"),
        ("{brand: paypal, own: [https://paypal.com]}", "`https://paypal.com` is no domain"),
        ("{brand: paypal, techniques: [magic]}", "`magic` is not known here"),
        ("{brand: hp}", "`hp` is no brand: it has to have 3 to 32 characters"),
        ("{brand: paypal.com}", "`paypal.com` is no brand"),
        ("{pattern: a, scope: host}", "`host` is not known here"),
        ("{pattern: 'a(?=b)', lookalikes: true}", "`lookalikes` goes with neither look-around"),
    ] {
        folder.write("r.yaml", format!("- {rule}\n"));
        assert_eq!(folder.run(&["lint", "--rules", "r.yaml"]), 2, "{rule}");
        let stderr = folder.stderr();
        assert!(stderr.contains("r.yaml:1"), "{rule}: {stderr}");
        assert!(stderr.contains(what) && stderr.contains("remedy: "), "{rule}: {stderr}");
    }
}

/// The fifty brands as rules, each with its own domain.
fn engine() -> Engine {
    let mut yaml = String::new();
    for domain in brands() {
        let (brand, _) = domain.split_once('.').expect("a suffix");
        let _ = writeln!(yaml, "- {{brand: {brand}, own: [{domain}]}}");
    }
    let file = Path::new("brands.yaml");
    let document = Document::read(yaml.as_bytes(), file).expect("is YAML");
    let mut loader = Loader::new(Anchor::Search);
    let entries = RuleEntry::read_list(&document.root()).expect("reads");
    loader.entries(&entries, file).expect("brands");
    Engine::build(loader.finish().expect("rules")).expect("builds")
}

fn brands() -> Vec<&'static str> {
    BRANDS.lines().filter(|line| !line.starts_with('#')).collect()
}

/// Calls `hit` with each domain that a rule hits, the rule's index, and how.
fn each_hit(engine: &Engine, names: &[&str], mut hit: impl FnMut(&str, usize, Typosquat)) {
    let mut scratch = engine.scratch();
    for names in names.chunks(500) {
        let (mut block, mut ends, mut domains) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let start = block.len();
            if sanitise(name, &mut block).is_ok() {
                ends.push(u32::try_from(block.len()).expect("short"));
                domains.push(start..block.len());
                block.push(b'\n');
            }
        }
        let block = String::from_utf8(block).expect("ASCII");
        engine.hits(&block, &ends, &mut scratch, |domain, found| {
            let squat = found.typosquat.expect("all rules are brands");
            hit(&block[domains[domain].clone()], found.rule as usize, squat);
        });
    }
}

/// Of the fifty brands' permutations, as dnstwist makes them, at least 99 % of each technique: of a
/// sample that was kept, evenly spread over each.
#[test]
fn a_sample_of_what_dnstwist_makes_is_caught() {
    caught(include_str!("brands/dnstwist.tsv"));
}

/// The same of all of them. dnstwist (`pip install dnstwist`) is looked for in `python3`, or in what
/// `DNSTWIST_PYTHON` names.
#[test]
fn what_dnstwist_makes_is_caught() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brands/permute.py");
    let python = std::env::var("DNSTWIST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    match Command::new(&python).arg(script).args(brands()).output() {
        Ok(made) if made.status.success() => {
            caught(&String::from_utf8(made.stdout).expect("UTF-8"));
        }
        Ok(made) if made.status.code() == Some(3) => {
            eprintln!("skipped: dnstwist is not installed (pip install dnstwist)");
        }
        Ok(made) => panic!("{}", String::from_utf8_lossy(&made.stderr)),
        Err(error) => eprintln!("skipped: no {python}: {error}"),
    }
}

/// What became of one fuzzer's permutations.
#[derive(Default)]
struct Caught<'m> {
    made: usize,
    caught: usize,
    missed: Vec<&'m str>,
}

/// Asserts that enough permutations hit their brand's rule: lines of a brand, the fuzzer's name and
/// the permutation.
fn caught(permutations: &str) {
    let engine = engine();
    let brands = brands();
    let lines: Vec<[&str; 3]> = permutations
        .lines()
        .map(|line| <[&str; 3]>::try_from(line.split('\t').collect::<Vec<_>>()).expect("columns"))
        .filter(|[_, fuzzer, _]| *fuzzer != "*original")
        .collect();
    let names: Vec<&str> = lines.iter().map(|[_, _, name]| *name).collect();
    let mut hits = HashSet::new();
    each_hit(&engine, &names, |domain, rule, _| {
        hits.insert((domain.to_owned(), rule));
    });
    let mut fuzzers: BTreeMap<&str, Caught<'_>> = BTreeMap::new();
    for [brand, fuzzer, name] in lines {
        let fuzzer = match fuzzer {
            "homoglyph" if name.contains("xn--") => "homoglyph, IDN",
            fuzzer => fuzzer,
        };
        let rule = brands.iter().position(|known| *known == brand).expect("a brand");
        let mut domain = Vec::new();
        let is_hit = sanitise(name, &mut domain).is_ok()
            && hits.contains(&(String::from_utf8(domain).expect("ASCII"), rule));
        let of = fuzzers.entry(fuzzer).or_default();
        of.made += 1;
        if is_hit { of.caught += 1 } else { of.missed.push(name) }
    }
    for (fuzzer, Caught { made, caught, missed }) in &fuzzers {
        let share = 100.0 * *caught as f64 / *made as f64;
        let missed = &missed[..missed.len().min(12)];
        println!("{fuzzer:<16} {caught:>6} of {made:>6} {share:>6.2} %  {missed:?}");
    }
    for (fuzzer, Caught { made, caught, missed }) in &fuzzers {
        // Plurals of every syllable (`amazeson`) are no technique of ours.
        if *fuzzer != "plural" {
            assert!(100 * caught >= 99 * made, "{fuzzer}: {missed:?}");
        }
    }
}

/// Whatever the engine does on the way, it finds what judging every form of every name for every
/// brand finds. On a part of the corpus's names, those with forms of their own among them.
#[test]
fn the_engine_finds_what_judging_every_name_finds() {
    let Some(text) = corpus_names() else { return };
    let names = names(&text);
    let some = names.iter().step_by(29).copied();
    let international = names.iter().copied().filter(|name| name.contains("xn--")).step_by(7);
    let made =
        include_str!("brands/dnstwist.tsv").lines().filter_map(|line| line.rsplit('\t').next());
    equals_judging(&some.chain(international).chain(made).collect::<Vec<_>>());
}

/// The same on all of them: some minutes.
#[test]
#[ignore = "takes minutes; run with --release"]
fn the_engine_finds_what_judging_all_names_finds() {
    let Some(text) = corpus_names() else { return };
    equals_judging(&names(&text));
}

fn equals_judging(names: &[&str]) {
    let engine = engine();
    let mut found: Vec<(String, usize, Typosquat)> = Vec::new();
    each_hit(&engine, names, |domain, rule, squat| found.push((domain.to_owned(), rule, squat)));
    let mut expected = Vec::new();
    let mut forms = Forms::default();
    for name in names {
        let mut domain = Vec::new();
        if sanitise(name, &mut domain).is_err() {
            continue;
        }
        let domain = String::from_utf8(domain).expect("ASCII");
        forms.make(&domain);
        for (rule, index) in engine.rules().rules.iter().zip(0..) {
            let Syntax::Brand(brand) = &rule.pattern.syntax else { panic!("{}", rule.name) };
            let plain = brand.judge(&domain).map(|found| found.typosquat);
            let others = forms.iter().filter_map(|(_, form)| {
                let squat = brand.judge(form)?.typosquat;
                Some(if form.is_ascii() { squat.by_looks() } else { squat })
            });
            if let Some(squat) = plain.into_iter().chain(others).min()
                && !brand.owns(&domain)
            {
                expected.push((domain.clone(), index, squat));
            }
        }
    }
    println!("{} names, {} hits", names.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// How often the fifty brands hit the corpus's real names, and with what: the figures for
/// PERFORMANCE.md. What hits is written to `target/tmp/brands.tsv`, to be read.
#[test]
fn real_names_are_not_flooded() {
    let Some(text) = corpus_names() else { return };
    let names = names(&text);
    let engine = engine();
    let rules = &engine.rules().rules;
    let mut per_brand = vec![0; rules.len()];
    let mut per_technique: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hits = String::new();
    each_hit(&engine, &names, |domain, rule, squat| {
        per_brand[rule] += 1;
        *per_technique.entry(squat.technique.word()).or_default() += 1;
        let (brand, technique) = (&rules[rule].name, squat.technique);
        let _ = writeln!(hits, "{brand}\t{technique}\t{}\t{domain}", squat.distance);
    });
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/brands.tsv"), hits).expect("writes");
    println!("{} names, {} literals", names.len(), engine.literals().len());
    for (rule, hits) in rules.iter().zip(&per_brand) {
        println!("{:<16} {hits:>6}", rule.name);
    }
    println!("{per_technique:?}");
    let total: usize = per_brand.iter().sum();
    assert!(100 * total < 3 * names.len(), "{total} of {} names", names.len());
}

/// The list of names of the corpus; none, and a word about it, where it is not there.
fn corpus_names() -> Option<String> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/inputs/names.txt.zst");
    let Ok(file) = std::fs::File::open(corpus) else {
        eprintln!("skipped: {corpus} is not there");
        return None;
    };
    let mut text = String::new();
    zstd::Decoder::new(file).expect("opens").read_to_string(&mut text).expect("reads");
    Some(text)
}

/// The names of the corpus: behind each origin the registered domain, unless it begins with `~`,
/// and the names under it.
fn names(text: &str) -> Vec<&str> {
    let groups = text.lines().filter_map(|line| line.split_once('\t'));
    groups.flat_map(|(_, names)| names.split(' ')).filter(|name| !name.starts_with('~')).collect()
}
