//! Why there is no session, or no longer one, and what that means for the feed.

use std::time::Duration;

use log::Level;

use crate::batch::Closed;
use crate::connect::ConnectFault;
use crate::error::Error;

/// Why there is no session, or no longer one.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The stop was requested.
    Stopped,
    /// No matcher is left: the run is ending.
    Closed,
    /// Trying again may help.
    Passing {
        /// For a person, escaped.
        what: String,
        /// How long the server asks us to stay away.
        stay_away: Option<Duration>,
        /// How loudly to say it.
        level: Level,
    },
    /// Connected, but no certificate has come for this long: trying again may help.
    Stall {
        /// For how long.
        silent: Duration,
    },
    /// The server turns us away. Only other settings can end that, unless a connection has been
    /// made before: a server that is starting again may answer so for a while.
    Refused {
        /// What the run ends with, if it lasts; for a person, escaped.
        error: Error,
    },
    /// Trying again would not help; for a person, escaped.
    Lasting {
        /// What the run ends with.
        error: Error,
    },
}

impl Trouble {
    /// Trouble that may pass.
    pub fn passing(what: impl Into<String>) -> Self {
        Self::Passing { what: what.into(), stay_away: None, level: Level::Warn }
    }

    /// Trouble that only other settings can end.
    pub fn lasting(error: Error) -> Self {
        Self::Lasting { error }
    }

    /// What a failed attempt to connect to the feed `name` means. A certificate that speaks of
    /// wrong settings ends the feed, unless a connection has been made before: then it is the
    /// server that has changed, and may change back.
    pub fn from_connecting(fault: &ConnectFault, name: &str, connected_before: bool) -> Self {
        if matches!(fault, ConnectFault::Stopped) {
            return Self::Stopped;
        }
        let wrong = fault.suggests_wrong_settings();
        match fault.remedy() {
            Some(remedy) if wrong && !connected_before => {
                Self::lasting(Error::usage(format!("{name}: {fault}")).remedy(remedy))
            }
            remedy => Self::Passing {
                what: remedy
                    .map_or_else(|| fault.to_string(), |to_do| format!("{fault} ({to_do})")),
                stay_away: None,
                level: if wrong { Level::Error } else { Level::Warn },
            },
        }
    }
}

impl From<Closed> for Trouble {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// Text written by a server, for a person: escaped, and cut to a length that fits a log line.
pub(super) fn escaped(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text.escape_default().take(LONGEST + 1).collect();
    if shown.len() > LONGEST {
        shown.truncate(LONGEST);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_escaped_and_cut() {
        assert_eq!(escaped("bye\u{1b}[2J\n"), "bye\\u{1b}[2J\\n");
        assert_eq!(escaped(&"x".repeat(1000)).chars().count(), 201);
    }
}
