//! What crosses the channel from a feed to the matchers, together.
//!
//! Owns [`Batch`] (one arena of names, one of frames, and the records that index into both) and the
//! bounds at which it closes; `sender` has the filling and recycling, `word` what a feed says beside
//! its frames. Knows nothing of how frames are read or matched.

mod coverage;
mod sender;
#[cfg(test)]
mod tests;
mod word;

use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::stats::FeedIndex;
use crate::update::NameList;

pub use coverage::{Counted, Coverage, CoverageHead, Covered, SourceLog, Tally};
pub use sender::{BatchSender, Closed, Origin, Recorder};
pub use word::{Applied, Content, Fork, GapEvent, Hole, LogKeys, OpenHole, Reading, TreeHead};

/// Frames after which a batch closes: measured hand-off cost falls from 74 ns at 1 to 4 ns at 256
/// and gains nothing beyond.
pub const MAX_FRAMES: usize = 256;
/// Bytes of names after which a batch closes: stays inside a core's L1 while it is matched.
pub const MAX_NAME_BYTES: usize = 32 * 1024;
/// Bytes of frames after which a batch closes; a larger frame travels alone. Bounds what is in
/// flight: channel capacity times this.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// Microseconds by which a source's clock may be ahead of ours. A time beyond that is wrong, and
/// would pass for the newest one until it has come.
pub const AHEAD: i64 = 3_600_000_000;

/// The time now, in microseconds since the Unix epoch.
#[must_use]
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Frames as they were received, one after another.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Frames {
    /// How many frames stand here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no frame stands here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The frame at `index`, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }

    /// All frames, in order of receipt.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    #[inline]
    fn push(&mut self, parts: &[&[u8]]) {
        if self.bytes.capacity() == 0 {
            // Costs address space alone until it is written to, while growing by doubling would
            // leave as much behind again.
            self.bytes.reserve(MAX_FRAME_BYTES);
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(offset(self.bytes.len()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        release_excess(&mut self.bytes, 2 * MAX_FRAME_BYTES);
    }
}

/// One certificate update within a batch.
#[derive(Clone, Debug)]
struct Record {
    /// Which frame it came in.
    frame: u32,
    /// How many names the batch has up to its own last one.
    names_end: u32,
}

/// Names and frames that travel together from one feed to one matcher.
///
/// Moves through the channel, so no part of it is shared; the frames alone are counted
/// references, because a recorder may read them too.
#[derive(Debug, Default)]
pub struct Batch {
    /// The feed it came from.
    pub feed: FeedIndex,
    /// Whether the feed can read it again, and so waits when the backlog is full. The matched
    /// rows of one that cannot are dropped then.
    pub can_wait: bool,
    /// What its frames are.
    pub content: Content,
    /// Its number within that feed, from 1, without holes.
    pub sequence: u64,
    /// How far the feed has been read once this batch is stored; its unit is the feed's own
    /// (frames received, lines of captures, index of a log).
    pub position: u64,
    /// When its first frame was received, in microseconds since the Unix epoch.
    pub received: i64,
    /// A gap that begins or ends with this batch.
    pub gap: Option<GapEvent>,
    /// How far a log has been read; stays empty for other feeds.
    pub reading: Reading,
    /// Which entries of which logs stand here, of servers that say so.
    pub coverage: Tally,
    /// Names as seen.
    names: NameList,
    records: Vec<Record>,
    /// Its frames while it is filled, when nobody else sees them; empty once it is closed.
    filling: Frames,
    /// Its frames once it is closed.
    frames: Arc<Frames>,
}

impl Batch {
    /// The certificate updates in this batch, in order of receipt.
    pub fn updates(&self) -> impl Iterator<Item = Update<'_>> {
        (0..self.records.len()).map(|index| self.update(index))
    }

    /// The certificate update at `index`, from 0.
    #[must_use]
    pub fn update(&self, index: usize) -> Update<'_> {
        let first = if index == 0 { 0 } else { self.records[index - 1].names_end };
        let record = &self.records[index];
        Update { batch: self, frame: record.frame, names: first..record.names_end }
    }

    /// How many certificate updates stand here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no certificate update stands here (heartbeats or a gap may still).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The frames, for a recorder.
    #[must_use]
    pub fn frames(&self) -> &Arc<Frames> {
        &self.frames
    }

    /// A batch of one certificate update, to be looked at apart from the batch it came in.
    #[must_use]
    pub fn of_one<'n>(frame: &[u8], names: impl Iterator<Item = &'n str>) -> Self {
        let mut batch = Self::default();
        batch.push(&[frame], names);
        batch.close();
        batch
    }

    /// Adds a certificate update: its frame unchanged, in one or more parts, and its names as
    /// seen.
    #[inline]
    fn push<'n>(&mut self, frame: &[&[u8]], names: impl Iterator<Item = &'n str>) {
        names.for_each(|name| self.names.push(name));
        self.push_named(frame);
    }

    /// Adds the frame of a certificate update whose names have been added.
    #[inline]
    fn push_named(&mut self, frame: &[&[u8]]) {
        self.push_frame(frame);
        self.records.push(Record {
            frame: offset(self.filling.len()) - 1,
            names_end: offset(self.names.len()),
        });
    }

    /// Counts an entry that has just been added.
    fn count(&mut self, counted: &Counted<'_>) {
        self.coverage.count(counted, self.received);
    }

    /// Adds a frame without names (a heartbeat, a refused frame): it counts and can be recorded.
    #[inline]
    fn push_frame(&mut self, frame: &[&[u8]]) {
        if self.filling.is_empty() {
            self.received = now_micros();
        }
        self.filling.push(frame);
    }

    /// Whether `frame` fits in without passing a bound.
    fn has_room_for(&self, frame: &[u8]) -> bool {
        self.filling.is_empty() || self.filling.bytes.len() + frame.len() <= MAX_FRAME_BYTES
    }

    fn is_full(&self) -> bool {
        self.filling.len() >= MAX_FRAMES
            || self.names.size() >= MAX_NAME_BYTES
            || self.filling.bytes.len() >= MAX_FRAME_BYTES
    }

    /// Lets others see its frames: it is full, or goes as it is.
    fn close(&mut self) {
        let filled = std::mem::take(&mut self.filling);
        match Arc::get_mut(&mut self.frames) {
            Some(frames) => *frames = filled,
            None => self.frames = Arc::new(filled),
        }
    }

    /// Empties the batch and keeps its buffers, unless a hostile frame has blown them up.
    fn clear(&mut self) {
        self.gap = None;
        self.reading = Reading::default();
        self.coverage.clear();
        self.names.clear(4 * MAX_NAME_BYTES);
        self.records.clear();
        // Asked once a batch, by an atomic exchange, and not with each frame.
        match Arc::get_mut(&mut self.frames) {
            Some(frames) => self.filling = std::mem::take(frames),
            // A recorder still reads them: leave them to it.
            None => self.frames = Arc::default(),
        }
        self.filling.clear();
    }
}

/// Gives memory back where a buffer has grown to more than `keep` elements.
fn release_excess<T>(buffer: &mut Vec<T>, keep: usize) {
    if buffer.capacity() > keep {
        buffer.shrink_to(keep);
    }
}

/// A length as an offset into an arena. A batch is bounded far below 4 GiB by [`MAX_FRAME_BYTES`]
/// and the frame limit of the feeds.
fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("batches are bounded far below 4 GiB")
}

/// A certificate update as it stands in a batch.
#[derive(Clone, Debug)]
pub struct Update<'b> {
    batch: &'b Batch,
    frame: u32,
    names: Range<u32>,
}

impl<'b> Update<'b> {
    /// The frame it came in, unchanged.
    #[must_use]
    pub fn frame(&self) -> &'b [u8] {
        self.batch.frames.get(self.frame as usize)
    }

    /// Its names as seen in the certificate, unsanitised.
    pub fn names(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        // Names enter as `&str` and are cut where they were joined.
        self.name_bytes().map(|name| std::str::from_utf8(name).expect("names entered as text"))
    }

    /// The bytes of its names: whoever looks at every name need not ask again whether it is text.
    pub fn name_bytes(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let names = &self.batch.names;
        self.names.clone().map(move |index| names.get(index as usize))
    }
}

/// An entry of a log on its way into a batch. Its frame there is the index, 8 bytes little-endian,
/// and then `bytes`: [`indexed`] takes them apart again.
#[derive(Clone, Copy, Debug)]
pub struct LogEntry<'e> {
    /// Its index in the log.
    pub index: u64,
    /// As it was fetched.
    pub bytes: &'e [u8],
    /// When the log took it in, in milliseconds since the Unix epoch; 0 where that is not known.
    pub timestamp: u64,
    /// Whether it was proven to stand in the log's signed tree.
    pub verified: bool,
}

/// Index and bytes of a log entry's frame; none where the frame is none.
#[must_use]
pub fn indexed(frame: &[u8]) -> Option<(u64, &[u8])> {
    let (index, bytes) = frame.split_first_chunk()?;
    Some((u64::from_le_bytes(*index), bytes))
}
