//! What of the stream is not seen: from the last certificate received to the next.
//!
//! Owns the begin and end of the feed's gaps, in wall time. A gap begins with the last
//! certificate, not when its lack is noticed: a dead network is noticed a minute later, a machine
//! that slept through the night in the morning. It ends with the next certificate, not with the
//! next connection, which may be as silent. So it is an upper bound, and one row for however many
//! attempts lie in it.
//!
//! Pings, pongs and heartbeats do not count as certificates, nor do frames that are refused: they
//! come from a server that has lost its logs as well. Time-outs are not decided by this clock but
//! by the monotonic one: this one may be set.

use std::time::Instant;

use crate::batch::{Closed, now_micros};
use crate::feed::Intake;

/// What of the stream is not seen.
#[derive(Debug)]
pub(super) struct Unseen {
    /// When the last certificate came, or where none has come yet, when the feed began; in
    /// microseconds since the Unix epoch.
    since: i64,
    /// When a later one came, where `since` has not been brought up to it.
    later: Option<Instant>,
    /// When the gap that is open began.
    open: Option<i64>,
}

impl Unseen {
    /// Of a feed that begins at `now`.
    pub fn from(now: i64) -> Self {
        Self { since: now, later: None, open: None }
    }

    /// A certificate came at `at` and has been taken in: the gap, if there was one, is over.
    pub fn certificate(&mut self, intake: &mut Intake, at: Instant) -> Result<(), Closed> {
        self.later = Some(at);
        if self.open.is_none() {
            return Ok(());
        }
        self.close(intake, now_micros())
    }

    /// The feed is about to sleep: what the wall clock says of the last certificate is looked up,
    /// once for all that came in one go, since the monotonic clock stands while a machine sleeps.
    pub fn before_sleep(&mut self) {
        if self.later.is_some() {
            self.note(now_micros());
        }
    }

    /// At `now` the stream is found not to be read any more. A gap that is open stays as it is.
    pub fn open(
        &mut self,
        intake: &mut Intake,
        now: i64,
        reason: &'static str,
        detail: &str,
    ) -> Result<(), Closed> {
        self.note(now);
        if self.open.is_some() {
            return Ok(());
        }
        // Not later than now: the clock may have been set back.
        let from = self.since.min(now);
        self.open = Some(from);
        intake.open_gap(from, reason, detail.to_owned())
    }

    fn note(&mut self, now: i64) {
        if let Some(at) = self.later.take() {
            let ago = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
            self.since = now.saturating_sub(ago);
        }
    }

    fn close(&mut self, intake: &mut Intake, now: i64) -> Result<(), Closed> {
        let Some(from) = self.open.take() else { return Ok(()) };
        // Not before it began: the clock may have been set back meanwhile.
        intake.close_gap(now.max(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, BatchSender, GapEvent, Origin};
    use std::sync::Arc;
    use std::time::Duration;

    /// The spans of the gaps after `course`, which gets a feed that last heard something at 2000.
    fn spans(course: impl FnOnce(&mut Unseen, &mut Intake)) -> Vec<(i64, Option<i64>)> {
        let (batches, received) = crossbeam_channel::unbounded::<Batch>();
        let (_, empties) = crossbeam_channel::unbounded();
        let out = BatchSender::new(Origin::default(), batches, empties, None);
        let mut intake = Intake::new(Arc::default(), out, 0);
        let mut unseen = Unseen::from(2000);
        course(&mut unseen, &mut intake);
        drop(intake);
        let mut spans = Vec::new();
        for event in received.iter().filter_map(|batch| batch.gap) {
            match event {
                GapEvent::Opened { at, .. } => spans.push((at, None)),
                GapEvent::Closed { at } => spans.last_mut().expect("was opened").1 = Some(at),
                event => panic!("{event:?}"),
            }
        }
        spans
    }

    /// Trouble at `lost` and another attempt's at `again`, a certificate at
    /// `found`.
    fn course(lost: i64, again: i64, found: i64) -> Vec<(i64, Option<i64>)> {
        spans(|unseen, intake| {
            unseen.open(intake, lost, "disconnected", "first").unwrap();
            unseen.open(intake, again, "disconnected", "second").unwrap();
            unseen.close(intake, found).unwrap();
        })
    }

    #[test]
    fn a_gap_is_from_certificate_to_certificate_however_often_it_is_tried() {
        assert_eq!(course(5000, 6000, 7000), [(2000, Some(7000))]);
    }

    #[test]
    fn a_clock_that_is_set_back_or_forward_turns_no_gap_around() {
        let hour = 3_600_000_000;
        for [lost, again, found] in [
            [5000 - hour, 6000 - hour, 7000 - hour],
            [5000, 6000 - hour, 7000 - hour],
            [5000, 6000, 7000 - hour],
            [5000 + hour, 6000 + hour, 7000 + hour],
            [5000, 6000, 7000 + hour],
            [5000 + hour, 6000, 7000 - hour],
        ] {
            let spans = course(lost, again, found);
            let [(from, Some(to))] = spans[..] else { panic!("{spans:?}") };
            assert!(from <= to && from <= lost, "{lost} {again} {found}: {spans:?}");
        }
    }

    #[test]
    fn what_came_last_before_the_loss_is_told_from_what_was_noticed_later() {
        let second = 1_000_000;
        let spans = spans(|unseen, intake| {
            let at = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
            unseen.certificate(intake, at).unwrap();
            unseen.open(intake, 100 * second, "disconnected", "").unwrap();
            unseen.certificate(intake, Instant::now()).unwrap();
        });
        let [(from, Some(to))] = spans[..] else { panic!("{spans:?}") };
        assert!(from <= 95 * second && from > 35 * second, "{from}");
        assert!(to > 100 * second, "{to}");
    }
}
