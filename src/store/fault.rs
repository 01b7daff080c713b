//! What SQLite answers when something goes wrong, and whether trying again can help.
//!
//! Owns the sorting of SQLite's errors into those that pass and those that end the run, and the
//! remedies. How often and how long something is tried again is the writer's business.

use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::error::Error;

/// Bytes free on a disk below which whatever fails there is taken to fail for want of room: what
/// SQLite asks for in one step is less.
const NEXT_TO_NOTHING: u64 = 1024 * 1024;

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hope {
    /// The same would fail for ever: a corrupt file, a broken constraint, a file that was made
    /// read-only.
    None,
    /// It may pass by itself, but if it goes on, somebody has to look: a disk that fails.
    Some,
    /// It passes once somebody outside lets go or makes room: another process's lock, a full
    /// disk.
    Lasting,
}

/// A failed statement, and what it was for.
#[derive(Debug)]
pub struct Fault {
    doing: &'static str,
    error: rusqlite::Error,
}

impl Fault {
    /// `doing` completes "cannot …".
    pub fn new(doing: &'static str, error: rusqlite::Error) -> Self {
        Self { doing, error }
    }

    /// What SQLite calls it; none for what is not SQLite's.
    pub fn code(&self) -> Option<ErrorCode> {
        self.error.sqlite_error_code()
    }

    /// Whether trying again can help, the database being `file`.
    pub fn hope(&self, file: &Path) -> Hope {
        match cause(&self.error, file) {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SchemaChanged,
            ) => Hope::Lasting,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Hope::Some,
            _ => Hope::None,
        }
    }

    /// What a run says that goes on: it tries again, and what can be done meanwhile.
    pub fn into_wait(self, file: &Path) -> Error {
        let what = format!(
            "cannot {}: {}; trying again until it works, matches wait in memory",
            self.doing, self.error
        );
        let remedy = match cause(&self.error, file) {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "end the program that writes to the database (`fuser -v` names it), or let it finish"
            }
            Some(ErrorCode::DiskFull) => "make room on its disk",
            _ => "see that its disk works: the system's log may tell",
        };
        Error::failed(what).in_file(file).remedy(remedy)
    }

    /// The error that a run ends with: as [`into_error`](Self::into_error), and how many matched
    /// rows have not been stored, after trying for `tried`.
    pub fn into_end(self, file: &Path, rows: u64, tried: Duration) -> Error {
        let tried = match tried.as_secs() {
            0 => String::new(),
            seconds => format!(", for {seconds} s"),
        };
        let (doing, why) = (self.doing, &self.error);
        let what = format!(
            "cannot {doing}: {why}{tried}; {rows} matched rows, and what came after them, are not \
             stored"
        );
        told(what, cause(&self.error, file), file)
    }

    /// The error a person reads: the file, what failed there, and the remedy.
    pub fn into_error(self, file: &Path) -> Error {
        let what = format!("cannot {}: {}", self.doing, self.error);
        told(what, cause(&self.error, file), file)
    }
}

/// What `error` comes from. A full disk shows in other ways than by its name, too: the index of
/// the write-ahead log cannot grow, or a file cannot be made.
fn cause(error: &rusqlite::Error, file: &Path) -> Option<ErrorCode> {
    let is_full = || free_bytes(file).is_some_and(|free| free < NEXT_TO_NOTHING);
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if is_full() => {
            Some(ErrorCode::DiskFull)
        }
        code => code,
    }
}

fn told(what: String, code: Option<ErrorCode>, file: &Path) -> Error {
    let error = Error::failed(what).in_file(file);
    match remedy(code) {
        Some(remedy) => error.remedy(remedy),
        None => error,
    }
}

/// What to do about a database that is damaged. It is never replaced by certstream itself.
pub(super) const DAMAGED: &str = "move the database away with its -wal and -shm \
    (`mv FILE FILE.damaged`), put a copy made by `certstream backup` in its place or start anew; \
    `sqlite3 FILE.damaged .recover | sqlite3 FILE` saves what can still be read";

/// Bytes free for us on the disk that holds `file`; none where it cannot be asked.
#[must_use]
pub fn free_bytes(file: &Path) -> Option<u64> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

fn remedy(code: Option<ErrorCode>) -> Option<&'static str> {
    Some(match code? {
        ErrorCode::NotADatabase => {
            "database.filename names a file that is no SQLite database: name another, or move it \
             away"
        }
        ErrorCode::DatabaseCorrupt => DAMAGED,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "another process is writing to the database: end it, then start again"
        }
        ErrorCode::DiskFull => "the disk is full: make room, then start again",
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            "let the user who runs certstream write the database file and its folder"
        }
        ErrorCode::CannotOpen => {
            "check that the database's folder exists and that the user who runs certstream may \
             write in it"
        }
        ErrorCode::SystemIoFailure => "the disk reported an error: see the system's log",
        _ => return None,
    })
}
