//! Certstream servers over WebSocket, read one at a time.
//!
//! Owns the feed's course: choose a server, connect, receive, note the gap, pause, connect again.
//! One file each for the settings, a server's standing, the upgrade, the frames of a connection, the
//! session on it, what is not seen, and what each trouble means.
//!
//! A feed of several servers (fail-over) reads the first of them, in the order of its list, that
//! may be tried now. One that is lost must pause, so the next takes its place at once; it is tried
//! first again when that one is lost, and not before: a change costs a gap. All of them are one
//! feed, so that a change is one gap, from the last certificate of the one to the first of the
//! other.

mod candidate;
mod session;
mod settings;
mod trouble;
mod unseen;
mod upgrade;
mod wire;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub use settings::{Settings, Timings};

use crate::batch::{Closed, now_micros};
use crate::connect::{self, Connection};
use crate::error::{Error, Result};
use crate::feed::Intake;
use crate::stop::Stop;
use candidate::{Candidate, Verdict};
use session::Session;
use trouble::Trouble;
use unseen::Unseen;
use wire::Wire;

/// The name of a feed of several servers. It does not list them, so that the list can be changed.
const FAILOVER: &str = "certstream failover";

/// The name of the feed that reads one of `servers` at a time, as stored in `positions` and
/// `gaps`.
#[must_use]
pub fn feed_name(servers: &[Settings]) -> String {
    match servers {
        [server] => server.feed_name(),
        _ => FAILOVER.to_owned(),
    }
}

/// Watches one of `servers` at a time, the first in their order that is to be had, until the stop
/// is requested or no matcher is left.
///
/// # Errors
/// When trying again would not help: each server refuses us, or is not the one its URL names.
pub fn run(servers: &[Settings], intake: Intake, stop: &Stop) -> Result<()> {
    let mut feed = Feed {
        several: servers.len() > 1,
        servers: servers.iter().map(Candidate::new).collect(),
        intake,
        stop,
        unseen: Unseen::from(now_micros()),
        connected_before: false,
    };
    let outcome = feed.watch();
    feed.intake.stats().live.store(false, Ordering::Relaxed);
    // Nobody is left to hand over to, where this fails.
    let _ = feed.intake.finish();
    outcome
}

/// A feed and where it stands.
struct Feed<'a> {
    /// Those that have not been left for good, in order of preference.
    servers: Vec<Candidate<'a>>,
    /// Whether there were several, so that messages must say which.
    several: bool,
    intake: Intake,
    stop: &'a Stop,
    unseen: Unseen,
    connected_before: bool,
}

impl<'a> Feed<'a> {
    fn watch(&mut self) -> Result<()> {
        while let Some((index, pause)) = self.next() {
            let name = &self.servers[index].name;
            connect::sleep(pause, self.stop)
                .map_err(|error| Error::failed(format!("{name}: {error}")))?;
            let trouble = match self.servers[index].connect(self.stop) {
                Ok(wire) => self.receive(index, wire),
                Err(trouble) => trouble,
            };
            match self.servers[index].judge(trouble) {
                Verdict::End => return Ok(()),
                Verdict::Leave(error) => {
                    let closed = self.open_gap(None, &error.to_string()) == Err(Closed);
                    self.servers.remove(index);
                    if closed || self.servers.is_empty() {
                        return Err(error);
                    }
                    log::error!("{error}");
                    log::error!("this server is left; {} remain", self.servers.len());
                }
                Verdict::TryAgain { reason, what, level } => {
                    let name = self.servers[index].name.clone();
                    let detail = if self.several { &format!("{name}: {what}") } else { &what };
                    if self.open_gap(reason, detail) == Err(Closed) {
                        return Ok(());
                    }
                    log::log!(level, "{name}: {what}; {}", self.outlook(index));
                }
            }
        }
        Ok(())
    }

    /// Which server is to be tried next, and the pause before that.
    fn next(&self) -> Option<(usize, Duration)> {
        let now = Instant::now();
        let pauses =
            self.servers.iter().map(|server| server.not_before().saturating_duration_since(now));
        // The first of those that may be tried now: of equals, `min_by_key` takes the first.
        pauses.enumerate().min_by_key(|(_index, pause)| *pause)
    }

    /// What comes after the loss of the server at `lost`, for a person.
    fn outlook(&self, lost: usize) -> String {
        match self.next() {
            Some((next, pause)) if next != lost => {
                format!("{} is next, in {:.1} s", self.servers[next].name, pause.as_secs_f64())
            }
            Some((_, pause)) => format!("next attempt in {:.1} s", pause.as_secs_f64()),
            None => String::new(),
        }
    }

    /// Receives over `wire` until it ends; says why it did.
    fn receive(&mut self, index: usize, wire: Wire<Connection<'a>>) -> Trouble {
        let stats = self.intake.stats();
        stats.live.store(true, Ordering::Relaxed);
        if self.connected_before {
            stats.reconnects.add(1);
        }
        self.connected_before = true;
        let server = &mut self.servers[index];
        log::info!("{}: connected", server.name);
        let timings = &server.settings.timings;
        let (trouble, read_for) =
            Session::new(wire, &mut self.intake, &mut self.unseen, self.stop, timings).run();
        server.was_read_for(read_for);
        self.intake.stats().live.store(false, Ordering::Relaxed);
        trouble
    }

    /// Reports the gap, once for however many attempts it lasts.
    fn open_gap(&mut self, reason: Option<&'static str>, detail: &str) -> Result<(), Closed> {
        let general = if self.connected_before { "disconnected" } else { "not connected" };
        let reason = reason.unwrap_or(general);
        self.unseen.open(&mut self.intake, now_micros(), reason, detail)
    }
}
