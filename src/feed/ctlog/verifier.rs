//! What matched by its names alone is read again, for its certificate.
//!
//! Owns the order of that: what is left to verify is asked for now and then, each tile is fetched
//! once, at low priority, and what stands in it is proven. Where what is left is kept is its
//! caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::backlog::Backlog;
use crate::batch::{Content, TreeHead, now_micros};
use crate::connect::sleep;
use crate::ctlog::{LogSource, TILE};
use crate::error::{Error, Result};
use crate::feed::Outlets;
use crate::stop::Stop;

use super::intake::EntryIntake;
use super::tiled::Tiled;
use super::trouble::Trouble;

/// Pause between two looks at what is left.
const PAUSE: Duration = Duration::from_secs(2);
/// Entries that are looked at together.
const AT_ONCE: usize = 1000;

/// An entry that is left to verify: its index, and when it was found, in microseconds since the
/// Unix epoch.
pub type LeftEntry = (u64, i64);

/// The question what is left to verify of the log at a URL; at most so many entries are told.
pub type Ask = dyn Fn(&str, usize) -> Result<Vec<LeftEntry>> + Send + Sync;

/// Tells what is left to verify.
pub struct Left(pub Box<Ask>);

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Left").finish_non_exhaustive()
    }
}

/// How a log is asked from now on; none while that has not changed.
pub(super) type Moved = Arc<Mutex<Option<Box<Tiled>>>>;

/// Verifies the matches of one log.
#[derive(Debug)]
pub(super) struct Verifier<'a> {
    pub name: String,
    pub source: Arc<LogSource>,
    /// The log, read by its data tiles.
    pub tiled: Box<Tiled>,
    pub moved: Moved,
    pub left: &'a Left,
    pub outlets: &'a Outlets,
    pub backlog: Arc<Backlog>,
    /// How long an entry may wait for its tile to fill.
    pub max_delay: Duration,
    pub stop: &'a Stop,
    /// Set when there is nothing left to wait for.
    pub over: Arc<AtomicBool>,
}

impl Verifier<'_> {
    /// Verifies until the stop is requested, or no matcher is left.
    ///
    /// # Errors
    /// When the database cannot be asked what is left.
    pub fn run(mut self) -> Result<()> {
        let content = Content::Again(Arc::clone(&self.source));
        let outlet = self.outlets.open(&self.name, true, content)?;
        let mut intake = EntryIntake::new(outlet, Arc::clone(&self.backlog), 0);
        // Read again before it is known to be committed, an entry would be fetched twice.
        let mut sent: BTreeSet<u64> = BTreeSet::new();
        intake.stats().live.store(true, Ordering::Relaxed);
        intake.stats().recorded.store(true, Ordering::Relaxed);
        while !self.stop.is_requested() && !self.over.load(Ordering::Relaxed) {
            let left = (self.left.0)(&self.source.url, AT_ONCE)?;
            let indexes: BTreeSet<u64> = left.iter().map(|(index, _)| *index).collect();
            sent.retain(|index| indexes.contains(index));
            let due = left.into_iter().filter(|(index, _)| !sent.contains(index));
            match self.round(due.collect(), &mut intake) {
                Ok(read) => sent.extend(read),
                Err(Trouble::Stopped | Trouble::Closed) => break,
                Err(Trouble::Passing(what) | Trouble::Refuted(what)) => {
                    log::warn!("{}: {what}; trying again", self.name);
                }
                // The course of the log finds the same, and stops it.
                Err(Trouble::Broken { .. }) => break,
            }
            if intake.flush().is_err() {
                break;
            }
            sleep(PAUSE, self.stop)
                .map_err(|error| Error::failed(format!("{}: {error}", self.name)))?;
        }
        intake.stats().live.store(false, Ordering::Relaxed);
        // Nobody is left to hand over to, where this fails.
        let _ = intake.flush();
        Ok(())
    }

    /// Reads the entries that are due again; their indexes.
    fn round(
        &mut self,
        left: Vec<(u64, i64)>,
        intake: &mut EntryIntake,
    ) -> Result<Vec<u64>, Trouble> {
        if left.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(tiled) = self.moved.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.tiled = tiled;
        }
        let head = self.tiled.tree_head()?;
        let mut tiles: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (index, found) in left {
            if index < head.size && self.is_due(index, found, &head) {
                tiles.entry(index / TILE).or_default().push(index);
            }
        }
        let mut read = Vec::new();
        for (tile, indexes) in tiles {
            intake.wait_for_room(self.stop);
            self.tiled.read_some(intake, tile, &indexes, &head)?;
            read.extend(indexes);
        }
        Ok(read)
    }

    /// Whether the tile of an entry is full, or has had its time to fill.
    fn is_due(&self, index: u64, found: i64, head: &TreeHead) -> bool {
        let waited = u64::try_from(now_micros() - found).unwrap_or_default();
        (index / TILE + 1) * TILE <= head.size || Duration::from_micros(waited) >= self.max_delay
    }
}
