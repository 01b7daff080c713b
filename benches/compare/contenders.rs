//! Those who compete: the engine in each regime, and its rivals.
//!
//! Each finds the pairs of name and rule, and has them in a vector without repeats at the end of
//! a block; what it makes of them is no part of the comparison.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use aho_corasick::packed;
use certstream::matcher::{Engine, Regime};
use certstream::rule::{RuleSet, Syntax};
use regex_automata::{Input, PatternSet, meta};

use crate::clock::thread_time;
use crate::corpus::{Block, Blocks};

/// Names for rivals that are slower by orders of magnitude.
const FEW: usize = 2_000;
/// Rules beyond which `RegexSet` would take minutes.
const MAX_SET: usize = 1_000;

/// Runs over blocks; tells the names it took and the pairs it found.
type Run = Box<dyn FnMut(&[Block]) -> Took>;

/// What one turn came to.
#[derive(Default)]
pub struct Took {
    pub names: usize,
    pub pairs: usize,
    /// Where the contender has a better clock than who called it.
    own_time: Option<Duration>,
    /// What the caller's clock said.
    time: Duration,
}

impl Took {
    fn of(names: usize, pairs: usize) -> Self {
        Self { names, pairs, ..Self::default() }
    }

    /// How long it took.
    pub fn time(&self) -> Duration {
        self.own_time.unwrap_or(self.time)
    }
}

/// One who competes.
pub struct Contender {
    pub name: String,
    run: Run,
    /// Whether it is given only names that have one form.
    plain: bool,
}

impl Contender {
    fn new(name: &str, run: impl FnMut(&[Block]) -> Took + 'static) -> Self {
        Self { name: name.to_owned(), run: Box::new(run), plain: false }
    }

    /// Takes its turn.
    pub fn run(&mut self, blocks: &Blocks) -> Took {
        let start = thread_time();
        let took = (self.run)(if self.plain { &blocks.plain } else { &blocks.all });
        Took { time: thread_time() - start, ..took }
    }

    /// The engine of the product.
    pub fn engine(name: String, engine: Engine) -> Self {
        let mut scratch = engine.scratch();
        let mut found = Vec::new();
        let run = move |blocks: &[Block]| {
            let (mut names, mut pairs) = (0, 0);
            for block in blocks {
                found.clear();
                engine.hits(&block.text, &block.ends, &mut scratch, |domain, hit| {
                    found.push((domain, hit.rule));
                });
                names += block.ends.len();
                pairs += black_box(&found).len();
            }
            Took::of(names, pairs)
        };
        Self { name, run: Box::new(run), plain: false }
    }

    /// The same on names that have one form.
    fn on_plain_names(self) -> Self {
        Self { name: format!("{}, names without `xn--`", self.name), plain: true, ..self }
    }
}

/// All who can take these rules; the first is the one to beat.
pub fn all(rules: &RuleSet, count: usize) -> Vec<Contender> {
    let patterns: Vec<&str> = rules.rules.iter().map(|rule| &*rule.pattern.written).collect();
    let mut contenders = vectorscan(&patterns);
    let chosen = Engine::build(rules.clone()).expect("builds");
    for regime in Regime::all() {
        let engine = Engine::build_in(rules.clone(), Some(regime)).expect("builds");
        if engine.regime() == regime {
            let mark = if regime == chosen.regime() { " (chosen)" } else { "" };
            contenders.push(Contender::engine(format!("ours, {regime:?}{mark}"), engine));
        }
    }
    contenders.extend(packed_alone(&chosen));
    let name = format!("ours, {:?} (chosen)", chosen.regime());
    contenders.push(Contender::engine(name, chosen).on_plain_names());
    contenders.extend(regex_set(rules));
    if count == 1_000 {
        contenders.push(python(&patterns));
    }
    contenders
}

#[cfg(not(feature = "vectorscan"))]
fn vectorscan(_: &[&str]) -> Vec<Contender> {
    Vec::new()
}

#[cfg(feature = "vectorscan")]
fn vectorscan(patterns: &[&str]) -> Vec<Contender> {
    use crate::vectorscan::Database;
    let mut whole = Database::multiline(patterns);
    let (mut events, mut found) = (Vec::new(), Vec::new());
    let block_mode = move |blocks: &[Block]| {
        let (mut names, mut pairs) = (0, 0);
        for block in blocks {
            events.clear();
            found.clear();
            whole.scan(&block.text, &mut events);
            // Events come nearly in the order of their ends.
            let mut domain = 0;
            for (rule, end) in events.iter().copied() {
                while domain > 0 && block.ends[domain - 1] >= end {
                    domain -= 1;
                }
                domain += block.ends[domain..].partition_point(|known| *known < end);
                found.push((domain as u32, rule));
            }
            found.sort_unstable();
            found.dedup();
            names += block.ends.len();
            pairs += black_box(&found).len();
        }
        Took::of(names, pairs)
    };
    let mut single = Database::single(patterns);
    let mut events = Vec::new();
    let by_line = move |blocks: &[Block]| {
        let (mut names, mut pairs) = (0, 0);
        for block in blocks {
            for domain in block.domains() {
                events.clear();
                single.scan(domain, &mut events);
                pairs += black_box(&events).len();
            }
            names += block.ends.len();
        }
        Took::of(names, pairs)
    };
    vec![
        Contender::new("Vectorscan, block, MULTILINE", block_mode),
        Contender::new("Vectorscan, by line, SINGLEMATCH", by_line),
    ]
}

/// The bare packed search, which the packed regime cannot be faster than.
fn packed_alone(engine: &Engine) -> Option<Contender> {
    let searcher = packed::Searcher::new(engine.literals())?;
    let run = move |blocks: &[Block]| {
        let found = |block: &Block| searcher.find_iter(&block.text).count();
        let names = blocks.iter().map(|block| block.ends.len()).sum::<usize>();
        Took::of(names, blocks.iter().map(found).sum())
    };
    Some(Contender::new("packed search alone (literals)", run))
}

/// What `regex::RegexSet` is: a meta regex of all patterns that tells all of them.
fn regex_set(rules: &RuleSet) -> Option<Contender> {
    if rules.rules.len() > MAX_SET {
        return None;
    }
    let hirs: Vec<_> = rules
        .rules
        .iter()
        .filter_map(|rule| match &rule.pattern.syntax {
            Syntax::Regular(hir) => Some(hir),
            Syntax::Backtracking { .. } | Syntax::Brand(_) => None,
        })
        .collect();
    let config = meta::Config::new().match_kind(regex_automata::MatchKind::All);
    let set = meta::Builder::new().configure(config).build_many_from_hir(&hirs).ok()?;
    let mut matched = PatternSet::new(set.pattern_len());
    let run = move |blocks: &[Block]| {
        let mut pairs = 0;
        for domain in few(blocks) {
            matched.clear();
            set.which_overlapping_matches(&Input::new(domain), &mut matched);
            pairs += black_box(&matched).len();
        }
        Took::of(few(blocks).count(), pairs)
    };
    Some(Contender::new("RegexSet::matches (2,000 names)", run))
}

fn few(blocks: &[Block]) -> impl Iterator<Item = &str> {
    blocks.iter().flat_map(Block::domains).take(FEW)
}

/// Python's `re`, all rules in one alternation; timed by itself, without its start.
fn python(patterns: &[&str]) -> Contender {
    let rules = std::env::temp_dir().join(format!("compare-{}.rules", std::process::id()));
    let names = rules.with_extension("names");
    std::fs::write(&rules, patterns.join("\n")).expect("can be written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/alternation.py");
    let run = move |blocks: &[Block]| {
        std::fs::write(&names, few(blocks).collect::<Vec<_>>().join("\n")).expect("written");
        let mut command = Command::new("python3");
        let out = command.arg(script).args([&rules, &names]).output().expect("python3 runs");
        let text = String::from_utf8(out.stdout).expect("is text");
        let (seconds, hits) = text.trim().split_once(' ').expect("seconds and hits");
        Took {
            own_time: Some(Duration::from_secs_f64(seconds.parse().expect("a number"))),
            ..Took::of(few(blocks).count(), hits.parse().expect("a number"))
        }
    };
    Contender::new("Python re, one alternation (2,000 names; names hit)", run)
}
