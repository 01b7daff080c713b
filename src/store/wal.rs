//! The write-ahead log's size, while somebody else reads.
//!
//! Owns the cutting of a log that has grown beyond its limit, and the warning about one that goes
//! on growing. It grows as long as any reader holds a snapshot; SQLite itself starts it over once
//! no reader is left at the moment of a commit, which readers who take turns never grant. Whether
//! the database is still in its place is looked at along with it.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::open::JOURNAL_SIZE_LIMIT;

/// What the log may grow to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes from which on it is cut as soon as nobody reads.
    pub cut: u64,
    /// Bytes from which on somebody has to look.
    pub warn: u64,
    /// Between two looks.
    pub every: Duration,
}

/// Twice what SQLite leaves of it: a log of that size is one that somebody holds open.
const LIMITS: Limits = Limits {
    cut: 2 * JOURNAL_SIZE_LIMIT.unsigned_abs(),
    warn: 1024 * 1024 * 1024,
    every: Duration::from_secs(10),
};

/// What a look at the log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It was not yet time, or the log is as small as it should be.
    Fine,
    /// It was cut from so many bytes.
    Cut(u64),
    /// Somebody reads: it has so many bytes.
    Held(u64),
    /// The database is not in its place: what is written goes to a file without a name, or with
    /// another one.
    Gone,
}

/// The write-ahead log of a database.
#[derive(Debug)]
pub(super) struct Wal {
    file: PathBuf,
    database: PathBuf,
    /// Which file the database is, or none where that cannot be told.
    inode: Option<u64>,
    pub limits: Limits,
    looked: Instant,
    /// Whether the warning has been given, and stands.
    warned: bool,
}

impl Wal {
    /// The log of `database`.
    pub fn of(database: &Path) -> Self {
        Self {
            file: wal_of(database),
            database: database.to_path_buf(),
            inode: inode(database),
            limits: LIMITS,
            looked: Instant::now(),
            warned: false,
        }
    }

    /// Looks at the log, when it is time for that, between two transactions of `connection`. Waits
    /// for readers no longer than the connection waits for a lock.
    pub fn look(&mut self, connection: &Connection) -> rusqlite::Result<Look> {
        if self.looked.elapsed() < self.limits.every {
            return Ok(Look::Fine);
        }
        self.looked = Instant::now();
        if inode(&self.database) != self.inode {
            return Ok(Look::Gone);
        }
        let bytes = self.bytes();
        if bytes < self.limits.cut {
            self.settle(bytes);
            return Ok(Look::Fine);
        }
        let held: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if held {
            self.warn(bytes);
            return Ok(Look::Held(bytes));
        }
        self.settle(self.bytes());
        Ok(Look::Cut(bytes))
    }

    fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Once for each time that it grows too large.
    fn warn(&mut self, bytes: u64) {
        if bytes < self.limits.warn || self.warned {
            return;
        }
        self.warned = true;
        log::warn!(
            "{}: the write-ahead log has grown to {} MiB, since a program goes on reading the \
             database\n  remedy: end the program that reads it (`fuser -v` names it): a shell with \
             an open transaction, a copy without end",
            self.file.display(),
            bytes >> 20
        );
    }

    fn settle(&mut self, bytes: u64) {
        if std::mem::take(&mut self.warned) {
            let (file, size) = (self.file.display(), bytes >> 20);
            log::info!("{file}: the write-ahead log is down to {size} MiB");
        }
    }

    #[cfg(test)]
    pub fn has_warned(&self) -> bool {
        self.warned
    }
}

fn inode(file: &Path) -> Option<u64> {
    file.metadata().ok().map(|metadata| metadata.ino())
}

/// How long a reader of our own may take: longer ones say so.
const LONGEST_SNAPSHOT: Duration = Duration::from_secs(10);

/// A reading of the database in one snapshot, timed: until it ends the write-ahead log of a writer
/// beside it can only grow.
#[derive(Debug)]
pub struct TimedSnapshot {
    what: &'static str,
    began: Instant,
}

impl TimedSnapshot {
    /// Begins; `what` is what reads, for a person.
    #[must_use]
    pub fn begin(what: &'static str) -> Self {
        Self { what, began: Instant::now() }
    }
}

impl Drop for TimedSnapshot {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        if took > LONGEST_SNAPSHOT {
            log::warn!(
                "the {} read the database for {:.0} s: so long what a watch writes beside it stays in \
                 its write-ahead log, which grows",
                self.what,
                took.as_secs_f64()
            );
        }
    }
}

/// Where SQLite keeps the write-ahead log of `database`.
#[must_use]
pub fn wal_of(database: &Path) -> PathBuf {
    let mut file = OsString::from(database);
    file.push("-wal");
    file.into()
}
