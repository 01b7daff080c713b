//! The guard: how many instructions each stage executes for inputs that never change, compared with
//! what is recorded in `recorded.tsv`.
//!
//! Time is not asserted: on a shared machine it says nothing. Instructions are counted by
//! `valgrind --tool=callgrind`, which emulates one and the same processor with AVX2 wherever that is to
//! be had, so that code which is chosen at run time (memchr, simd-json, the matcher) is chosen alike
//! everywhere. What valgrind cannot tell, or would tell otherwise, is skipped with a notice.
//!
//! ```sh
//! cargo bench --bench instructions             # compare; fails beyond the tolerance
//! cargo bench --bench instructions -- record   # take what is counted now for right
//! cargo bench --bench instructions -- table    # instructions, time and allocations of each stage
//! ```

mod allocations;
mod callgrind;
mod stages;

#[path = "../rows/mod.rs"]
mod rows;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use stages::Stage;

/// By how much a count may differ. Hash maps with a seed of their own and the C library move counts by
/// some tenths of a percent.
const TOLERANCE: f64 = 0.03;
/// Rounds of which the fastest counts, in the table.
const ROUNDS: usize = 200;
/// Stages in which much is executed that C compilers make: SQLite.
const BY_C_COMPILER: &str = "insert";

/// What valgrind looks for: collecting begins and ends with it.
#[inline(never)]
fn counted_stage(run: &mut dyn FnMut() -> usize) -> usize {
    // Not the last thing done, or it would be a jump.
    let done = run();
    black_box(done)
}

fn recorded_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/recorded.tsv")
}

/// The C compiler's version: `cc` builds SQLite in.
fn c_compiler() -> String {
    let printed = Command::new("cc").arg("-dumpfullversion").output();
    let version = printed.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    format!("cc {}", version.unwrap_or_default())
}

/// Runs a stage once to warm up and once to be counted.
fn run(stage: &str) {
    for (_, make) in stages::ALL.iter().filter(|(name, _)| *name == stage) {
        let mut stage = make();
        (stage.before)();
        black_box((stage.run)());
        (stage.before)();
        counted_stage(&mut stage.run);
    }
}

/// A stage, and the thousandths of instructions that an element takes.
struct Counted {
    name: &'static str,
    stage: Stage,
    count: u64,
}

/// What is recorded: instructions by stage, and the C compiler it was recorded with.
fn recorded() -> (BTreeMap<String, u64>, String) {
    let text = std::fs::read_to_string(recorded_file()).unwrap_or_default();
    let mut compiler = String::new();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        match (line.strip_prefix("# "), line.split_once('\t')) {
            (Some(comment), _) if comment.starts_with("cc ") => compiler = comment.to_owned(),
            (None, Some((stage, count))) => {
                counts.insert(stage.to_owned(), count.trim().parse().unwrap_or(0));
            }
            _ => {}
        }
    }
    (counts, compiler)
}

fn record(counts: &[Counted]) {
    let mut text = format!(
        "# Instructions an element, times 1000. Made by `cargo bench --bench instructions -- record`.\n# {}\n",
        c_compiler()
    );
    for Counted { name, count, .. } in counts {
        text += &format!("{name}\t{count}\n");
    }
    std::fs::write(recorded_file(), text).expect("the file can be written");
    println!("recorded in {}", recorded_file().display());
}

/// Whether all counts are within the tolerance.
fn compare(counts: &[Counted]) -> bool {
    let (recorded, compiler) = recorded();
    let mut all_well = recorded.len() == counts.len();
    if !all_well {
        println!("other stages are recorded than there are: record anew");
    }
    for Counted { name, stage, count } in counts {
        let Some(before) = recorded.get(*name) else { continue };
        let change = *count as f64 / *before as f64 - 1.0;
        let skipped = name.starts_with(BY_C_COMPILER) && compiler != c_compiler();
        let is_well = skipped || change.abs() <= TOLERANCE;
        let said = match (skipped, is_well) {
            (true, _) => "notice: not compared, another C compiler built SQLite",
            (false, true) => "",
            (false, false) if change < 0.0 => "FEWER: record anew, so that it stays",
            _ => "MORE",
        };
        let each = |thousandths: u64| thousandths as f64 / 1000.0;
        println!(
            "{:<24} {:>12.1} a {}, recorded {:>12.1}, {:+.2} % {said}",
            name,
            each(*count),
            stage.element,
            each(*before),
            100.0 * change
        );
        all_well &= is_well;
    }
    all_well
}

/// One line of the table for each stage, instructions from `counts`.
fn table(counts: &mut [Counted]) {
    println!(
        "| stage | of | instructions | ns | bytes in | allocations |\n|---|---|---|---|---|---|"
    );
    for Counted { name, stage, count } in counts {
        let rounds = if name.starts_with(BY_C_COMPILER) { 9 } else { ROUNDS };
        let mut fastest = f64::MAX;
        let mut allocated = 0;
        for _ in 0..rounds {
            (stage.before)();
            let (begin, before) = (Instant::now(), allocations::count());
            black_box((stage.run)());
            (fastest, allocated) =
                (fastest.min(begin.elapsed().as_secs_f64()), allocations::count() - before);
        }
        let each = |all: f64| all / stage.elements as f64;
        println!(
            "| {} | a {} | {:.0} | {:.0} | {:.0} | {:.2} |",
            name,
            stage.element,
            *count as f64 / 1000.0,
            each(fastest * 1e9),
            each(stage.bytes as f64),
            each(allocated as f64),
        );
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_asked = |word: &str| words.iter().any(|asked| asked == word);
    if let Some(at) = words.iter().position(|word| word == "stage") {
        run(words.get(at + 1).map_or("", String::as_str));
        return ExitCode::SUCCESS;
    }
    let mut counts = Vec::new();
    for (name, make) in stages::ALL {
        let total = match callgrind::total(name) {
            Ok(total) => total,
            Err(why) => {
                println!("notice: instructions are not counted: {why}");
                return ExitCode::SUCCESS;
            }
        };
        let stage = make();
        let count = total * 1000 / stage.elements as u64;
        counts.push(Counted { name, stage, count });
    }
    if is_asked("record") {
        record(&counts);
    } else if is_asked("table") {
        table(&mut counts);
    } else if !compare(&counts) {
        println!("a change that is meant: cargo bench --bench instructions -- record");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
