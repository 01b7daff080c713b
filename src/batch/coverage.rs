//! Which entries of which logs a certstream feed has received, summed up by minute.
//!
//! Owns the sums and how they add up, from a batch to a transaction. What counts as received, and
//! that nothing counts twice, is the feed's business (`feed::ledger`).

use std::sync::Arc;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// A log as the frames of a certstream feed name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLog {
    /// What identifies it: its URL without scheme and final slash, else its name. Empty for what
    /// bears no index.
    pub key: Box<str>,
    /// Its name, empty where it has none.
    pub name: Box<str>,
}

/// How far a feed had received a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageHead {
    /// The log.
    pub log: SourceLog,
    /// The first index that may not have come: behind the highest one, or, where the last minute has
    /// holes, in it.
    pub next: u64,
    /// When the last minute began in which anything of it came, in microseconds since the Unix
    /// epoch.
    pub minute: i64,
}

/// What one certificate update adds.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'l> {
    /// The log; that without a key for what bears no index.
    pub log: &'l Arc<SourceLog>,
    /// The log's number within the feed.
    pub number: u16,
    /// The entry's index.
    pub index: u64,
    /// An earlier one, which could not be told from nonsense before this one came.
    pub and: Option<u64>,
}

/// What a feed received of one log within one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The log.
    pub log: Arc<SourceLog>,
    /// Its number within the feed.
    number: u16,
    /// When the minute began, by our clock, in microseconds since the Unix epoch. Frames count in
    /// the minute in which the first of their batch was received.
    pub minute: i64,
    /// The lowest index that came.
    pub lowest: u64,
    /// The highest.
    pub highest: u64,
    /// How many came, each index once.
    pub count: u64,
}

/// What stands in a batch, which is of one minute, in the order in which the logs came.
#[derive(Debug, Default)]
pub struct Tally {
    rows: Vec<Covered>,
    /// By the number of the log: behind its place in `rows`; 0: it is not there.
    places: Vec<u16>,
}

impl Tally {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.places.clear();
    }

    /// Adds what came with the batch, which began to be received at `received`.
    pub(super) fn count(&mut self, counted: &Counted<'_>, received: i64) {
        let Counted { log, number, index, and } = *counted;
        let at = usize::from(number);
        if self.places.len() <= at {
            self.places.resize(at + 1, 0);
        }
        for index in and.into_iter().chain([index]) {
            match usize::from(self.places[at]).checked_sub(1) {
                Some(place) => self.rows[place].add(index, index, 1),
                None => {
                    let minute = received - received.rem_euclid(MINUTE);
                    let (log, lowest, highest) = (Arc::clone(log), index, index);
                    self.rows.push(Covered { log, number, minute, lowest, highest, count: 1 });
                    // As many rows as logs, whose numbers are of this type.
                    self.places[at] = self.rows.len() as u16;
                }
            }
        }
    }
}

/// What a feed received, in the order of logs and minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(Vec<Covered>);

impl Coverage {
    /// The sums.
    pub fn iter(&self) -> impl Iterator<Item = &Covered> {
        self.0.iter()
    }

    /// Bytes it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len() * size_of::<Covered>()
    }

    /// What stands in a batch.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        let mut rows = tally.rows.clone();
        rows.sort_unstable_by_key(|row| (row.number, row.minute));
        Self(rows)
    }

    /// Adds what came `later` from the same feed.
    pub fn merge(&mut self, later: Self) {
        if self.0.is_empty() {
            *self = later;
            return;
        }
        for other in later.0 {
            match self.place(other.number, other.minute) {
                Ok(place) => self.0[place].add(other.lowest, other.highest, other.count),
                Err(place) => self.0.insert(place, other),
            }
        }
    }

    fn place(&self, number: u16, minute: i64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&(number, minute), |row| (row.number, row.minute))
    }
}

impl Covered {
    fn add(&mut self, lowest: u64, highest: u64, count: u64) {
        self.lowest = self.lowest.min(lowest);
        self.highest = self.highest.max(highest);
        self.count += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(u16, u64, i64)]) -> Coverage {
        let mut coverage = Coverage::default();
        for batch in counts.chunk_by(|a, b| a.2.div_euclid(MINUTE) == b.2.div_euclid(MINUTE)) {
            let mut tally = Tally::default();
            for &(number, index, received) in batch {
                let log = Arc::default();
                tally.count(&Counted { log: &log, number, index, and: None }, received);
            }
            coverage.merge(Coverage::of(&tally));
        }
        coverage
    }

    #[test]
    fn parts_add_up_to_the_whole_wherever_they_are_cut() {
        let counts = [
            (2, 70, 5),
            (1, 9, MINUTE - 1),
            (2, 68, MINUTE),
            (1, 10, MINUTE - 1),
            (2, 71, 2 * MINUTE - 1),
            (1, 4, 6),
        ];
        let whole = of(&counts);
        let sums: Vec<_> =
            whole.iter().map(|c| (c.number, c.minute, c.lowest, c.highest, c.count)).collect();
        assert_eq!(sums, [(1, 0, 4, 10, 3), (2, 0, 70, 70, 1), (2, MINUTE, 68, 71, 2)]);
        for cut in 0..=counts.len() {
            let mut parts = of(&counts[..cut]);
            parts.merge(of(&counts[cut..]));
            assert_eq!(parts, whole, "cut at {cut}");
        }
    }
}
