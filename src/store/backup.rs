//! `backup`: a copy of the database, whole and of one moment, while a watch may go on writing.
//!
//! Owns the copy. SQLite's online backup reads page by page; one snapshot over all of it keeps the
//! writer's commits from starting it over, at the price of a WAL that grows meanwhile.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::fault::Fault;
use super::open::open_read_only;
use super::wal::TimedSnapshot;
use crate::error::{Error, Result};

/// Pages copied between two looks at the progress: at 4 KiB each, 4 MiB.
const PAGES: i32 = 1024;

/// Copies the database at `from` to the new file `to`; `progress` is told how many bytes of how
/// many are copied. Returns the copy's size in bytes.
///
/// # Errors
/// When there is something at `to` already, it cannot be written, or the database cannot be read.
/// Nothing is left at `to` then.
pub fn backup(from: &Path, to: &Path, progress: impl Fn(u64, u64)) -> Result<u64> {
    if to.exists() {
        return Err(Error::usage("there is a file of this name")
            .in_file(to)
            .remedy("name a new file: a backup replaces nothing"));
    }
    let source = open_read_only(from)?;
    let unread = |error| Fault::new("read the database", error).into_error(from);
    let _timed = TimedSnapshot::begin("backup");
    let snapshot = source.unchecked_transaction().map_err(unread)?;
    // A transaction has its snapshot from its first read on.
    let page: u64 = snapshot
        .query_row("SELECT page_size FROM pragma_page_size, sqlite_schema LIMIT 1", [], |row| {
            row.get::<_, i64>(0)
        })
        .map(|bytes| bytes.unsigned_abs())
        .map_err(unread)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Beside its place until it is whole, and removed when dropped.
    let new = tempfile::Builder::new()
        .prefix(".certstream-backup-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(|error| unwritable(to, &error))?;
    copy(&snapshot, new.path(), |left, all| progress((all - left) * page, all * page))
        .map_err(|error| Fault::new("copy the database", error).into_error(to))?;
    new.as_file().sync_all().map_err(|error| unwritable(to, &error))?;
    let bytes = new.as_file().metadata().map_err(|error| unwritable(to, &error))?.len();
    // Not where somebody made a file meanwhile.
    new.persist_noclobber(to).map_err(|error| unwritable(to, &error.error))?;
    let _ = fs::File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    Ok(bytes)
}

fn copy(source: &Connection, to: &Path, progress: impl Fn(u64, u64)) -> rusqlite::Result<()> {
    let mut target = Connection::open(to)?;
    // The file is thrown away unless it is whole: a journal of its own would only cost.
    target.pragma_update(None, "journal_mode", "OFF")?;
    target.pragma_update(None, "synchronous", "OFF")?;
    {
        let backup = Backup::new(source, &mut target)?;
        loop {
            let step = backup.step(PAGES)?;
            let now = backup.progress();
            let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
            progress(count(now.remaining), count(now.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Nobody else writes the target, and readers of a WAL wait for nobody.
                _ => std::thread::yield_now(),
            }
        }
    }
    // The header says WAL, as the source's does; a reader that may not write its folder could not
    // open it so.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)
}

fn unwritable(to: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("cannot write the backup: {error}"))
        .in_file(to)
        .remedy("make room, or name a file in a folder that the user who runs certstream may write")
}
