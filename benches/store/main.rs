//! The writer, whole: from messages in the channel to COMMIT, against an append-only table.
//!
//! `append_only` is the limit on this disk: the same domains with a time each, as bare rows in
//! the order they come, 10,000 a transaction. `new` writes domains and certificates nobody has
//! seen; `repeats` writes all of them once more; `renewed` writes the same domains with new
//! certificates; in `merged` 95 % are repeats within their transaction. All tables of the schema,
//! in real files under `target/tmp`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certstream::backlog::Backlog;
use certstream::domain::Views;
use certstream::matched::{Hit, Matched, MatchedDomain};
use certstream::rule::{Anchor, Pattern, Place, Rule, RuleSet, Scope, Syntax};
use certstream::stats::{FeedStats, Feeds, WriterStats};
use certstream::store::{Settings, Store, Writer};
use certstream::update::Evidence;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regex_syntax::hir::Hir;

/// Rows an iteration writes.
const ROWS: u64 = 100_000;
/// Rows in one message, about what a batch of 256 frames yields when all match.
const MESSAGE: u64 = 500;
const SETTINGS: Settings = Settings { synchronous_full: false, cache: 16 * 1024 * 1024 };

fn scatter(number: u64) -> u64 {
    // SplitMix64: spreads the keys as real names and serials are.
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn domain(number: u64) -> String {
    format!("login-{:012x}.shop.example.com", scatter(number) >> 16)
}

fn evidence(number: u64) -> Evidence {
    let serial = scatter(number ^ 0xffff_0000);
    Evidence {
        update_type: Some("X509LogEntry".into()),
        sha256: Some(format!("{serial:064x}").into()),
        issuer: Some("C=US, O=Let's Encrypt, CN=R11".into()),
        subject_cn: Some(domain(number).into()),
        serial: Some(format!("03{serial:016X}{number:016X}").into()),
        not_before: Some(1_750_000_000),
        not_after: Some(1_757_776_000),
        log_name: Some("Google 'Argon2026h1' log".into()),
        log_url: Some("https://ct.googleapis.com/logs/us1/argon2026h1/".into()),
        cert_index: Some(number as i64),
        cert_link: Some(format!("https://ct.googleapis.com/logs/us1/argon2026h1/ct/v1/get-entries?start={number}&end={number}").into()),
        seen: Some(1_750_000_000_000_000 + number as i64),
        ..Evidence::default()
    }
}

/// Messages of `ROWS` rows from sequence number `first` on; `domain_of` and `certificate_of` give
/// each row's numbers.
fn messages(
    first: u64,
    domain_of: impl Fn(u64) -> u64,
    certificate_of: impl Fn(u64) -> u64,
) -> Vec<Matched> {
    (0..ROWS / MESSAGE)
        .map(|message| {
            let numbers = message * MESSAGE..(message + 1) * MESSAGE;
            let mut matched = Matched {
                sequence: first + message,
                position: (first + message) * MESSAGE,
                received: 1_750_000_000_000_000,
                rows: numbers
                    .clone()
                    .zip(0..)
                    .map(|(number, index)| MatchedDomain {
                        domain: domain(domain_of(number)).into(),
                        names_as_seen: Vec::new(),
                        certificate: Some(index),
                        hits: vec![Hit {
                            rule: 0,
                            views: Views::A_LABEL,
                            gave_up: false,
                            typosquat: None,
                        }],
                    })
                    .collect(),
                certificates: numbers.map(|number| evidence(certificate_of(number))).collect(),
                ..Matched::default()
            };
            matched.bytes = matched.size();
            matched
        })
        .collect()
}

fn rules() -> RuleSet {
    let pattern = Pattern {
        written: ".".to_owned(),
        anchor: Anchor::Search,
        widened: false,
        syntax: Syntax::Regular(Hir::empty()),
    };
    let rule = Rule {
        name: "everything".to_owned(),
        pattern,
        scope: Scope::Domain,
        exclude: Vec::new(),
        tags: Vec::new(),
        severity: None,
        hash: [7; 16],
        place: Place { file: PathBuf::from("bench"), line: 1 },
    };
    RuleSet { rules: vec![rule], ..RuleSet::default() }
}

fn open(folder: &Path) -> Store {
    let mut store = Store::open(&folder.join("certs.db"), SETTINGS).expect("a new database");
    store.begin_run("bench", &rules()).expect("a run");
    store
}

/// Writes `messages` and returns the store with the time it took.
fn write(store: Store, messages: Vec<Matched>) -> (Store, Duration) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let backlog = Arc::new(Backlog::new(usize::MAX));
    for message in messages {
        backlog.add(message.bytes);
        sender.send(message).expect("the receiver stands");
    }
    drop(sender);
    let stats = Arc::new(WriterStats::default());
    let feeds = Feeds::default();
    feeds.add(FeedStats::named("bench", true)).expect("the first");
    let writer = Writer::new(store, Arc::new(feeds), stats, backlog, None);
    let begin = Instant::now();
    let store = writer.run(&receiver).expect("a healthy disk");
    (store, begin.elapsed())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn append_only() -> Duration {
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
    let domains: Vec<String> = (0..ROWS).map(domain).collect();
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

fn store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    group.bench_function("append_only", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| append_only()).sum());
    });
    group.bench_function("new", |bencher| {
        bencher.iter_custom(|times| {
            let one = |_| {
                let folder = folder();
                write(open(folder.path()), messages(1, |n| n, |n| n)).1
            };
            (0..times).map(one).sum()
        });
    });
    let later = 1 + ROWS / MESSAGE;
    for (name, fresh) in [("repeats", 0), ("renewed", ROWS)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let one = |_| {
                    let folder = folder();
                    let (store, _) = write(open(folder.path()), messages(1, |n| n, |n| n));
                    write(store, messages(later, |n| n, |n| n + fresh)).1
                };
                (0..times).map(one).sum()
            });
        });
    }
    group.bench_function("merged", |bencher| {
        bencher.iter_custom(|times| {
            let one = |_| {
                let folder = folder();
                write(open(folder.path()), messages(1, |n| n / 20, |n| n / 20)).1
            };
            (0..times).map(one).sum()
        });
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
