//! Matches out of names tiles, whose certificates are read afterwards.
//!
//! Owns the `unverified` table: what the writer notes and strikes out, and the reading of what is
//! left, on a connection of its own.

use std::path::Path;

use rusqlite::Connection;

use super::fault::Fault;
use super::{integer, open};
use crate::batch::now_micros;
use crate::error::Result;
use crate::matched::{Matched, Source};

/// Notes or strikes out what `message` says, within the transaction that is open.
pub(super) fn write(connection: &Connection, message: &Matched) -> rusqlite::Result<()> {
    match &message.source {
        Source::Whole => Ok(()),
        Source::NamesAlone => {
            let mut insert = connection.prepare_cached(
                "INSERT OR IGNORE INTO unverified (log_url, cert_index, found) VALUES (?1, ?2, ?3)",
            )?;
            for evidence in &message.certificates {
                insert.execute((&evidence.log_url, evidence.cert_index, now_micros()))?;
            }
            Ok(())
        }
        Source::Again { log_url, entries } => {
            let mut verified = connection
                .prepare_cached("DELETE FROM unverified WHERE log_url = ?1 AND cert_index = ?2")?;
            let mut refuted = connection.prepare_cached(
                "UPDATE unverified SET refuted = 1 WHERE log_url = ?1 AND cert_index = ?2",
            )?;
            for (index, matched) in entries {
                let statement = if *matched { &mut verified } else { &mut refuted };
                statement.execute((&**log_url, integer(*index)))?;
            }
            Ok(())
        }
    }
}

/// Reads what is left to verify.
#[derive(Debug)]
pub struct Unverified {
    connection: Connection,
}

impl Unverified {
    /// A reader of the database at `path`, which exists.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        open::open_read_only(path).map(|connection| Self { connection })
    }

    /// At most `limit` entries of the log at `log_url`, by index, and when each was found
    /// (microseconds since the Unix epoch).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn left(&self, log_url: &str, limit: usize) -> Result<Vec<(u64, i64)>> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT cert_index, found FROM unverified
                     WHERE log_url = ?1 AND refuted = 0 ORDER BY cert_index LIMIT ?2",
                )?
                .query_map((log_url, integer(limit as u64)), |row| {
                    Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
                })?
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| {
            Fault::new("read what is to be verified", error).into_error(Path::new("the database"))
        })
    }
}
