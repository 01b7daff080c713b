//! The advisory lock that keeps a second `watch` off the same database.
//!
//! Owns `<database>.lock` and the pid in it. SQLite's own locks are another matter: readers and
//! short writers may come and go.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::open::make_folder;
use crate::error::{Error, Result};

/// Held while a database is being written by this process. The system releases it when the
/// process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Takes the lock of `database`, whose folder is made if need be.
///
/// # Errors
/// When another process holds it (the message names its pid), or the lock file cannot be made.
pub fn lock(database: &Path) -> Result<Lock> {
    lock_as(database, ".lock")
}

/// Takes the lock of the one backfill that may write `database` beside a watch.
///
/// # Errors
/// As [`lock`].
pub fn lock_backfill(database: &Path) -> Result<Lock> {
    lock_as(database, ".backfill.lock")
}

fn lock_as(database: &Path, suffix: &str) -> Result<Lock> {
    make_folder(database)?;
    let path = beside(database, suffix);
    let failed = |what: &str, error: std::io::Error| {
        Error::failed(format!("cannot {what} the lock file: {error}"))
            .in_file(&path)
            .remedy("let the user who runs certstream write in the database's folder")
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        // Until the lock is ours, the pid in the file belongs to whoever holds it.
        .truncate(false)
        .open(&path)
        .map_err(|error| failed("open", error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(refusal(database, file)),
        Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| failed("write", error))?;
    Ok(Lock { file })
}

/// The file stays, empty: removing it could take away a lock that another process just got on it.
impl Drop for Lock {
    fn drop(&mut self) {
        // Only courtesy to whoever looks into the file: the lock itself ends with the descriptor.
        let _ = self.file.set_len(0);
    }
}

fn refusal(database: &Path, file: File) -> Error {
    let mut pid = String::new();
    // Short: a pid is a few digits, and whatever else stands there is not ours to show.
    let read = file.take(16).read_to_string(&mut pid);
    match pid.trim().parse::<u32>() {
        Ok(pid) if read.is_ok() => {
            Error::failed(format!("process {pid} is already writing to this database"))
                .in_file(database)
                .remedy(format!(
                    "end it first (kill {pid}), or name another database with database.filename"
                ))
        }
        _ => Error::failed("another process is already writing to this database")
            .in_file(database)
            .remedy("end it first, or name another database with database.filename"),
    }
}

/// `path` with `suffix` appended to its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_with_the_pid_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("new/certs.db");
        let first = lock(&database).unwrap();
        let refused = lock(&database).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(refused.contains(&format!("process {pid} is already writing")), "{refused}");
        assert!(refused.contains(&format!("kill {pid}")), "{refused}");
        drop(first);
        lock(&database).expect("free again");
    }

    #[test]
    fn an_unmakable_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let refused = lock(&folder.path().join("file/certs.db")).unwrap_err().to_string();
        assert!(refused.contains("cannot make the folder"), "{refused}");
    }
}
