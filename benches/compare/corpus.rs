//! Real names and real rules, and blocks of them in which a chosen share of names is hit.

use std::io::Read;
use std::path::{Path, PathBuf};

use certstream::domain::sanitise;
use certstream::matcher::Engine;
use certstream::rule::{Anchor, Loader, RuleEntry, RuleSet};

/// Bytes of a block: a batch closes there.
const BLOCK: usize = 32 * 1024;

/// Domains as the engine takes them.
pub struct Block {
    pub text: String,
    pub ends: Vec<u32>,
}

impl Block {
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }
}

/// A file of the corpus.
pub fn path(of: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(of)
}

/// Sanitised domains from all over the list of names, whose sources stand in stretches.
pub fn domains(count: usize) -> Vec<String> {
    let packed = std::fs::File::open(path("inputs/names.txt.zst")).expect("the corpus is there");
    let mut text = String::new();
    zstd::Decoder::new(packed).expect("is zstd").read_to_string(&mut text).expect("is text");
    let all: Vec<&str> = text.lines().flat_map(|line| line.split_whitespace().skip(1)).collect();
    let mut domains = Vec::new();
    for name in all.iter().step_by((all.len() / count).max(1)) {
        let mut domain = Vec::new();
        if sanitise(name, &mut domain).is_ok() {
            domains.push(String::from_utf8(domain).expect("domains are ASCII"));
        }
    }
    // Neighbours in the list are alike, as no stream's are.
    fastrand::Rng::with_seed(1).shuffle(&mut domains);
    domains
}

/// The first `count` rules; beyond the corpus's ten thousand, variants of them.
pub fn rules(count: usize) -> RuleSet {
    let mut loader = Loader::new(Anchor::Search);
    let whole = count.min(10_000);
    let file = path(&format!("rules/rules_{whole}.txt"));
    loader.file(&file).expect("the rules compile");
    if count > whole {
        let written = std::fs::read_to_string(&file).expect("is text");
        let variants = (1..).flat_map(|turn| written.lines().map(move |line| variant(line, turn)));
        let entries: Vec<RuleEntry> = variants
            .take(count - whole)
            .map(|pattern| RuleEntry { pattern, ..RuleEntry::default() })
            .collect();
        loader.entries(&entries, Path::new("variants")).expect("the rules compile");
    }
    loader.finish().expect("rules")
}

/// Rules as a YAML file would have them.
pub fn entries(entries: &[RuleEntry]) -> RuleSet {
    let mut loader = Loader::new(Anchor::Search);
    loader.entries(entries, Path::new("entries")).expect("the rules compile");
    loader.finish().expect("rules")
}

/// The first `count` watch words of the rules that a brand may be called.
pub fn watch_words(count: usize) -> Vec<String> {
    let rules =
        std::fs::read_to_string(path("rules/rules_10000.txt")).expect("the corpus is there");
    let is_word = |line: &&str| {
        (5..=30).contains(&line.len())
            && line.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    rules.lines().filter(is_word).take(count).map(str::to_owned).collect()
}

/// Blocks of domains as they come.
pub fn blocks_of(domains: &[String]) -> Blocks {
    let plain: Vec<&String> = domains.iter().filter(|d| !d.contains("xn--")).collect();
    Blocks { all: joined(&domains.iter().collect::<Vec<_>>()), plain: joined(&plain) }
}

/// The pattern with other letters in its words: vowels for vowels, consonants for consonants.
fn variant(pattern: &str, turn: usize) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let mut in_class = false;
    for letter in pattern.chars().chain(['\n']) {
        if letter.is_ascii_lowercase() && !in_class && !out.ends_with('\\') {
            word.push(letter);
            continue;
        }
        let turned = word.len() >= 4;
        out.extend(word.drain(..).map(|l| if turned { turned_letter(l, turn) } else { l }));
        in_class = (in_class || letter == '[') && letter != ']';
        out.push(letter);
    }
    out.pop();
    out
}

fn turned_letter(letter: char, turn: usize) -> char {
    let alike = ["aeiou", "bcdfghjklmnpqrstvwxyz"]
        .into_iter()
        .find_map(|alike| Some((alike, alike.find(letter)?)));
    alike.map_or(letter, |(alike, at)| char::from(alike.as_bytes()[(at + turn) % alike.len()]))
}

/// The rules that have a literal.
pub fn with_literal(rules: &RuleSet) -> RuleSet {
    let engine = Engine::build(rules.clone()).expect("builds");
    let without: Vec<_> = engine.without_literal().map(|(rule, _)| rule.hash).collect();
    let kept = rules.rules.iter().filter(|rule| !without.contains(&rule.hash));
    RuleSet { rules: kept.cloned().collect(), ..RuleSet::default() }
}

/// The same mixture of names twice.
pub struct Blocks {
    pub all: Vec<Block>,
    /// Without internationalised ones: what the rivals look at of a name is all there is of it.
    pub plain: Vec<Block>,
}

/// Blocks of `count` domains, of which the share `hit` matches a rule.
pub fn blocks(engine: &Engine, domains: &[String], count: usize, hit: f64) -> Blocks {
    let plain: Vec<String> = domains.iter().filter(|d| !d.contains("xn--")).cloned().collect();
    Blocks { all: mixed(engine, domains, count, hit), plain: mixed(engine, &plain, count, hit) }
}

fn mixed(engine: &Engine, domains: &[String], count: usize, hit: f64) -> Vec<Block> {
    let mut scratch = engine.scratch();
    let (mut matched, mut others) = (Vec::new(), Vec::new());
    for domain in domains {
        let mut hits = 0;
        let ends = [domain.len() as u32];
        engine.hits(&format!("{domain}\n"), &ends, &mut scratch, |_, _| hits += 1);
        if hits > 0 { matched.push(domain) } else { others.push(domain) }
    }
    let hits = (count as f64 * hit) as usize;
    let mut chosen: Vec<&String> = others.into_iter().cycle().take(count - hits).collect();
    chosen.extend(matched.into_iter().cycle().take(hits));
    fastrand::Rng::with_seed(2).shuffle(&mut chosen);
    joined(&chosen)
}

fn joined(domains: &[&String]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut text, mut ends) = (String::new(), Vec::new());
    for domain in domains {
        text.push_str(domain);
        ends.push(u32::try_from(text.len()).expect("a block is small"));
        text.push('\n');
        if text.len() >= BLOCK {
            blocks.push(Block { text: std::mem::take(&mut text), ends: std::mem::take(&mut ends) });
        }
    }
    blocks.push(Block { text, ends });
    blocks
}
