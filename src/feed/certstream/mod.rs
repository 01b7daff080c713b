//! A certstream server over WebSocket.
//!
//! Owns the feed's course: connect, receive, note the gap, pause, connect again. One file each
//! for the settings, the upgrade, the session on an open connection, the pauses, and what each
//! trouble means.

mod session;
mod settings;
mod trouble;
mod upgrade;

use std::sync::atomic::Ordering;
use std::time::Instant;

use log::Level;
use tungstenite::WebSocket;

pub use settings::{Settings, Timings};

use crate::batch::{Closed, now_micros};
use crate::connect::{self, Connection};
use crate::error::{Error, Result};
use crate::feed::Intake;
use crate::feed::back_off::BackOff;
use crate::stop::Stop;
use session::Session;
use trouble::Trouble;

/// Watches a server until the stop is requested or no matcher is left.
///
/// # Errors
/// When trying again would not help: the server refuses us, or is not the one the URL names.
pub fn run(settings: &Settings, intake: Intake, stop: &Stop) -> Result<()> {
    let mut feed = Feed {
        settings,
        name: settings.feed_name(),
        intake,
        stop,
        back_off: BackOff::new(settings.timings.pause, settings.timings.longest_pause),
        connected_before: false,
        refused_since: None,
        unread_since: now_micros(),
        gap_is_open: false,
    };
    let outcome = feed.watch();
    feed.intake.stats().live.store(false, Ordering::Relaxed);
    // Nobody is left to hand over to, where this fails.
    let _ = feed.intake.flush();
    outcome
}

/// A feed and where it stands.
struct Feed<'a> {
    settings: &'a Settings,
    name: String,
    intake: Intake,
    stop: &'a Stop,
    back_off: BackOff,
    connected_before: bool,
    /// Since when the server has turned us away each time.
    refused_since: Option<Instant>,
    /// Since when nothing is received, in microseconds since the Unix epoch; stands while not
    /// connected.
    unread_since: i64,
    gap_is_open: bool,
}

impl<'a> Feed<'a> {
    fn watch(&mut self) -> Result<()> {
        loop {
            let trouble = match self.connect() {
                Ok(socket) => self.receive(socket),
                Err(trouble) => trouble,
            };
            let (what, stay_away, level) = match self.judge(trouble) {
                // Who requested the stop, or lost the matchers, reports it.
                Trouble::Stopped | Trouble::Closed => return Ok(()),
                Trouble::Lasting { error } | Trouble::Refused { error } => {
                    let _ = self.open_gap(&error.to_string());
                    return Err(error);
                }
                Trouble::Passing { what, stay_away, level } => (what, stay_away, level),
            };
            if self.open_gap(&what) == Err(Closed) {
                return Ok(());
            }
            let pause = self.back_off.next(stay_away);
            log::log!(level, "{}: {what}; next attempt in {:.1} s", self.name, pause.as_secs_f64());
            connect::sleep(pause, self.stop)
                .map_err(|error| Error::failed(format!("{}: {error}", self.name)))?;
        }
    }

    /// A server that we have been connected to may turn us away while it starts again: for a time
    /// that is trouble which may pass.
    fn judge(&mut self, trouble: Trouble) -> Trouble {
        let Trouble::Refused { error } = trouble else {
            self.refused_since = None;
            return trouble;
        };
        let since = *self.refused_since.get_or_insert_with(Instant::now);
        if self.connected_before && since.elapsed() < self.settings.timings.refused {
            Trouble::Passing { what: error.to_string(), stay_away: None, level: Level::Error }
        } else {
            Trouble::lasting(error)
        }
    }

    /// Makes the connection, upgrade included, before one deadline.
    fn connect(&self) -> Result<WebSocket<Connection<'a>>, Trouble> {
        let deadline = Instant::now() + self.settings.timings.connect;
        let (target, trust) = (self.settings.target(), self.settings.trust());
        let connection = connect::open(target, trust, deadline, self.stop)
            .map_err(|fault| Trouble::from_connecting(&fault, &self.name, self.connected_before))?;
        upgrade::upgrade(self.settings, connection, self.stop)
    }

    /// Receives over `socket` until it ends; says why it did.
    fn receive(&mut self, socket: WebSocket<Connection<'a>>) -> Trouble {
        let stats = self.intake.stats();
        stats.live.store(true, Ordering::Relaxed);
        if self.connected_before {
            stats.reconnects.add(1);
        }
        self.connected_before = true;
        log::info!("{}: connected", self.name);
        if self.close_gap() == Err(Closed) {
            return Trouble::Closed;
        }
        let timings = &self.settings.timings;
        let connected = Instant::now();
        let trouble = Session::new(socket, &mut self.intake, self.stop, timings).run();
        self.unread_since = now_micros();
        self.intake.stats().live.store(false, Ordering::Relaxed);
        if connected.elapsed() >= timings.healthy {
            self.back_off.reset();
        }
        trouble
    }

    /// Reports the gap, once for however many attempts it lasts.
    fn open_gap(&mut self, why: &str) -> Result<(), Closed> {
        if self.gap_is_open {
            return Ok(());
        }
        self.gap_is_open = true;
        let reason = if self.connected_before { "disconnected" } else { "not connected" };
        self.intake.open_gap(self.unread_since, reason, why.to_owned())
    }

    fn close_gap(&mut self) -> Result<(), Closed> {
        if !self.gap_is_open {
            return Ok(());
        }
        self.gap_is_open = false;
        self.intake.close_gap(now_micros())
    }
}
