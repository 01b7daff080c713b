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

use crate::batch::{AHEAD, BatchSender, Closed, GapEvent, now_micros};
use crate::stats::FeedStats;
use crate::update::{Message, UpdateReader};

pub use outlets::{Outlet, Outlets};

/// Names of one certificate that are read. Real ones have a few hundred at most; the 700,000 that
/// fit into the largest frame would keep a matcher busy for seconds and cost 400 MB.
pub const MAX_NAMES: usize = 100_000;

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
                let mut all = names.iter();
                let read = all.by_ref().take(MAX_NAMES).inspect(|_| stats.names.add(1));
                let pushed = out.push(*position, frame, read);
                stats.surplus_names.add(all.count() as u64);
                pushed
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
    fn names_beyond_the_limit_are_counted_and_left_unread() {
        let (mut intake, batches) = intake();
        let names: Vec<String> = (0..MAX_NAMES + 7).map(|n| format!("n{n}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        intake.frame(update(1.0, &names).as_bytes()).expect("open");
        intake.frame(update(2.0, &names[..3]).as_bytes()).expect("open");
        intake.flush().expect("open");
        let read: usize =
            batches.try_iter().map(|b| b.updates().map(|u| u.names().count()).sum::<usize>()).sum();
        assert_eq!(read, MAX_NAMES + 3);
        let stats = intake.stats();
        assert_eq!((stats.names.get(), stats.surplus_names.get()), (read as u64, 7));
        let refusals: Vec<_> = stats.refusals().collect();
        assert_eq!(refusals, [("names beyond the limit", 7)]);
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
