//! What matched by its names alone is read again, for its certificate.
//!
//! Owns the order of that: what is left to verify is asked for now and then, each tile is fetched
//! once, at low priority, and what stands in it is proven. A tile that cannot be had, or is not what
//! the log has signed, is tried again after longer and longer pauses and holds up no other. Where
//! what is left is kept is its caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backlog::Backlog;
use crate::batch::{Content, TreeHead, now_micros};
use crate::connect::sleep;
use crate::ctlog::{LogSource, TILE};
use crate::error::{Error, Result};
use crate::feed::Outlets;
use crate::feed::back_off::BackOff;
use crate::stop::Stop;

use super::intake::EntryIntake;
use super::tiled::Tiled;
use super::trouble::Trouble;

/// Pause between two looks at what is left.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest pause after trouble: an hour, since whatever lasts is no longer a matter of seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Entries that are looked at together, beside those that are under way or put off.
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

/// When something that failed is tried again.
#[derive(Debug)]
struct PutOff {
    until: Instant,
    back_off: BackOff,
    /// Entries that wait for it.
    entries: usize,
}

impl PutOff {
    fn none(now: Instant) -> Self {
        Self { until: now, back_off: BackOff::new(PAUSE, LONGEST_PAUSE), entries: 0 }
    }

    /// Puts it off once more; for how long.
    fn further(&mut self, now: Instant) -> Duration {
        let pause = self.back_off.next(Some(PAUSE));
        self.until = now + pause;
        pause
    }
}

/// What of the work is not there to be taken up.
#[derive(Debug, Default)]
struct Pending {
    /// Entries that were handed over and are not known to be committed: read again, they would be
    /// fetched twice.
    sent: BTreeSet<u64>,
    /// By number: tiles that failed.
    put_off: BTreeMap<u64, PutOff>,
}

impl Pending {
    /// How many entries there are in it.
    fn len(&self) -> usize {
        self.sent.len() + self.put_off.values().map(|tile| tile.entries).sum::<usize>()
    }

    /// Forgets what is no longer left to do.
    fn keep_what_is_left(&mut self, left: &[LeftEntry]) {
        let left: BTreeSet<u64> = left.iter().map(|(index, _)| *index).collect();
        self.sent.retain(|index| left.contains(index));
        self.put_off.retain(|tile, _| left.range(tile * TILE..(tile + 1) * TILE).next().is_some());
    }
}

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
        let mut pending = Pending::default();
        let mut log = PutOff::none(Instant::now());
        intake.stats().live.store(true, Ordering::Relaxed);
        intake.stats().recorded.store(true, Ordering::Relaxed);
        while !self.stop.is_requested() && !self.over.load(Ordering::Relaxed) {
            let mut left = (self.left.0)(&self.source.url, AT_ONCE + pending.len())?;
            pending.keep_what_is_left(&left);
            left.retain(|(index, _)| !pending.sent.contains(index));
            match self.round(left, &mut pending, &mut intake) {
                Ok(()) => log = PutOff::none(Instant::now()),
                Err(Trouble::Stopped | Trouble::Closed) => break,
                Err(Trouble::Passing(what) | Trouble::Refuted(what)) => {
                    self.lament(&what, log.further(Instant::now()));
                }
                // The course of the log finds the same, and stops it.
                Err(Trouble::Broken { .. }) => break,
            }
            if intake.flush().is_err() {
                break;
            }
            self.wait_until(log.until.max(Instant::now() + PAUSE))?;
        }
        intake.stats().live.store(false, Ordering::Relaxed);
        // Nobody is left to hand over to, where this fails.
        let _ = intake.flush();
        Ok(())
    }

    /// Waits, and not for longer than there is something to wait for.
    fn wait_until(&self, due: Instant) -> Result<()> {
        while !self.stop.is_requested() && !self.over.load(Ordering::Relaxed) {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(PAUSE), self.stop)
                .map_err(|error| Error::failed(format!("{}: {error}", self.name)))?;
        }
        Ok(())
    }

    fn lament(&self, what: &str, pause: Duration) {
        log::warn!("{}: {what}; next attempt in {:.1} s", self.name, pause.as_secs_f64());
    }

    /// Reads the entries that are due again.
    fn round(
        &mut self,
        left: Vec<LeftEntry>,
        pending: &mut Pending,
        intake: &mut EntryIntake,
    ) -> Result<(), Trouble> {
        if left.is_empty() {
            return Ok(());
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
        for (tile, indexes) in tiles {
            let now = Instant::now();
            if pending.put_off.get(&tile).is_some_and(|tile| tile.until > now) {
                continue;
            }
            intake.wait_for_room(self.stop);
            match self.tiled.read_some(intake, tile, &indexes, &head) {
                Ok(()) => {
                    pending.put_off.remove(&tile);
                    pending.sent.extend(indexes);
                }
                Err(Trouble::Passing(what) | Trouble::Refuted(what)) => {
                    let now = Instant::now();
                    let again = pending.put_off.entry(tile).or_insert_with(|| PutOff::none(now));
                    again.entries = indexes.len();
                    let pause = again.further(now);
                    self.lament(&what, pause);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// Whether the tile of an entry is full, or has had its time to fill.
    fn is_due(&self, index: u64, found: i64, head: &TreeHead) -> bool {
        let waited = u64::try_from(now_micros() - found).unwrap_or_default();
        (index / TILE + 1) * TILE <= head.size || Duration::from_micros(waited) >= self.max_delay
    }
}
