//! Entries of a log on their way into batches.
//!
//! Owns what becomes of one entry: its names are read and it goes into the current batch, or it
//! cannot be read and becomes a gap, as a rule of one. Which entries come, and whether they were
//! proven, is for `tiled` and `get_entries`.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::backlog::Backlog;
use crate::batch::{
    AHEAD, BatchSender, Closed, Content, Fork, GapEvent, LogEntry, LogKeys, TreeHead, now_micros,
};
use crate::ctlog::{self, Entry, EntryFault, LogSource, MAX_ENTRY, NamedEntry};
use crate::feed::{MAX_NAMES, Outlet};
use crate::stats::FeedStats;
use crate::stop::Stop;

/// Bytes that the buffer of names keeps from one entry to the next.
const KEPT_BYTES: usize = 64 * 1024;

/// Takes in the entries of one log, in the order of their indexes.
#[derive(Debug)]
pub(super) struct EntryIntake {
    out: BatchSender,
    stats: Arc<FeedStats>,
    backlog: Arc<Backlog>,
    /// Index of the entry that comes next: everything before it has been taken in.
    position: u64,
    /// The latest time that an entry could have when the clock was last read, in microseconds
    /// since the Unix epoch.
    latest: i64,
    /// Names of the entry at hand, and where each ends.
    names: Names,
    /// Other feeds go first.
    gives_way: bool,
}

/// How long a feed that gives way lets the others go first.
const PAUSE: Duration = Duration::from_millis(2);

/// Names, one after another in one buffer.
#[derive(Debug, Default)]
struct Names {
    text: String,
    ends: Vec<usize>,
    /// Names beyond [`MAX_NAMES`]: these are not here.
    surplus: u64,
}

impl Names {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.surplus = 0;
        // One certificate with a hundred thousand names must not hold its memory for months.
        self.text.shrink_to(KEPT_BYTES);
        self.ends.shrink_to(KEPT_BYTES / size_of::<usize>());
    }

    fn push(&mut self, name: &str) {
        if self.ends.len() == MAX_NAMES {
            self.surplus += 1;
            return;
        }
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }
}

impl EntryIntake {
    /// An intake that goes on at `position`, and waits where `backlog` is full.
    pub fn new(outlet: Outlet, backlog: Arc<Backlog>, position: u64) -> Self {
        let Outlet { out, stats, .. } = outlet;
        stats.position.store(position, Ordering::Relaxed);
        Self { out, stats, backlog, position, latest: 0, names: Names::default(), gives_way: false }
    }

    /// Index of the entry that comes next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The feed's counters.
    pub fn stats(&self) -> &FeedStats {
        &self.stats
    }

    /// Begins at `position`; for before anything is taken in.
    pub fn begin_at(&mut self, position: u64) {
        self.position = position;
        self.stats.position.store(position, Ordering::Relaxed);
    }

    /// Lets other feeds go first from here on, where the matchers have enough to do.
    pub fn give_way(&mut self) {
        self.gives_way = true;
    }

    /// Waits until the writer has room for what may match: a log can be read later.
    pub fn wait_for_room(&self, stop: &Stop) {
        self.backlog.wait_for_room(stop);
        while self.gives_way && self.out.is_crowded() && !stop.is_requested() {
            thread::sleep(PAUSE);
        }
    }

    /// Takes in the next entry. `verified`: it was proven to stand in the signed tree.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn entry(&mut self, entry: &Entry<'_>, verified: bool) -> Result<(), Closed> {
        self.names.clear();
        let names = &mut self.names;
        let index = self.position;
        let mut bytes = Cow::Borrowed(entry.leaf);
        if bytes.len() > MAX_ENTRY {
            bytes = entry.signed_alone().into();
        }
        if bytes.len() > MAX_ENTRY {
            let fault = EntryFault::TooLarge;
            return self.unreadable(fault.reason(), fault.to_string());
        }
        let read = ctlog::names(entry, |name| names.push(name));
        self.out.by_names_alone(false)?;
        self.take_in(entry.timestamp, &bytes, verified)?;
        // The names that were found count all the same; those that may be missing are a gap.
        match read {
            Ok(()) => self.note_surplus(index),
            Err(fault) => self.note_unreadable(index..=index, fault.reason(), fault.to_string()),
        }
    }

    /// Takes in the next entry as it stands in a names tile: not covered by any signature.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn named(&mut self, entry: &NamedEntry<'_>) -> Result<(), Closed> {
        self.names.clear();
        let names = &mut self.names;
        entry.names(|name| names.push(name));
        let timestamp = entry.timestamp().unwrap_or_default();
        self.out.by_names_alone(true)?;
        let index = self.position;
        self.take_in(timestamp, &timestamp.to_le_bytes(), false)?;
        self.note_surplus(index)
    }

    /// The names of the entry at `index` that were too many are a gap, too.
    fn note_surplus(&mut self, index: u64) -> Result<(), Closed> {
        let surplus = self.names.surplus;
        if surplus == 0 {
            return Ok(());
        }
        self.stats.surplus_names.add(surplus);
        let detail = format!("{surplus} names beyond the first {MAX_NAMES} are left out");
        self.note_unreadable(index..=index, "too many names", detail)
    }

    fn take_in(&mut self, timestamp: u64, bytes: &[u8], verified: bool) -> Result<(), Closed> {
        let index = self.position;
        self.position += 1;
        self.stats.frames.add(1);
        self.stats.bytes.add(bytes.len() as u64);
        self.stats.updates.add(1);
        self.stats.names.add(self.names.ends.len() as u64);
        // A time that cannot be is no time.
        let seen = ctlog::micros(timestamp).filter(|seen| self.may_be(*seen));
        let timestamp = if seen.is_some() { timestamp } else { 0 };
        // One writer, so no lost update between load and store.
        if let Some(seen) = seen
            && seen > self.stats.newest_seen.load(Ordering::Relaxed)
        {
            self.stats.newest_seen.store(seen, Ordering::Relaxed);
        }
        self.stats.position.store(self.position, Ordering::Relaxed);
        let entry = LogEntry { index, bytes, timestamp, verified };
        self.out.push_entry(&entry, self.names.iter())
    }

    /// Whether a log may give `seen` as the time of an entry.
    fn may_be(&mut self, seen: i64) -> bool {
        if seen > self.latest {
            self.latest = now_micros() + AHEAD;
        }
        seen <= self.latest
    }

    /// The next entry cannot be read, now or later: a gap of one, and on.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn unreadable(&mut self, reason: &'static str, detail: String) -> Result<(), Closed> {
        self.unreadable_before(self.position + 1, reason, detail)
    }

    /// The entries before `end` cannot be read, now or later: a gap, and on.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn unreadable_before(
        &mut self,
        end: u64,
        reason: &'static str,
        detail: String,
    ) -> Result<(), Closed> {
        let first = std::mem::replace(&mut self.position, end);
        self.stats.frames.add(end - first);
        self.stats.position.store(end, Ordering::Relaxed);
        self.note_unreadable(first..=end - 1, reason, detail)
    }

    fn note_unreadable(
        &mut self,
        indexes: RangeInclusive<u64>,
        reason: &'static str,
        detail: String,
    ) -> Result<(), Closed> {
        let (first, last) = indexes.into_inner();
        self.stats.unreadable.add(last - first + 1);
        self.stats.gaps.add(1);
        let name = &self.stats.name;
        if first == last {
            log::warn!("{name}: entry {first} cannot be read: {detail}");
        } else {
            log::error!("{name}: the entries {first} to {last} cannot be read: {detail}");
        }
        let gap = GapEvent::Entries { at: now_micros(), first, last, reason, detail };
        self.out.gap_to(self.position, gap)
    }

    /// Reports a tree head that was proven to extend all before it.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn tree_head(&mut self, head: TreeHead) -> Result<(), Closed> {
        self.out.tree_head(self.position, head)
    }

    /// Notes that the log offers no names tiles.
    pub fn has_no_names(&mut self) {
        self.out.has_no_names();
    }

    /// Reports two tree heads that contradict each other.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn fork(&mut self, fork: Fork) -> Result<(), Closed> {
        self.out.fork(self.position, fork)
    }

    /// Reports that the log is not read from here on, and why.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn open_gap(&mut self, reason: &'static str, detail: String) -> Result<(), Closed> {
        self.stats.gaps.add(1);
        self.out.gap_to(self.position, GapEvent::Opened { at: now_micros(), reason, detail })
    }

    /// Reports that the rest of the log is not read: up to the entry `last`, where any is known of.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn leave_unread(
        &mut self,
        reason: &'static str,
        detail: String,
        last: Option<u64>,
    ) -> Result<(), Closed> {
        self.stats.gaps.add(1);
        let (at, first) = (now_micros(), self.position);
        self.out.gap_to(first, GapEvent::Unread { at, first, last, reason, detail })
    }

    /// Begins to fetch the entries of a gap, at the position as it is.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn filling(&mut self, gap: i64) -> Result<(), Closed> {
        self.out.gap_to(self.position, GapEvent::Filling { gap })
    }

    /// All entries from `first` up to `end` have been read, which may have been missed before.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn filled(&mut self, log: Arc<LogKeys>, first: u64, end: u64) -> Result<(), Closed> {
        let filled = GapEvent::Filled { at: now_micros(), log, first, end };
        self.out.gap_to(self.position, filled)
    }

    /// The entries are from `source` from here on.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn come_from(&mut self, source: Arc<LogSource>) -> Result<(), Closed> {
        self.out.change_content(Content::Entries(source))
    }

    /// Reports that the log is read again.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn close_gap(&mut self) -> Result<(), Closed> {
        self.out.gap_to(self.position, GapEvent::Closed { at: now_micros() })
    }

    /// Hands over what has been taken in; call it before the feed would sleep.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn flush(&mut self) -> Result<(), Closed> {
        self.out.flush()
    }
}
