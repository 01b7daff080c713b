//! The list of logs, as Chrome publishes it (version 3 of its JSON schema).
//!
//! Owns the reading of the list, the snapshot that comes with the program (`log_list.json`:
//! version 85.92 of 2026-05-29, unchanged as Google published it), and whether a log is worth
//! reading at a given time. A log that cannot be understood is left out by name; the rest serves.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;

use super::LogId;
use super::key::Key;

const SNAPSHOT: &[u8] = include_bytes!("log_list.json");
/// Entries that exist to keep bad parsers alive; there is no such log.
const BOGUS_HOST: &str = "://ct.example.com/";

/// The logs of a list.
#[derive(Clone, Debug)]
pub struct LogList {
    /// The list's own version.
    pub version: String,
    /// When it was made, as it says.
    pub date: String,
    /// The logs that could be understood, in the list's order.
    pub logs: Vec<Log>,
    /// Names of the others, and what is wrong with each.
    pub left_out: Vec<(String, String)>,
}

/// A log.
#[derive(Clone, Debug)]
pub struct Log {
    /// What it is called.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// The key it signs with.
    pub key: Key,
    /// How it is read.
    pub protocol: LogProtocol,
    /// What Chrome holds of it.
    pub state: State,
    /// The certificates it takes in, by when they expire; none: all.
    pub interval: Option<Interval>,
}

/// How a log is read. URLs end in a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogProtocol {
    /// RFC 6962.
    Rfc6962 {
        /// Where its API stands.
        url: String,
    },
    /// static-ct-api.
    Tiled {
        /// Where certificates are submitted: what the log calls itself by.
        submission_url: String,
        /// Where it is read.
        monitoring_url: String,
    },
}

/// What Chrome holds of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Asks to be taken in.
    Pending,
    /// Taken in, not yet by all clients.
    Qualified,
    /// In use.
    Usable,
    /// Takes in no more.
    ReadOnly,
    /// No longer trusted from some time on.
    Retired,
    /// Never trusted again.
    Rejected,
}

/// A span of time in seconds since the Unix epoch, its end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first second.
    pub start: i64,
    /// The second behind the last.
    pub end: i64,
}

/// Whether a log is worth reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Current,
    /// It takes in nothing more, or nothing that counts.
    Ended(&'static str),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Qualified => "qualified",
            Self::Usable => "usable",
            Self::ReadOnly => "readonly",
            Self::Retired => "retired",
            Self::Rejected => "rejected",
        })
    }
}

impl Log {
    /// Whether it is worth reading at `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn standing(&self, now: i64) -> Standing {
        match self.state {
            State::Pending => Standing::Ended("pending"),
            State::Retired => Standing::Ended("retired"),
            State::Rejected => Standing::Ended("rejected"),
            // A certificate that expires later than that is not taken in, and by then all have.
            _ if self.interval.is_some_and(|interval| interval.end <= now) => {
                Standing::Ended("its interval has ended")
            }
            State::Qualified | State::Usable | State::ReadOnly => Standing::Current,
        }
    }

    /// What identifies the log across lists and runs: its URL without scheme and final slash; of a
    /// static-ct-api log the submission prefix, under which it signs.
    #[must_use]
    pub fn origin(&self) -> &str {
        place_of(match &self.protocol {
            LogProtocol::Rfc6962 { url } => url,
            LogProtocol::Tiled { submission_url, .. } => submission_url,
        })
    }

    /// [`url`](Self::url) without scheme and final slash: the origin, but of a static-ct-api log.
    #[must_use]
    pub fn reading_place(&self) -> &str {
        place_of(self.url())
    }

    /// Where the log is read: its URL, or its monitoring prefix.
    #[must_use]
    pub fn url(&self) -> &str {
        match &self.protocol {
            LogProtocol::Rfc6962 { url } => url,
            LogProtocol::Tiled { monitoring_url, .. } => monitoring_url,
        }
    }
}

/// A URL without its scheme and final slash.
#[must_use]
pub fn place_of(url: &str) -> &str {
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    place.trim_end_matches('/')
}

/// A list that is none.
#[derive(Debug)]
pub struct ListFault(serde_json::Error);

impl fmt::Display for ListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Deserialize)]
struct RawList {
    #[serde(default)]
    version: String,
    #[serde(default)]
    log_list_timestamp: String,
    operators: Vec<RawOperator>,
}

#[derive(Deserialize)]
struct RawOperator {
    name: String,
    #[serde(default)]
    logs: Vec<serde_json::Value>,
    #[serde(default)]
    tiled_logs: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawLog {
    description: String,
    log_id: String,
    key: String,
    url: Option<String>,
    submission_url: Option<String>,
    monitoring_url: Option<String>,
    state: Option<serde_json::Map<String, serde_json::Value>>,
    temporal_interval: Option<RawInterval>,
}

#[derive(Deserialize)]
struct RawInterval {
    start_inclusive: Timestamp,
    end_exclusive: Timestamp,
}

impl LogList {
    /// Reads a list.
    ///
    /// # Errors
    /// When it is none at all. A single log that is wrong is left out.
    pub fn parse(json: &[u8]) -> Result<Self, ListFault> {
        let raw: RawList = serde_json::from_slice(json).map_err(ListFault)?;
        let mut list = Self {
            version: raw.version,
            date: raw.log_list_timestamp,
            logs: Vec::new(),
            left_out: Vec::new(),
        };
        for operator in raw.operators {
            for value in operator.logs.iter().chain(&operator.tiled_logs) {
                match log(value, &operator.name) {
                    Ok(log) if log.url().contains(BOGUS_HOST) => {}
                    Ok(log) => list.logs.push(log),
                    Err(what) => {
                        let name = value.get("description").and_then(|name| name.as_str());
                        list.left_out.push((name.unwrap_or("a log without a name").into(), what));
                    }
                }
            }
        }
        Ok(list)
    }

    /// The snapshot that came with the program.
    #[must_use]
    pub fn embedded() -> Self {
        // A test reads it; were it broken all the same, an empty list says so at the start.
        Self::parse(SNAPSHOT).unwrap_or_else(|fault| Self {
            version: String::new(),
            date: fault.to_string(),
            logs: Vec::new(),
            left_out: Vec::new(),
        })
    }
}

fn log(value: &serde_json::Value, operator: &str) -> Result<Log, String> {
    let raw = RawLog::deserialize(value).map_err(|error| error.to_string())?;
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| "not in base64".to_owned());
    let key = Key::from_spki(&decoded(&raw.key)?).map_err(|fault| fault.to_string())?;
    let log_id: LogId =
        decoded(&raw.log_id)?.try_into().map_err(|_| "the log id is no SHA-256".to_owned())?;
    if log_id != *key.log_id() {
        return Err("the log id is not that of the key".to_owned());
    }
    let protocol = match (raw.url, raw.submission_url, raw.monitoring_url) {
        (Some(url), None, None) => LogProtocol::Rfc6962 { url: prefix(&url)? },
        (None, Some(submission), Some(monitoring)) => LogProtocol::Tiled {
            submission_url: prefix(&submission)?,
            monitoring_url: prefix(&monitoring)?,
        },
        _ => return Err("neither a url, nor a submission_url and a monitoring_url".to_owned()),
    };
    let interval = raw.temporal_interval.map(|interval| Interval {
        start: interval.start_inclusive.as_second(),
        end: interval.end_exclusive.as_second(),
    });
    Ok(Log {
        name: raw.description,
        operator: operator.to_owned(),
        key,
        protocol,
        state: state(raw.state.as_ref())?,
        interval,
    })
}

/// A log without a state is one that the list's maker reads: as good as usable.
fn state(state: Option<&serde_json::Map<String, serde_json::Value>>) -> Result<State, String> {
    let word = state.and_then(|state| state.keys().next());
    match word.map(String::as_str) {
        None | Some("usable") => Ok(State::Usable),
        Some("pending") => Ok(State::Pending),
        Some("qualified") => Ok(State::Qualified),
        Some("readonly") => Ok(State::ReadOnly),
        Some("retired") => Ok(State::Retired),
        Some("rejected") => Ok(State::Rejected),
        Some(other) => Err(format!("its state, `{}`, is not known", other.escape_default())),
    }
}

/// A URL that paths can be appended to.
fn prefix(url: &str) -> Result<String, String> {
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if !plain || rest.is_none_or(|rest| rest.trim_end_matches('/').is_empty()) {
        return Err(format!("`{}` is no URL", url.escape_default()));
    }
    Ok(format!("{}/", url.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-20.
    const JULY: i64 = 1_784_505_600;

    #[test]
    fn the_snapshot_has_every_log_of_every_operator() {
        let list = LogList::embedded();
        assert_eq!((&*list.version, &*list.date), ("85.92", "2026-05-29T13:42:48Z"));
        assert_eq!(list.left_out, []);
        let tiled = |log: &&Log| matches!(log.protocol, LogProtocol::Tiled { .. });
        // Two of the 56 are bogus.
        assert_eq!((list.logs.len(), list.logs.iter().filter(tiled).count()), (54, 21));
        assert!(list.logs.iter().all(|log| !log.url().contains("example.com")));
        let sycamore = list.logs.iter().find(|log| log.name.contains("Sycamore2026h1"));
        let sycamore = sycamore.expect("stands there");
        assert_eq!(sycamore.origin(), "log.sycamore.ct.letsencrypt.org/2026h1");
        assert_eq!(sycamore.url(), "https://mon.sycamore.ct.letsencrypt.org/2026h1/");
        assert_eq!((&*sycamore.operator, sycamore.state), ("Let's Encrypt", State::Usable));
    }

    #[test]
    fn what_takes_nothing_in_any_more_is_not_read() {
        let list = LogList::embedded();
        let of = |part: &str| {
            let log = list.logs.iter().find(|log| log.name.contains(part)).expect(part);
            log.standing(JULY)
        };
        assert_eq!(of("Sycamore2026h2"), Standing::Current);
        assert_eq!(of("Sycamore2026h1"), Standing::Ended("its interval has ended"));
        assert_eq!(of("Argon2026h2"), Standing::Current);
        let retired = list.logs.iter().find(|log| log.state == State::Retired).expect("one");
        assert_eq!(retired.standing(JULY), Standing::Ended("retired"));
    }

    #[test]
    fn a_log_that_is_wrong_is_left_out_by_name_and_the_rest_serves() {
        let text = std::str::from_utf8(SNAPSHOT).expect("text");
        let id = "DleUvPOuqT4zGyyZB7P3kN+bwj1xMiXdIaklrGHFTiE=";
        for (from, to, what) in [
            (id, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not that of the key"),
            (id, "AAAA", "no SHA-256"),
            ("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEB/we", "AAkw", "key cannot be read"),
            ("https://ct.googleapis.com/logs/us1/argon2026h1/", "gopher://x/", "is no URL"),
            ("\"usable\"", "\"beloved\"", "its state, `beloved`, is not known"),
            ("\"2026-07-01T00:00:00Z\"", "\"soon\"", "failed to parse"),
        ] {
            let broken = text.replacen(from, to, 1);
            let list = LogList::parse(broken.as_bytes()).expect("still a list");
            assert_eq!((list.logs.len(), list.left_out.len()), (53, 1), "{what}");
            let (name, why) = &list.left_out[0];
            assert!(name.contains("Argon2026h1") && why.contains(what), "{name}: {why}");
        }
        assert!(LogList::parse(b"{}").is_err() && LogList::parse(b"<html>").is_err());
    }
}
