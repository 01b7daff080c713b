//! What crosses the channel from a feed to the matchers, together.
//!
//! Owns [`Batch`] (one arena of names, one of frames, and the records that index into both), the
//! bounds at which it closes, and its recycling. Knows nothing of how frames are read or matched.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::ctlog::LogSource;
use crate::stats::{FeedIndex, RecorderStats};

/// Frames after which a batch closes: measured hand-off cost falls from 74 ns at 1 to 4 ns at 256
/// and gains nothing beyond.
pub const MAX_FRAMES: usize = 256;
/// Bytes of names after which a batch closes: stays inside a core's L1 while it is matched.
pub const MAX_NAME_BYTES: usize = 32 * 1024;
/// Bytes of frames after which a batch closes; a larger frame travels alone. Bounds what is in
/// flight: channel capacity times this.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// The time now, in microseconds since the Unix epoch.
#[must_use]
pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A span in which a feed was not read, as it begins and ends. Times in microseconds since the
/// Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GapEvent {
    /// The feed stopped being read.
    Opened {
        /// When.
        at: i64,
        /// Why, in a few fixed words: `disconnected`, `backlog full`, …
        reason: &'static str,
        /// The particulars, for a person; may hold a server's words, so escape before showing.
        detail: String,
    },
    /// The feed is read again.
    Closed {
        /// When.
        at: i64,
    },
    /// An entry of a log could not be read, and will not be: a gap of one.
    Entry {
        /// When.
        at: i64,
        /// Its index in the log.
        index: u64,
        /// Why, in a few fixed words.
        reason: &'static str,
        /// The particulars, for a person.
        detail: String,
    },
}

/// A log's tree as the log has signed it, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Entries in the tree.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: [u8; 32],
    /// When the log signed it, in milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// What was signed, as received: evidence against a log that shows two trees.
    pub signed: Arc<str>,
}

/// What a log feed says about what it has read, beyond the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Entries in the batch.
    pub entries: u64,
    /// Those among them that were proven to stand in the log's signed tree.
    pub verified: u64,
    /// The newest time the log gave one of them, in milliseconds since the Unix epoch.
    pub newest: Option<u64>,
    /// The tree head that is the newest known from here on.
    pub tree_head: Option<TreeHead>,
}

/// How far a feed is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Number of its last batch that is stored; 0 before the first.
    pub sequence: u64,
    /// How far it had been read by then, in the feed's own unit.
    pub position: u64,
}

/// What the frames of a batch are, for whoever reads evidence out of them.
#[derive(Clone, Debug, Default)]
pub enum Content {
    /// Messages of a certstream server.
    #[default]
    Updates,
    /// Entries of a CT log.
    Entries(Arc<LogSource>),
    /// Entries of a CT log's names tiles, not covered by the log's signature: names alone, and for
    /// frames the index and the log's time of each.
    Names(Arc<LogSource>),
    /// Entries of a CT log that were read before, by their names alone, and matched: read again
    /// for their certificates. They count as no further sighting.
    Again(Arc<LogSource>),
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

    fn push(&mut self, parts: &[&[u8]]) {
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
    /// Where its names end, as an index into the batch's name ends.
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
    /// Names as seen, newline-terminated. A name may itself hold a newline: the ends decide.
    names: Vec<u8>,
    /// Where each name ends in `names` (before its newline).
    name_ends: Vec<u32>,
    records: Vec<Record>,
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

    /// Adds a certificate update: its frame unchanged, in one or more parts, and its names as
    /// seen.
    fn push<'n>(&mut self, frame: &[&[u8]], names: impl Iterator<Item = &'n str>) {
        self.push_frame(frame);
        for name in names {
            self.names.extend_from_slice(name.as_bytes());
            self.name_ends.push(offset(self.names.len()));
            self.names.push(b'\n');
        }
        self.records.push(Record {
            frame: offset(self.frames.len()) - 1,
            names_end: offset(self.name_ends.len()),
        });
    }

    /// Adds a frame without names (a heartbeat, a refused frame): it counts and can be recorded.
    fn push_frame(&mut self, frame: &[&[u8]]) {
        if self.frames.is_empty() {
            self.received = now_micros();
        }
        frames_mut(&mut self.frames).push(frame);
    }

    /// Whether `frame` fits in without passing a bound.
    fn has_room_for(&self, frame: &[u8]) -> bool {
        self.frames.is_empty() || self.frames.bytes.len() + frame.len() <= MAX_FRAME_BYTES
    }

    fn is_full(&self) -> bool {
        self.frames.len() >= MAX_FRAMES
            || self.names.len() >= MAX_NAME_BYTES
            || self.frames.bytes.len() >= MAX_FRAME_BYTES
    }

    /// Empties the batch and keeps its buffers, unless a hostile frame has blown them up.
    fn clear(&mut self) {
        self.gap = None;
        self.reading = Reading::default();
        self.names.clear();
        release_excess(&mut self.names, 4 * MAX_NAME_BYTES);
        self.name_ends.clear();
        release_excess(&mut self.name_ends, MAX_NAME_BYTES);
        self.records.clear();
        match Arc::get_mut(&mut self.frames) {
            Some(frames) => frames.clear(),
            // A recorder still reads them: leave them to it.
            None => self.frames = Arc::default(),
        }
    }
}

/// The frames of a batch that its feed is still filling: nobody else has seen them yet.
fn frames_mut(frames: &mut Arc<Frames>) -> &mut Frames {
    if Arc::get_mut(frames).is_none() {
        *frames = Arc::default();
    }
    Arc::get_mut(frames).expect("just replaced where it was shared")
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
        let batch = self.batch;
        self.names.clone().map(move |index| {
            let start =
                if index == 0 { 0 } else { batch.name_ends[index as usize - 1] as usize + 1 };
            let end = batch.name_ends[index as usize] as usize;
            // Names enter as `&str` and are cut where they were joined.
            std::str::from_utf8(&batch.names[start..end]).expect("names entered as text")
        })
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
    /// When the log took it in, in milliseconds since the Unix epoch.
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

/// The next stage is gone: the run is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// What a feed's batches have in common.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The feed.
    pub feed: FeedIndex,
    /// See [`Batch::can_wait`].
    pub can_wait: bool,
    /// See [`Batch::content`].
    pub content: Content,
    /// Number of its last batch that is stored, from an earlier run; 0 before the first.
    pub last_sequence: u64,
}

/// A feed's output end: fills batches, numbers them, hands them over.
#[derive(Debug)]
pub struct BatchSender {
    filling: Batch,
    next_sequence: u64,
    batches: Sender<Batch>,
    empties: Receiver<Batch>,
    recorder: Option<Recorder>,
}

/// The second reader of the frames: a bounded channel to the recording thread.
#[derive(Debug)]
pub struct Recorder {
    /// Where the frames go.
    pub frames: Sender<Arc<Frames>>,
    /// Counts what a slow disk made us leave out.
    pub stats: Arc<RecorderStats>,
    /// Captures wait for the disk; sockets never do.
    pub wait: bool,
}

impl BatchSender {
    /// An output end for the feed of `origin` that hands over to `batches` and reuses what comes
    /// back through `empties`.
    #[must_use]
    pub fn new(
        origin: Origin,
        batches: Sender<Batch>,
        empties: Receiver<Batch>,
        recorder: Option<Recorder>,
    ) -> Self {
        let Origin { feed, can_wait, content, last_sequence } = origin;
        let filling = Batch { feed, can_wait, content, ..Batch::default() };
        Self { filling, next_sequence: last_sequence + 1, batches, empties, recorder }
    }

    /// Adds a certificate update; hands the batch over when it is full.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn push<'n>(
        &mut self,
        position: u64,
        frame: &[u8],
        names: impl Iterator<Item = &'n str>,
    ) -> Result<(), Closed> {
        if !self.filling.has_room_for(frame) {
            self.flush()?;
        }
        self.filling.push(&[frame], names);
        self.filled_to(position)
    }

    /// Adds the entry of a log: its index (see [`LogEntry`]) and its bytes as they were fetched.
    /// The position is the index of the next one.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn push_entry<'n>(
        &mut self,
        entry: &LogEntry<'_>,
        names: impl Iterator<Item = &'n str>,
    ) -> Result<(), Closed> {
        if !self.filling.has_room_for(entry.bytes) {
            self.flush()?;
        }
        self.filling.push(&[&entry.index.to_le_bytes(), entry.bytes], names);
        let reading = &mut self.filling.reading;
        reading.entries += 1;
        reading.verified += u64::from(entry.verified);
        reading.newest = reading.newest.max(Some(entry.timestamp));
        self.filled_to(entry.index + 1)
    }

    /// Adds a frame that carries no names (heartbeat, unknown type, refused).
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn push_frame(&mut self, position: u64, frame: &[u8]) -> Result<(), Closed> {
        if !self.filling.has_room_for(frame) {
            self.flush()?;
        }
        self.filling.push_frame(&[frame]);
        self.filled_to(position)
    }

    /// Sends a gap's begin or end, behind everything read so far.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn gap(&mut self, event: GapEvent) -> Result<(), Closed> {
        self.gap_to(self.filling.position, event)
    }

    /// Sends a tree head, behind everything read so far, and with it the position the feed has
    /// reached.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn tree_head(&mut self, position: u64, head: TreeHead) -> Result<(), Closed> {
        self.filling.position = position;
        self.filling.reading.tree_head = Some(head);
        self.send()
    }

    /// Sends a gap that leads to `position`, behind everything read so far.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn gap_to(&mut self, position: u64, event: GapEvent) -> Result<(), Closed> {
        self.flush()?;
        self.filling.position = position;
        self.filling.gap = Some(event);
        self.send()
    }

    /// Hands over a part-filled batch; call it before the feed would sleep.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn flush(&mut self) -> Result<(), Closed> {
        if self.filling.frames.is_empty() { Ok(()) } else { self.send() }
    }

    fn filled_to(&mut self, position: u64) -> Result<(), Closed> {
        self.filling.position = position;
        if self.filling.is_full() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Closed> {
        let mut next = self.empties.try_recv().unwrap_or_default();
        next.clear();
        next.feed = self.filling.feed;
        next.can_wait = self.filling.can_wait;
        next.content = self.filling.content.clone();
        next.position = self.filling.position;
        let mut full = std::mem::replace(&mut self.filling, next);
        full.sequence = self.next_sequence;
        self.next_sequence += 1;
        if full.frames.is_empty() {
            full.received = now_micros();
        }
        if let Some(recorder) = &self.recorder {
            recorder.offer(&full.frames);
        }
        self.batches.send(full).map_err(|_| Closed)
    }
}

impl Recorder {
    fn offer(&self, frames: &Arc<Frames>) {
        if frames.is_empty() {
            return;
        }
        if self.wait {
            // A recorder that is gone has reported its own error.
            let _ = self.frames.send(Arc::clone(frames));
        } else if let Err(TrySendError::Full(frames)) = self.frames.try_send(Arc::clone(frames)) {
            self.stats.left_out.fetch_add(frames.len() as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::{bounded, unbounded};

    fn sender() -> (BatchSender, Receiver<Batch>, Sender<Batch>) {
        let (batches, received) = unbounded();
        let (give_back, empties) = bounded(4);
        (
            BatchSender::new(Origin { feed: 3, ..Origin::default() }, batches, empties, None),
            received,
            give_back,
        )
    }

    #[test]
    fn names_and_frames_come_out_as_they_went_in() {
        let (mut out, received, _give_back) = sender();
        out.push(1, b"one", ["a.com", "line\nbreak", ""].into_iter()).unwrap();
        out.push_frame(2, b"heartbeat").unwrap();
        out.push(3, b"three", ["b.org"].into_iter()).unwrap();
        out.flush().unwrap();
        let batch = received.try_recv().unwrap();
        assert_eq!((batch.feed, batch.sequence, batch.position), (3, 1, 3));
        let updates: Vec<(&[u8], Vec<&str>)> =
            batch.updates().map(|u| (u.frame(), u.names().collect())).collect();
        assert_eq!(
            updates,
            [(&b"one"[..], vec!["a.com", "line\nbreak", ""]), (&b"three"[..], vec!["b.org"])]
        );
        assert_eq!(batch.frames().len(), 3);
    }

    #[test]
    fn closes_at_each_of_its_bounds() {
        let (mut out, received, _give_back) = sender();
        for n in 0..MAX_FRAMES as u64 {
            out.push(n, b"{}", std::iter::empty()).unwrap();
        }
        assert_eq!(received.try_recv().unwrap().len(), MAX_FRAMES);

        let long = "n".repeat(MAX_NAME_BYTES);
        out.push(1, b"{}", [long.as_str()].into_iter()).unwrap();
        assert_eq!(received.try_recv().unwrap().len(), 1);

        let large = vec![b' '; MAX_FRAME_BYTES + 1];
        out.push(2, b"{}", std::iter::empty()).unwrap();
        out.push(3, &large, std::iter::empty()).unwrap();
        assert_eq!(received.try_recv().unwrap().position, 2);
        assert_eq!(received.try_recv().unwrap().position, 3);
        assert!(received.is_empty());
    }

    #[test]
    fn log_entries_carry_their_index_and_add_up() {
        let (mut out, received, _give_back) = sender();
        for (index, timestamp) in [(41, 7), (42, 5)] {
            let entry = LogEntry { index, bytes: b"leaf", timestamp, verified: index == 42 };
            out.push_entry(&entry, ["a.com"].into_iter()).unwrap();
        }
        out.gap_to(44, GapEvent::Closed { at: 1 }).unwrap();
        let batch = received.try_recv().unwrap();
        assert_eq!(batch.position, 43);
        assert_eq!(indexed(batch.frames().get(1)), Some((42, &b"leaf"[..])));
        assert_eq!(indexed(b"short"), None);
        let read = Reading { entries: 2, verified: 1, newest: Some(7), tree_head: None };
        assert_eq!(batch.reading, read);
        let gap = received.try_recv().unwrap();
        assert_eq!((gap.position, gap.reading), (44, Reading::default()));
    }

    #[test]
    fn a_recycled_batch_starts_empty_and_numbers_go_on() {
        let (mut out, received, give_back) = sender();
        out.push(1, b"x", ["a.com"].into_iter()).unwrap();
        out.flush().unwrap();
        give_back.send(received.try_recv().unwrap()).unwrap();
        out.gap(GapEvent::Closed { at: 7 }).unwrap();
        out.push(2, b"y", ["b.com"].into_iter()).unwrap();
        out.flush().unwrap();
        let gap = received.try_recv().unwrap();
        assert_eq!((gap.sequence, gap.position, gap.is_empty()), (2, 1, true));
        assert_eq!(gap.gap, Some(GapEvent::Closed { at: 7 }));
        let batch = received.try_recv().unwrap();
        assert_eq!((batch.sequence, batch.len()), (3, 1));
        assert_eq!(batch.gap, None);
    }
}
