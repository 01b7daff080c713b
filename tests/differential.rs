//! Prefilter and verify together find exactly what a plain regex finds in every view of every name,
//! for every rule set: no false negative gets past the prefilter, no false positive past verify.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use certstream::domain::{Forms, Views, sanitise};
use certstream::matcher::Engine;
use certstream::rule::{Anchor, Loader, Pattern, Rule, RuleEntry, RuleSet};

/// A plain search for one rule, from the pattern as the user wrote it: neither its translation
/// nor the reduction to lower case can be wrong on both sides.
fn plain(rule: &Rule, anchor: Anchor) -> fancy_regex::Regex {
    let written = &rule.pattern.written;
    let pattern = match anchor {
        Anchor::Search => written.clone(),
        Anchor::Start => format!(r"\A(?:{written})"),
    };
    let built = fancy_regex::RegexBuilder::new(&pattern).case_insensitive(true).build();
    built.unwrap_or_else(|error| panic!("{written}: {error}"))
}

/// Compares the engine with plain searches over all domains, for the rules at `checked`, on as
/// many threads as the machine has.
pub fn compare(rules: RuleSet, anchor: Anchor, domains: &[String], checked: &[usize]) -> usize {
    let plain: Vec<(u32, fancy_regex::Regex)> =
        checked.iter().map(|index| (*index as u32, plain(&rules.rules[*index], anchor))).collect();
    let names: Vec<String> = rules.rules.iter().map(|rule| rule.name.clone()).collect();
    let engine = Engine::build(rules).expect("builds");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = domains.len().div_ceil(threads).max(1000);
    std::thread::scope(|scope| {
        let shares: Vec<_> = domains
            .chunks(share)
            .map(|domains| {
                // A clone: the searches of a shared one queue for its one store of caches.
                let plain = plain.clone();
                let (engine, names) = (&engine, &names);
                scope.spawn(move || compare_share(engine, names, &plain, domains))
            })
            .collect();
        shares.into_iter().map(|share| share.join().expect("equal")).sum()
    })
}

fn compare_share(
    engine: &Engine,
    names: &[String],
    plain: &[(u32, fancy_regex::Regex)],
    domains: &[String],
) -> usize {
    let mut scratch = engine.scratch();
    let wanted: BTreeSet<u32> = plain.iter().map(|(rule, _)| *rule).collect();
    let mut hits = 0;
    for chunk in domains.chunks(1000) {
        let mut block = String::new();
        let mut ends = Vec::new();
        for domain in chunk {
            block.push_str(domain);
            ends.push(block.len() as u32);
            block.push('\n');
        }
        let mut found = BTreeSet::new();
        engine.hits(&block, &ends, &mut scratch, |domain, hit| {
            assert!(!hit.gave_up, "{}", chunk[domain]);
            if wanted.contains(&hit.rule) {
                assert!(found.insert((domain, hit.rule, hit.views)), "told twice");
            }
        });
        let forms: Vec<(usize, Views, String)> = chunk.iter().enumerate().flat_map(forms).collect();
        // Rule by rule: a rule's searches keep its program in the processor's cache.
        let mut expected = BTreeSet::new();
        for (rule, plain) in plain {
            let hit = |form: &str| plain.is_match(form).expect("within the step limit");
            let mut views: BTreeMap<usize, Views> = BTreeMap::new();
            for (index, view, form) in &forms {
                if hit(form) {
                    let so_far = views.entry(*index).or_default();
                    *so_far = so_far.union(*view);
                }
            }
            expected.extend(views.into_iter().map(|(index, views)| (index, *rule, views)));
        }
        hits += expected.len();
        let show = |hits: Vec<&(usize, u32, Views)>| -> Vec<String> {
            let text = |(domain, rule, views): &&(usize, u32, Views)| {
                let views: Vec<&str> = views.names().collect();
                format!("{} ~ {} in {views:?}", chunk[*domain], names[*rule as usize])
            };
            hits.iter().map(text).collect()
        };
        let missed = show(expected.difference(&found).take(5).collect());
        let invented = show(found.difference(&expected).take(5).collect());
        assert!(
            missed.is_empty() && invented.is_empty(),
            "missed {missed:?}, invented {invented:?}"
        );
    }
    hits
}

/// The forms of the domain at `index`, each with its view.
fn forms((index, domain): (usize, &String)) -> Vec<(usize, Views, String)> {
    let others = Forms::of(domain);
    let others = others.iter().map(|(view, form)| (index, view, form.to_owned()));
    std::iter::once((index, Views::A_LABEL, domain.clone())).chain(others).collect()
}

/// A rule set of patterns alone.
pub fn load(patterns: &[&str], anchor: Anchor) -> RuleSet {
    let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
    let entries: Vec<RuleEntry> = patterns.iter().map(entry).collect();
    let mut loader = Loader::new(anchor);
    loader.entries(&entries, Path::new("test")).expect("rules compile");
    loader.finish().expect("rules")
}

fn corpus(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(path);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// Every `step`th of the corpus's names, sanitised.
fn corpus_domains(step: usize) -> Option<Vec<String>> {
    corpus_domains_where(|_| true, step)
}

/// Every `step`th of the corpus's names that have a label `xn--…`, sanitised.
fn corpus_a_labels(step: usize) -> Option<Vec<String>> {
    corpus_domains_where(|name| name.starts_with("xn--") || name.contains(".xn--"), step)
}

fn corpus_domains_where(wanted: impl Fn(&str) -> bool, step: usize) -> Option<Vec<String>> {
    let packed = fs::File::open(corpus("inputs/names.txt.zst")?).expect("opens");
    let mut text = String::new();
    zstd::Decoder::new(packed).expect("is zstd").read_to_string(&mut text).expect("is text");
    let names = text.lines().flat_map(|line| line.split_whitespace().skip(1));
    let mut domains: Vec<String> = names
        .map(|name| name.trim_start_matches('~'))
        .filter(|name| wanted(name))
        .step_by(step)
        .filter_map(|name| {
            let mut domain = Vec::new();
            sanitise(name, &mut domain).ok()?;
            String::from_utf8(domain).ok()
        })
        .collect();
    domains.sort_unstable();
    domains.dedup();
    Some(domains)
}

/// Runs a corpus rule set over the corpus's names; every `rule_step`th rule is searched plainly.
fn corpus_rules(file: &str, name_step: usize, rule_step: usize) {
    corpus_rules_over(file, corpus_domains(name_step), rule_step);
}

fn corpus_rules_over(file: &str, domains: Option<Vec<String>>, rule_step: usize) {
    let Some(path) = corpus(&format!("rules/{file}")) else { return };
    let Some(domains) = domains else { return };
    let mut loader = Loader::new(Anchor::Search);
    loader.file(&path).expect("loads");
    let rules = loader.finish().expect("rules");
    let checked: Vec<usize> = (0..rules.rules.len()).step_by(rule_step).collect();
    let hits = compare(rules, Anchor::Search, &domains, &checked);
    println!("{file}: {} domains, {} rules, {hits} hits, equal", domains.len(), checked.len());
    assert!(hits > 0, "{file}: a comparison without a hit shows nothing");
}

#[test]
fn ten_rules_over_every_name() {
    corpus_rules("rules_10.txt", 1, 1);
}

#[test]
fn a_hundred_rules_over_every_fourth_name() {
    corpus_rules("rules_100.txt", 4, 1);
}

#[test]
fn a_thousand_rules() {
    corpus_rules("rules_1000.txt", 80, 1);
    corpus_rules("rules_1000_live.txt", 80, 1);
}

#[test]
fn ten_thousand_rules() {
    corpus_rules("rules_10000.txt", 40, 10);
}

#[test]
fn look_around_rules() {
    corpus_rules("rules_lookaround.txt", 20, 1);
}

#[test]
fn a_label_names_in_every_view() {
    corpus_rules_over("rules_10.txt", corpus_a_labels(1), 1);
    corpus_rules_over("rules_100.txt", corpus_a_labels(4), 1);
    corpus_rules_over("rules_1000.txt", corpus_a_labels(10), 3);
    corpus_rules_over("rules_lookaround.txt", corpus_a_labels(10), 1);
}

#[test]
#[ignore = "slow: some minutes with --release"]
fn every_a_label_name_in_every_view() {
    for file in ["rules_10.txt", "rules_100.txt", "rules_1000.txt", "rules_lookaround.txt"] {
        corpus_rules_over(file, corpus_a_labels(1), 1);
    }
}

#[test]
#[ignore = "slow: a minute or two with --release"]
fn every_rule_of_a_hundred_over_every_name() {
    corpus_rules("rules_100.txt", 1, 1);
}

#[test]
#[ignore = "slow: some minutes with --release"]
fn every_look_around_rule_over_every_name() {
    corpus_rules("rules_lookaround.txt", 1, 1);
}

#[test]
#[ignore = "slow: some minutes with --release"]
fn every_rule_of_a_thousand_over_every_name() {
    corpus_rules("rules_1000.txt", 1, 1);
    corpus_rules("rules_1000_live.txt", 1, 1);
}

#[test]
#[ignore = "slow: six minutes of two cores with --release"]
fn every_rule_of_ten_thousand_over_every_name() {
    corpus_rules("rules_10000.txt", 1, 1);
}

/// A few domains that the shapes below match or nearly match.
pub const DOMAINS: [&str; 16] = [
    "paypal.com",
    "secure-paypal-login.tk",
    "p4ypa1.ml",
    "a.b",
    "bank.of.america.example.org",
    "google.com",
    "x-google.de",
    "_dmarc.appleid.example.com",
    "xn--mnchen-3ya.de",
    "00000000000000000000000000.net",
    "aaaaaaaaaaaa.aa",
    "login.microsoft.com.evil.xyz",
    "mybank.de",
    "thebank.de",
    "abcabc.org",
    "goooogle.com",
];

#[test]
fn every_shape_of_rule_over_a_few_names() {
    let patterns = [
        "paypal",
        "p[a4]yp[a4][l1i]",
        "(secure|login|verify).*paypal",
        "bank.*of.*america",
        r"(^|-)google|google(-|\.)",
        r"^[a-z0-9]{25,}\.",
        r"\.(tk|ml|xyz)$",
        ".",
        "^a",
        r"\bbank\b",
        "(?<!my)bank",
        "^(?!.*evil).*login",
        r"([a-c]{3})\1",
        "go{3,}gle",
        "x?a*",
        "[^a-z]b",
        r"\d+",
        "(?i)PAYPAL|GOOGLE",
        // White space stands in no domain; in a block a newline parts one from the next.
        r"google\.com\s",
        r"\.com[\s/]|pay[\s-]?pal",
        "a|b|c",
        "(?:a|b){2,4}c",
        // What only some matches hold must not be asked of all.
        r"(x-)?google(?(1)\.de)",
        r"(my)?(?:the)?bank(?(1)\.de|\.d)",
        r"(?(1)xy|bank)(\.)?",
    ];
    let domains: Vec<String> = DOMAINS.iter().map(|domain| (*domain).to_owned()).collect();
    for anchor in [Anchor::Search, Anchor::Start] {
        let rules = load(&patterns, anchor);
        let all: Vec<usize> = (0..rules.rules.len()).collect();
        assert!(compare(rules, anchor, &domains, &all) > 20);
    }
}

/// Patterns made at random from the pieces that real ones are made of, and names made to hit.
#[test]
fn random_rules_over_random_names() {
    const PIECES: [&str; 31] = [
        "a",
        "b",
        "ab",
        "BA",
        "[ab]",
        "[A-C]",
        "[^a]",
        ".",
        ".*",
        "a?",
        "b+",
        "(a|bc)",
        "(?:ab)*",
        "^",
        "$",
        r"\.",
        "-",
        "a{2}",
        "(b|)",
        r"\b",
        "(?=b)",
        "(?!c)",
        r"\s",
        r"[\s-]",
        r"\s?",
        r"\W",
        r"[^\w.]",
        r"\B",
        "(a)?(?(1)b)",
        "(?(1)b|ca)",
        "(?:b(?!c))?",
    ];
    let hits = random_rules(20_261_124, &PIECES, |random| {
        let length = random.usize(1..12);
        let name: String = (0..length).map(|_| b"aaabbbc-."[random.usize(..9)] as char).collect();
        format!("x{name}")
    });
    assert!(hits > 1000, "{hits} hits show too little");
}

/// Compares rules made at random of `pieces` over domains that `domain` makes; the hits.
pub fn random_rules(
    seed: u64,
    pieces: &[&str],
    mut domain: impl FnMut(&mut fastrand::Rng) -> String,
) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hits = 0;
    for _ in 0..400 {
        let patterns: Vec<String> = (0..random.usize(1..12))
            .map(|_| {
                let count = random.usize(1..7);
                (0..count).map(|_| pieces[random.usize(..pieces.len())]).collect()
            })
            .collect();
        let patterns: Vec<&str> = patterns
            .iter()
            .map(String::as_str)
            .filter(|p| Pattern::parse(p, Anchor::Search).is_ok())
            .collect();
        if patterns.is_empty() {
            continue;
        }
        let domains: Vec<String> = (0..40).map(|_| domain(&mut random)).collect();
        let anchor = if random.bool() { Anchor::Search } else { Anchor::Start };
        let rules = load(&patterns, anchor);
        let all: Vec<usize> = (0..rules.rules.len()).collect();
        hits += compare(rules, anchor, &domains, &all);
    }
    hits
}
