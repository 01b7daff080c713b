//! The reorder window: matchers overtake each other, the store does not.
//!
//! Owns what has arrived ahead of its turn. Bounded by what is in flight between the feeds and
//! the writer, since a batch that is missing is being matched right now.

use std::collections::BTreeMap;

use crate::matched::Matched;

/// What one feed's matchers have sent ahead of a batch that is still missing.
#[derive(Debug)]
pub(super) struct Reorder {
    /// Number of the batch that is due.
    next: u64,
    /// What came too early, by the number of its first batch.
    early: BTreeMap<u64, Matched>,
}

impl Reorder {
    /// A window of a feed of which everything up to `applied` is stored.
    pub fn after(applied: u64) -> Self {
        Self { next: applied + 1, early: BTreeMap::new() }
    }

    /// Takes in what came; `false` when that number has come before, which no feed does.
    #[must_use]
    pub fn insert(&mut self, matched: Matched) -> bool {
        let first = matched.first_sequence();
        first >= self.next && self.early.insert(first, matched).is_none()
    }

    /// The batch that is due, if it is here.
    pub fn next(&mut self) -> Option<Matched> {
        let due = self.early.remove(&self.next)?;
        self.next = due.sequence + 1;
        Some(due)
    }

    /// How many messages wait for one that is missing.
    pub fn held(&self) -> usize {
        self.early.len()
    }

    /// The number that is due.
    pub fn due(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(sequence: u64) -> Matched {
        Matched { sequence, ..Matched::default() }
    }

    #[test]
    fn what_comes_early_waits_for_its_turn() {
        let mut reorder = Reorder::after(4);
        assert!(reorder.insert(batch(7)));
        assert!(reorder.insert(batch(6)));
        assert!(reorder.next().is_none());
        assert!(reorder.insert(batch(5)));
        let order: Vec<u64> =
            std::iter::from_fn(|| reorder.next()).map(|batch| batch.sequence).collect();
        assert_eq!((order, reorder.held(), reorder.due()), (vec![5, 6, 7], 0, 8));
    }

    #[test]
    fn a_message_may_stand_for_several_batches() {
        let mut reorder = Reorder::after(4);
        assert!(reorder.insert(batch(9)));
        assert!(reorder.insert(Matched { merged: 3, ..batch(8) }));
        let order: Vec<u64> =
            std::iter::from_fn(|| reorder.next()).map(|batch| batch.sequence).collect();
        assert_eq!((order, reorder.due()), (vec![8, 9], 10));
    }

    #[test]
    fn a_number_comes_once() {
        let mut reorder = Reorder::after(4);
        assert!(!reorder.insert(batch(4)));
        assert!(reorder.insert(batch(6)));
        assert!(!reorder.insert(batch(6)));
    }
}
