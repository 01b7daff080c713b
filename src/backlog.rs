//! The byte account of what was matched and is not yet committed.
//!
//! Owns the account and its bound. Matchers add before they send, the writer subtracts after
//! COMMIT. Feeds that can be read again wait here for room; WebSocket feeds never do (their
//! matched rows are dropped by the matcher instead, and counted as a gap).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::stop::Stop;

/// Bytes matched but not yet committed, and the bound on them.
#[derive(Debug)]
pub struct Backlog {
    limit: usize,
    /// Written by matchers (add) and the writer (subtract); a sum, so relaxed order is enough.
    bytes: AtomicUsize,
    /// Whether rows have been dropped since there was room enough. Set by matchers, cleared by the
    /// writer; each looks at it alone.
    overflowing: AtomicBool,
    /// Pairs with `room`: how many wait.
    waiting: Mutex<usize>,
    room: Condvar,
}

impl Backlog {
    /// An empty account bounded by `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: AtomicUsize::new(0),
            overflowing: AtomicBool::new(false),
            waiting: Mutex::new(0),
            room: Condvar::new(),
        }
    }

    /// Adds matched bytes, before they are sent to the writer.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Subtracts bytes whose COMMIT returned.
    pub fn subtract(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        // Not as soon as there is any: a writer that is slow makes and loses it all the time.
        if before - bytes < self.limit / 2 && self.is_overflowing() {
            self.overflowing.store(false, Ordering::Relaxed);
        }
        if before >= self.limit && before - bytes < self.limit {
            let _guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.room.notify_all();
        }
    }

    /// Bytes now in the account.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The bound, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether the bound is reached.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes() >= self.limit
    }

    /// Notes that rows are dropped for want of room. Whether that begins an episode, which lasts
    /// until the account is half empty.
    pub fn overflow(&self) -> bool {
        !self.overflowing.swap(true, Ordering::Relaxed)
    }

    /// Whether an episode of dropped rows goes on.
    #[must_use]
    pub fn is_overflowing(&self) -> bool {
        self.overflowing.load(Ordering::Relaxed)
    }

    /// What is said, once, of an episode that begins.
    #[must_use]
    pub fn told(&self) -> String {
        format!(
            "the backlog is full ({} bytes): what matches of the servers' certificates is dropped \
             and counted, as a gap of each server, until the database takes in more\n  remedy: \
             see above what keeps it from being written; database.backlog bounds what can wait",
            self.limit
        )
    }

    /// Waits until there is room again, or a stop is requested.
    pub fn wait_for_room(&self, stop: &Stop) {
        let mut guard = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *guard += 1;
        while self.is_full() && !stop.is_requested() {
            // The time-out exists for the stop alone, which does not notify this condition.
            let (next, _) = self
                .room
                .wait_timeout(guard, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner);
            guard = next;
        }
        *guard -= 1;
    }

    /// How many wait for room now.
    #[must_use]
    pub fn waiters(&self) -> usize {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_waiter_goes_on_once_the_writer_has_committed() {
        let backlog = Arc::new(Backlog::new(10));
        let stop = Arc::new(Stop::new().expect("a pipe"));
        backlog.add(12);
        assert!(backlog.is_full());
        let waiter = std::thread::spawn({
            let (backlog, stop) = (Arc::clone(&backlog), Arc::clone(&stop));
            move || backlog.wait_for_room(&stop)
        });
        while backlog.waiters() == 0 {
            std::thread::yield_now();
        }
        assert!(!waiter.is_finished());
        backlog.subtract(12);
        waiter.join().expect("the waiter returns");
        assert_eq!((backlog.bytes(), backlog.waiters()), (0, 0));
    }

    #[test]
    fn an_episode_of_dropped_rows_lasts_until_half_of_the_account_is_free() {
        let backlog = Backlog::new(10);
        backlog.add(10);
        assert!(backlog.overflow() && !backlog.overflow());
        backlog.subtract(4);
        assert!(!backlog.is_full() && backlog.is_overflowing());
        backlog.subtract(2);
        assert!(!backlog.is_overflowing() && backlog.overflow());
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let backlog = Backlog::new(1);
        let stop = Stop::new().expect("a pipe");
        backlog.add(1);
        stop.request();
        backlog.wait_for_room(&stop);
        assert!(backlog.is_full());
    }
}
