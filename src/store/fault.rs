//! What SQLite answers when something goes wrong, and whether trying again can help.
//!
//! Owns the sorting of SQLite's errors into those that pass and those that end the run, and the
//! remedies. How often and how long something is tried again is the writer's business.

use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::error::Error;

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

    /// Whether trying again can help.
    pub fn hope(&self) -> Hope {
        match self.error.sqlite_error_code() {
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
        told(what, self.error.sqlite_error_code(), file)
    }

    /// The error a person reads: the file, what failed there, and the remedy.
    pub fn into_error(self, file: &Path) -> Error {
        let what = format!("cannot {}: {}", self.doing, self.error);
        told(what, self.error.sqlite_error_code(), file)
    }
}

fn told(what: String, code: Option<ErrorCode>, file: &Path) -> Error {
    let error = Error::failed(what).in_file(file);
    match remedy(code) {
        Some(remedy) => error.remedy(remedy),
        None => error,
    }
}

fn remedy(code: Option<ErrorCode>) -> Option<&'static str> {
    Some(match code? {
        ErrorCode::NotADatabase => {
            "database.filename names a file that is no SQLite database: name another, or move it \
             away"
        }
        ErrorCode::DatabaseCorrupt => {
            "the database is damaged and was left as it is: move it away and start anew, or \
             recover it with sqlite3's .recover"
        }
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
