//! The loss ledger, kept by the real binary: what it counts is what a test counts itself, whatever
//! order the certificates come in, and after a kill it is that of the frames that are stored.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use tungstenite::Message;

use crate::testenv::{Folder, Program, Server, Tls, certificate, wait_until};

/// The certificate of an entry, as servers send it.
fn entry(log: &str, index: u64) -> Message {
    Message::text(format!(
        r#"{{"message_type":"certificate_update","data":{{"update_type":"X509LogEntry","cert_index":{index},"leaf_cert":{{"all_domains":["n{index}.example.com"]}},"seen":1795500000.5,"source":{{"url":"https://{log}/","name":"The log '{log}'"}}}}}}"#,
    ))
}

/// Entries of three logs, a third of them missing, some twice, each within 2,000 of its place.
fn shuffled(seed: u64, count: u64) -> Vec<(String, u64)> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut entries: Vec<(u64, String, u64)> = Vec::new();
    for index in 0..count {
        for (log, begin) in [("a.example/2026", 0), ("b.example/2026", 1 << 40), ("c.example", 7)] {
            for _ in 0..[0, 1, 2][random.usize(0..3)] {
                entries.push((index + random.u64(0..2000), log.to_owned(), begin + index));
            }
        }
    }
    entries.sort();
    entries.into_iter().map(|(_, log, index)| (log, index)).collect()
}

fn watch(folder: &Folder, server: &Server) -> Program {
    let config = format!(
        "certstream: {{server: '{}'}}\nheal: {{enabled: no, settle_after: 1 s}}\nrules: [n77]\n",
        server.url("/")
    );
    folder.write("config.yaml", config);
    folder.start(&[])
}

/// By log: lowest, highest and number of indexes, over all minutes.
fn stored(folder: &Folder) -> BTreeMap<String, (u64, u64, u64)> {
    let connection = folder.database("certstream.db");
    let mut statement = connection
        .prepare(
            "SELECT log, min(lowest), max(highest), sum(count) FROM coverage
             JOIN feed_logs ON id = feed_log WHERE log <> '' GROUP BY log",
        )
        .unwrap();
    let number =
        |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).unwrap().unsigned_abs();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, (number(row, 1), number(row, 2), number(row, 3)))));
    rows.unwrap().map(Result::unwrap).collect()
}

/// The same, of what was sent.
fn counted<'e>(
    entries: impl Iterator<Item = &'e (String, u64)>,
) -> BTreeMap<String, (u64, u64, u64)> {
    let mut indexes: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (log, index) in entries {
        indexes.entry(log.clone()).or_default().insert(*index);
    }
    let sums =
        |set: &BTreeSet<u64>| (*set.first().unwrap(), *set.last().unwrap(), set.len() as u64);
    indexes.iter().map(|(log, set)| (log.clone(), sums(set))).collect()
}

#[test]
fn coverage_is_what_was_sent_each_index_once() {
    let entries = shuffled(1, 20_000);
    let server = Server::start(Tls::Off, {
        let entries = entries.clone();
        move |visit| {
            let mut peer = visit.upgrade()?;
            peer.send(entries.iter().map(|(log, index)| entry(log, *index)))?;
            peer.send([certificate("without.example"), certificate("index.example")])?;
            peer.keep_open()
        }
    });
    let folder = Folder::new();
    let mut program = watch(&folder, &server);
    folder.wait_for_position("certstream.db", i64::try_from(entries.len()).unwrap() + 2);
    assert_eq!(program.stop(), 0);
    assert_eq!(stored(&folder), counted(entries.iter()));
    let without = "SELECT sum(count) FROM coverage JOIN feed_logs ON id = feed_log WHERE log = ''";
    assert_eq!(folder.number("certstream.db", without), Some(2));
    // Minutes as such: each row is one, and they are few.
    let broken = "SELECT count(*) FROM coverage WHERE minute % 60000000 <> 0 OR count < 1
                  OR highest - lowest + 1 < count";
    assert_eq!(folder.number("certstream.db", broken), Some(0));
    let names = folder.texts("certstream.db", "SELECT name FROM feed_logs WHERE log = 'c.example'");
    assert_eq!(names, ["The log 'c.example'"]);
    assert_eq!(folder.run(&["report"]), 0);
    let report = folder.stdout();
    let missing: u64 = counted(entries.iter()).values().map(|(l, h, n)| h - l + 1 - n).sum();
    let line = report.lines().find(|line| line.contains("ws://") && line.contains(" %"));
    let plain = line.unwrap_or_else(|| panic!("{report}")).replace(',', "");
    assert!(plain.contains(&format!("  {missing}  ")), "{missing}: {plain}");
    assert!(report.contains("is an upper bound"), "{report}");
}

#[test]
fn after_each_kill_it_is_that_of_the_frames_that_are_stored() {
    const EACH: usize = 3000;
    let entries = shuffled(2, 40_000);
    // Each run is sent the next part, the rest of it while it is being killed.
    let server = Server::start(Tls::Off, {
        let entries = entries.clone();
        move |visit| {
            let from = visit.number * EACH;
            let mut peer = visit.upgrade()?;
            peer.send(entries[from..from + EACH].iter().map(|(log, index)| entry(log, *index)))?;
            peer.keep_open()
        }
    });
    let folder = Folder::new();
    let mut expected = BTreeMap::new();
    let mut before = 0;
    for run in 0..8_usize {
        let mut program = watch(&folder, &server);
        let position = || folder.number("certstream.db", "SELECT position FROM positions");
        wait_until("some frames are stored", || position() > Some(before));
        program.signal(Signal::KILL);
        program.end();
        let after = position().unwrap();
        let taken = usize::try_from(after - before).unwrap();
        assert!((1..=EACH).contains(&taken));
        let part = &entries[run * EACH..run * EACH + taken];
        for (log, (lowest, highest, count)) in counted(part.iter()) {
            // Minutes add up. A repeat of what another run has counted is none to this one.
            let sums = expected.entry(log).or_insert((lowest, highest, 0));
            *sums = (sums.0.min(lowest), sums.1.max(highest), sums.2 + count);
        }
        assert_eq!(stored(&folder), expected, "run {run}");
        before = after;
    }
}
