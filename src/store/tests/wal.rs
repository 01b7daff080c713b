//! The write-ahead log beside a reader that does not end, and after it has left.

use std::time::Duration;

use super::*;
use crate::store::wal::{Limits, Look, Wal, wal_of};

/// Kilobytes where the product has gigabytes.
const LIMITS: Limits = Limits { cut: 64 * 1024, warn: 256 * 1024, every: Duration::ZERO };

/// Writes some 40 KB into the log, without a checkpoint; one row.
fn grow(writer: &Connection) -> i64 {
    writer
        .execute_batch("CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (zeroblob(40000))")
        .unwrap();
    1
}

#[test]
fn a_log_that_a_reader_holds_is_warned_of_once_and_cut_when_he_leaves() {
    let base = Base::new();
    let store = base.begin();
    let (writer, log) = (&store.connection, wal_of(&base.file()));
    writer.busy_timeout(Duration::ZERO).unwrap();
    let size = || log.metadata().unwrap().len();
    let mut wal = Wal::of(&base.file());
    wal.limits = LIMITS;
    let mut look = || (wal.look(writer).unwrap(), wal.has_warned());

    let reader = base.reader();
    reader.execute_batch("BEGIN; SELECT count(*) FROM domains").unwrap();
    let mut grown = grow(writer);
    while size() < LIMITS.cut {
        grown += grow(writer);
    }
    assert_eq!(look(), (Look::Held(size()), false), "no reason yet to call anybody");
    while size() < LIMITS.warn {
        grown += grow(writer);
    }
    assert_eq!(look(), (Look::Held(size()), true));
    reader.execute_batch("COMMIT").unwrap();
    let before = size();
    assert_eq!(look(), (Look::Cut(before), false));
    assert_eq!(size(), 0);
    let rows: i64 = reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, grown, "what was in the log is in the database");
}

#[test]
fn a_log_is_not_looked_at_all_the_time_and_a_small_one_left_alone() {
    let base = Base::new();
    let store = base.begin();
    grow(&store.connection);
    let mut wal = Wal::of(&base.file());
    wal.limits = Limits { cut: 0, every: Duration::from_secs(3600), ..LIMITS };
    assert_eq!(wal.look(&store.connection).unwrap(), Look::Fine);
    wal.limits = Limits { cut: 1 << 30, ..LIMITS };
    assert_eq!(wal.look(&store.connection).unwrap(), Look::Fine);
    assert!(wal_of(&base.file()).metadata().unwrap().len() > 0);
    wal.limits.cut = 1;
    assert!(matches!(wal.look(&store.connection).unwrap(), Look::Cut(_)));
}

/// The writer itself looks, after a commit.
#[test]
fn a_writer_cuts_the_log_that_it_has_grown() {
    let base = Base::new();
    let mut writer = base.writer(None);
    writer.wal.limits = Limits { cut: 1, ..LIMITS };
    let store = base.write_with(writer, vec![message(1, vec![row("a.example")])]).unwrap();
    assert_eq!(wal_of(&base.file()).metadata().unwrap().len(), 0);
    drop(store);
    assert_eq!(base.sightings(), ["a.example 1"]);
}

#[test]
fn a_database_that_is_taken_away_ends_the_run() {
    for replace in [false, true] {
        let base = Base::new();
        let mut writer = base.writer(None);
        writer.wal.limits.every = Duration::ZERO;
        std::fs::rename(base.file(), base.folder.path().join("moved.db")).unwrap();
        if replace {
            std::fs::write(base.file(), "another").unwrap();
        }
        let rows = vec![message(1, vec![row("a.example")])];
        let error = base.write_with(writer, rows).unwrap_err().to_string();
        assert!(error.contains("certs.db: the database was moved or deleted while"), "{error}");
        assert!(error.contains("remedy: put it back"), "{error}");
    }
}
