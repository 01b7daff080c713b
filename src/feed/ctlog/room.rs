//! How much of what the logs sent is held before its turn, of all logs together.
//!
//! Owns the one account of it. It refuses nothing that a log waits for, so that no log ever waits
//! for another; what a log would fetch ahead of that has to fit in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be under way or wait for their turn. Ten logs that have to catch up fetch four
/// tiles at once, as one does; 40 fetch one each, which is more than two cores can take in. Each
/// tile ahead costs about its size once more, for the thread and the connection it comes by.
const BYTES: usize = 16 * 1024 * 1024;

/// The account.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// A sum, and orders nothing: relaxed throughout.
    taken: AtomicUsize,
}

impl Room {
    /// Takes `bytes`, whether there is room or not: for what is waited for.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Share {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Share { room: Arc::clone(self), bytes }
    }

    /// Takes `bytes` if there is room for them.
    pub fn try_take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let fits = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= BYTES);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Share { room: Arc::clone(self), bytes })
    }

    /// Whether there is any room left.
    pub fn is_left(&self) -> bool {
        self.taken.load(Ordering::Relaxed) < BYTES
    }
}

/// Bytes of the account, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Share {
    /// How many they are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// It has turned out to be `bytes`; no longer asked whether there is room.
    pub fn set(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes >= before {
            self.room.taken.fetch_add(bytes - before, Ordering::Relaxed);
        } else {
            self.room.taken.fetch_sub(before - bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back_and_only_what_can_wait_is_refused() {
        let room = Arc::new(Room::default());
        let first = room.try_take(BYTES - 10).expect("room");
        let mut second = room.try_take(10).expect("just fits");
        assert!(!room.is_left() && room.try_take(1).is_none());
        let due = room.take(1000);
        second.set(5);
        assert!(!room.is_left(), "what is waited for counts");
        drop(due);
        assert!(room.is_left() && room.try_take(6).is_none() && room.try_take(5).is_some());
        second.set(BYTES);
        assert!(!room.is_left());
        drop((first, second));
        assert!(room.try_take(BYTES).is_some(), "all of it is there again");
        assert!(room.try_take(usize::MAX).is_none());
    }
}
