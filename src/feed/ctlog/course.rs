//! The course of one log, from its position to its end and on as it grows.
//!
//! Owns the order of things: ask for the tree head, compare it with the last one, read up to where
//! it is worth it, pause. How a protocol asks, fetches and proves is `tiled`'s and `get_entries`'
//! business.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::batch::{Closed, Fork, TreeHead};
use crate::config::Start;
use crate::connect::sleep;
use crate::ctlog::TILE;
use crate::error::{Error, Result};
use crate::feed::back_off::BackOff;
use crate::stop::Stop;

use super::bucket::Priority;
use super::get_entries::GetEntries;
use super::intake::EntryIntake;
use super::pace::Pace;
use super::tiled::Tiled;
use super::trouble::Trouble;

/// Pause after the first trouble; doubles up to the cap.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: bounds how long a log that is back stays unread.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a log may fail before that is an error: a restart of its servers is none.
const LONG: Duration = Duration::from_secs(600);

/// Entries that are read under one tree head: a hash tile of the second level stands for as many.
/// A log that is days behind is asked for its size now and then, and where it was proven to stand
/// is stored.
const ROUND: u64 = TILE * TILE;

/// How a log is asked and read.
#[derive(Debug)]
pub(super) enum Protocol {
    /// static-ct-api.
    Tiled(Box<Tiled>),
    /// RFC 6962.
    GetEntries(Box<GetEntries>),
}

impl Protocol {
    /// The log's newest tree head, its signature verified.
    pub fn tree_head(&mut self) -> Result<TreeHead, Trouble> {
        match self {
            Self::Tiled(tiled) => tiled.tree_head(),
            Self::GetEntries(get_entries) => get_entries.tree_head(),
        }
    }

    /// Takes in the entries up to `end`, all of them in the tree of `head`. Before the first of
    /// them it is proven that `head` extends `known`.
    fn read(
        &mut self,
        intake: &mut EntryIntake,
        end: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<(), Trouble> {
        match self {
            Self::Tiled(tiled) => tiled.read(intake, end, head, known),
            Self::GetEntries(get_entries) => get_entries.read(intake, end, head, known),
        }
    }

    /// The index of the first entry that the log took in at `millis` or later.
    fn index_at(&mut self, millis: u64, head: &TreeHead) -> Result<u64, Trouble> {
        match self {
            Self::Tiled(tiled) => tiled.index_at(millis, head),
            Self::GetEntries(get_entries) => get_entries.index_at(millis, head),
        }
    }

    /// The same, asking only as often as what can wait may.
    pub fn at_low_priority(mut self) -> Self {
        let fetcher = match &mut self {
            Self::Tiled(tiled) => &mut tiled.place.fetcher,
            Self::GetEntries(get_entries) => &mut get_entries.fetcher,
        };
        fetcher.priority = Priority::Low;
        self
    }

    fn is_tiled(&self) -> bool {
        matches!(self, Self::Tiled(_))
    }
}

/// What the conductor wants of a course while it runs.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// The log is no longer to be followed: it is read to its end, then left.
    pub ending: AtomicBool,
    /// The log has moved: the course ends where it is, and is resumed there.
    pub moved: AtomicBool,
}

/// Why a course has ended, where that is no fault of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The run is ending.
    Stopped,
    /// All was read that was to be read.
    Read,
    /// The log has moved.
    Moved,
    /// The log is no longer to be followed, and does not answer any more.
    Gone,
    /// There was trouble, and nobody waits for it.
    Failed,
}

/// One log and where it stands.
#[derive(Debug)]
pub(super) struct Course {
    /// The feed's name.
    pub name: String,
    pub protocol: Protocol,
    pub intake: EntryIntake,
    pub pace: Pace,
    /// The newest tree head that was proven to extend all before it, of an earlier run at first.
    pub known: Option<TreeHead>,
    /// The tree head that came last, none at first; nothing is proven of it.
    pub shown: Option<TreeHead>,
    /// Whether more of what is to be read by now is left than fitted into one round.
    pub behind: bool,
    /// Where to begin; none: at the intake's position.
    pub start: Option<Start>,
    /// The index that a range begins at, where that is known from the start.
    pub from: Option<u64>,
    /// Where to end; none: with the log.
    pub end: Option<Start>,
    pub wish: Arc<Wish>,
    /// How long a log that is no longer to be followed may fail to answer.
    pub let_go_after: Duration,
    /// Nobody waits for it: it shows no progress, and ends with the first trouble.
    pub in_background: bool,
    pub stop: Arc<Stop>,
}

/// How a tree head relates to the one before it.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// Nothing speaks against it; whether it is consistent is proven before anything is read.
    Plausible,
    /// An older copy, as caches hand them out.
    Older,
    Shrunk,
    Forked,
}

fn relation(head: &TreeHead, known: &TreeHead) -> Relation {
    if head.size == known.size && head.root != known.root {
        Relation::Forked
    } else if head.size >= known.size {
        Relation::Plausible
    } else if head.timestamp < known.timestamp {
        Relation::Older
    } else {
        Relation::Shrunk
    }
}

impl Course {
    /// Reads the log until the stop is requested, no matcher is left, or it has ended. What is left
    /// of the course can be resumed.
    ///
    /// The outcome is an error when the log has broken its promise to only ever grow.
    pub fn run(mut self) -> (Self, Result<End>) {
        let outcome = self.follow();
        let stats = self.intake.stats();
        stats.live.store(false, Ordering::Relaxed);
        stats.ended.store(matches!(outcome, Ok(End::Read | End::Gone)), Ordering::Relaxed);
        // Nobody is left to hand over to, where this fails.
        let _ = self.intake.flush();
        (self, outcome)
    }

    fn follow(&mut self) -> Result<End> {
        let mut back_off = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut refuted = false;
        let mut failing_since = None;
        self.intake.stats().ended.store(false, Ordering::Relaxed);
        loop {
            let round = self.round();
            let failing = if round.is_ok() {
                failing_since = None;
                Duration::ZERO
            } else {
                failing_since.get_or_insert_with(Instant::now).elapsed()
            };
            let pause = match round {
                Ok(()) => {
                    back_off.reset();
                    self.intake.stats().live.store(true, Ordering::Relaxed);
                    if std::mem::take(&mut refuted) && self.intake.close_gap() == Err(Closed) {
                        return Ok(End::Stopped);
                    }
                    if self.is_done() {
                        return Ok(End::Read);
                    }
                    if self.behind { Duration::ZERO } else { self.pace.pause(Instant::now()) }
                }
                Err(Trouble::Stopped | Trouble::Closed) => return Ok(End::Stopped),
                Err(Trouble::Broken { reason, what }) => {
                    if let (Some(known), Some(shown)) = (self.known.take(), self.shown.take()) {
                        let _ = self.intake.fork(Fork { known, shown });
                    }
                    let _ = self.intake.open_gap(reason, what.clone());
                    return Err(Error::failed(format!("{}: {what}", self.name)).remedy(
                        "this log is not read any further; its two tree heads are in the table \
                         `forks` of the database: report them to the log's operator",
                    ));
                }
                Err(Trouble::Passing(what) | Trouble::Refuted(what)) if self.in_background => {
                    log::warn!("{}: {what}", self.name);
                    return Ok(End::Failed);
                }
                Err(Trouble::Passing(what) | Trouble::Refuted(what))
                    if self.is_ending() && failing >= self.let_go_after =>
                {
                    return Ok(self.let_go(&what));
                }
                Err(Trouble::Passing(what)) => {
                    let level = if failing < LONG { log::Level::Warn } else { log::Level::Error };
                    self.lament(level, &what, &mut back_off)
                }
                Err(Trouble::Refuted(what)) => {
                    if !std::mem::replace(&mut refuted, true)
                        && self.intake.open_gap("not as signed", what.clone()) == Err(Closed)
                    {
                        return Ok(End::Stopped);
                    }
                    self.lament(log::Level::Error, &what, &mut back_off)
                }
            };
            if self.intake.flush() == Err(Closed) || self.stop.is_requested() {
                return Ok(End::Stopped);
            }
            if self.wish.moved.load(Ordering::Relaxed) {
                return Ok(End::Moved);
            }
            sleep(pause, &self.stop)
                .map_err(|error| Error::failed(format!("{}: {error}", self.name)))?;
            if self.stop.is_requested() {
                return Ok(End::Stopped);
            }
        }
    }

    /// Writes down what is not read of a log that is gone.
    fn let_go(&mut self, what: &str) -> End {
        let position = self.intake.position();
        let last = self.known.as_ref().and_then(|known| known.size.checked_sub(1));
        let last = last.filter(|last| *last >= position);
        if self.start.is_some() {
            log::warn!("{}: it has ended, and was never read: {what}", self.name);
            return End::Gone;
        }
        log::error!(
            "{}: it has ended and does not answer any more: it is not read any further, from \
             entry {position} on: {what}",
            self.name
        );
        // Nobody is left to hand over to, where this fails.
        let _ = self.intake.leave_unread("log gone", what.to_owned(), last);
        End::Gone
    }

    fn is_ending(&self) -> bool {
        self.wish.ending.load(Ordering::Relaxed)
    }

    fn lament(&self, level: log::Level, what: &str, back_off: &mut BackOff) -> Duration {
        self.intake.stats().live.store(false, Ordering::Relaxed);
        let pause = back_off.next(None);
        log::log!(level, "{}: {what}; next attempt in {:.1} s", self.name, pause.as_secs_f64());
        pause
    }

    /// Whether everything that was to be read has been.
    fn is_done(&self) -> bool {
        let position = self.intake.position();
        let at_end = self.known.as_ref().is_some_and(|known| position >= known.size);
        let at_range_end = matches!(self.end, Some(Start::Index(end)) if position >= end);
        (self.start.is_none() && at_range_end)
            || (self.is_ending() && self.start.is_none() && at_end)
    }

    /// One look at the log: its tree head, and what is to be read by now.
    fn round(&mut self) -> Result<(), Trouble> {
        self.behind = false;
        let head = self.protocol.tree_head()?;
        self.shown = Some(head.clone());
        if let Some(known) = &self.known {
            let broken = |reason, what: &str| Trouble::Broken {
                reason,
                what: format!(
                    "{what}: it signed {} entries with root {} and then {} with root {}",
                    known.size,
                    hex(&known.root),
                    head.size,
                    hex(&head.root)
                ),
            };
            match relation(&head, known) {
                Relation::Plausible => {}
                Relation::Older => return Ok(()),
                Relation::Shrunk => return Err(broken("log shrunk", "the log has shrunk")),
                Relation::Forked => return Err(broken("log forked", "the log has forked")),
            }
        }
        self.begin(&head)?;
        let now = Instant::now();
        self.pace.saw(head.size, now);
        let position = self.intake.position();
        self.intake.stats().tree_size.store(head.size, Ordering::Relaxed);
        let end = match self.end {
            Some(end) => self.range_end(end, &head)?,
            None if self.is_ending() => head.size,
            None => self.pace.end(position, head.size, self.protocol.is_tiled(), now),
        };
        if end <= position {
            // The last thing that is known of a log: when it was read to its end.
            let newer = self.known.as_ref().is_none_or(|known| known.timestamp < head.timestamp);
            return if self.is_ending() && head.size == position && newer {
                self.learn(head)
            } else {
                Ok(())
            };
        }
        let round_end = end.min((position / ROUND + 1) * ROUND);
        self.protocol.read(&mut self.intake, round_end, &head, self.known.as_ref())?;
        self.behind = round_end < end;
        self.learn(head)
    }

    /// The end of the range that is to be read. Once it is known it stays, however the log grows.
    fn range_end(&mut self, end: Start, head: &TreeHead) -> Result<u64, Trouble> {
        if self.in_background {
            return match end {
                Start::Index(end) if end <= head.size => Ok(end),
                _ => Err(Trouble::Passing(format!("the log shows {} entries only", head.size))),
            };
        }
        let end = self.index_of(end, head)?;
        self.end = Some(Start::Index(end));
        let stats = self.intake.stats();
        stats.recorded.store(true, Ordering::Relaxed);
        if stats.range_end.swap(end, Ordering::Relaxed) == 0 {
            let begin = self.from.unwrap_or_else(|| self.intake.position());
            stats.range_begin.store(begin, Ordering::Relaxed);
            if begin >= end {
                log::warn!("{}: there is no entry in this range", self.name);
            }
        }
        Ok(end)
    }

    /// The index that `place` means in the tree of `head`.
    fn index_of(&mut self, place: Start, head: &TreeHead) -> Result<u64, Trouble> {
        Ok(match place {
            Start::End => head.size,
            Start::Beginning => 0,
            Start::Index(index) if index > head.size => {
                log::warn!(
                    "{}: there is no entry {index} yet: the log has {}",
                    self.name,
                    head.size
                );
                head.size
            }
            Start::Index(index) => index,
            Start::Time(millis) => self.protocol.index_at(millis, head)?,
        })
    }

    /// Decides where to begin, with the first tree head there is, and stores it: whatever happens
    /// from here on, a restart goes on from there.
    fn begin(&mut self, head: &TreeHead) -> Result<(), Trouble> {
        let Some(start) = self.start else { return Ok(()) };
        let position = self.index_of(start, head)?;
        self.start = None;
        self.intake.begin_at(position);
        log::info!("{}: begins at entry {position} of {}", self.name, head.size);
        self.learn(head.clone())
    }

    fn learn(&mut self, head: TreeHead) -> Result<(), Trouble> {
        self.intake.tree_head(head.clone())?;
        self.known = Some(head);
        Ok(())
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64, root: u8, timestamp: u64) -> TreeHead {
        TreeHead { size, root: [root; 32], timestamp, signed: "".into() }
    }

    #[test]
    fn an_older_copy_is_no_shrunk_tree_and_another_root_is_a_fork() {
        let known = head(100, 1, 1000);
        let table = [
            (head(100, 1, 1000), Relation::Plausible),
            (head(100, 1, 2000), Relation::Plausible),
            (head(101, 2, 2000), Relation::Plausible),
            (head(100, 2, 2000), Relation::Forked),
            (head(99, 3, 999), Relation::Older),
            (head(99, 3, 1000), Relation::Shrunk),
        ];
        for (head, expected) in table {
            assert_eq!(relation(&head, &known), expected, "{head:?}");
        }
    }
}
