//! `purge`: sets the old database aside, and never deletes one.
//!
//! Owns the renaming and the cases in which it is left undone.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::fault::Fault;
use super::lock::beside;
use super::open::{Kind, connect, writable_kind};
use crate::error::{Error, Result};

/// Renames the database to `NAME.<UTC time>` and returns the new name, so that the run starts
/// with an empty one. Nothing is renamed where there is no file, and after an unclean end: then
/// the last run's matches may not have been exported yet.
///
/// # Errors
/// When the file is not a database of ours, is in use, or cannot be renamed.
pub fn purge(database: &Path) -> Result<Option<PathBuf>> {
    if !database.exists() {
        return Ok(None);
    }
    let connection = connect(database, OpenFlags::empty())?;
    let kind = writable_kind(&connection, database)?;
    let failed = |error| Fault::new("set the old database aside", error).into_error(database);
    if kind == Kind::Empty {
        return Ok(None);
    }
    if matches!(kind, Kind::Ours(_)) && ended_uncleanly(&connection).map_err(failed)? {
        log::warn!(
            "{}: the last run did not end cleanly, so the database is kept instead of set aside; \
             the next start after a clean end sets it aside",
            database.display()
        );
        return Ok(None);
    }
    settle(&connection, database)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    // A crash from here on leaves either the old name or the new one, and one whole file.
    let aside = free_name(database);
    std::fs::rename(database, &aside).map_err(|error| {
        Error::failed(format!("cannot rename the old database: {error}"))
            .in_file(database)
            .remedy("let the user who runs certstream write in its folder, or set purge: false")
    })?;
    Ok(Some(aside))
}

/// Brings everything into the one file: a `-wal` left behind would be lost to the new name, and
/// taken for the new database's. SQLite leaves WAL only when nobody else has the file open.
fn settle(connection: &Connection, database: &Path) -> Result<()> {
    let in_use = |what: String| {
        Error::failed(format!("cannot set the old database aside: {what}"))
            .in_file(database)
            .remedy("end the programs that read it, or start without purge")
    };
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
        .map_err(|error| in_use(error.to_string()))?;
    if mode.eq_ignore_ascii_case("delete") {
        Ok(())
    } else {
        Err(in_use("it is in use".to_owned()))
    }
}

fn ended_uncleanly(connection: &Connection) -> rusqlite::Result<bool> {
    let last: Option<bool> = connection
        .query_row("SELECT ended IS NULL FROM runs ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(false))
}

/// The name with the UTC time, and a number where two starts fall into one second.
fn free_name(database: &Path) -> PathBuf {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut name = beside(database, &format!(".{time}"));
    let mut number = 1;
    while name.exists() {
        number += 1;
        name = beside(database, &format!(".{time}-{number}"));
    }
    name
}
