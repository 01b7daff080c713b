//! The one way to ask every feed to stop: a flag, and a pipe that wakes whoever waits in `poll(2)`.
//!
//! Owns the request only. Who asked (a signal, a closed stdout, a lost worker) is `pipeline`'s
//! business; what follows flows with the data: feeds return, their senders drop, the rest drains.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A stop request, shared by every thread that might have to notice it.
#[derive(Debug)]
pub struct Stop {
    /// When it was requested. Set once, never cleared.
    requested: OnceLock<Instant>,
    /// Readable from the request on: nobody ever reads the byte, so it wakes every poller.
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Stop {
    /// Makes a stop that nobody has requested yet.
    ///
    /// # Errors
    /// When the process may not open two more file descriptors.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = rustix::pipe::pipe_with(
            rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK,
        )?;
        Ok(Self { requested: OnceLock::new(), reader, writer })
    }

    /// Asks for the stop. Harmless when repeated.
    pub fn request(&self) {
        // Release/acquire: what the requester wrote before (the reason) is seen by who notices.
        if self.requested.set(Instant::now()).is_ok() {
            // A pipe with one byte of room cannot refuse it; were it to, the flag still stands
            // and is seen at the poller's next deadline.
            let _ = rustix::io::write(&self.writer, &[1]);
        }
    }

    /// Whether the stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.get().is_some()
    }

    /// How long ago the stop was requested; none while it has not been.
    #[must_use]
    pub fn requested_since(&self) -> Option<Duration> {
        self.requested.get().map(Instant::elapsed)
    }
}

/// The descriptor to add to a `poll(2)` set: readable once the stop is requested.
impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
