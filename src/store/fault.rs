//! What SQLite answers when something goes wrong, and whether trying again can help.
//!
//! Owns the sorting of SQLite's errors into those that pass and those that end the run, and the
//! remedies. How often something is tried again is the writer's business.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

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

    /// Whether the cause lies outside and may pass: another process's lock, a full disk, a disk
    /// that failed to write. Everything else (a corrupt file, a broken constraint, a file that
    /// was made read-only) would fail the same way for ever.
    pub fn may_pass(&self) -> bool {
        matches!(
            self.error.sqlite_error_code(),
            Some(
                ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::OutOfMemory
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::SchemaChanged
            )
        )
    }

    /// The error a person reads: the file, what failed there, and the remedy.
    pub fn into_error(self, file: &Path) -> Error {
        let error = Error::failed(format!("cannot {}: {}", self.doing, self.error)).in_file(file);
        match remedy(self.error.sqlite_error_code()) {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
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
