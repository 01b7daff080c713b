//! A thousand reconnects: what was sent is stored, each loss is a row, no descriptor stays open.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certstream::console::Console;
use certstream::cores::Pins;
use certstream::feed::certstream::Settings;
use certstream::matcher::Engine;
use certstream::pipeline::{Pipeline, Source, counters};
use certstream::rule::{Anchor, Loader};
use certstream::stop::Stop;
use certstream::store::{self, Store};
use certstream::update::Parse;

use crate::testenv::{Folder, Server, Tls, Watching, certificate};

const RECONNECTS: usize = 1000;
/// Certificates sent on each connection.
const EACH: usize = 5;
/// Tell the child what to do; unset, it does nothing.
const URL: &str = "CERTSTREAM_TESTS_WATCHED_URL";
const DATABASE: &str = "CERTSTREAM_TESTS_WATCHED_DATABASE";

#[test]
fn a_thousand_lose_nothing_that_was_sent_and_leave_nothing_open() {
    let server = Server::start(Tls::Off, |visit| {
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        peer.send((0..EACH).map(|n| certificate(&format!("c{n}.{number}.example"))))?;
        match number {
            RECONNECTS => peer.keep_open(),
            // In order, or by the mere end of the connection.
            number if number % 2 == 0 => peer.close(1001, "restarting"),
            _ => Ok(()),
        }
    });
    let folder = Folder::new();
    let started = Instant::now();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "feed_reconnects::the_child_that_watches", "--nocapture"])
        .env(URL, server.url("/"))
        .env(DATABASE, folder.path("d.db"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{said}\n{complained}");
    println!("{RECONNECTS} reconnects in {:.1} s", started.elapsed().as_secs_f64());
    println!("{said}");

    let number = |sql: &str| folder.number("d.db", sql).unwrap();
    let sent = i64::try_from((RECONNECTS + 1) * EACH).unwrap();
    assert_eq!(number("SELECT position FROM positions"), sent);
    assert_eq!(number("SELECT count(*) FROM domains"), sent);
    assert_eq!(number("SELECT sum(sightings) FROM domains"), sent);
    let losses = i64::try_from(RECONNECTS).unwrap();
    assert_eq!(number("SELECT count(*) FROM gaps WHERE reason = 'disconnected'"), losses);
    assert_eq!(number("SELECT count(*) FROM gaps WHERE started <= ended"), losses);
    // One after the other, but for what two clocks differ by: a certificate's time is that of the
    // monotonic one, brought to wall time later.
    let overlaps = "SELECT count(*) FROM gaps a JOIN gaps b ON b.id = a.id + 1
                    WHERE b.started < a.ended - 1000";
    assert_eq!(number(overlaps), 0);
}

/// Not a test of its own: what the one above starts, in a process whose descriptors can be
/// counted. Watches as `watch` does, but with short pauses.
#[test]
fn the_child_that_watches() {
    let (Ok(url), Some(database)) = (std::env::var(URL), std::env::var_os(DATABASE)) else {
        return;
    };
    let stop = Arc::new(Stop::new().unwrap());
    let stats = Arc::new(counters(1, 1));
    let run = std::thread::spawn({
        let pipeline = pipeline(&url, Path::new(&database), &stop, &stats);
        move || pipeline.run()
    });
    let reconnects = || stats.feed_total(|feed| feed.reconnects.get());
    // The fewest that were open at a time, early and late: between two connections.
    let mut fewest = [usize::MAX; 2];
    // And the least memory, in KiB.
    let mut least = [u64::MAX; 2];
    while reconnects() < RECONNECTS as u64 {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        let early_or_late = match reconnects() {
            50..150 => Some(0),
            850..950 => Some(1),
            _ => None,
        };
        if let Some(when) = early_or_late {
            fewest[when] = fewest[when].min(open);
            least[when] = least[when].min(memory());
        }
        assert!(!run.is_finished(), "the run goes on until it is stopped");
        std::thread::sleep(Duration::from_micros(100));
    }
    let all = ((RECONNECTS + 1) * EACH) as u64;
    crate::testenv::wait_until("all has been read", || {
        stats.feed_total(|feed| feed.updates.get()) == all
    });
    stop.request();
    let outcome = run.join().unwrap().unwrap();
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let [before, after] = least;
    println!("resident memory: {before} KiB early, {after} KiB late");
    // 10 KiB for each reconnect would make eight; a page cache of one MiB is filled meanwhile.
    assert!(after <= before + 4096, "{before} {after}");
    let [early, late] = fewest;
    println!("open descriptors: {early} early, {late} late");
    // A leak of one in a hundred would make eight; sampling may miss the moment by two.
    assert!(late <= early + 2, "{early} {late}");
}

/// Resident memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn pipeline(
    url: &str,
    database: &Path,
    stop: &Arc<Stop>,
    stats: &Arc<certstream::stats::Stats>,
) -> Pipeline {
    let folder = Folder::new();
    let mut loader = Loader::new(Anchor::Search);
    loader.file(&folder.write("rules.txt", "example\n")).unwrap();
    let engine = Arc::new(Engine::build(loader.finish().unwrap()).unwrap());
    let settings = store::Settings { synchronous_full: false, cache: 1 << 20 };
    let mut store = Store::open(database, settings).unwrap();
    store.begin_run("watch", engine.rules()).unwrap();
    let mut server = Watching::hasty(Settings::new(url, None, None).unwrap());
    server.timings.pause = Duration::from_millis(2);
    server.timings.longest_pause = server.timings.pause;
    Pipeline {
        parse: Parse::default(),
        pins: Pins::default(),
        sources: vec![Source::Certstream(vec![server])],
        engine,
        store,
        backlog: 1 << 28,
        printer: None,
        every_sighting: false,
        recording: None,
        stats: Arc::clone(stats),
        stop: Arc::clone(stop),
        console: Console::new(true),
        observer: None,
        healing: None,
    }
}
