//! The phase a test is in, which its servers wait for before they send more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Held by the test. Declared after the server, so that it goes first and nobody waits any more.
#[derive(Default)]
pub struct Phase(Arc<AtomicUsize>);

/// Held by a server's script.
#[derive(Clone)]
pub struct PhaseWaiter(Arc<AtomicUsize>);

impl Phase {
    pub fn waiter(&self) -> PhaseWaiter {
        PhaseWaiter(Arc::clone(&self.0))
    }

    pub fn reach(&self, phase: usize) {
        self.0.store(phase, Ordering::Release);
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        self.reach(usize::MAX);
    }
}

impl PhaseWaiter {
    pub fn wait_for(&self, phase: usize) {
        while self.0.load(Ordering::Acquire) < phase {
            thread::sleep(Duration::from_millis(2));
        }
    }
}
