//! `lint --profile`: what each rule costs and brings on the names of a capture.

use serde_json::{Value, json};

use crate::testenv::Folder;

const RULES: &str = "\
- paypal
- {name: digits, pattern: '^[0-9]{6,}[.]'}
- {name: never, pattern: 'wellsfargo'}
- {name: near, pattern: '^login.*paypal'}
- {brand: google, own: [google.com]}
- {name: spared, pattern: 'microsoft', exclude: ['^learn[.]']}
";

fn frame(names: &[&str]) -> String {
    let data = json!({ "leaf_cert": { "all_domains": names } });
    json!({ "message_type": "certificate_update", "data": data }).to_string() + "\n"
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("rules.yaml", RULES);
    let frames = [
        // The same domain twice in one certificate is one.
        frame(&["paypal.com", "*.paypal.com", "login-paypal.example", "x.org"]),
        frame(&["www.paypal.com", "123456.example", "gogle.com", "google.com"]),
        // A hit in two views is one hit.
        frame(&["xn--pypal-4ve.paypal.com", "learn.microsoft.com", "no dot"]),
    ];
    folder.write("one.jsonl", frames[..2].concat());
    folder.write("two.jsonl.zst", zstd::encode_all(frames[2].as_bytes(), 1).unwrap());
    folder
}

const PROFILE: [&str; 7] =
    ["lint", "--rules", "rules.yaml", "--profile", "one.jsonl", "--profile", "two.jsonl.zst"];

#[test]
fn every_rule_is_told_with_what_it_costs_and_brings() {
    let folder = folder();
    assert_eq!(folder.run(&[&PROFILE[..], &["--json"]].concat()), 0, "{}", folder.stderr());
    let lines: Vec<Value> =
        folder.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |rule: &str, key: &str| {
        let of_rule = |line: &&Value| line["kind"] == "profile" && line["rule"] == rule;
        lines.iter().find(of_rule).unwrap_or_else(|| panic!("{rule}"))[key].clone()
    };
    for (rule, candidates, hits) in [
        // The third domain in three forms.
        ("paypal", 6, 4),
        // Without a literal: what the DFA of such rules lets through, and any Unicode form.
        ("digits", 2, 1),
        ("never", 0, 0),
        // Looked for by the rarer of its words, so tried wherever `paypal` is.
        ("near", 6, 1),
        ("google", 2, 1),
        ("spared", 1, 0),
    ] {
        assert_eq!(told(rule, "candidates"), candidates, "{rule}: {lines:?}");
        assert_eq!(told(rule, "hits"), hits, "{rule}");
        assert_eq!(told(rule, "file"), "rules.yaml");
        assert!(told(rule, "verifying_ms").as_f64().unwrap() >= 0.0);
    }
    let costs: Vec<f64> = lines.iter().filter_map(|line| line["share"].as_f64()).collect();
    assert!(costs.len() == 6 && costs.is_sorted_by(|one, next| one >= next), "{costs:?}");
    let total = lines.last().unwrap();
    assert_eq!(total["kind"], "profile-total");
    assert_eq!((&total["domains"], &total["rules"]), (&json!(9), &json!(6)));
    assert_eq!(total["never_hit"], 2);
    let parts = ["prefilter_ms", "verifying_ms"].map(|key| total[key].as_f64().unwrap());
    assert!((parts.iter().sum::<f64>() - total["ms"].as_f64().unwrap()).abs() < 1e-6);
    assert!(parts[0] > 0.0);
}

#[test]
fn for_people_the_rules_that_never_hit_are_marked() {
    let folder = folder();
    assert_eq!(folder.run(&PROFILE), 0, "{}", folder.stderr());
    let text = folder.stdout();
    let line = |rule: &str| {
        let is_told = |line: &&str| line.contains(rule) && line.contains("candidates");
        text.lines().find(is_told).unwrap_or_default()
    };
    assert!(line("`never`").starts_with("rules.yaml:3: never-hit: `never`: 0 candidates, 0 hits"));
    assert!(line("`digits`").starts_with("rules.yaml:2: profile: `digits`: 2 candidates, 1 hits"));
    assert!(text.lines().last().unwrap().starts_with("9 domains, "), "{text}");
    assert!(text.contains("2 of 6 rules never hit"), "{text}");
    // What is wrong with the rules is told all the same, and alone decides for `--check`.
    assert!(text.contains("no-literal: `digits`"), "{text}");
    assert_eq!(folder.run(&[&PROFILE[..], &["--check"]].concat()), 1);
}

#[test]
fn a_capture_that_cannot_be_read_is_named() {
    let folder = folder();
    assert_eq!(folder.run(&["lint", "--rules", "rules.yaml", "--profile", "none.jsonl"]), 2);
    assert!(folder.stderr().contains("none.jsonl"), "{}", folder.stderr());
    folder.write("broken.gz", [0x1F, 0x8B, 8, 0, 0]);
    assert_eq!(folder.run(&["lint", "--rules", "rules.yaml", "--profile", "broken.gz"]), 1);
    assert!(folder.stderr().contains("broken.gz"), "{}", folder.stderr());
}
