//! The writer, whole: from messages in the channel to COMMIT, against an append-only table.
//!
//! `append_only` is the limit on this disk: the same domains with a time each, as bare rows in
//! the order they come, 10,000 a transaction. `new` writes domains and certificates nobody has
//! seen; `bare` domains without certificates; `repeats` writes all of them once more; `renewed` writes
//! the same domains with new certificates; in `merged` 95 % are repeats within their transaction. All
//! tables of the schema, in real files under `target/tmp`.
//!
//! `cargo bench --bench store -- ratios [ROWS]` sets a million rows of each side by side instead, all in
//! turn, and prints medians and ratios.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use rows::{MESSAGE, domain, messages, open, write};

#[path = "../rows/mod.rs"]
mod rows;

/// Rows an iteration writes.
const ROWS: u64 = 100_000;
/// Rounds of the ratios.
const ROUNDS: usize = 5;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn append_only(rows: u64) -> Duration {
    let folder = folder();
    let mut connection =
        rusqlite::Connection::open(folder.path().join("append.db")).expect("a new database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             PRAGMA wal_autocheckpoint = 16000; PRAGMA cache_size = -16384;
             CREATE TABLE log (domain TEXT, seen INTEGER) STRICT;",
        )
        .expect("a table");
    let domains: Vec<String> = (0..rows).map(domain).collect();
    let begin = Instant::now();
    for part in domains.chunks(10_000) {
        let transaction = connection.transaction().expect("a transaction");
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO log VALUES (?1, ?2)").expect("a statement");
            for domain in part {
                insert.execute((domain, 1_750_000_000_000_000_i64)).expect("a row");
            }
        }
        transaction.commit().expect("a healthy disk");
    }
    begin.elapsed()
}

/// Writes `rows` rows, as many at once as fit in memory, into a database of their own, and says how
/// long the writer took.
fn stored(
    rows: u64,
    domain_of: impl Fn(u64) -> u64,
    certificate_of: impl Fn(u64) -> Option<u64>,
) -> Duration {
    let folder = folder();
    let mut store = open(folder.path());
    let mut took = Duration::ZERO;
    for first in (0..rows).step_by(ROWS as usize) {
        let part = messages(
            1 + first / MESSAGE,
            ROWS.min(rows - first),
            |n| domain_of(first + n),
            |n| certificate_of(first + n),
        );
        let (after, time) = write(store, part);
        (store, took) = (after, took + time);
    }
    took
}

fn ratios(rows: u64) {
    type Measured = fn(u64) -> Duration;
    let kinds: [(&str, Measured); 4] = [
        ("append-only table", append_only),
        ("new, whole schema (asked 0.10)", |rows| stored(rows, |n| n, Some)),
        ("new, bare domains (asked 0.2)", |rows| stored(rows, |n| n, |_| None)),
        ("95 % repeats, whole schema (asked 0.5)", |rows| {
            stored(rows, |n| n / 20, |n| Some(n / 20))
        }),
    ];
    let mut rates = vec![Vec::new(); kinds.len()];
    let mut shares = rates.clone();
    for _ in 0..ROUNDS {
        for (kind, (_, run)) in kinds.iter().enumerate() {
            rates[kind].push(rows as f64 / run(rows).as_secs_f64());
            shares[kind].push(rates[kind].last().unwrap_or(&0.0) / rates[0].last().unwrap_or(&1.0));
        }
    }
    println!("| {rows} rows | rows/s | ratio |\n|---|---|---|");
    for (kind, (name, _)) in kinds.iter().enumerate() {
        for figures in [&mut rates[kind], &mut shares[kind]] {
            figures.sort_unstable_by(f64::total_cmp);
        }
        let [rate, share] = [&rates[kind], &shares[kind]];
        println!(
            "| {name} | {:.0} ({:.0}–{:.0}) | {:.3} ({:.3}–{:.3}) |",
            rate[ROUNDS / 2],
            rate[0],
            rate[ROUNDS - 1],
            share[ROUNDS / 2],
            share[0],
            share[ROUNDS - 1],
        );
    }
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    let bytes = (0..ROWS).map(|n| domain(n).len() as u64).sum();
    group.throughput(Throughput::ElementsAndBytes { elements: ROWS, bytes }).sample_size(10);
    group.bench_function("append_only", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| append_only(ROWS)).sum());
    });
    group.bench_function("new", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| stored(ROWS, |n| n, Some)).sum());
    });
    group.bench_function("bare", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| stored(ROWS, |n| n, |_| None)).sum());
    });
    let later = 1 + ROWS / MESSAGE;
    for (name, fresh) in [("repeats", 0), ("renewed", ROWS)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let one = |_| {
                    let folder = folder();
                    let first = messages(1, ROWS, |n| n, Some);
                    let (store, _) = write(open(folder.path()), first);
                    write(store, messages(later, ROWS, |n| n, |n| Some(n + fresh))).1
                };
                (0..times).map(one).sum()
            });
        });
    }
    group.bench_function("merged", |bencher| {
        bencher.iter_custom(|times| {
            (0..times).map(|_| stored(ROWS, |n| n / 20, |n| Some(n / 20))).sum()
        });
    });
    group.finish();
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "ratios") {
        let rows = words.get(at + 1).and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
        return ratios(rows);
    }
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
}
