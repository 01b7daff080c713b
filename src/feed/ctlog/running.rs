//! A course that goes on, as the conductor sees it.
//!
//! Owns what a course is told while it runs: that its log ends, comes back, or has moved. What it
//! makes of that is `course`'s business.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::ScopedJoinHandle;

use crate::ctlog::{Log, LogId, LogProtocol, Standing};
use crate::error::Result;

use super::course::{Course, End, Wish};

/// A course that goes on.
pub(super) struct Running<'scope> {
    pub wish: Arc<Wish>,
    /// How the log was asked when the course began.
    pub asked: (LogProtocol, LogId),
    pub thread: ScopedJoinHandle<'scope, (Course, Result<End>)>,
}

impl Running<'_> {
    /// Tells the course how its log stands by now, and where.
    pub fn is_wanted(&self, name: &str, log: &Log, standing: Standing) {
        match standing {
            Standing::Current if self.is_ending() => {
                log::info!("{name}: it is followed again");
                self.wish.ending.store(false, Ordering::Relaxed);
            }
            Standing::Current => {}
            Standing::Ended(why) => self.is_to_end(name, why),
        }
        if self.asked != asked(log) && !self.wish.moved.swap(true, Ordering::Relaxed) {
            log::info!("{name}: is read at {} from now on", log.url());
        }
    }

    /// Tells the course to end with its log.
    pub fn is_to_end(&self, name: &str, why: &str) {
        if !self.wish.ending.swap(true, Ordering::Relaxed) {
            log::warn!("{name}: {why}: it is read to its end, and left");
        }
    }

    pub fn is_ending(&self) -> bool {
        self.wish.ending.load(Ordering::Relaxed)
    }
}

/// Where a log is asked, and by which key it is known.
pub(super) fn asked(log: &Log) -> (LogProtocol, LogId) {
    (log.protocol.clone(), *log.key.log_id())
}
