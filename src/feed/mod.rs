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
mod ledger;
mod outlets;
pub mod recorder;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::batch::{AHEAD, BatchSender, Closed, Content, GapEvent, Hole, now_micros};
use crate::stats::FeedStats;
pub use crate::update::MAX_NAMES;
use crate::update::{Message, NameList, Parse, Place, UpdateReader, scan};

pub use ledger::Ledger;
pub use outlets::{Outlet, Outlets};

/// One frame in so many is read by the judge, too, and compared: a server whose frames the scan
/// reads wrongly is found out within seconds, for a seventieth of the scan's own cost.
const SAMPLED: u64 = 1000;
/// Bytes of names that are kept room for, of a frame that is read twice.
const KEPT_SAMPLE: usize = 64 * 1024;

/// Reads frames, counts what they are, and packs names and frames into batches.
#[derive(Debug)]
pub struct Intake {
    reader: UpdateReader,
    /// Whether the scan reads first.
    parse: Parse,
    /// What the scan has found where the judge reads, too.
    sampled: NameList,
    stats: Arc<FeedStats>,
    out: BatchSender,
    /// Frames received so far: how far this feed has been read.
    position: u64,
    /// Which entries came; none where what is read is no stream of its own time.
    ledger: Option<Ledger>,
}

impl Intake {
    /// An intake that counts in `stats` and hands over to `out`; `position` frames have been
    /// read before.
    #[must_use]
    pub fn new(stats: Arc<FeedStats>, out: BatchSender, position: u64) -> Self {
        let reader = UpdateReader::default();
        let (parse, sampled) = (Parse::Strict, NameList::default());
        Self { reader, parse, sampled, stats, out, position, ledger: None }
    }

    /// Lets the names be read as `parse` says.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn parsing(mut self, parse: Parse) -> Result<Self, Closed> {
        if parse == Parse::Fast {
            self.out.change_content(Content::Scanned(Arc::clone(&self.stats)))?;
        }
        self.parse = parse;
        Ok(self)
    }

    /// Keeps `ledger` of what comes.
    #[must_use]
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Self { ledger: Some(ledger), ..self }
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
        if self.parse == Parse::Fast && self.stats.is_scan_trusted() {
            if self.position.is_multiple_of(SAMPLED) {
                return self.judge_sampled(frame);
            }
            if self.scanned(frame)? {
                return Ok(());
            }
        }
        self.judge(frame, None)
    }

    /// Takes in a frame by its names as the scan finds them; false where it has to be judged.
    #[inline]
    fn scanned(&mut self, frame: &[u8]) -> Result<bool, Closed> {
        let Self { stats, out, position, ledger, .. } = self;
        // Looked for once a batch: at the rate of a live server that is nearly every frame, and lag
        // is told in seconds.
        let notes_seen = out.is_empty();
        out.push_found(*position, frame, |names| {
            let before = names.len();
            let scanned = scan(frame, names)?;
            let counted = match ledger {
                None => None,
                Some(ledger) => {
                    let place = scanned.place();
                    // Where an entry stands is for the ledger alone; what the scan does not see the
                    // judge may.
                    if place.is_none() && scanned.is_certificate() {
                        return None;
                    }
                    ledger.count(place, stats)
                }
            };
            stats.updates.add(1);
            stats.scanned.add(1);
            stats.names.add((names.len() - before) as u64);
            if notes_seen {
                note_seen(stats, scanned.seen());
            }
            Some(counted)
        })
    }

    /// Has a frame judged, and what the scan finds in it compared.
    fn judge_sampled(&mut self, frame: &[u8]) -> Result<(), Closed> {
        let mut names = std::mem::take(&mut self.sampled);
        names.clear(KEPT_SAMPLE);
        let judged = match scan(frame, &mut names) {
            Some(scanned) => self.judge(frame, Some((&names, scanned.place()))),
            None => self.judge(frame, None),
        };
        self.sampled = names;
        judged
    }

    /// Takes in a frame as the judge reads it. `scanned`: the names that the scan has found, and where
    /// the entry stands.
    fn judge(
        &mut self,
        frame: &[u8],
        scanned: Option<(&NameList, Option<Place<'_>>)>,
    ) -> Result<(), Closed> {
        let Self { reader, stats, out, position, ledger, .. } = self;
        let mut agree = scanned.is_none();
        let outcome = reader.read(frame, |message| match message {
            Message::Update(names) => {
                agree = scanned.is_none_or(|(found, place)| {
                    found.iter().eq(names.iter().map(str::as_bytes))
                        && (place.is_none() || place == names.place())
                });
                stats.updates.add(1);
                note_seen(stats, names.seen());
                let mut all = names.iter();
                let read = all.by_ref().take(MAX_NAMES).inspect(|_| stats.names.add(1));
                let counted = ledger.as_mut().and_then(|ledger| ledger.count(names.place(), stats));
                let pushed = match &counted {
                    Some(counted) => out.push_counted(*position, frame, read, counted),
                    None => out.push(*position, frame, read),
                };
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
        if !agree {
            self.stats.dispute(frame);
        }
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
        let holes = self.ledger.as_mut().map(|ledger| ledger.cut(at, reason));
        self.note_missed(holes.unwrap_or_default())?;
        self.out.gap(GapEvent::Opened { at, reason, detail })
    }

    /// Reports that the feed is read again.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn close_gap(&mut self, at: i64) -> Result<(), Closed> {
        self.out.gap(GapEvent::Closed { at })
    }

    /// It is `now`: to be told before each frame. What is known to be missed by now is reported.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn tick(&mut self, now: Instant) -> Result<(), Closed> {
        let Some(ledger) = &mut self.ledger else { return Ok(()) };
        ledger.tick(now);
        let holes = ledger.settled();
        self.note_missed(holes)
    }

    /// When [`tick`](Self::tick) is to be called at the latest, though nothing has come.
    fn next_look(&self) -> Option<Instant> {
        self.ledger.as_ref()?.next_look()
    }

    /// Reports what is missed as far as that can be told, and hands over what has been taken in:
    /// the feed is ending.
    ///
    /// # Errors
    /// [`Closed`] when no matcher is left.
    pub fn finish(&mut self) -> Result<(), Closed> {
        let holes = self.ledger.as_mut().map(Ledger::settle_all);
        self.note_missed(holes.unwrap_or_default())?;
        self.flush()
    }

    fn note_missed(&mut self, holes: Vec<Hole>) -> Result<(), Closed> {
        if holes.is_empty() {
            return Ok(());
        }
        self.stats.missed.add(holes.iter().map(|hole| hole.last - hole.first + 1).sum());
        self.out.gap(GapEvent::Missed(holes))
    }
}

/// Notes when a server has seen an entry, if it is the newest one.
fn note_seen(stats: &FeedStats, seen: Option<i64>) {
    // One writer, so no lost update between load and store. The clock is read last, being the
    // dearest of the three.
    if let Some(seen) = seen
        && seen > stats.newest_seen.load(Ordering::Relaxed)
        && seen <= now_micros() + AHEAD
    {
        stats.newest_seen.store(seen, Ordering::Relaxed);
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
