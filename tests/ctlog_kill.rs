//! A log read by a binary that is killed again and again: in the end the database is the log.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::testenv::ctwatch::{expected, folder, made, stored, wait_for_end, watch};
use crate::testenv::log::{Key, LogServer, Protocol, TestLog};
use crate::testenv::{Folder, Tls, wait_until};

/// The longest that one log may take.
const LONGEST: Duration = Duration::from_secs(300);

fn position(folder: &Folder) -> i64 {
    let sql = "SELECT position FROM positions WHERE feed LIKE 'log %'";
    folder.number("certstream.db", sql).unwrap_or(0)
}

/// Kills the binary so many times while it reads a log of `protocol`, with `more` lines in the
/// config's `ct:` block; the folder, once it has read the log to its end.
fn killed(kills: u64, protocol: Protocol, more: &str) -> Folder {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(protocol);
    log.append(made(4).entries(0..2000));
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, more);
    let begun = Instant::now();
    let mut places = BTreeSet::new();
    for kill in 0..kills {
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
    wait_until("nothing is left to verify", || {
        folder.number("certstream.db", "SELECT count(*) FROM unverified") == Some(0)
    });
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), expected(&log), "{protocol:?}");
    // Were it killed before it ever read, nothing would be shown.
    assert!(places.len() as u64 >= kills / 4, "killed at {places:?}");
    let read = "SELECT entries FROM positions WHERE feed LIKE 'log %'";
    let read = folder.number("certstream.db", read);
    assert_eq!(read, i64::try_from(log.size()).ok(), "each entry is read into it once");
    folder
}

#[test]
fn two_hundred_kills_over_a_growing_log_lose_and_double_nothing() {
    killed(200, Protocol::Tiles, "");
}

#[test]
fn kills_over_a_growing_log_without_tiles_lose_and_double_nothing() {
    killed(60, Protocol::Rfc6962, "");
}

/// Each match is stored at once, and its certificate when it has been read and proven.
#[test]
fn kills_over_a_growing_log_that_is_read_by_its_names_lose_and_double_nothing() {
    let folder = killed(60, Protocol::Tiles, "  source: names\n");
    let without = "SELECT count(*) FROM domains WHERE id NOT IN (SELECT domain_id
         FROM domain_certificates dc JOIN certificates c ON c.id = dc.certificate_id
         WHERE c.serial IS NOT NULL)";
    assert_eq!(folder.number("certstream.db", without), Some(0), "all have their certificate");
}
