//! Matches on stdout, one record a line.
//!
//! Owns the printing thread's work: text or JSON, flushed whenever no record is waiting. A closed
//! pipe counts as a first signal: it asks for the stop, and nothing is lost but lines, which are
//! counted. Nor can a reader that sleeps keep a stopped run from its end, or the log from its screen.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};

use crate::console::Console;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::stats::Counter;
use crate::stop::Stop;

/// Bytes of lines after which they are written even though more records wait.
const WRITE_AT: usize = 64 * 1024;
/// Bytes that a pipe which is writable takes without making us wait (PIPE_BUF on Linux).
const AT_ONCE: usize = 4096;
/// How long after the stop a slow reader is waited for: well within the two seconds a stop takes.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether stdout still has a reader while there is nothing to print. Days
/// can lie between two matches.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Shows records on stdout.
#[derive(Clone, Debug)]
pub struct Printer {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// The live line to stay clear of.
    pub console: Console,
    /// Requested when the reader of stdout goes away.
    pub stop: Arc<Stop>,
    /// Counts lines left out because stdout was no longer read. Written by the printer.
    pub left_out: Arc<Counter>,
}

impl Printer {
    /// Prints until no more records can come.
    ///
    /// # Errors
    /// When stdout cannot be written for another reason than a closed pipe.
    pub fn run(self, records: &Receiver<Record>) -> Result<()> {
        let mut lines = Vec::new();
        let outcome = self.print(records, &mut lines, &mut Patience::default());
        if outcome.is_err() {
            self.stop.request();
            // To the end: whoever sends must not be left waiting for room.
            let left_out = memchr::memchr_iter(b'\n', &lines).count() + records.iter().count();
            self.left_out.add(left_out as u64);
        }
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                log::info!("stdout was closed: stopping, as at a first signal");
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                log::warn!("stdout is not being read: matches not shown yet are stored only");
                Ok(())
            }
            Err(error) => Err(Error::failed(format!("cannot write matches to stdout: {error}"))
                .remedy("they are stored all the same; free space or redirect stdout elsewhere")),
            Ok(()) => Ok(()),
        }
    }

    /// Prints by way of `lines`, where what could not be written is left.
    fn print(
        &self,
        records: &Receiver<Record>,
        lines: &mut Vec<u8>,
        patience: &mut Patience,
    ) -> io::Result<()> {
        loop {
            let record = match records.try_recv() {
                Ok(record) => record,
                Err(TryRecvError::Disconnected) => return self.write(lines, patience),
                Err(TryRecvError::Empty) => {
                    // About to sleep: what has been printed must be visible.
                    self.write(lines, patience)?;
                    let Some(record) = wait_for_record(records)? else { return Ok(()) };
                    record
                }
            };
            let line = if self.json { record.to_json() } else { record.to_line() };
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
            if lines.len() >= WRITE_AT {
                self.write(lines, patience)?;
            }
        }
    }

    fn write(&self, lines: &mut Vec<u8>, patience: &mut Patience) -> io::Result<()> {
        let mut written = 0;
        let outcome = loop {
            let rest = &lines[written..];
            if rest.is_empty() {
                break Ok(());
            }
            match self.write_some(rest, patience) {
                Ok(more) => written += more,
                Err(error) => break Err(error),
            }
        };
        lines.drain(..written);
        outcome
    }

    fn write_some(&self, rest: &[u8], patience: &mut Patience) -> io::Result<usize> {
        patience.wait_for_room(&self.stop)?;
        let chunk = &rest[..rest.len().min(AT_ONCE)];
        // Past std's buffer, which might write twice where there is room for once.
        let write = || retry_on_intr(|| rustix::io::write(io::stdout(), chunk));
        Ok(self.console.above(write)?)
    }
}

/// Waits for the next record; none once no more can come.
fn wait_for_record(records: &Receiver<Record>) -> io::Result<Option<Record>> {
    loop {
        match records.recv_timeout(LOOK_EVERY) {
            Ok(record) => return Ok(Some(record)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if reader_is_gone()? => {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Whether what is written to stdout can reach nobody any more.
fn reader_is_gone() -> io::Result<bool> {
    let stdout = io::stdout();
    // An error and a hang-up are told unasked.
    let mut end = [PollFd::new(&stdout, PollFlags::empty())];
    retry_on_intr(|| poll(&mut end, Some(&Timespec::default())))?;
    Ok(end[0].revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// How long the reader of stdout is waited for: without end, but for [`PATIENCE`] in all once the
/// stop is requested.
#[derive(Debug, Default)]
struct Patience {
    /// When it ends; set once the stop is seen.
    until: Option<Instant>,
}

impl Patience {
    /// Waits until stdout takes [`AT_ONCE`] bytes. Here and not in the write, since that keeps
    /// the live line, and with it every log line, off the screen.
    fn wait_for_room(&mut self, stop: &Stop) -> io::Result<()> {
        let stdout = io::stdout();
        loop {
            if stop.is_requested() && self.until.is_none() {
                self.until = Some(Instant::now() + PATIENCE);
            }
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut room = [PollFd::new(&stdout, PollFlags::OUT), PollFd::new(stop, PollFlags::IN)];
            // The stop, once requested, would wake us again and again.
            let watched = if self.until.is_some() { 1 } else { 2 };
            match poll(&mut room[..watched], timeout.as_ref()) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                // A closed pipe counts as room: the write says what is the matter.
                Ok(_) if !room[0].revents().is_empty() => return Ok(()),
                Ok(_) => {}
            }
        }
    }
}
