//! Whatever happens, the database is a prefix of each feed: rows, sightings and position together.
//!
//! Owns two ways to look in the middle: a reader whose every snapshot is checked while the writer
//! runs beside another program's locks, and a child that is killed with SIGKILL and started again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use certstream::backlog::Backlog;
use certstream::domain::Views;
use certstream::matched::{Hit, Matched, MatchedDomain};
use certstream::rule::{Loader, RuleEntry, RuleSet};
use certstream::stats::{FeedStats, Feeds};
use certstream::store::{Settings, Store, Writer, open_read_only};
use crossbeam_channel::{Sender, unbounded};
use rusqlite::Connection;

const FEEDS: [&str; 2] = ["left", "right"];
/// Batches of each feed, sent in parts of this many.
const BATCHES: u64 = 3_000;
const PART: u64 = 100;
/// Parts that a child sends before it waits for its end: 30 in all, so at least five are killed.
const PARTS_A_CHILD: usize = 6;
const SETTINGS: Settings = Settings { synchronous_full: false, cache: 1024 * 1024 };
/// Tells the child of [`a_kill_leaves_a_prefix`] where to write.
const DATABASE: &str = "CERTSTREAM_TEST_STORE_PREFIX";

fn rules() -> RuleSet {
    let mut loader = Loader::new(certstream::rule::Anchor::Search);
    let rule = RuleEntry { pattern: "example".to_owned(), line: 1, ..RuleEntry::default() };
    loader.entries(&[rule], Path::new("rules.yaml")).expect("a plain pattern");
    loader.finish().expect("one rule")
}

/// The domains of a batch: few names that come again and again, none in every fifth batch.
fn domains(feed: usize, sequence: u64) -> Vec<String> {
    let rows = if sequence.is_multiple_of(5) { 0 } else { sequence % 7 };
    (0..rows).map(|row| format!("n{}.{feed}.example", (sequence * 31 + row * 17) % 400)).collect()
}

fn batch(feed: usize, sequence: u64) -> Matched {
    let row = |domain: String| MatchedDomain {
        domain: domain.into(),
        names_as_seen: Vec::new(),
        certificate: None,
        hits: vec![Hit { rule: 0, views: Views::A_LABEL, gave_up: false, typosquat: None }],
    };
    let mut matched = Matched {
        feed: feed.try_into().expect("two feeds"),
        sequence,
        position: sequence * 10,
        received: sequence.try_into().expect("a small number"),
        rows: domains(feed, sequence).into_iter().map(row).collect(),
        ..Matched::default()
    };
    matched.bytes = matched.size();
    matched
}

/// The sightings that the first `applied` batches of each feed make.
fn expected(applied: [u64; 2]) -> BTreeMap<String, i64> {
    let mut sightings = BTreeMap::new();
    for (feed, last) in applied.into_iter().enumerate() {
        for domain in (1..=last).flat_map(|sequence| domains(feed, sequence)) {
            *sightings.entry(domain).or_default() += 1;
        }
    }
    sightings
}

/// Checks one snapshot against what its own positions promise; returns those.
fn check(reader: &Connection) -> [u64; 2] {
    let snapshot = reader.unchecked_transaction().expect("a snapshot");
    let mut applied = [0; 2];
    for (feed, last) in FEEDS.iter().zip(&mut applied) {
        let stored = snapshot.query_row(
            "SELECT max(sequence), max(position) FROM positions WHERE feed = ?1",
            [feed],
            |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
        );
        let (sequence, position) = stored.expect("a readable table");
        *last = sequence.unwrap_or_default().unsigned_abs();
        assert_eq!(position.unwrap_or_default().unsigned_abs(), *last * 10);
    }
    let mut rows = snapshot.prepare("SELECT domain, sightings FROM domains").expect("a table");
    let stored: BTreeMap<String, i64> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("a query")
        .collect::<rusqlite::Result<_>>()
        .expect("readable rows");
    assert_eq!(stored, expected(applied), "with {applied:?} applied");
    let pairs: i64 =
        snapshot.query_row("SELECT count(*) FROM matches", [], |row| row.get(0)).expect("a count");
    assert_eq!(usize::try_from(pairs), Ok(stored.len()), "one rule, one match a domain");
    applied
}

/// A writer behind `database`, and the last batch of each feed that is stored.
fn writer(database: &Path, backlog: &Arc<Backlog>) -> (Writer, [u64; 2]) {
    let mut store = Store::open(database, SETTINGS).expect("a database");
    store.begin_run("test", &rules()).expect("a run");
    let applied = FEEDS.map(|feed| store.last_applied(feed).expect("a position").sequence);
    let feeds = Feeds::default();
    for feed in FEEDS {
        feeds.add(FeedStats::named(feed, true)).expect("a name of its own");
    }
    (Writer::new(store, Arc::new(feeds), Arc::default(), Arc::clone(backlog), None), applied)
}

/// Sends the part that begins behind batch `first`, but for what is `applied`. Backwards: matchers
/// overtake each other.
fn send_part(sender: &Sender<Matched>, backlog: &Backlog, first: u64, applied: [u64; 2]) {
    for sequence in (first + 1..=first + PART).rev() {
        for (feed, applied) in applied.into_iter().enumerate() {
            if sequence > applied {
                let matched = batch(feed, sequence);
                backlog.add(matched.bytes);
                // Only a writer that failed has dropped the receiver, and its join says why.
                let _ = sender.send(matched);
            }
        }
    }
}

#[test]
fn every_snapshot_is_a_prefix_while_another_program_locks() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("certs.db");
    let backlog = Arc::new(Backlog::new(usize::MAX));
    let (writer, applied) = writer(&database, &backlog);
    let (sender, receiver) = unbounded();
    let (done, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let writing = scope.spawn(move || writer.run(&receiver));
        let reading = scope.spawn(|| {
            let reader = open_read_only(&database).expect("a reader");
            while !done.load(Ordering::Relaxed) {
                seen.store(check(&reader)[0], Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let holder = Connection::open(&database).expect("another program");
            while !done.load(Ordering::Relaxed) {
                // Longer than the writer waits within one try, so that it has to try again.
                holder.execute_batch("BEGIN IMMEDIATE").expect("its lock");
                thread::sleep(Duration::from_millis(300));
                holder.execute_batch("ROLLBACK").expect("its end");
                thread::sleep(Duration::from_millis(60));
            }
        });
        for first in (0..BATCHES).step_by(PART as usize) {
            send_part(&sender, &backlog, first, applied);
            // The next part goes only once this one was looked at, or nobody looks any more.
            while seen.load(Ordering::Relaxed) < first + PART
                && !writing.is_finished()
                && !reading.is_finished()
            {
                thread::yield_now();
            }
        }
        drop(sender);
        done.store(true, Ordering::Relaxed);
        writing.join().expect("no panic").expect("a healthy disk").end_run("done").expect("an end");
    });
    assert_eq!(check(&open_read_only(&database).expect("a reader")), [BATCHES; 2]);
    assert_eq!(backlog.bytes(), 0, "all that was booked is committed");
}

/// Not a test of its own: what [`a_kill_leaves_a_prefix`] starts and kills. It never ends well.
#[test]
fn the_child_that_is_killed() {
    let Some(database) = std::env::var_os(DATABASE) else { return };
    let backlog = Arc::new(Backlog::new(usize::MAX));
    let (writer, applied) = writer(Path::new(&database), &backlog);
    let (sender, receiver) = unbounded();
    thread::spawn(move || writer.run(&receiver));
    let first = applied[0].min(applied[1]) / PART * PART;
    // A few parts only, so that it takes several children, and kills, to write everything.
    for part in (first..BATCHES).step_by(PART as usize).take(PARTS_A_CHILD) {
        send_part(&sender, &backlog, part, applied);
        thread::sleep(Duration::from_millis(20));
    }
    // Waits for the kill, or for the parent's end, which closes the pipe.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    std::process::exit(1);
}

/// Killed when it goes out of scope, so that a failed check leaves no child behind.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_kill_leaves_a_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("certs.db");
    drop(Store::open(&database, SETTINGS).expect("a database"));
    let reader = open_read_only(&database).expect("a reader");
    let mut stored = [0; 2];
    for kill in 0.. {
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "store_prefix::the_child_that_is_killed"])
            .env(DATABASE, &database)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let child = Killed(child.expect("a child"));
        while check(&reader) == stored {
            thread::yield_now();
        }
        // Somewhere between its transactions or within one; none of it may matter.
        thread::sleep(Duration::from_millis(kill * 7 % 60));
        drop(child);
        stored = check(&reader);
        if stored == [BATCHES; 2] {
            break;
        }
    }
}
