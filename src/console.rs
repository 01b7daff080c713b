//! The terminal: one live line at the bottom of stderr, and everything else above it.
//!
//! Owns the status line (or progress bar), the log lines and the lines on stdout, so that none
//! overwrites another. What the line says is `stats`' business.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use log::LevelFilter;

/// The one live line of this process. Cheap to clone; all clones are the same line.
#[derive(Clone, Debug)]
pub struct Console {
    /// Hidden where stderr is no terminal: drawing is then a no-op.
    line: ProgressBar,
}

impl Console {
    /// A console whose live line shows only on a terminal, and not with `quiet`.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let target = if quiet || !io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        Self { line: ProgressBar::with_draw_target(None, target) }
    }

    /// Whether a live line is shown; otherwise the status goes to the log once a minute.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.line.is_hidden()
    }

    /// Turns the live line into a progress bar over `total` bytes; none when unknown (stdin).
    pub fn show_progress(&self, total: Option<u64>) {
        let template = if total.is_some() {
            "{wide_bar} {bytes}/{total_bytes} {eta} {msg}"
        } else {
            "{bytes} {elapsed} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.line.set_style(style);
        }
        if let Some(total) = total {
            self.line.set_length(total);
        }
    }

    /// Turns the live line into a progress bar over `total` entries of a log, of which so many are
    /// read.
    pub fn show_range(&self, read: u64, total: u64) {
        if self.line.length() != Some(total) {
            let template = "{wide_bar} {percent} % of {human_len} entries, {eta} left; {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.line.set_style(style);
            }
            self.line.set_length(total);
            // The rest of a range that goes on must not look as fast as what was read before.
            self.line.set_position(read);
            self.line.reset_eta();
        }
        self.line.set_position(read);
    }

    /// What the progress bar shows: how much is done, of how much.
    #[cfg(test)]
    pub fn shown_progress(&self) -> (u64, Option<u64>) {
        (self.line.position(), self.line.length())
    }

    /// Turns the live line into a plain status line.
    pub fn show_status(&self) {
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            self.line.set_style(style);
        }
        self.line.enable_steady_tick(Duration::from_secs(1));
    }

    /// Sets how many bytes are done.
    pub fn progress(&self, bytes: u64) {
        self.line.set_position(bytes);
    }

    /// Sets the text of the live line.
    pub fn status(&self, text: String) {
        self.line.set_message(text);
    }

    /// Removes the live line for good.
    pub fn finish(&self) {
        self.line.finish_and_clear();
    }

    /// Runs `write` while the live line is off the screen.
    pub fn above<R>(&self, write: impl FnOnce() -> R) -> R {
        if self.line.is_hidden() { write() } else { self.line.suspend(write) }
    }

    /// Sends the log of this process to stderr, above the live line. `level` is a floor that
    /// `RUST_LOG` overrides.
    pub fn start_log(&self, level: LevelFilter) {
        let mut builder = env_logger::Builder::new();
        builder
            .filter_level(level)
            .parse_default_env()
            .format_timestamp_secs()
            .format_target(false)
            .target(env_logger::Target::Pipe(Box::new(LogLines(self.clone()))));
        // A second start within one process (tests) keeps the first log.
        let _ = builder.try_init();
    }
}

/// Log lines, written above the live line.
struct LogLines(Console);

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.above(|| io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
