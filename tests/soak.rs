//! Soak and crash: the real binary killed again and again in the middle of a stream, and one that
//! reads millions of frames. Short here; long with `.ci/run slow`, or by hand:
//!
//! ```sh
//! CERTSTREAM_SOAK_KILLS=1000 CERTSTREAM_SOAK_FRAMES=100000000 \
//!     cargo test --release --test tests -- soak:: --ignored --nocapture --test-threads=1
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tungstenite::Message;

use crate::testenv::stream::update;
use crate::testenv::{Folder, Observed, Server, Tls, frame};

/// A number from the environment.
fn asked(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect(variable))
}

/// Sends certificates 0, 1, 2, … of visit V as `nN.vV.bank.example`, some five thousand a second.
fn numbered() -> Server {
    Server::start(Tls::Off, |visit| {
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        for first in (0..).step_by(50) {
            peer.send((first..first + 50).map(|n| {
                let serial = number as u64 * 1_000_000 + n;
                Message::text(update(serial, &format!("n{n}.v{number}.bank.example")))
            }))?;
            // The pace of the stream, not a wait for something.
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    })
}

/// Of each visit everything up to some certificate is stored, and nothing else; the position is
/// that of the stored ones together. How many there are.
fn check_prefixes(database: &Connection) -> i64 {
    let number = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let torn = "SELECT count(*) FROM (
         SELECT count(*) AS stored, max(CAST(substr(domain, 2) AS INTEGER)) + 1 AS last
         FROM domains GROUP BY substr(domain, instr(domain, '.v'))) WHERE stored <> last";
    assert_eq!(number(torn), 0, "a visit's certificates are stored up to one of them");
    let stored = number("SELECT count(*) FROM domains");
    assert_eq!(number("SELECT ifnull(sum(sightings), 0) FROM domains"), stored, "each once");
    assert_eq!(number("SELECT ifnull(sum(position), 0) FROM positions"), stored);
    assert_eq!(number("SELECT count(*) FROM matches"), stored);
    stored
}

/// Kills the binary so many times, at random moments.
fn killed(kills: u64) {
    let folder = Folder::new();
    folder.write("rules.txt", "bank\n");
    let server = numbered();
    let url = server.url("/");
    let words = ["--server", &url, "--rules", "rules.txt", "--no-export"];
    let mut random = fastrand::Rng::with_seed(200);
    let (mut acknowledged, mut lost, mut within) = (0, 0, 0);
    let mut before = 0;
    for kill in 0..kills {
        let mut program = folder.start(&words);
        // A random moment is what is tested here; no condition is waited for.
        std::thread::sleep(Duration::from_millis(random.u64(20..400)));
        program.child().kill().unwrap();
        program.end();
        // Only whole lines: what is printed is committed.
        let shown = folder.stdout();
        let whole = shown.rfind('\n').map_or("", |end| &shown[..end]);
        let shown: BTreeSet<&str> =
            whole.lines().filter_map(|line| line.split('\t').next()).collect();
        if !folder.path("certstream.db").exists() {
            assert!(shown.is_empty());
            continue;
        }
        let database = folder.database("certstream.db");
        if folder.number("certstream.db", "SELECT 1 FROM runs LIMIT 1").is_none() {
            assert!(shown.is_empty());
            continue;
        }
        let mut known = database.prepare("SELECT 1 FROM domains WHERE domain = ?1").unwrap();
        lost += shown.iter().filter(|domain| !known.exists([domain]).unwrap()).count();
        acknowledged += shown.len();
        let stored = check_prefixes(&database);
        within += u64::from(stored > before);
        before = stored;
        if kill % 20 == 0 || kill + 1 == kills {
            let sound = folder.texts("certstream.db", "PRAGMA integrity_check");
            assert_eq!(sound, ["ok"], "after kill {kill}");
        }
    }
    println!(
        "{kills} kills, {within} of them amid a stream; {before} certificates stored, \
         {acknowledged} acknowledged on stdout, {lost} of these lost"
    );
    assert_eq!(lost, 0);
    assert!(within >= kills / 4, "only {within} kills fell into a stream");
    let mut program = folder.start(&words);
    crate::testenv::wait_until("the file is checked", || {
        folder.stderr().contains("the database is sound")
    });
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    check_prefixes(&folder.database("certstream.db"));
}

/// Reads so many frames over three connections, and looks at memory and descriptors meanwhile.
fn flat(frames: u64) {
    const BLOCK: u64 = 1000;
    const CONNECTIONS: u64 = 3;
    let folder = Folder::new();
    folder.write("rules.txt", "\\.bank\\.\n");
    let block: Arc<Vec<u8>> = Arc::new(
        (0..BLOCK)
            .flat_map(|n| {
                let zone = if n % 10 == 0 { "bank" } else { "shop" };
                frame(true, 1, update(n, &format!("n{n}.{zone}.example")).as_bytes())
            })
            .collect(),
    );
    let sent = Arc::new(AtomicU64::new(0));
    let server = Server::start(Tls::Off, {
        let sent = Arc::clone(&sent);
        move |visit| {
            let number = visit.number as u64;
            let mut peer = visit.upgrade()?;
            while sent.load(Ordering::Relaxed)
                < frames * (number + 1).min(CONNECTIONS) / CONNECTIONS
            {
                peer.send_bytes(&block)?;
                sent.fetch_add(BLOCK, Ordering::Relaxed);
            }
            if number + 1 < CONNECTIONS { peer.close(1001, "restarting") } else { peer.keep_open() }
        }
    });
    let config = format!(
        "certstream: {{server: '{}', input: rules.txt}}\nobserve: {{listen: '127.0.0.1:0'}}\n",
        server.url("/")
    );
    folder.write("config.yaml", config);
    let mut program = folder.start(&["--no-export"]);
    let observed = Observed::of(&folder);
    let started = Instant::now();
    let mut early = None;
    let late = loop {
        let read = observed.sum("certstream_frames_total");
        let now = (program.status("VmRSS").unwrap(), program.descriptors());
        // Caches are full, and every buffer has been as large as it gets.
        if read > frames / 5 && early.is_none() {
            early = Some(now);
        }
        if read >= frames {
            break now;
        }
        assert!(started.elapsed() < Duration::from_secs(60 + frames / 10_000), "{read} read");
        std::thread::sleep(Duration::from_millis(50));
    };
    let took = started.elapsed().as_secs_f64();
    let early = early.unwrap();
    let sent = sent.load(Ordering::Relaxed);
    crate::testenv::wait_until("all is stored", || {
        folder.number("certstream.db", "SELECT position FROM positions") == Some(sent as i64)
    });
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let sightings = folder.number("certstream.db", "SELECT sum(sightings) FROM domains").unwrap();
    println!(
        "{sent} frames in {took:.0} s over {CONNECTIONS} connections: resident {} MiB early, {} MiB \
         late; descriptors {} early, {} late; {} sightings lost",
        early.0 / 1024,
        late.0 / 1024,
        early.1,
        late.1,
        sent as i64 / 10 - sightings
    );
    assert_eq!(sightings, sent as i64 / 10);
    assert!(late.0 <= early.0 + 12 * 1024, "memory grows: {early:?} {late:?} KiB");
    assert!(late.1 <= early.1 + 2, "descriptors stay open: {early:?} {late:?}");
}

#[test]
fn some_kills_lose_nothing_that_was_acknowledged() {
    killed(20);
}

#[test]
#[ignore = "two minutes: `.ci/run slow`"]
fn two_hundred_kills_lose_nothing_that_was_acknowledged() {
    killed(asked("CERTSTREAM_SOAK_KILLS", 200));
}

#[test]
fn memory_and_descriptors_stay_flat_over_many_frames() {
    flat(300_000);
}

#[test]
#[ignore = "some minutes: `.ci/run slow`"]
fn memory_and_descriptors_stay_flat_over_ten_million_frames() {
    flat(asked("CERTSTREAM_SOAK_FRAMES", 10_000_000));
}
