//! Which of the newest indexes of a log have come: a bit each, in a ring of fixed size.
//!
//! Owns what is new, what is a repeat, and what cannot be told. Indexes are the server's words: one
//! that lies far from all others counts only once a second one has come beside it, so that a
//! single lie does not carry the window off.

/// Indexes that are remembered: 8 KiB a log. Half of it is 30 s of 1,000 entries/s, three times the
/// busiest log there is.
const BITS: u64 = 64 * WORDS as u64;
const WORDS: usize = 1024;
/// How far ahead an index may lie of the highest one, to be believed at once.
const REACH: u64 = BITS / 2;
/// Indexes that have to come from below the window, one after another, until it goes back there.
const MOVED_BACK: u32 = 1024;
/// Larger ones are no indexes: no log comes near it.
const MOST: u64 = 1 << 56;

/// What an index turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    /// It had not come before.
    New,
    /// Nor had this earlier one beside it, which could not be told at its time.
    NewWith(u64),
    /// It came before.
    Repeat,
    /// Too far from the others to be told.
    Unsure,
}

/// The newest indexes of a log.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// A ring: the bit of an index is at its place modulo [`BITS`]. Empty before the first index.
    words: Box<[u64]>,
    /// The lowest index that has a bit; a multiple of 64.
    base: u64,
    /// Behind the highest index that came.
    top: u64,
    /// The last index that lay far ahead.
    stray: Option<u64>,
    /// Indexes from below the window since the last one within.
    below: u32,
}

impl Window {
    /// Behind the highest index that came; 0 before the first.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// Takes in an index.
    pub fn insert(&mut self, index: u64) -> Index {
        if index > MOST {
            return Index::Unsure;
        }
        if self.words.is_empty() {
            self.words = vec![0; WORDS].into();
            self.move_to(index);
        } else if index < self.base {
            self.below += 1;
            if self.below < MOVED_BACK {
                return Index::Unsure;
            }
            self.move_to(index);
        } else if index - self.base.min(index) >= BITS && index >= self.top + REACH {
            return self.far_ahead(index);
        }
        self.below = 0;
        self.set(index)
    }

    /// The lowest index from `from` on that has not come; behind the highest that has where there
    /// is none. What lies below the window is not known, and passed over.
    pub fn first_missing(&self, from: u64) -> u64 {
        (from.max(self.base)..self.top).find(|index| !self.has(*index)).unwrap_or(self.top)
    }

    /// The highest index from `first` up to `last` that has not come; what lies outside of the
    /// window is taken not to have.
    pub fn last_missing(&self, first: u64, last: u64) -> Option<u64> {
        (first.max(self.base)..=last)
            .rev()
            .find(|index| *index >= self.top || !self.has(*index))
            .or_else(|| self.base.min(last.saturating_add(1)).checked_sub(1))
            .filter(|index| *index >= first)
    }

    fn far_ahead(&mut self, index: u64) -> Index {
        match self.stray.replace(index) {
            Some(stray) if stray.abs_diff(index) < REACH => {
                self.stray = None;
                self.move_to(stray.min(index));
                self.set(stray);
                match self.set(index) {
                    Index::New => Index::NewWith(stray),
                    _ => Index::New,
                }
            }
            _ => Index::Unsure,
        }
    }

    /// Forgets all, and puts `index` into the middle: others may be late.
    fn move_to(&mut self, index: u64) {
        self.words.fill(0);
        self.base = index.saturating_sub(REACH) / 64 * 64;
        self.top = index;
        self.below = 0;
    }

    fn set(&mut self, index: u64) -> Index {
        if index >= self.base + BITS {
            let base = (index / 64 + 1) * 64 - BITS;
            for word in self.base / 64..base / 64 {
                self.words[word as usize % WORDS] = 0;
            }
            self.base = base;
        }
        self.top = self.top.max(index + 1);
        let (word, bit) = (&mut self.words[(index / 64) as usize % WORDS], 1 << (index % 64));
        if *word & bit != 0 {
            return Index::Repeat;
        }
        *word |= bit;
        Index::New
    }

    fn has(&self, index: u64) -> bool {
        self.words[(index / 64) as usize % WORDS] >> (index % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_index_is_new_once_in_whatever_order_within_the_window() {
        let mut window = Window::default();
        let mut came = BTreeSet::new();
        let mut random = fastrand::Rng::with_seed(5);
        let mut next = 1_000_000_u64;
        for _ in 0..500_000 {
            next += random.u64(0..3);
            let index = next - random.u64(0..30_000);
            let expected = if came.insert(index) { Index::New } else { Index::Repeat };
            assert_eq!(window.insert(index), expected, "{index}");
            while came.first().is_some_and(|first| *first + 40_000 < next) {
                came.pop_first();
            }
        }
        assert!(next > 1_000_000 + 6 * BITS);
        let top = came.last().unwrap() + 1;
        assert_eq!(window.top(), top);
        let missing = |index: &u64| !came.contains(index);
        let from = top - 20_000;
        assert_eq!(window.first_missing(from), (from..=top).find(missing).unwrap());
        assert_eq!(window.last_missing(from, top - 9), (from..=top - 9).rev().find(missing));
    }

    #[test]
    fn one_lie_moves_nothing_and_two_neighbours_are_believed() {
        let mut window = Window::default();
        let insert = |window: &mut Window, indexes: &[u64]| -> Vec<Index> {
            indexes.iter().map(|index| window.insert(*index)).collect()
        };
        use Index::{New, NewWith, Repeat, Unsure};
        assert_eq!(
            insert(&mut window, &[500, u64::MAX, 501, 1 << 50, 502]),
            [New, Unsure, New, Unsure, New]
        );
        // A log that was not read for a day.
        assert_eq!(
            insert(&mut window, &[9_000_007, 9_000_005, 9_000_005, 9_000_007, 502]),
            [Unsure, NewWith(9_000_007), Repeat, Repeat, Unsure]
        );
        assert_eq!(window.last_missing(503, 9_000_007), Some(9_000_006));
        assert_eq!(window.last_missing(503, 9_000_005), Some(9_000_004));
        // And back again, once it is clear that nothing else comes.
        for _ in 2..MOVED_BACK {
            assert_eq!(window.insert(502), Unsure);
        }
        assert_eq!(insert(&mut window, &[502, 503, 502]), [New, New, Repeat]);
    }

    #[test]
    fn where_nothing_is_missing_nothing_is_found() {
        let mut window = Window::default();
        (100..200).for_each(|index| assert_eq!(window.insert(index), Index::New));
        assert_eq!((window.first_missing(100), window.first_missing(150)), (200, 200));
        assert_eq!(window.last_missing(150, 199), None);
        assert_eq!(window.last_missing(150, 205), Some(205));
        assert_eq!(window.last_missing(90, 199), Some(99));
    }
}
