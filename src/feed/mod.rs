//! Feeds: the sources of certificates, each with a thread of its own.
//!
//! Owns [`Outlets`], where feeds get their output ends, and [`Intake`], the part every
//! certstream-like feed shares: a frame comes in, is read, is counted, and goes into the current
//! batch. Where frames come from is one module each: [`certstream`] (WebSocket), [`capture`]
//! (recorded frames), [`ctlog`] (CT logs); [`recorder`] writes captures.

mod back_off;
pub mod capture;
pub mod certstream;
pub mod ctlog;
mod outlets;
pub mod recorder;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batch::{BatchSender, Closed, GapEvent, now_micros};
use crate::stats::FeedStats;
use crate::update::{Message, UpdateReader};

pub use outlets::{Outlet, Outlets};

/// Microseconds by which a source's clock may be ahead of ours. A time beyond that is wrong, and
/// would pass for the newest one until it has come.
const AHEAD: i64 = 3_600_000_000;

/// Reads frames, counts what they are, and packs names and frames into batches.
#[derive(Debug)]
pub struct Intake {
    reader: UpdateReader,
    stats: Arc<FeedStats>,
    out: BatchSender,
    /// Frames received so far: how far this feed has been read.
    position: u64,
}

impl Intake {
    /// An intake that counts in `stats` and hands over to `out`; `position` frames have been
    /// read before.
    #[must_use]
    pub fn new(stats: Arc<FeedStats>, out: BatchSender, position: u64) -> Self {
        Self { reader: UpdateReader::default(), stats, out, position }
    }

    /// The feed's counters.
    #[must_use]
    pub fn stats(&self) -> &FeedStats {
        &self.stats
    }

    /// The same, for whoever outlives the intake.
    fn shared_stats(&self) -> Arc<FeedStats> {
        Arc::clone(&self.stats)
    }

    /// Takes in one complete frame. A bad frame is counted and kept out, never an error.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn frame(&mut self, frame: &[u8]) -> Result<(), Closed> {
        self.position += 1;
        self.stats.frames.add(1);
        self.stats.bytes.add(frame.len() as u64);
        let Self { reader, stats, out, position } = self;
        let outcome = reader.read(frame, |message| match message {
            Message::Update(names) => {
                stats.updates.add(1);
                if let Some(seen) = names.seen() {
                    // One writer, so no lost update between load and store. The clock is read last,
                    // being the dearest of the three.
                    if seen > stats.newest_seen.load(Ordering::Relaxed)
                        && seen <= now_micros() + AHEAD
                    {
                        stats.newest_seen.store(seen, Ordering::Relaxed);
                    }
                }
                let counted = names.iter().inspect(|_| stats.names.add(1));
                out.push(*position, frame, counted)
            }
            Message::Heartbeat => {
                stats.heartbeats.add(1);
                out.push_frame(*position, frame)
            }
            Message::Unknown => {
                stats.unknown.add(1);
                out.push_frame(*position, frame)
            }
            Message::Blank => {
                stats.blank.add(1);
                out.push_frame(*position, frame)
            }
        });
        outcome.unwrap_or_else(|fault| {
            self.stats.refuse(fault);
            self.out.push_frame(self.position, frame)
        })
    }

    /// Hands over what has been taken in; call it before the feed would sleep.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn flush(&mut self) -> Result<(), Closed> {
        self.out.flush()
    }

    /// Reports that the feed is not read from here on, and why.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn open_gap(
        &mut self,
        at: i64,
        reason: &'static str,
        detail: String,
    ) -> Result<(), Closed> {
        self.stats.gaps.add(1);
        self.out.gap(GapEvent::Opened { at, reason, detail })
    }

    /// Reports that the feed is read again.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn close_gap(&mut self, at: i64) -> Result<(), Closed> {
        self.out.gap(GapEvent::Closed { at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, Origin};
    use crossbeam_channel::{Receiver, unbounded};

    fn intake() -> (Intake, Receiver<Batch>) {
        let (batches, received) = unbounded();
        let (_, empties) = unbounded();
        let out = BatchSender::new(Origin::default(), batches, empties, None);
        (Intake::new(Arc::default(), out, 0), received)
    }

    fn update(seen: f64, names: &[&str]) -> String {
        let data = serde_json::json!({"seen": seen, "leaf_cert": {"all_domains": names}});
        serde_json::json!({"message_type": "certificate_update", "data": data}).to_string()
    }

    #[test]
    fn a_time_far_ahead_is_not_the_newest() {
        let (mut intake, _batches) = intake();
        let now = now_micros() as f64 / 1e6;
        for (seen, newest) in [(now - 5.0, now - 5.0), (now + 7200.0, now - 5.0), (now, now)] {
            intake.frame(update(seen, &["a.example"]).as_bytes()).expect("open");
            let kept = intake.stats().newest_seen.load(Ordering::Relaxed) as f64 / 1e6;
            assert!((kept - newest).abs() < 0.01, "{seen}: {kept}");
        }
    }
}
