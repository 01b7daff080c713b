//! The matchers' output end, which all of them share.
//!
//! Owns the holding back: while the writer is behind, batches that brought it no rows are merged
//! into one message instead of queueing, since a blocked writer would otherwise cost memory for
//! as long as a feed goes on. What is in a message is `matcher`'s business.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;

use crate::backlog::Backlog;
use crate::batch::Closed;
use crate::matched::Matched;
use crate::stats::FeedIndex;

/// Messages in the channel from which on the writer counts as behind: it would not have got to a
/// further one for a while anyway.
const BEHIND: usize = 64;

/// Hands messages to the writer.
#[derive(Debug)]
pub struct MatchedSender {
    matched: Sender<Matched>,
    backlog: Arc<Backlog>,
    /// What is held back, by feed and number of the last batch.
    held: Mutex<Held>,
}

type Held = BTreeMap<(FeedIndex, u64), Matched>;

impl MatchedSender {
    /// A way into `matched`, whose messages are booked in `backlog`.
    #[must_use]
    pub fn new(matched: Sender<Matched>, backlog: Arc<Backlog>) -> Self {
        Self { matched, backlog, held: Mutex::default() }
    }

    /// Hands over what came of a batch, and before it what was held back; or holds it back.
    /// `can_wait`: whether its feed waits for room. Such a feed's messages are bounded as it is,
    /// and are never held back: what it waits for might be behind them.
    ///
    /// # Errors
    /// [`Closed`] when the writer is gone.
    pub fn send(&self, matched: Matched, can_wait: bool) -> Result<(), Closed> {
        let mut held = self.held();
        if !can_wait && matched.only_moves() && self.is_behind() {
            self.hold(&mut held, matched);
            return Ok(());
        }
        self.release(&mut held)?;
        self.matched.send(matched).map_err(|_| Closed)
    }

    /// Whether something is held back.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        !self.held().is_empty()
    }

    /// Hands over what is held back, once the writer is no longer behind.
    ///
    /// # Errors
    /// [`Closed`] when the writer is gone.
    pub fn flush_when_due(&self) -> Result<(), Closed> {
        if self.is_behind() { Ok(()) } else { self.flush() }
    }

    /// Hands over what is held back.
    ///
    /// # Errors
    /// [`Closed`] when the writer is gone.
    pub fn flush(&self) -> Result<(), Closed> {
        self.release(&mut self.held())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_behind(&self) -> bool {
        self.matched.len() >= BEHIND
    }

    /// Merges `matched` with its neighbours, of which matchers that overtake each other leave as
    /// many apart as there are matchers.
    fn hold(&self, held: &mut Held, matched: Matched) {
        let feed = matched.feed;
        let mut whole = match held.remove(&(feed, matched.first_sequence() - 1)) {
            Some(before) => self.merge(before, matched),
            None => matched,
        };
        let after = held.range((feed, whole.sequence)..).next();
        if let Some((&place, after)) = after
            && place.0 == feed
            && after.first_sequence() == whole.sequence + 1
            && let Some(after) = held.remove(&place)
        {
            whole = self.merge(whole, after);
        }
        held.insert((feed, whole.sequence), whole);
    }

    fn merge(&self, mut before: Matched, after: Matched) -> Matched {
        self.backlog.subtract(after.bytes);
        before.extend_by(after);
        before
    }

    /// The channel is unbounded: nothing waits here with the lock held.
    fn release(&self, held: &mut Held) -> Result<(), Closed> {
        for matched in std::mem::take(held).into_values() {
            self.matched.send(matched).map_err(|_| Closed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matched::MatchedDomain;
    use crossbeam_channel::{Receiver, unbounded};

    fn sender() -> (MatchedSender, Receiver<Matched>) {
        let (matched, received) = unbounded();
        (MatchedSender::new(matched, Arc::new(Backlog::new(1))), received)
    }

    fn send(out: &MatchedSender, mut matched: Matched, can_wait: bool) {
        matched.bytes = matched.size();
        out.backlog.add(matched.bytes);
        out.send(matched, can_wait).expect("open");
    }

    fn moves(feed: FeedIndex, sequence: u64, dropped_rows: u64) -> Matched {
        Matched { feed, sequence, position: 10 * sequence, dropped_rows, ..Matched::default() }
    }

    #[test]
    fn a_blocked_writer_costs_no_memory_for_batches_without_rows() {
        let (out, received) = sender();
        // Two matchers that overtake each other; every third batch loses a row.
        for pair in (1..=50_000_u64).step_by(2) {
            for sequence in [pair + 1, pair] {
                send(&out, moves(0, sequence, u64::from(sequence % 3 == 0)), false);
                send(&out, moves(1, sequence, 0), false);
            }
        }
        assert!(received.len() <= BEHIND && out.held().len() <= 4);
        assert!(out.backlog.bytes() < (BEHIND + 4) * 2 * size_of::<Matched>());
        out.flush().expect("open");
        let mut all: Vec<Matched> = received.try_iter().filter(|m| m.feed == 0).collect();
        all.sort_unstable_by_key(|matched| matched.sequence);
        let mut next = 1;
        for matched in &all {
            assert_eq!(matched.first_sequence(), next, "no batch is missing or repeated");
            assert_eq!(matched.position, 10 * matched.sequence);
            next = matched.sequence + 1;
        }
        assert_eq!(next, 50_001);
        let dropped: u64 = all.iter().map(|matched| matched.dropped_rows).sum();
        assert_eq!(dropped, 50_000 / 3);
    }

    #[test]
    fn what_is_held_back_goes_ahead_of_the_next_rows_or_when_the_writer_has_caught_up() {
        let (out, received) = sender();
        for sequence in 1..=100 {
            send(&out, moves(0, sequence, 0), false);
        }
        assert!(out.holds_back());
        let row = MatchedDomain {
            domain: "a.example".into(),
            names_as_seen: Vec::new(),
            certificate: None,
            hits: Vec::new(),
        };
        send(&out, Matched { rows: vec![row], ..moves(0, 101, 0) }, false);
        let last: Vec<u64> = received.try_iter().skip(BEHIND).map(|m| m.sequence).collect();
        assert_eq!(last, [100, 101]);
        for sequence in 102..=200 {
            send(&out, moves(0, sequence, 0), false);
        }
        out.flush_when_due().expect("open");
        assert!(out.holds_back(), "the writer is still behind");
        received.try_iter().for_each(drop);
        out.flush_when_due().expect("open");
        assert_eq!(received.try_iter().map(|m| m.sequence).collect::<Vec<_>>(), [200]);
    }

    #[test]
    fn a_feed_that_waits_for_room_is_never_held_back() {
        let (out, received) = sender();
        for sequence in 1..=200 {
            send(&out, moves(0, sequence, 0), true);
        }
        assert_eq!((received.len(), out.holds_back()), (200, false));
    }
}
