//! When a log is asked for its tree head again, and how far it is then read.
//!
//! Owns the trade between delay and manners: whole tiles are read as soon as they are full, a
//! tile that is still filling only once its oldest entry has waited for long enough.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ctlog::TILE;

/// The shortest time between two looks at a log: a busy one fills some tiles meanwhile.
const SHORTEST: Duration = Duration::from_secs(2);
/// Sizes remembered: with one look each two seconds, enough for minutes.
const REMEMBERED: usize = 128;

/// What has been seen of a log's growth.
#[derive(Debug)]
pub(super) struct Pace {
    max_delay: Duration,
    /// Sizes of the tree and when each was first seen, ascending.
    seen: VecDeque<(u64, Instant)>,
}

impl Pace {
    /// For a log of which no entry should wait for longer than `max_delay`.
    pub fn new(max_delay: Duration) -> Self {
        Self { max_delay, seen: VecDeque::new() }
    }

    /// Notes that the tree has `size` entries at `now`.
    pub fn saw(&mut self, size: u64, now: Instant) {
        if self.seen.back().is_some_and(|(last, _)| *last >= size) {
            return;
        }
        if self.seen.len() == REMEMBERED {
            // Not the oldest: how long the oldest unread entry waits hangs on it.
            self.seen.remove(REMEMBERED / 2);
        }
        self.seen.push_back((size, now));
    }

    /// The index before which entries are to be read at `now`, all before `position` being read:
    /// the end of the last full tile, or the end of the tree when what lies behind that has
    /// waited for long enough. `tiled`: whether the log has tiles at all.
    pub fn end(&mut self, position: u64, size: u64, tiled: bool, now: Instant) -> u64 {
        // One size at or below the position stays, as the begin of the rate's span.
        while self.seen.len() > 1 && self.seen[1].0 <= position {
            self.seen.pop_front();
        }
        let full = if tiled { size - size % TILE } else { size };
        let unread = position.max(full);
        let waits_since = self.seen.iter().find(|(seen, _)| *seen > unread);
        let is_due = waits_since.is_some_and(|(_, since)| *since + self.max_delay <= now);
        if is_due { size } else { unread.min(size) }
    }

    /// How long to wait before the next look.
    pub fn pause(&self, now: Instant) -> Duration {
        let longest = self.max_delay / 4;
        let shortest = SHORTEST.min(longest);
        let (Some((first, since)), Some((last, _))) = (self.seen.front(), self.seen.back()) else {
            return shortest;
        };
        let span = now.saturating_duration_since(*since).as_secs_f64();
        let rate = (last - first) as f64 / span.max(0.001);
        if rate <= 0.0 {
            return longest;
        }
        let fills = TILE as f64 / rate;
        Duration::try_from_secs_f64(fills).unwrap_or(longest).clamp(shortest, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn full_tiles_are_read_at_once_and_a_filling_one_when_its_oldest_entry_has_waited() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(MINUTE);
        pace.saw(1000, start);
        assert_eq!(pace.end(500, 1000, true, start), 768);
        // All full tiles are read: what stands behind them waits.
        assert_eq!(pace.end(768, 1000, true, at(59)), 768);
        pace.saw(1010, at(30));
        assert_eq!(pace.end(768, 1010, true, at(60)), 1010);
        // Within the tile, the next entry waits for a minute of its own.
        pace.saw(1015, at(70));
        assert_eq!(pace.end(1010, 1015, true, at(129)), 1010);
        assert_eq!(pace.end(1010, 1015, true, at(130)), 1015);
        // Or until the tile is full.
        pace.saw(1030, at(131));
        assert_eq!(pace.end(1015, 1030, true, at(131)), 1024);
    }

    #[test]
    fn a_log_without_tiles_is_read_to_its_end() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE);
        pace.saw(1001, now);
        assert_eq!(pace.end(1000, 1001, false, now), 1001);
        assert_eq!(pace.end(1001, 1001, false, now), 1001);
    }

    #[test]
    fn a_busy_log_is_looked_at_often_and_a_quiet_one_four_times_a_delay() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(MINUTE);
        assert_eq!(pace.pause(start), SHORTEST);
        pace.saw(1000, start);
        assert_eq!(pace.pause(at(1)), MINUTE / 4);
        pace.saw(1256, at(5));
        assert_eq!(pace.pause(at(5)), Duration::from_secs(5));
        pace.saw(9000, at(6));
        assert_eq!(pace.pause(at(6)), SHORTEST);
        // A short delay asks for more.
        let mut hasty = Pace::new(Duration::from_secs(1));
        hasty.saw(1, start);
        assert_eq!(hasty.pause(at(9)), Duration::from_millis(250));
    }

    #[test]
    fn however_long_nothing_is_read_memory_stays_bounded_and_the_wait_counts() {
        let start = Instant::now();
        let mut pace = Pace::new(MINUTE);
        for second in 0..10_000_u64 {
            pace.saw(1 + second, start + Duration::from_secs(second));
            assert!(pace.seen.len() <= REMEMBERED);
        }
        assert_eq!(pace.end(0, 200, true, start + MINUTE), 200);
    }
}
