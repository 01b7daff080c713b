//! Matches on stdout, one record a line.
//!
//! Owns the printing thread's work: text or JSON, flushed whenever no record is waiting. A closed
//! pipe counts as a first signal: it asks for the stop, and nothing is lost but lines.

use std::io::{self, Write};
use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError};

use crate::console::Console;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::stop::Stop;

/// Bytes of lines after which they are written even though more records wait.
const WRITE_AT: usize = 64 * 1024;

/// Shows records on stdout.
#[derive(Clone, Debug)]
pub struct Printer {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// The live line to stay clear of.
    pub console: Console,
    /// Requested when the reader of stdout goes away.
    pub stop: Arc<Stop>,
}

impl Printer {
    /// Prints until no more records can come.
    ///
    /// # Errors
    /// When stdout cannot be written for another reason than a closed pipe.
    pub fn run(self, records: &Receiver<Record>) -> Result<()> {
        let outcome = self.print(records);
        if outcome.is_err() {
            self.stop.request();
            // Whoever sends must not be left waiting for room.
            records.iter().for_each(drop);
        }
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                log::info!("stdout was closed: stopping, as at a first signal");
                Ok(())
            }
            Err(error) => Err(Error::failed(format!("cannot write matches to stdout: {error}"))
                .remedy("they are stored all the same; free space or redirect stdout elsewhere")),
            Ok(()) => Ok(()),
        }
    }

    fn print(&self, records: &Receiver<Record>) -> io::Result<()> {
        let mut lines = String::new();
        loop {
            let record = match records.try_recv() {
                Ok(record) => record,
                Err(TryRecvError::Disconnected) => return self.write(&mut lines),
                Err(TryRecvError::Empty) => {
                    // About to sleep: what has been printed must be visible.
                    self.write(&mut lines)?;
                    let Ok(record) = records.recv() else { return Ok(()) };
                    record
                }
            };
            if self.json {
                lines.push_str(&record.to_json());
            } else {
                lines.push_str(&record.to_line());
            }
            lines.push('\n');
            if lines.len() >= WRITE_AT {
                self.write(&mut lines)?;
            }
        }
    }

    fn write(&self, lines: &mut String) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let outcome = self.console.above(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(lines.as_bytes())?;
            stdout.flush()
        });
        lines.clear();
        outcome
    }
}
