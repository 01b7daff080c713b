//! What the certstream feeds missed and nobody has fetched yet, for whoever fetches it.
//!
//! Owns the reading, on a connection of its own. What makes and closes those gaps is `gap`'s
//! business.

use std::path::Path;

use rusqlite::{Connection, Row};

use super::fault::Fault;
use super::{integer, open};
use crate::batch::OpenHole;
use crate::error::Result;

/// Holes that are told at a time: the others come when those are closed.
const AT_ONCE: i64 = 1000;

/// Reads the holes that are open.
#[derive(Debug)]
pub struct Holes {
    connection: Connection,
}

impl Holes {
    /// A reader of the database at `path`, which exists.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        open::open_read_only(path).map(|connection| Self { connection })
    }

    /// The open holes of at most `most` entries, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open_ones(&self, most: u64) -> Result<Vec<OpenHole>> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT id, log, log_name, first_index, last_index, filled_by FROM gaps
                     WHERE first_index IS NOT NULL AND closed IS NULL AND log IS NOT NULL
                         AND last_index - first_index < ?1
                     ORDER BY started DESC, id DESC LIMIT ?2",
                )?
                .query_map((integer(most), AT_ONCE), hole)?
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| {
            Fault::new("read what was missed", error).into_error(Path::new("the database"))
        })
    }
}

fn hole(row: &Row<'_>) -> rusqlite::Result<OpenHole> {
    let text = |column| {
        row.get::<_, Option<String>>(column).map(|text| text.unwrap_or_default().into_boxed_str())
    };
    Ok(OpenHole {
        id: row.get(0)?,
        log: text(1)?,
        log_name: text(2)?,
        first: row.get::<_, i64>(3)?.unsigned_abs(),
        last: row.get::<_, i64>(4)?.unsigned_abs(),
        filled_by: row.get::<_, Option<String>>(5)?.map(String::into_boxed_str),
    })
}
