//! A feed's output end: it fills batches, numbers them, hands them over.
//!
//! Owns the filling and the recycling, and the offer to the recorder. A feed that has nothing to
//! say holds no batch: it takes one with the first frame. When a batch is full, and what stands in
//! it, is the batch's own business.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::{Batch, Content, Counted, Fork, Frames, GapEvent, LogEntry, TreeHead, now_micros};
use crate::stats::{FeedIndex, RecorderStats};
use crate::update::NameList;

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
    /// Number of its last batch; at first of the last one that an earlier run stored, 0 before the
    /// first.
    pub last_sequence: u64,
    /// How far the feed is stored with that batch: what it says before it has read anything stands
    /// there.
    pub last_position: u64,
}

/// A feed's output end: fills batches, numbers them, hands them over.
#[derive(Debug)]
pub struct BatchSender {
    origin: Origin,
    /// None between two batches.
    filling: Option<Batch>,
    /// How far the feed has been read.
    position: u64,
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
        let position = origin.last_position;
        Self { origin, filling: None, position, batches, empties, recorder }
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
        self.with_room_for(frame)?.push(&[frame], names);
        self.filled_to(position)
    }

    /// Adds a certificate update whose entry counts in the feed's coverage.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn push_counted<'n>(
        &mut self,
        position: u64,
        frame: &[u8],
        names: impl Iterator<Item = &'n str>,
        counted: &Counted<'_>,
    ) -> Result<(), Closed> {
        let batch = self.with_room_for(frame)?;
        batch.push(&[frame], names);
        batch.count(counted);
        self.filled_to(position)
    }

    /// Adds a certificate update whose names `find` appends to the list that the batch has already,
    /// and counts it as `find` says. Adds nothing, and returns false, where `find` returns nothing;
    /// what it has appended is taken back then.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    #[inline]
    pub fn push_found<'l>(
        &mut self,
        position: u64,
        frame: &[u8],
        find: impl FnOnce(&mut NameList) -> Option<Option<Counted<'l>>>,
    ) -> Result<bool, Closed> {
        let batch = self.with_room_for(frame)?;
        let mark = batch.names.mark();
        let Some(counted) = find(&mut batch.names) else {
            batch.names.take_back(mark);
            return Ok(false);
        };
        batch.push_named(&[frame]);
        if let Some(counted) = &counted {
            batch.count(counted);
        }
        self.filled_to(position)?;
        Ok(true)
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
        let batch = self.with_room_for(entry.bytes)?;
        batch.push(&[&entry.index.to_le_bytes(), entry.bytes], names);
        let reading = &mut batch.reading;
        reading.entries += 1;
        reading.verified += u64::from(entry.verified);
        let known = Some(entry.timestamp).filter(|timestamp| *timestamp > 0);
        reading.newest = reading.newest.max(known);
        self.filled_to(entry.index + 1)
    }

    /// Of a log: whether the entries from here on come by their names alone. A batch holds those of
    /// one kind.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn by_names_alone(&mut self, alone: bool) -> Result<(), Closed> {
        let content = match &self.origin.content {
            Content::Entries(log) if alone => Content::Names(Arc::clone(log)),
            Content::Names(log) if !alone => Content::Entries(Arc::clone(log)),
            _ => return Ok(()),
        };
        self.change_content(content)
    }

    /// What the frames are from here on. A batch holds those of one content.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn change_content(&mut self, content: Content) -> Result<(), Closed> {
        self.flush()?;
        self.origin.content = content;
        Ok(())
    }

    /// Adds a frame that carries no names (heartbeat, unknown type, refused).
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn push_frame(&mut self, position: u64, frame: &[u8]) -> Result<(), Closed> {
        self.with_room_for(frame)?.push_frame(&[frame]);
        self.filled_to(position)
    }

    /// Sends a gap's begin or end, behind everything read so far.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn gap(&mut self, event: GapEvent) -> Result<(), Closed> {
        self.gap_to(self.position, event)
    }

    /// Sends a tree head, behind everything read so far, and with it the position the feed has
    /// reached.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn tree_head(&mut self, position: u64, head: TreeHead) -> Result<(), Closed> {
        self.position = position;
        self.batch().reading.tree_head = Some(head);
        self.send()
    }

    /// Notes, with the batch at hand, that a log offers no names tiles.
    pub fn has_no_names(&mut self) {
        self.batch().reading.no_names = Some(now_micros());
    }

    /// Sends the two tree heads of a log that has forked, behind everything read so far.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn fork(&mut self, position: u64, fork: Fork) -> Result<(), Closed> {
        self.position = position;
        self.batch().reading.fork = Some(fork);
        self.send()
    }

    /// Sends a gap that leads to `position`, behind everything read so far.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn gap_to(&mut self, position: u64, event: GapEvent) -> Result<(), Closed> {
        self.flush()?;
        self.position = position;
        self.batch().gap = Some(event);
        self.send()
    }

    /// Whether the matchers have about as much before them as may wait there.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.batches.capacity().is_some_and(|most| 2 * self.batches.len() >= most)
    }

    /// Hands over a part-filled batch; call it before the feed would sleep.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn flush(&mut self) -> Result<(), Closed> {
        self.send()
    }

    /// Whether nothing has been read since the last batch went.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filling.is_none()
    }

    fn filled_to(&mut self, position: u64) -> Result<(), Closed> {
        self.position = position;
        if self.filling.as_ref().is_some_and(Batch::is_full) { self.send() } else { Ok(()) }
    }

    /// The batch at hand, once `frame` fits into it.
    fn with_room_for(&mut self, frame: &[u8]) -> Result<&mut Batch, Closed> {
        if self.filling.as_ref().is_some_and(|batch| !batch.has_room_for(frame)) {
            self.send()?;
        }
        Ok(self.batch())
    }

    /// The batch at hand: where there is none, an emptied one.
    fn batch(&mut self) -> &mut Batch {
        self.filling.get_or_insert_with(|| {
            let mut batch = self.empties.try_recv().unwrap_or_default();
            batch.clear();
            batch.feed = self.origin.feed;
            batch.can_wait = self.origin.can_wait;
            batch.content = self.origin.content.clone();
            batch
        })
    }

    /// Hands over the batch at hand, if there is one.
    fn send(&mut self) -> Result<(), Closed> {
        let Some(mut full) = self.filling.take() else { return Ok(()) };
        self.origin.last_sequence += 1;
        full.sequence = self.origin.last_sequence;
        full.position = self.position;
        if full.filling.is_empty() {
            full.received = now_micros();
        }
        full.close();
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
