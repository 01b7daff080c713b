//! A server that the feed may read, and how it has behaved so far.
//!
//! Owns what its troubles mean and when it may be tried again. Which one of several is read is
//! the feed's business.

use std::time::{Duration, Instant};

use log::Level;

use super::settings::Settings;
use super::trouble::Trouble;
use super::upgrade;
use super::wire::Wire;
use crate::connect::{self, Connection};
use crate::error::Error;
use crate::feed::back_off::BackOff;
use crate::stop::Stop;

/// A server that the feed may read.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub settings: &'a Settings,
    pub name: String,
    back_off: BackOff,
    connected_before: bool,
    /// Since when it has turned us away each time.
    refused_since: Option<Instant>,
    /// When it may be tried again.
    not_before: Instant,
}

/// What is left to do about a trouble.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The run is ending. Who requested the stop, or lost the matchers, reports it.
    End,
    /// The server is to be left for good; the error says why.
    Leave(Error),
    /// It may be tried again after a pause.
    TryAgain {
        /// A few fixed words for the gap, where the trouble has some of its own.
        reason: Option<&'static str>,
        /// For a person, escaped.
        what: String,
        /// How loudly to say it.
        level: Level,
    },
}

impl<'a> Candidate<'a> {
    pub fn new(settings: &'a Settings) -> Self {
        let timings = &settings.timings;
        Self {
            settings,
            name: settings.feed_name(),
            back_off: BackOff::new(timings.pause, timings.longest_pause),
            connected_before: false,
            refused_since: None,
            not_before: Instant::now(),
        }
    }

    /// When it may be tried again; in the past where it may now.
    pub fn not_before(&self) -> Instant {
        self.not_before
    }

    /// Makes the connection, proxy, TLS and upgrade included, before one deadline.
    pub fn connect<'s>(&mut self, stop: &'s Stop) -> Result<Wire<Connection<'s>>, Trouble> {
        let deadline = Instant::now() + self.settings.timings.connect;
        let route = self.settings.route();
        let connection = connect::open(route, deadline, stop)
            .map_err(|fault| Trouble::from_connecting(&fault, &self.name, self.connected_before))?;
        let wire = upgrade::upgrade(self.settings, connection, stop)?;
        self.connected_before = true;
        Ok(wire)
    }

    /// A connection has ended on which certificates came for so long.
    pub fn was_read_for(&mut self, time: Duration) {
        if time >= self.settings.timings.healthy {
            self.back_off.reset();
        }
    }

    /// What `trouble` with it means; sets the pause before it is tried again.
    pub fn judge(&mut self, trouble: Trouble) -> Verdict {
        let (reason, what, stay_away, level) = match self.excused(trouble) {
            Trouble::Stopped | Trouble::Closed => return Verdict::End,
            Trouble::Lasting { error } | Trouble::Refused { error } => {
                return Verdict::Leave(error);
            }
            Trouble::Stall { silent } => {
                let what = format!("connected, but no certificate for {} s", silent.as_secs());
                (Some("stall"), what, None, Level::Warn)
            }
            Trouble::Passing { what, stay_away, level } => (None, what, stay_away, level),
        };
        self.not_before = Instant::now() + self.back_off.next(stay_away);
        Verdict::TryAgain { reason, what, level }
    }

    /// A server that we have been connected to may turn us away while it starts again: for a time
    /// that is trouble which may pass.
    fn excused(&mut self, trouble: Trouble) -> Trouble {
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
}
