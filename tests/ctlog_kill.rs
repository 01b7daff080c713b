//! A log read by a binary that is killed again and again: in the end the database is the log.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::testenv::ctwatch::{expected, folder, made, stored, wait_for_end, watch};
use crate::testenv::log::{Key, LogServer, Protocol, TestLog};
use crate::testenv::{Folder, Tls, wait_until};

/// Times the binary is killed, and the longest it may take in all.
const KILLS: usize = 200;
const LONGEST: Duration = Duration::from_secs(180);

fn position(folder: &Folder) -> i64 {
    folder.number("certstream.db", "SELECT position FROM positions").unwrap_or(0)
}

#[test]
fn two_hundred_kills_over_a_growing_log_lose_and_double_nothing() {
    for protocol in [Protocol::Tiles, Protocol::Rfc6962] {
        let log = TestLog::new("alpha", Key::Ecdsa).speaking(protocol);
        log.append(made(4).entries(0..2000));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let begun = Instant::now();
        let mut places = BTreeSet::new();
        for kill in 0..KILLS as u64 / 2 {
            let mut program = watch(&folder);
            // Not a wait for something to happen: the random moment is what is tested.
            thread::sleep(Duration::from_millis(fastrand::u64(30..330)));
            log.append(made(4).entries(2000 + kill * 300..2300 + kill * 300));
            thread::sleep(Duration::from_millis(fastrand::u64(0..150)));
            program.signal(Signal::KILL);
            program.end();
            places.insert(position(&folder));
            assert!(begun.elapsed() < LONGEST, "bounded in time");
        }
        // All may be read by now, and a signal that comes before the run began ends nothing well.
        let runs = || folder.number("certstream.db", "SELECT count(*) FROM runs");
        let before = runs();
        let mut program = watch(&folder);
        wait_until("the last run begins", || runs() > before);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log), "{protocol:?}");
        // Were it killed before it ever read, nothing would be shown.
        assert!(places.len() >= 30, "killed at {places:?}");
        let read = folder.number("certstream.db", "SELECT entries FROM positions");
        assert_eq!(read, i64::try_from(log.size()).ok(), "each entry is read into it once");
    }
}
