//! A histogram of durations that one thread writes and any thread reads.
//!
//! Owns its buckets. Fixed, so that observing is two plain stores and reading needs no lock.

use std::time::Duration;

use super::Counter;

/// Upper bounds of the buckets, in seconds: from well below the 50 ms a row waits for its
/// transaction to beyond what anybody would wait for a disk. What is longer falls behind the last.
pub const BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// How often durations fell into each bucket, and their sum.
#[derive(Debug, Default)]
pub struct Histogram {
    /// By bound; the last one is for what lies beyond all.
    counts: [Counter; BOUNDS.len() + 1],
    micros: Counter,
}

impl Histogram {
    /// Counts one duration; for the owning thread only.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.counts[BOUNDS.partition_point(|bound| *bound < seconds)].add(1);
        self.micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Each bucket's upper bound, in seconds, the last one infinite, and how many fell into it
    /// alone.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().map(Counter::get))
    }

    /// The sum of all durations, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.micros.get() as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for millis in [0, 1, 2, 50, 51, 601_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let filled: Vec<(f64, u64)> = histogram.buckets().filter(|(_, n)| *n > 0).collect();
        let expected = [(0.001, 2), (0.0025, 1), (0.05, 1), (0.1, 1), (f64::INFINITY, 1)];
        assert_eq!(filled, expected);
        assert!((histogram.seconds() - 601.104).abs() < 1e-9);
    }
}
