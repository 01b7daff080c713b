//! The matcher beside its rivals: one table, made in one run on one core.
//!
//! `cargo bench --bench compare --features vectorscan` (needs the corpus beside the checkout, and
//! for the feature `libvectorscan-dev`; `python3` for the row of `re`). For each number of rules
//! and share of names hit, every contender takes its turn in every round, and the ratios are those
//! of the same round. Time is the thread's processor time: others use the machine too.
//!
//! `-- --rules 1000` limits it to one set; `-- build 10000` loads a set and says what that took;
//! `-- candidates 1000` counts what passes the prefilter and lists the rules with the most of it;
//! `-- growth plot.svg` prints and plots what a name costs from 10 to 100,000 rules; `-- brands 1000`
//! lets so many brands run beside as many plain rules, over names as they come; `-- alone 1000 0.05 all`
//! runs the engine alone for a while, with nothing else in a profile of it.

mod brands;
mod clock;
mod contenders;
mod corpus;
mod growth;
mod plot;
#[cfg(feature = "vectorscan")]
mod vectorscan;

use std::time::Instant;

use certstream::matcher::{Engine, Profile};

use contenders::Contender;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;
const DOMAINS: usize = 200_000;
const TURNS_ALONE: usize = 400;
/// Rules that [`candidates`] lists.
const LISTED: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    match arguments.first().map(String::as_str) {
        Some("build") => build(number(1).unwrap_or(10_000)),
        Some("growth") => growth::growth(arguments.get(1)),
        Some("brands") => brands::beside_plain_rules(number(1).unwrap_or(1_000), arguments.get(2)),
        Some("alone") => alone(
            number(1).unwrap_or(1_000),
            arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(0.001),
            arguments.get(3).is_some_and(|what| what == "all"),
        ),
        Some("candidates") => candidates(number(1).unwrap_or(1_000)),
        Some("--rules") => table(&[number(1).unwrap_or(1_000)]),
        _ => table(&[10, 100, 1_000, 10_000]),
    }
}

/// Loads and compiles so many rules, and says what that took.
fn build(count: usize) {
    let start = Instant::now();
    let rules = corpus::rules(count);
    let parsed = start.elapsed();
    let engine = Engine::build(rules).expect("builds");
    println!(
        "{count} rules, {} literals: parsed in {parsed:.2?}, all in {:.2?}, {} MiB at most",
        engine.literals().len(),
        start.elapsed(),
        peak_kib() / 1024
    );
}

/// The most memory the process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn table(counts: &[usize]) {
    let domains = corpus::domains(400_000);
    for count in counts {
        let all = corpus::rules(*count);
        let literal = corpus::with_literal(&all);
        let fewer = literal.rules.len() < all.rules.len();
        for (what, rules) in [("with a literal", &literal), ("all", &all)] {
            if what == "all" && !fewer {
                continue;
            }
            let engine = Engine::build(rules.clone()).expect("builds");
            for hit in [0.001, 0.05] {
                let blocks = corpus::blocks(&engine, &domains, DOMAINS, hit);
                println!("\n### {count} rules, {what}, {} % of the names hit\n", hit * 100.0);
                compare(&mut contenders::all(rules, *count), &blocks);
            }
        }
    }
}

/// Lets the contenders take turns and prints a row for each. The first is whom the others are
/// measured by.
fn compare(contenders: &mut [Contender], blocks: &corpus::Blocks) {
    let mut rates = vec![Vec::new(); contenders.len()];
    let mut pairs = vec![0; contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, (rates, pairs)) in
            contenders.iter_mut().zip(rates.iter_mut().zip(&mut pairs))
        {
            let took = contender.run(blocks);
            rates.push(took.names as f64 / (took.time().as_secs_f64() * 1e6));
            *pairs = took.pairs;
        }
    }
    println!("| | M names/s | least – most | against the first | pairs |");
    println!("|---|---|---|---|---|");
    for (contender, (each, pairs)) in contenders.iter().zip(rates.iter().zip(&pairs)) {
        let ratios = each.iter().zip(&rates[0]).map(|(one, first)| one / first).collect();
        let least = each.iter().copied().fold(f64::MAX, f64::min);
        let most = each.iter().copied().fold(0.0, f64::max);
        println!(
            "| {} | {:.3} | {least:.3} – {most:.3} | {:.3} | {pairs} |",
            contender.name,
            median(each.clone()),
            median(ratios)
        );
    }
}

/// Runs the engine over the blocks until a profiler has seen enough.
fn alone(count: usize, hit: f64, all: bool) {
    let rules = corpus::rules(count);
    let rules = if all { rules } else { corpus::with_literal(&rules) };
    let engine = Engine::build(rules).expect("builds");
    let blocks = corpus::blocks(&engine, &corpus::domains(400_000), DOMAINS, hit);
    println!("{:?}, {} literals", engine.regime(), engine.literals().len());
    let mut ours = Contender::engine("ours".to_owned(), engine);
    let times = (0..TURNS_ALONE)
        .map(|_| {
            let took = ours.run(&blocks);
            took.time().as_secs_f64() * 1e9 / took.names as f64
        })
        .collect();
    println!("{:.2} ns a name", median(times));
}

/// Counts the candidates of so many rules with a literal, 0.1 % of the names hit.
fn candidates(count: usize) {
    let engine = Engine::build(corpus::with_literal(&corpus::rules(count))).expect("builds");
    let blocks = corpus::blocks(&engine, &corpus::domains(400_000), DOMAINS, 0.001);
    let rules = &engine.rules().rules;
    let mut profile = Profile::new(rules.len());
    let mut scratch = engine.scratch();
    for block in &blocks.all {
        engine.profile(&block.text, &block.ends, &mut scratch, &mut profile);
    }
    let mut costs: Vec<_> = profile.rules.iter().zip(rules).zip(0..).collect();
    let total: u64 = profile.rules.iter().map(|cost| cost.candidates).sum();
    println!("{total} candidates, {:.4} a name", total as f64 / profile.domains as f64);
    costs.sort_by_key(|((cost, _), _)| std::cmp::Reverse(cost.candidates));
    for ((cost, rule), index) in costs.into_iter().take(LISTED) {
        let literals = engine.required(index).unwrap_or_default().iter();
        let literals: Vec<_> = literals.map(|l| String::from_utf8_lossy(l)).collect();
        let (candidates, hits) = (cost.candidates, cost.hits);
        println!("{candidates} {hits} {} by {literals:?}", rule.pattern.written);
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_unstable_by(f64::total_cmp);
    of[of.len() / 2]
}
