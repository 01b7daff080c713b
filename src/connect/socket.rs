//! The stream type below TLS: a non-blocking TCP socket that waits in `poll(2)`.
//!
//! Owns the waiting: on the socket, the stop request and one deadline together. A time-out per
//! read, which is what the standard library offers, is defeated by a peer that sends one byte a
//! second; a deadline is not. Knows nothing of the protocols above it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::stop::Stop;

/// Waits until one of `events` (or a hang-up) happens on `descriptor`, the stop is requested, or
/// `deadline` is reached; whichever it was, the caller looks.
///
/// # Errors
/// When the kernel refuses to poll.
pub fn wait(
    descriptor: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Instant,
    stop: &Stop,
) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec {
        // A deadline beyond the kernel's range is as good as an hour: the caller waits again.
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX).min(3600),
        tv_nsec: left.subsec_nanos().into(),
    };
    let mut descriptors =
        [PollFd::from_borrowed_fd(descriptor, events), PollFd::new(stop, PollFlags::IN)];
    match poll(&mut descriptors, Some(&timeout)) {
        // A signal woke us: as good as any other reason to look again.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sleeps for `duration`, unless the stop is requested first.
///
/// # Errors
/// When the kernel refuses to poll.
pub fn sleep(duration: Duration, stop: &Stop) -> io::Result<()> {
    let deadline = Instant::now() + duration;
    while !stop.is_requested() && Instant::now() < deadline {
        wait(stop.as_fd(), PollFlags::IN, deadline, stop)?;
    }
    Ok(())
}

/// A connected socket whose reads and writes end at a deadline, or when a stop is requested.
///
/// Both ends are reported as [`io::ErrorKind::WouldBlock`], which TLS and WebSocket code above
/// takes as "try again later" without losing its place; the caller checks the stop.
#[derive(Debug)]
pub struct Socket<'s> {
    tcp: TcpStream,
    stop: &'s Stop,
    /// Until when reads and writes wait; none: they never do.
    deadline: Option<Instant>,
    /// When the caller wants to look up, though more may have arrived.
    look_up: Option<Instant>,
}

impl<'s> Socket<'s> {
    /// Takes over a connected socket; its reads and writes wait until `deadline`.
    ///
    /// # Errors
    /// When the socket's flags cannot be set.
    pub fn new(tcp: TcpStream, stop: &'s Stop, deadline: Instant) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        // Pings and pongs are a few bytes each and must not wait for company.
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, stop, deadline: Some(deadline), look_up: None })
    }

    /// From here on reads and writes do not wait; [`wait`](Self::wait) does.
    pub fn stop_waiting(&mut self) {
        self.deadline = None;
    }

    /// From `at` on there is nothing to read, whatever has arrived, until told otherwise. The
    /// layers above read on for as long as what they get makes no message: a peer that sends such
    /// pieces without pause would else keep the caller from its deadlines.
    pub fn look_up_at(&mut self, at: Instant) {
        self.look_up = Some(at);
    }

    /// Waits until the socket can be read (or, with `to_write`, written), the stop is requested,
    /// or `deadline` is reached.
    ///
    /// # Errors
    /// When the kernel refuses to poll.
    pub fn wait(&self, to_write: bool, deadline: Instant) -> io::Result<()> {
        let events = if to_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        wait(self.tcp.as_fd(), events, deadline, self.stop)
    }

    /// Repeats `attempt` until it no longer would block, or until the waiting ends.
    fn until_deadline<T>(
        &mut self,
        events: PollFlags,
        mut attempt: impl FnMut(&mut TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            // Before the attempt: bytes that trickle in do not move the deadline.
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            match attempt(&mut self.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.deadline {
                    Some(deadline) if !self.stop.is_requested() => {
                        wait(self.tcp.as_fd(), events, deadline, self.stop)?;
                    }
                    _ => return Err(error),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Before the attempt, so that a peer which sends without pause cannot hide the stop. A
        // write needs no such check: a last word may still leave if it need not wait.
        if self.stop.is_requested() || self.look_up.is_some_and(|at| Instant::now() >= at) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.until_deadline(PollFlags::IN, |tcp| tcp.read(buffer))
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until_deadline(PollFlags::OUT, |tcp| tcp.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::Arc;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_read_ends_at_its_deadline_though_bytes_trickle_in() {
        let (near, mut far) = pair();
        let stop = Stop::new().unwrap();
        let started = Instant::now();
        let deadline = started + Duration::from_millis(150);
        let mut socket = Socket::new(near, &stop, deadline).unwrap();
        let trickle = std::thread::spawn(move || {
            // Ends when the reader has gone.
            while far.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let error = loop {
            if let Err(error) = socket.read(&mut [0; 8]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(started.elapsed() >= Duration::from_millis(150));
        assert!(started.elapsed() < Duration::from_secs(5));
        drop(socket);
        trickle.join().unwrap();
    }

    #[test]
    fn a_write_to_a_peer_that_does_not_read_ends_at_its_deadline() {
        let (near, _far) = pair();
        let stop = Stop::new().unwrap();
        let deadline = Instant::now() + Duration::from_millis(100);
        let mut socket = Socket::new(near, &stop, deadline).unwrap();
        let error = loop {
            if let Err(error) = socket.write(&[0; 65536]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_stop_wakes_a_waiting_read() {
        let (near, _far) = pair();
        let stop = Arc::new(Stop::new().unwrap());
        let requester = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || stop.request()
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut socket = Socket::new(near, &stop, deadline).unwrap();
        let error = socket.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(Instant::now() < deadline);
        requester.join().unwrap();
    }

    #[test]
    fn without_waiting_a_read_returns_at_once() {
        let (near, mut far) = pair();
        let stop = Stop::new().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut socket = Socket::new(near, &stop, deadline).unwrap();
        socket.stop_waiting();
        assert_eq!(socket.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"x").unwrap();
        socket.wait(false, deadline).unwrap();
        assert_eq!(socket.read(&mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn a_caller_can_look_up_from_a_peer_that_always_sends() {
        let (near, mut far) = pair();
        let stop = Stop::new().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut socket = Socket::new(near, &stop, deadline).unwrap();
        socket.stop_waiting();
        far.write_all(b"xy").unwrap();
        socket.wait(false, deadline).unwrap();
        socket.look_up_at(Instant::now());
        assert_eq!(socket.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(socket.write(b"x").unwrap(), 1, "what we say may leave");
        socket.look_up_at(deadline);
        assert_eq!(socket.read(&mut [0; 1]).unwrap(), 1);
    }
}
