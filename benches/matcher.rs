//! Domains to hits: the engine over blocks as a matcher makes them, for 10 to 10,000 rules.
//!
//! Beside it, in the same run: the bare Aho-Corasick scan for the same literals, which is what the
//! prefilter cannot be faster than, and for small sets one automaton of all patterns, which is
//! what a `RegexSet` is. Rules and names come from the corpus where it is present, else they are
//! made up from a fixed seed.

use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use certstream::domain::sanitise;
use certstream::matcher::Engine;
use certstream::rule::{Anchor, Loader, RuleEntry, RuleSet, Syntax};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use regex_automata::{Input, PatternSet, meta};

/// Bytes of a block: a batch closes there.
const BLOCK: usize = 32 * 1024;
const NAMES: usize = 100_000;
/// Up to here one automaton of all patterns finishes in reasonable time.
const MAX_SET: usize = 100;
/// Names that such an automaton is given: it is slower by orders of magnitude.
const SET_NAMES: usize = 2_000;

/// Domains as the engine takes them.
struct Block {
    text: String,
    ends: Vec<u32>,
}

fn corpus(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(path)
}

fn names(random: &mut fastrand::Rng) -> Vec<String> {
    let Ok(packed) = std::fs::File::open(corpus("inputs/names.txt.zst")) else {
        println!("without the corpus: names are made up");
        let mut label = || -> String {
            let length = random.usize(3..14);
            (0..length).map(|_| random.lowercase()).collect()
        };
        return (0..NAMES).map(|_| format!("{}.{}.com", label(), label())).collect();
    };
    let mut text = String::new();
    let mut decoder = zstd::Decoder::new(packed).expect("is zstd");
    decoder.read_to_string(&mut text).expect("is text");
    let all: Vec<&str> = text.lines().flat_map(|line| line.split_whitespace().skip(1)).collect();
    // From all over the file: its sources stand in blocks.
    let step = (all.len() / NAMES).max(1);
    all.into_iter().step_by(step).take(NAMES).map(str::to_owned).collect()
}

fn blocks(names: &[String]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    let mut close = |text: &mut Vec<u8>, ends: &mut Vec<u32>| {
        let text = String::from_utf8(std::mem::take(text)).expect("domains are ASCII");
        blocks.push(Block { text, ends: std::mem::take(ends) });
    };
    for name in names {
        if sanitise(name, &mut text).is_ok() {
            ends.push(u32::try_from(text.len()).expect("a block is small"));
            text.push(b'\n');
        }
        if text.len() >= BLOCK {
            close(&mut text, &mut ends);
        }
    }
    close(&mut text, &mut ends);
    blocks
}

fn rules(count: usize, random: &mut fastrand::Rng) -> RuleSet {
    let mut loader = Loader::new(Anchor::Search);
    let file = corpus(&format!("rules/rules_{count}.txt"));
    if file.exists() {
        loader.file(&file).expect("the rules compile");
        return loader.finish().expect("rules");
    }
    println!("without the corpus: {count} rules are made up");
    let entries: Vec<RuleEntry> = (0..count)
        .map(|index| {
            let word: String = (0..random.usize(5..11)).map(|_| random.lowercase()).collect();
            let pattern = match index % 10 {
                0..=6 => word,
                7 => format!("(secure|login).*{word}"),
                8 => format!("(^|-){word}(-|\\.)"),
                _ => format!("{word}[a4][l1i]"),
            };
            RuleEntry { pattern, ..RuleEntry::default() }
        })
        .collect();
    loader.entries(&entries, Path::new("made up")).expect("the rules compile");
    loader.finish().expect("rules")
}

fn one_automaton(rules: &RuleSet) -> Option<meta::Regex> {
    let patterns: Vec<_> = rules
        .rules
        .iter()
        .filter_map(|rule| match &rule.pattern.syntax {
            Syntax::Regular(hir) => Some(hir),
            Syntax::Backtracking { .. } | Syntax::Brand(_) => None,
        })
        .collect();
    let config = meta::Config::new().match_kind(regex_automata::MatchKind::All);
    meta::Builder::new().configure(config).build_many_from_hir(&patterns).ok()
}

/// Compiles the rules, and says what came of them on the names of this run.
fn bench_build(criterion: &mut Criterion, rules: RuleSet, blocks: &[Block]) -> Engine {
    let count = rules.rules.len();
    let mut group = criterion.benchmark_group(format!("matcher/{count}"));
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.bench_function("build", |bencher| {
        bencher.iter_batched(
            || rules.clone(),
            |rules| black_box(Engine::build(rules).expect("builds")),
            BatchSize::PerIteration,
        );
    });
    group.finish();

    let engine = Engine::build(rules).expect("builds");
    let mut scratch = engine.scratch();
    let (mut domains, mut candidates, mut hits) = (0, 0, 0);
    for block in blocks {
        domains += block.ends.len();
        candidates += engine.hits(&block.text, &block.ends, &mut scratch, |_, _| hits += 1);
    }
    let literals = engine.literals().len();
    let without = engine.without_literal().count();
    println!(
        "{count} rules: {literals} literals, {without} rules without; {domains} domains, \
         {candidates} candidates, {hits} hits"
    );
    engine
}

/// The engine, and the bare scan for its literals.
fn bench_blocks(criterion: &mut Criterion, engine: &Engine, blocks: &[Block]) {
    let mut group = criterion.benchmark_group(format!("matcher/{}", engine.rules().rules.len()));
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::ElementsAndBytes {
        elements: blocks.iter().map(|block| block.ends.len() as u64).sum(),
        bytes: blocks.iter().map(|block| block.text.len() as u64).sum(),
    });
    let mut scratch = engine.scratch();
    group.bench_function("engine", |bencher| {
        bencher.iter(|| {
            let mut hits = 0_usize;
            for block in blocks {
                engine.hits(&block.text, &block.ends, &mut scratch, |_, _| hits += 1);
            }
            black_box(hits)
        });
    });
    let scan = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::Standard)
        .build(engine.literals())
        .expect("builds");
    group.bench_function("scan", |bencher| {
        bencher.iter(|| {
            let found = |block: &Block| scan.find_overlapping_iter(&block.text).count();
            black_box(blocks.iter().map(found).sum::<usize>())
        });
    });
    group.finish();
}

/// All patterns in one automaton, a domain at a time.
fn bench_set(criterion: &mut Criterion, engine: &Engine, domains: &[String]) {
    let count = engine.rules().rules.len();
    if count > MAX_SET {
        return;
    }
    let Some(set) = one_automaton(engine.rules()) else { return };
    let mut group = criterion.benchmark_group(format!("matcher/{count}"));
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(domains.len() as u64));
    let mut matched = PatternSet::new(set.pattern_len());
    group.bench_function("regex set", |bencher| {
        bencher.iter(|| {
            let mut hits = 0_usize;
            for domain in domains {
                matched.clear();
                set.which_overlapping_matches(&Input::new(domain), &mut matched);
                hits += matched.len();
            }
            black_box(hits)
        });
    });
    group.finish();
}

fn bench(criterion: &mut Criterion) {
    let mut random = fastrand::Rng::with_seed(7);
    let names = names(&mut random);
    let blocks = blocks(&names);
    // The set is given what the engine is given: domains, not names.
    let domains: Vec<String> = blocks
        .iter()
        .flat_map(|block| block.text.lines().map(str::to_owned))
        .take(SET_NAMES)
        .collect();
    for count in [10, 100, 1_000, 10_000] {
        let engine = bench_build(criterion, rules(count, &mut random), &blocks);
        bench_blocks(criterion, &engine, &blocks);
        bench_set(criterion, &engine, &domains);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
