//! What a name costs as the rules grow in number: lines of numbers, and a plot.

use std::path::Path;

use certstream::matcher::{Engine, Regime};

use crate::contenders::Contender;
use crate::plot::{self, Line};
use crate::{DOMAINS, ROUNDS, brands, corpus, median};

const COUNTS: [usize; 7] = [10, 100, 1_000, 10_000, 20_000, 50_000, 100_000];
/// As many brands as the corpus has watch words for, about.
const BRANDS: [usize; 4] = [10, 100, 1_000, 3_000];

/// Prints the numbers, and plots them into `file`.
pub fn growth(file: Option<&String>) {
    let domains = corpus::domains(400_000);
    println!("what rules literals regime nanoseconds_a_name");
    let rules = COUNTS.map(|count| {
        let engine = Engine::build(corpus::with_literal(&corpus::rules(count))).expect("builds");
        let blocks = corpus::blocks(&engine, &domains, DOMAINS, 0.001);
        (count as f64, cost("rules", count, engine, &blocks))
    });
    let as_they_come = corpus::blocks_of(&corpus::domains(DOMAINS));
    let brands = BRANDS.map(|count| {
        let engine = Engine::build(brands::rules(count)).expect("builds");
        (count as f64, cost("brands", count, engine, &as_they_come))
    });
    let Some(file) = file else { return };
    let lines = [
        Line { name: "rules with a literal".to_owned(), points: rules.to_vec() },
        Line { name: "brands".to_owned(), points: brands.to_vec() },
    ];
    let plot = plot::svg("What a name costs, by the number of rules", "rules", "ns", &lines);
    if let Some(folder) = Path::new(file).parent() {
        std::fs::create_dir_all(folder).expect("can be made");
    }
    std::fs::write(file, plot).expect("can be written");
    println!("plotted into {file}");
}

/// Nanoseconds a name; prints them.
fn cost(what: &str, count: usize, engine: Engine, blocks: &corpus::Blocks) -> f64 {
    let regime = match engine.regime() {
        Regime::Packed => "packed",
        Regime::Dense => "dense",
        Regime::Buckets(_) => "buckets",
        Regime::Grams(_) => "grams",
    };
    let literals = engine.literals().len();
    let mut ours = Contender::engine(regime.to_owned(), engine);
    let times = (0..ROUNDS).map(|_| {
        let took = ours.run(blocks);
        took.time().as_secs_f64() * 1e9 / took.names as f64
    });
    let cost = median(times.collect());
    println!("{what} {count} {literals} {regime} {cost:.1}");
    cost
}
