//! Signals: the first asks for the stop, the second exits at once.
//!
//! Owns what SIGINT, SIGTERM and SIGHUP mean. They mean the same: there is no reload yet.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::error::{Error, ExitCode, Result};
use crate::stats::Stats;
use crate::stop::Stop;

/// How long after the stop was requested a signal still belongs to that request. One wish often
/// comes as several: `timeout` signals the process and then its group, a closing terminal sends
/// SIGHUP after Ctrl+C, and in a pipeline Ctrl+C also ends the reader of stdout.
const GRACE: Duration = Duration::from_millis(500);

/// Listens for signals until dropped.
#[derive(Debug)]
pub struct SignalWatch(Handle);

impl SignalWatch {
    /// Starts listening. From here on the default action of the three signals is off. A
    /// second signal deletes the folder `scratch`, which nobody can do after it.
    ///
    /// # Errors
    /// When the system refuses the thread or the signal registration.
    pub fn start(stop: Arc<Stop>, stats: Arc<Stats>, scratch: Option<PathBuf>) -> Result<Self> {
        let refused = |error: std::io::Error| {
            Error::failed(format!("cannot listen for signals: {error}"))
                .remedy("raise the limits on threads and open files")
        };
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(refused)?;
        let watch = Self(signals.handle());
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in &mut signals {
                    match stop.requested_since() {
                        Some(since) if since < GRACE => continue,
                        Some(_) => exit_at_once(&stats, scratch.as_deref()),
                        None => {}
                    }
                    // Before the log line, which may have to wait for a terminal.
                    stop.request();
                    log::info!(
                        "{}: stopping; what has been read is matched and stored first. \
                         Once more exits at once",
                        name(signal)
                    );
                }
            })
            .map_err(refused)?;
        Ok(watch)
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends the process without another commit. The database stays a prefix of what was read.
fn exit_at_once(stats: &Stats, scratch: Option<&Path>) -> ! {
    // What cannot be deleted is left to whoever cleans the folder for temporary files.
    let _ = scratch.map(fs::remove_dir_all);
    let matched = stats.matcher_total(|matcher| matcher.rows.get());
    let lost = matched.saturating_sub(stats.writer.rows.get());
    // Whether or not anybody reads stderr, the process ends here: a panic would end this thread
    // alone.
    let _ = writeln!(
        io::stderr(),
        "certstream: exit at the second signal; {lost} matched rows were not committed, \
         an export was not written"
    );
    std::process::exit(ExitCode::Failed as i32);
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}
