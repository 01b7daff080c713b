//! Ranges of logs, read by the real binary: wherever they begin and end, and whatever ends it.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use rustix::process::Signal;

use crate::testenv::ctwatch::{WORD, folder, log_of, made, stored};
use crate::testenv::log::{Fault, LogServer, Protocol, TestLog, Times};
use crate::testenv::{Folder, Tls, wait_until};

/// What a range should have led to.
fn expected(log: &TestLog, range: Range<u64>) -> BTreeMap<String, i64> {
    let mut expected = BTreeMap::new();
    for (_, names) in log.expected().into_iter().filter(|(index, _)| range.contains(index)) {
        for name in names.into_iter().filter(|name| name.contains(WORD)) {
            *expected.entry(name).or_default() += 1;
        }
    }
    expected
}

/// Entries read, and those among them that were proven, of all ranges.
fn entries(folder: &Folder) -> [Option<i64>; 2] {
    ["entries", "verified"].map(|column| {
        folder.number("certstream.db", &format!("SELECT sum({column}) FROM positions"))
    })
}

#[test]
fn a_range_may_begin_at_every_entry_and_is_proven() {
    let log = log_of(Protocol::Rfc6962, 5, 513);
    let server = LogServer::start(Tls::Off, &[&log]);
    // At 512 all but the last entry is one complete tree, of which no head was ever seen.
    for from in [0, 1, 2, 3, 4, 255, 256, 512] {
        let folder = folder(&server, "");
        let words = ["backfill", "--log", "alpha", "--from", &from.to_string()];
        assert_eq!(folder.run(&words), 0, "from {from}: {}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log, from..513), "from {from}");
        let all = Some(i64::try_from(513 - from).unwrap());
        assert_eq!(entries(&folder), [all; 2], "from {from}");
    }
}

#[test]
fn a_range_may_be_one_of_times() {
    let time = |number: u64| {
        let millis = i64::try_from(made(5).timestamp(number)).unwrap();
        Timestamp::from_millisecond(millis).unwrap().to_string()
    };
    for protocol in [Protocol::Tiles, Protocol::Rfc6962] {
        let log = log_of(protocol, 5, 3000);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let words = ["backfill", "--log", "alpha", "--from", &time(1030), "--to", &time(2500)];
        assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
        // A tile is read from its first entry on.
        let range = if protocol == Protocol::Tiles { 1024..2304 } else { 1030..2500 };
        assert_eq!(stored(&folder), expected(&log, range), "{protocol:?}");
    }
}

#[test]
fn a_range_outside_of_the_log_is_refused() {
    let log = log_of(Protocol::Tiles, 5, 500);
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, "");
    for (from, to, missing) in [("500", "end", 500), ("5000", "6000", 5000), ("0", "501", 500)] {
        let words = ["backfill", "--log", "alpha", "--from", from, "--to", to];
        assert_eq!(folder.run(&words), 2, "{}", folder.stderr());
        let said = folder.stderr();
        let what = format!("Operator 'alpha' has 500 entries: there is no entry {missing}");
        assert!(said.contains(&what) && said.contains("remedy: "), "{said}");
    }
    assert!(!folder.path("certstream.db").exists(), "nothing was begun");
}

#[test]
fn a_range_that_is_broken_off_in_its_middle_is_read_on() {
    for (signal, code) in [(Signal::KILL, None), (Signal::INT, Some(0))] {
        let log = log_of(Protocol::Tiles, 5, 6000);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let words = ["backfill", "--log", "alpha", "--from", "100", "--to", "5500"];
        let position =
            || folder.number("certstream.db", "SELECT position FROM positions").unwrap_or_default();
        for stalled in [3, 9, 15] {
            let tile = format!("/alpha/tile/data/{stalled:03}");
            server.behave();
            server.misbehave(&tile, Times::Always, Fault::Stalled);
            let mut program = folder.start(&words);
            // In batches of 256, which begin anywhere.
            wait_until("what comes before the tile is stored", || position() > (stalled - 1) * 256);
            program.signal(signal);
            assert_eq!(program.end().code(), code, "{}", folder.stderr());
        }
        server.behave();
        assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
        assert_eq!(position(), 5500);
        assert_eq!(stored(&folder), expected(&log, 100..5500));
        assert_eq!(entries(&folder), [Some(5400); 2], "each is read into it once");
    }
}
