//! What waits for the next transaction, and the one rule that says when it is committed.
//!
//! Owns the commit policy. Merging and writing what waits are the next steps' business.

use std::time::{Duration, Instant};

use super::gap::GapChange;
use super::refused::Refusal;
use crate::batch::{Applied, Coverage, Reading};
use crate::matched::{Matched, Source};
use crate::stats::FeedIndex;

/// Rows after which a transaction is committed. Rows a second rise with the size of a
/// transaction, since repeats merge and neighbours share pages, up to here: 24,000 at 100 rows,
/// 42,000 at 1,000, 102,000 at 10,000, half of them repeats.
const MAX_ROWS: usize = 10_000;
/// Bytes after which a transaction is committed: bounds the writer's memory for rows with much
/// evidence.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The same two while further messages have come already, which take as much memory in the channel as
/// here: the more rows, the more of them share the pages that are written. New rows are stored 1.7
/// times as fast as by ten thousand, bare domains 1.4 times (`cargo bench --bench store -- ratios`).
const MAX_ROWS_BEHIND: usize = 50_000;
const MAX_BYTES_BEHIND: usize = 48 * 1024 * 1024;
/// How long the first waiting row waits. An empty channel is no reason to commit: at a live
/// feed's rate it always is.
const MAX_DELAY: Duration = Duration::from_millis(50);
/// How long a position waits that has moved without rows. It rides with rows that come earlier.
const MAX_POSITION_DELAY: Duration = Duration::from_secs(1);

/// How far a feed is once what waits is stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub applied: Applied,
    /// Of a log: what has been read since the last transaction.
    pub reading: Reading,
    /// Of a certstream feed: what has been received since the last transaction.
    pub coverage: Coverage,
}

impl Progress {
    fn follow(&mut self, matched: &mut Matched) {
        (self.applied.sequence, self.applied.position) = (matched.sequence, matched.position);
        let next = std::mem::take(&mut matched.reading);
        self.reading.entries += next.entries;
        self.reading.verified += next.verified;
        self.reading.newest = self.reading.newest.max(next.newest);
        self.reading.tree_head = next.tree_head.or(self.reading.tree_head.take());
        self.reading.no_names = next.no_names.or(self.reading.no_names);
        self.reading.fork = next.fork.or(self.reading.fork.take());
        self.coverage.merge(std::mem::take(&mut matched.coverage));
    }
}

/// What is in line for the next transaction, of all feeds together.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Messages with rows, in the order in which they apply.
    pub messages: Vec<Matched>,
    /// Changes to the feeds' gaps, in the order in which they apply.
    pub gaps: Vec<(FeedIndex, GapChange)>,
    /// What the feeds have refused in all, where that has changed.
    pub refused: Vec<Refusal>,
    /// By feed: how far it is once this is stored. None, or no place: it has not moved.
    pub progress: Vec<Option<Progress>>,
    /// Rows in `messages`.
    pub rows: usize,
    /// What `messages` are booked with in the backlog's account.
    pub bytes: usize,
    /// When this has to be committed. None: nothing waits.
    due: Option<Instant>,
}

impl Waiting {
    /// Puts in line what came next from its feed, and the change of its feed's gaps that `dropped`
    /// rows make.
    pub fn push(&mut self, mut matched: Matched, dropped: Option<GapChange>, now: Instant) {
        let feed = matched.feed;
        let place = usize::from(feed);
        if self.progress.len() <= place {
            self.progress.resize(place + 1, None);
        }
        self.progress[place].get_or_insert_default().follow(&mut matched);
        let gap = matched.gap.take().map(GapChange::Feed);
        let changes = self.gaps.len();
        self.gaps.extend(gap.into_iter().chain(dropped).map(|change| (feed, change)));
        let rows = matched.rows.len();
        let moves_only = rows == 0 && self.gaps.len() == changes;
        let due = now + if moves_only { MAX_POSITION_DELAY } else { MAX_DELAY };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        // What was read again and matches nothing says something, too.
        let says_something = matches!(matched.source, Source::Again { .. });
        if rows > 0 {
            self.rows += rows;
            self.bytes += matched.bytes;
        }
        if rows > 0 || says_something {
            self.messages.push(matched);
        }
    }

    /// Whether nothing waits, not even a position.
    pub fn is_empty(&self) -> bool {
        self.due.is_none()
    }

    /// When this has to be committed at the latest. None: nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it has to be committed at `now`. `last`: nothing else has come.
    pub fn is_due(&self, now: Instant, last: bool) -> bool {
        let (rows, bytes) =
            if last { (MAX_ROWS, MAX_BYTES) } else { (MAX_ROWS_BEHIND, MAX_BYTES_BEHIND) };
        self.rows >= rows || self.bytes >= bytes || self.due.is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matched::MatchedDomain;

    fn message(rows: usize, bytes: usize) -> Matched {
        let row = |_| MatchedDomain {
            domain: "a.example".into(),
            names_as_seen: Vec::new(),
            certificate: None,
            hits: Vec::new(),
        };
        Matched { rows: (0..rows).map(row).collect(), bytes, ..Matched::default() }
    }

    #[test]
    fn a_row_waits_fifty_milliseconds_and_a_position_a_second() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        assert!(waiting.is_empty() && !waiting.is_due(now, true));
        waiting.push(message(0, 0), None, now);
        assert_eq!(waiting.due(), Some(now + MAX_POSITION_DELAY));
        // A row that comes now takes the position along.
        let later = now + Duration::from_millis(100);
        waiting.push(message(1, 1), None, later);
        assert_eq!(waiting.due(), Some(later + MAX_DELAY));
        // A further row does not put it off.
        waiting.push(message(1, 1), None, later + Duration::from_millis(30));
        assert_eq!(waiting.due(), Some(later + MAX_DELAY));
        for last in [false, true] {
            assert!(!waiting.is_due(later, last) && waiting.is_due(later + MAX_DELAY, last));
        }
    }

    #[test]
    fn many_rows_or_bytes_do_not_wait_and_more_of_them_while_more_has_come() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        waiting.push(message(MAX_ROWS - 1, 0), None, now);
        assert!(!waiting.is_due(now, true));
        waiting.push(message(1, 0), None, now);
        assert!(waiting.is_due(now, true) && !waiting.is_due(now, false));
        waiting.push(message(MAX_ROWS_BEHIND - MAX_ROWS, 0), None, now);
        assert!(waiting.is_due(now, false));
        let mut waiting = Waiting::default();
        waiting.push(message(1, MAX_BYTES), None, now);
        assert!(waiting.is_due(now, true) && !waiting.is_due(now, false));
        waiting.push(message(1, MAX_BYTES_BEHIND), None, now);
        assert!(waiting.is_due(now, false));
    }
}
