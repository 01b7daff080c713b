//! Another program holds the database's write lock while certificates go on coming: what matches
//! waits in memory and nothing is lost; beyond the bound servers' rows are dropped and said, and
//! what can be read again waits.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tungstenite::Message;

use crate::testenv::stream::{one_in_ten, update};
use crate::testenv::{Folder, Observed, Phase, Program, Server, Tls, wait_until};

/// A watch of `server` for `.bank.`, with `backlog`; its database is made, and nothing in it yet.
fn watch(folder: &Folder, server: &Server, backlog: &str) -> (Program, Observed) {
    folder.write("rules.txt", "\\.bank\\.\n");
    let config = format!(
        "certstream: {{server: '{}', input: rules.txt}}\nobserve: {{listen: '127.0.0.1:0'}}\n\
         database: {{backlog: {backlog}}}\n",
        server.url("/")
    );
    folder.write("config.yaml", config);
    let program = folder.start(&[]);
    (program, Observed::of(folder))
}

/// Takes the lock that every writer needs.
fn lock(folder: &Folder, database: &str) -> Connection {
    let other = folder.database(database);
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

/// `count` certificates, of which one in ten matches, at most `rate` a second, while the lock is
/// held for at least `held`; the bytes that the backlog came to.
fn nothing_is_lost(count: u64, rate: u64, held: Duration) -> u64 {
    let folder = Folder::new();
    let phase = Phase::default();
    let waiter = phase.waiter();
    let server = Server::start(Tls::Off, move |visit| {
        let mut peer = visit.upgrade()?;
        peer.send((0..1000).map(one_in_ten))?;
        waiter.wait_for(1);
        let started = Instant::now();
        for first in (1000..count).step_by(1000) {
            peer.send((first..first + 1000).map(one_in_ten))?;
            let due = Duration::from_secs_f64((first - 1000) as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
        }
        peer.keep_open()
    });
    let phase = phase;
    let (mut program, observed) = watch(&folder, &server, "256 MiB");
    wait_until("the first are stored", || observed.sum("certstream_new_domains_total") == 100);

    let other = lock(&folder, "certstream.db");
    let locked = Instant::now();
    phase.reach(1);
    let limit = held + crate::testenv::LONG;
    while observed.sum("certstream_certificates_total") < count || locked.elapsed() < held {
        assert!(program.is_running() && locked.elapsed() < limit, "{}", folder.stderr());
        std::thread::sleep(Duration::from_millis(50));
    }
    let bytes = observed.sum("certstream_backlog_bytes");
    if locked.elapsed() > Duration::from_secs(31) {
        let (ready, writer) = observed.ready("writer");
        assert!(!ready && writer["ok"] == false, "{writer}");
    }
    assert_eq!(observed.sum("certstream_new_domains_total"), 100, "the database was locked");
    let held = locked.elapsed();
    other.execute_batch("ROLLBACK").unwrap();
    let matching = count / 10;
    wait_until("all is stored", || observed.sum("certstream_new_domains_total") == matching);
    assert!(observed.ready("writer").1["ok"] == true);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());

    let number = |sql: &str| folder.number("certstream.db", sql).unwrap();
    let lost = matching as i64 - number("SELECT sum(sightings) FROM domains");
    println!(
        "locked for {:.1} s, {count} certificates, {matching} rows of {bytes} bytes in memory, \
         {lost} lost",
        held.as_secs_f64()
    );
    assert_eq!(lost, 0);
    assert_eq!(number("SELECT count(*) FROM domains"), matching as i64);
    assert_eq!(number("SELECT position FROM positions"), count as i64);
    assert_eq!(number("SELECT count(*) FROM gaps"), 0);
    let said = folder.stderr();
    assert_eq!(said.matches("database is locked; trying again").count(), 1, "{said}");
    assert_eq!(said.matches("stored at try").count(), 1, "{said}");
    bytes
}

#[test]
fn a_locked_database_costs_nothing() {
    nothing_is_lost(40_000, 40_000, Duration::from_secs(2));
}

/// Ten minutes of 1,000 certificates a second, in one.
#[test]
#[ignore = "a minute: `.ci/run slow`"]
fn locked_for_sixty_seconds_under_load() {
    let bytes = nothing_is_lost(600_000, 10_000, Duration::from_secs(60));
    assert!(bytes < 256 << 20, "beyond the default of database.backlog");
}

#[test]
fn beyond_the_bound_rows_of_servers_are_dropped_counted_and_one_gap() {
    const MANY: u64 = 20_000;
    const MORE: u64 = 500;
    let folder = Folder::new();
    let phase = Phase::default();
    let waiter = phase.waiter();
    let server = Server::start(Tls::Off, move |visit| {
        let mut peer = visit.upgrade()?;
        let matching = |n| Message::text(update(n, &format!("n{n}.bank.example")));
        peer.send((0..100).map(matching))?;
        waiter.wait_for(1);
        peer.send((100..MANY).map(matching))?;
        waiter.wait_for(2);
        peer.send((MANY..MANY + MORE).map(matching))?;
        peer.keep_open()
    });
    let phase = phase;
    let (mut program, observed) = watch(&folder, &server, "2 MiB");
    wait_until("the first are stored", || observed.sum("certstream_new_domains_total") == 100);
    let other = lock(&folder, "certstream.db");
    phase.reach(1);
    wait_until("all are read", || observed.sum("certstream_certificates_total") == MANY);
    wait_until("all are matched", || observed.sum("certstream_matches_total") == MANY);
    wait_until("the last batch is through", || {
        observed.sum("certstream_dropped_rows_total") > 0
            && observed.sum("certstream_waiting_rows") > 0
    });
    let (ready, backlog) = observed.ready("backlog");
    assert!(!ready && backlog["ok"] == false, "{backlog}");
    // Full it is, and what was dropped is not kept: little more than the bound.
    let bytes = observed.sum("certstream_backlog_bytes");
    assert!((2 << 20..3 << 20).contains(&bytes), "{bytes}");
    assert!(folder.stderr().contains("the backlog is full (2097152 bytes)"), "said at once");
    other.execute_batch("ROLLBACK").unwrap();
    let dropped = || observed.sum("certstream_dropped_rows_total");
    wait_until("what was kept is stored", || {
        observed.sum("certstream_new_domains_total") + dropped() == MANY
            && observed.sum("certstream_backlog_bytes") == 0
    });
    let dropped = dropped();
    let kept = MANY - dropped;
    assert!((1..MANY).contains(&dropped), "{dropped}");
    phase.reach(2);
    wait_until("the rest is stored", || {
        observed.sum("certstream_new_domains_total") == kept + MORE
    });
    assert_eq!(program.stop(), 0, "{}", folder.stderr());

    let number = |sql: &str| folder.number("certstream.db", sql).unwrap();
    assert_eq!(number("SELECT position FROM positions"), (MANY + MORE) as i64, "all was read");
    assert_eq!(number("SELECT count(*) FROM domains"), (kept + MORE) as i64);
    assert_eq!(number("SELECT count(*) FROM gaps"), 1);
    let gap = "SELECT rows_dropped FROM gaps WHERE reason = 'backlog full' AND started < ended";
    assert_eq!(number(gap), dropped as i64);
    let said = folder.stderr();
    assert_eq!(said.matches("the backlog is full").count(), 1, "{said}");
    assert!(said.contains(&format!("{dropped} matched rows were dropped")), "{said}");
    assert!(said.contains(&format!("1 gaps, {dropped} matched rows dropped")), "{said}");
}

#[test]
fn what_can_be_read_again_waits() {
    const LINES: u64 = 20_000;
    let folder = Folder::new();
    folder.write("config.yaml", "rules: [bank]\ndatabase: {backlog: 1 MiB}\n");
    let words = ["replay", "--config", "config.yaml", "--database", "kept.db", "-q", "-"];
    let mut program = folder.start_with(&words, Stdio::null(), Stdio::piped());
    let mut stdin = program.child().stdin.take().unwrap();
    let line = |n: u64| update(n, &format!("n{n}.bank.example")) + "\n";
    for n in 0..100 {
        stdin.write_all(line(n).as_bytes()).unwrap();
    }
    folder.wait_for_position("kept.db", 100);
    let other = lock(&folder, "kept.db");
    let phase = std::sync::atomic::AtomicU64::new(100);
    let sent = || phase.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stdin = stdin;
            for n in 100..LINES {
                stdin.write_all(line(n).as_bytes()).unwrap();
                phase.store(n + 1, std::sync::atomic::Ordering::Relaxed);
            }
        });
        // Nothing tells from outside that a reader waits but that it takes nothing any more.
        let (mut last, mut since) = (0, Instant::now());
        wait_until("the replay takes no more", || {
            if sent() != last {
                (last, since) = (sent(), Instant::now());
            }
            last > 100 && since.elapsed() > Duration::from_secs(1)
        });
        assert!(sent() < LINES, "it waits for the writer");
        assert!(folder.stderr().contains("database is locked"), "{}", folder.stderr());
        other.execute_batch("ROLLBACK").unwrap();
    });
    assert_eq!(program.end().code(), Some(0), "{}", folder.stderr());
    let number = |sql: &str| folder.number("kept.db", sql).unwrap();
    assert_eq!(number("SELECT sum(sightings) FROM domains"), LINES as i64);
    assert_eq!(number("SELECT position FROM positions"), LINES as i64);
    assert_eq!(number("SELECT count(*) FROM gaps"), 0);
}
