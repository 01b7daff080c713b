//! Hits over small blocks, rule by rule and view by view.

use super::*;
use crate::rule::{Anchor, Loader, RuleEntry, Scope};
use std::path::Path;

fn engine(entries: &[RuleEntry], allow: &[&str], anchor: Anchor) -> Engine {
    let mut loader = Loader::new(anchor);
    loader.entries(entries, Path::new("test")).expect("rules compile");
    let allow: Vec<String> = allow.iter().map(|domain| (*domain).to_owned()).collect();
    loader.allow(&allow);
    Engine::build(loader.finish().expect("rules")).expect("builds")
}

fn patterns(patterns: &[&str]) -> Vec<RuleEntry> {
    let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
    patterns.iter().map(entry).collect()
}

fn hits(engine: &Engine, domains: &[&str]) -> Vec<(usize, u32)> {
    views(engine, domains).into_iter().map(|(domain, rule, _)| (domain, rule)).collect()
}

/// The hits with the names of their views.
fn views(engine: &Engine, domains: &[&str]) -> Vec<(usize, u32, String)> {
    let mut block = String::new();
    let mut ends = Vec::new();
    for domain in domains {
        block.push_str(domain);
        ends.push(u32::try_from(block.len()).expect("short"));
        block.push('\n');
    }
    let mut found = Vec::new();
    engine.hits(&block, &ends, &mut engine.scratch(), |domain, hit| {
        assert!(!hit.gave_up);
        let views: Vec<&str> = hit.views.names().collect();
        found.push((domain, hit.rule, views.join(" ")));
    });
    found
}

#[test]
fn each_hit_keeps_its_rule() {
    let engine = engine(
        &patterns(&["paypal", "(secure|login).*paypal", r"\.tk$", "^[0-9.]+x", "(?<!my)bank"]),
        &[],
        Anchor::Search,
    );
    let domains = ["paypal-login.tk", "login-paypal.com", "mybank.de", "thebank.de", "1.2x"];
    assert_eq!(hits(&engine, &domains), [(0, 0), (0, 2), (1, 0), (1, 1), (3, 4), (4, 3)]);
}

#[test]
fn a_start_anchor_is_re_match() {
    let engine = engine(&patterns(&["pay|bank", "(?=pay)"]), &[], Anchor::Start);
    assert_eq!(hits(&engine, &["xpay.de", "bank.de", "pay.de"]), [(1, 0), (2, 0), (2, 1)]);
}

/// Names hold no upper case, so a pattern that minds case is one that does not.
#[test]
fn case_is_ignored_by_either_engine_whatever_a_pattern_says() {
    let written = ["(?-i:WHM)(?!x)", "(?-i:WHM)", "(?-i:[A-Z]{3})(?=1)", "(?-i:[A-Z]{3})1"];
    let engine = engine(&patterns(&written), &[], Anchor::Search);
    let expected = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1)];
    assert_eq!(hits(&engine, &["whm1.de", "whmx.de"]), expected);
}

#[test]
fn excluded_and_allowed_domains_are_no_hits() {
    let mut rules = patterns(&["bank"]);
    rules[0].exclude = vec![r"\.bank\.com$".to_owned(), "mybank".to_owned()];
    let engine = engine(&rules, &["good.org"], Anchor::Search);
    let domains =
        ["a.bank.com", "mybank.de", "bank.de", "bank.good.org", "bankgood.org", "good.org"];
    assert_eq!(hits(&engine, &domains), [(2, 0), (4, 0)]);
}

#[test]
fn a_rule_that_grows_too_large_is_refused_with_its_place() {
    let mut loader = Loader::new(Anchor::Search);
    let mut rules = patterns(&["(?:[a-z]{1000}){1000}x*"]);
    rules[0].line = 7;
    loader.entries(&rules, Path::new("r.txt")).expect("parses");
    let error = Engine::build(loader.finish().expect("rules")).expect_err("too large");
    assert!(error.to_string().starts_with("r.txt:7: the rule does not compile"), "{error}");
}

/// `xn--…` labels of the tests below, and what they stand for.
const CYRILLIC_PAYPAL: &str = "xn--pypal-4ve.com"; // pаypal, with a Cyrillic а
const MUNICH: &str = "xn--mnchen-3ya.de"; // münchen

#[test]
fn a_hit_says_in_which_views() {
    let rules =
        patterns(&["paypal", "com$", "münchen", "xn--", "m[uü]nchen", "^m.nchen", "(?=mu)"]);
    let engine = engine(&rules, &[], Anchor::Search);
    let domains = ["paypal.com", CYRILLIC_PAYPAL, "mail.org", MUNICH];
    let all = "a-label unicode look-alike";
    let expected = [
        (0, 0, "a-label"),
        (0, 1, "a-label"),
        (1, 0, "look-alike"),
        (1, 1, all),
        (1, 3, "a-label"),
        (3, 2, "unicode"),
        (3, 3, "a-label"),
        (3, 4, "unicode look-alike"),
        (3, 5, "unicode look-alike"),
        (3, 6, "look-alike"),
    ];
    let expected = expected.map(|(domain, rule, views)| (domain, rule, views.to_owned()));
    assert_eq!(views(&engine, &domains), expected);
}

#[test]
fn what_looks_like_an_excluded_domain_is_not_excluded() {
    let mut rules = patterns(&["paypal", "nchen"]);
    rules[0].exclude = vec![r"(^|\.)paypal\.com$".to_owned()];
    rules[1].exclude = vec!["^münchen".to_owned(), "^xn--mn.*org$".to_owned()];
    let engine = engine(&rules, &["good.de"], Anchor::Search);
    let domains = [
        "paypal.com",
        CYRILLIC_PAYPAL,
        // Excluded by its Unicode form, in every view; by its A-label form, in every view.
        MUNICH,
        "xn--mnchen-3ya.xn--p1ai.org",
        "a.xn--mnchen-3ya.de",
        // Under a domain of the user's own, whatever it looks like.
        "xn--pypal-4ve.good.de",
        "xn--mnchen-3ya.paypal.com",
    ];
    let expected = [(1, 0, "look-alike"), (4, 1, "a-label unicode look-alike")];
    let expected = expected.map(|(domain, rule, views)| (domain, rule, views.to_owned()));
    assert_eq!(views(&engine, &domains), expected);
}

#[test]
fn a_rule_that_gives_up_in_one_view_and_hits_in_another_has_hit() {
    // Too many ways to part a long label, unless there is an é in it.
    let rules = patterns(&[r"^(?:.*é|(.*)(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5\6!)"]);
    let engine = engine(&rules, &[], Anchor::Search);
    let label = idna::punycode::encode_str(&"é".repeat(30)).expect("short");
    let block = format!("xn--{label}.com\n");
    let mut found = Vec::new();
    let ends = [block.len() as u32 - 1];
    engine.hits(&block, &ends, &mut engine.scratch(), |_, hit| found.push(hit));
    let [hit] = found[..] else { panic!("{found:?}") };
    assert!(!hit.gave_up && hit.views.names().any(|view| view == "unicode"), "{hit:?}");
    let without = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com\n";
    let ends = [without.len() as u32 - 1];
    engine.hits(without, &ends, &mut engine.scratch(), |_, hit| assert!(hit.gave_up));
}

#[test]
fn labels_that_do_not_decode_are_counted_and_tried_as_they_are() {
    let engine = engine(&patterns(&["paypal", "^xn--9"]), &[], Anchor::Search);
    let block = "xn--paypal-.com\nxn--99999999.com\n";
    let mut scratch = engine.scratch();
    let mut found = Vec::new();
    engine.hits(block, &[15, 32], &mut scratch, |domain, hit| found.push((domain, hit.rule)));
    assert_eq!(found, [(0, 0), (1, 1)]);
    assert_eq!(scratch.invalid_labels(), 2);
    engine.hits("a.b\n", &[3], &mut scratch, |_, _| {});
    assert_eq!(scratch.invalid_labels(), 0, "of the last block only");
}

#[test]
fn a_rule_is_tried_on_the_parts_of_its_scope() {
    let rule = |pattern: &str, scope| RuleEntry {
        pattern: pattern.to_owned(),
        scope,
        ..RuleEntry::default()
    };
    let rules = [
        rule("^pay", Scope::Registered),
        rule("^pay$", Scope::Label),
        rule("pay$", Scope::Subdomain),
        // Without a literal, and with look-around.
        rule("^[0-9]{3}$", Scope::Label),
        rule("^(?!x)pay.$", Scope::Label),
    ];
    let engine = engine(&rules, &[], Anchor::Search);
    let domains = ["paypal.com", "pay.shop.co.uk", "x.pays.de", "a.123.org", "pay", "mypay.a.de"];
    let expected = [(0, 0), (1, 1), (1, 2), (2, 0), (2, 4), (3, 3), (4, 1), (5, 2)];
    assert_eq!(hits(&engine, &domains), expected);
}

#[test]
fn a_brand_is_known_by_its_looks_and_its_own_domain_hides_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("r.yaml");
    std::fs::write(&file, "- {brand: paypal, own: [paypal.com]}\n").expect("a file");
    let mut loader = Loader::new(Anchor::Search);
    loader.file(&file).expect("a brand");
    let engine = Engine::build(loader.finish().expect("a brand")).expect("builds");
    // Of each the end of its line: Cyrillic а; the brand's own; with a keyword.
    let block = "xn--pypal-4ve.com\npaypal.com\npaypal-login.tk\n";
    let mut found = Vec::new();
    engine.hits(block, &[17, 28, 44], &mut engine.scratch(), |domain, hit| {
        let squat = hit.typosquat.expect("a brand's");
        let views: Vec<&str> = hit.views.names().collect();
        found.push((domain, squat.technique.word(), squat.distance, views.join(" ")));
    });
    let expected =
        [(0, "homoglyph", 1, "look-alike".to_owned()), (2, "combosquat", 0, "a-label".to_owned())];
    assert_eq!(found, expected);
}
