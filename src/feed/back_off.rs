//! How long to pause before the next attempt.

use std::time::Duration;

/// Pauses that double up to a cap, each drawn at random below its ceiling ("full jitter"), so
/// that a server which comes back is not met by all its clients at once.
#[derive(Debug)]
pub(super) struct BackOff {
    first: Duration,
    longest: Duration,
    /// The ceiling of the next pause.
    ceiling: Duration,
}

impl BackOff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, ceiling: first.min(longest) }
    }

    /// The next pause; never shorter than the server asked for, and up to a tenth longer: it
    /// has asked others too.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.ceiling.mul_f64(fastrand::f64());
        self.ceiling = self.ceiling.saturating_mul(2).min(self.longest);
        let asked = asked.unwrap_or_default().mul_f64(1.0 + fastrand::f64() / 10.0);
        pause.max(asked)
    }

    /// Starts afresh.
    pub fn reset(&mut self) {
        self.ceiling = self.first.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_start_afresh() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
        let mut back_off = BackOff::new(first, longest);
        for ceiling in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(back_off.ceiling, Duration::from_secs(ceiling));
            assert!(back_off.next(None) <= Duration::from_secs(ceiling));
        }
        back_off.reset();
        assert_eq!(back_off.ceiling, first);
    }

    #[test]
    fn a_server_that_asks_for_more_gets_it() {
        let mut back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(60));
        let asked = Duration::from_secs(300);
        let pause = back_off.next(Some(asked));
        assert!((asked..=asked.mul_f64(1.1)).contains(&pause), "{pause:?}");
    }
}
