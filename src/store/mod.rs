//! The store: the SQLite database, and the one thread that writes it.
//!
//! Owns everything that is written to the database, and how one is opened, adopted, locked and
//! set aside. Where it stops: what a reader shows (`export`, `report`) is theirs; they get a
//! read-only connection from [`open_read_only`].
//!
//! ```text
//! Matched ─▶ reorder ─▶ waiting ─▶ merge ─────▶ apply ──────▶ COMMIT ─▶ records, backlog
//!            one line   until the  repeats of   upserts,
//!            a feed     policy     one          rows and
//!                       says so    transaction  positions
//! ```

mod announce;
mod apply;
mod backup;
mod check;
mod coverage;
mod fault;
mod gap;
mod holes;
mod lock;
mod merge;
mod open;
mod position;
mod prune;
mod purge;
mod refused;
mod reorder;
mod run;
pub mod schema;
mod unverified;
mod upsert;
mod waiting;
mod wal;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::batch::{Applied, CoverageHead, TreeHead};
use crate::error::Result;
use fault::Fault;
use run::Run;

pub use announce::Announce;
pub use backup::backup;
pub use check::Check;
pub use fault::free_bytes;
pub use holes::Holes;
pub use lock::{Lock, lock, lock_backfill};
pub use open::open_read_only;
pub use position::log_entries;
pub use prune::{Pruned, prune};
pub use purge::purge;
pub use unverified::Unverified;
pub use wal::{TimedSnapshot, wal_of};
pub use writer::Writer;

/// How the database is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `synchronous = FULL`: a power loss costs nothing. Otherwise NORMAL: it may cost the last
    /// commits, rows and position together; SIGKILL costs nothing either way.
    pub synchronous_full: bool,
    /// Page cache, in bytes.
    pub cache: usize,
}

/// An open database. It moves to the writer's thread and comes back when that is done.
#[derive(Debug)]
pub struct Store {
    /// The one writing connection.
    connection: Connection,
    /// Named in errors.
    file: PathBuf,
    /// What rows of this run refer to; none before `begin_run`.
    run: Option<Run>,
    /// The check that this run owes the file; none after a clean end.
    check: Option<check::Owed>,
}

impl Store {
    /// Opens the database at `path`; makes it, and its folder, where there is none yet. Brings an
    /// older one up to date, and adopts one of the ancestor's.
    ///
    /// # Errors
    /// When it cannot be opened for writing, is no database or not ours, or was written by a
    /// newer version. It is then left as it was.
    pub fn open(path: &Path, settings: Settings) -> Result<Self> {
        let connection = open::open(path, settings)?;
        Ok(Self { connection, file: path.to_path_buf(), run: None, check: None })
    }

    /// The database file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The check of the whole file that this run owes it after an unclean end; none after a clean
    /// one. To be made on another thread while the run goes on.
    #[must_use]
    pub fn check(&self) -> Option<Check> {
        self.check.as_ref().map(|owed| owed.check(&self.file))
    }

    /// How far every feed is stored that ever was, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn positions(&self) -> Result<HashMap<String, Applied>> {
        position::all(&self.connection)
            .map_err(|error| Fault::new("read the positions", error).into_error(&self.file))
    }

    /// The newest tree head of every CT log that was ever read, by feed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tree_heads(&self) -> Result<HashMap<String, TreeHead>> {
        position::tree_heads(&self.connection)
            .map_err(|error| Fault::new("read the tree heads", error).into_error(&self.file))
    }

    /// The CT logs that were given up before their end, by feed: at which entry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn given_up(&self) -> Result<HashMap<String, u64>> {
        gap::unread(&self.connection)
            .map_err(|error| Fault::new("read the gaps", error).into_error(&self.file))
    }

    /// How far every certstream feed had received each log, by feed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn coverage_heads(&self) -> Result<HashMap<String, Vec<CoverageHead>>> {
        coverage::heads(&self.connection)
            .map_err(|error| Fault::new("read the coverage", error).into_error(&self.file))
    }

    /// How far the feed called `feed` is stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_applied(&self, feed: &str) -> Result<Applied> {
        position::of(&self.connection, feed)
            .map_err(|error| Fault::new("read a position", error).into_error(&self.file))
    }
}

/// A count as SQLite stores it. None of ours comes near 2^63.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
