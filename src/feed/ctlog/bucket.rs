//! How often an operator's servers are asked.
//!
//! Owns one token bucket an operator, shared by the feeds of all its logs. Nobody publishes what
//! they allow: we begin politely, give way when a server says it is too much, and come back
//! slowly. A server on this machine is the user's own: it gives way by itself.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;

/// Requests a second, to begin with and at most, by whether the operator can reach us. Skylight
/// (Geomys) lets all anonymous clients together ask 75 times a second. A log of 400 entries/s needs
/// 4, and an operator has up to eight.
const IDENTIFIED: f64 = 40.0;
const ANONYMOUS: f64 = 8.0;
/// The same for a server on this machine: more than any answers.
const LOOPBACK: f64 = 1e6;
/// The slowest we get: DigiCert was seen allowing 0.15 requests a second.
const SLOWEST: f64 = 0.1;
/// Requests that may follow each other at once: a tree head and the tiles of some seconds.
const BURST: f64 = 10.0;
/// By how much a server that answers lets us go faster again: twice as fast after 35 answers.
const RECOVERY: f64 = 1.02;
/// How long a server that is too busy is left alone when it does not say.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// The entries of a log as it grows.
    Normal,
    /// What can wait: takes a quarter of the tokens at most, and that even if the others want all.
    Low,
}

/// Whose servers a bucket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// Those of an operator who can reach whoever runs this.
    Identified,
    /// Those of an operator who cannot.
    Anonymous,
    /// One on this machine.
    Loopback,
}

impl Asked {
    /// Whose server `url` is; `identified`: its operator can reach whoever runs this.
    pub fn at(url: &str, identified: bool) -> Self {
        let uri: Option<Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if host == "localhost" || address.is_ok_and(|address| address.is_loopback()) {
            Self::Loopback
        } else if identified {
            Self::Identified
        } else {
            Self::Anonymous
        }
    }

    fn fastest(self) -> f64 {
        match self {
            Self::Identified => IDENTIFIED,
            Self::Anonymous => ANONYMOUS,
            Self::Loopback => LOOPBACK,
        }
    }
}

/// A token bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests a second now, and at most.
    rate: f64,
    fastest: f64,
    tokens: f64,
    /// Tokens for [`Priority::Low`].
    low: f64,
    filled: Instant,
    /// Nothing is asked before.
    not_before: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(asked: Asked, now: Instant) -> Self {
        let fastest = asked.fastest();
        let state = State {
            rate: fastest,
            fastest,
            tokens: BURST,
            low: BURST / 4.0,
            filled: now,
            not_before: now,
        };
        Self { state: Mutex::new(state) }
    }

    /// Takes a token at `now`, or says how long to wait before trying again.
    pub fn take(&self, priority: Priority, now: Instant) -> Result<(), Duration> {
        self.with(|state| state.take(priority, now))
    }

    /// A server has answered.
    pub fn answered(&self) {
        self.with(|state| state.rate = (state.rate * RECOVERY).min(state.fastest));
    }

    /// A server was asked too often, and wants to be left alone for `wait`.
    pub fn busy(&self, wait: Option<Duration>, now: Instant) {
        let wait = wait.unwrap_or(BUSY_PAUSE);
        self.with(|state| {
            // Requests that were on their way at the same time count as one.
            if state.not_before <= now {
                state.rate = (state.rate / 2.0).max(SLOWEST);
            }
            // Up to a tenth more, so that the feeds do not all come back at once.
            let wait = wait.mul_f64(1.0 + fastrand::f64() / 10.0);
            state.not_before = state.not_before.max(now + wait);
            (state.tokens, state.low) = (0.0, 0.0);
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn take(&mut self, priority: Priority, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self.not_before.checked_duration_since(now).filter(|w| !w.is_zero()) {
            return Err(wait);
        }
        // From the end of a pause on, not through it.
        let since = self.filled.max(self.not_before);
        let passed = now.saturating_duration_since(since).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed * self.rate).min(BURST);
        self.low = (self.low + passed * self.rate / 4.0).min(BURST / 4.0);
        let missing = match priority {
            Priority::Normal => 1.0 - self.tokens,
            // On credit, if need be: else what can wait would wait for ever.
            Priority::Low => 1.0 - self.low,
        };
        if missing > 0.0 {
            let rate = if priority == Priority::Low { self.rate / 4.0 } else { self.rate };
            return Err(Duration::from_secs_f64(missing / rate));
        }
        self.tokens -= 1.0;
        if priority == Priority::Low {
            self.low -= 1.0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens taken within `seconds`, tried every 10 ms.
    fn taken(bucket: &Bucket, priority: Priority, from: Instant, seconds: u64) -> u64 {
        let tries = (0..seconds * 100).map(|n| from + Duration::from_millis(10 * n));
        tries.filter(|now| bucket.take(priority, *now).is_ok()).count() as u64
    }

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let bucket = Bucket::new(Asked::Identified, start);
        let burst = (0..100).take_while(|_| bucket.take(Priority::Normal, start).is_ok()).count();
        assert_eq!(burst, 10);
        let wait = bucket.take(Priority::Normal, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(25));
        assert!((395..=401).contains(&taken(&bucket, Priority::Normal, start, 10)));
        let anonymous = Bucket::new(Asked::Anonymous, start);
        assert!((88..=91).contains(&taken(&anonymous, Priority::Normal, start, 10)));
    }

    #[test]
    fn a_busy_server_is_left_alone_and_asked_half_as_often_from_then_on() {
        let start = Instant::now();
        let bucket = Bucket::new(Asked::Identified, start);
        bucket.busy(Some(Duration::from_secs(30)), start);
        bucket.busy(Some(Duration::from_secs(30)), start);
        let wait = bucket.take(Priority::Normal, start).unwrap_err();
        assert!((30.0..33.1).contains(&wait.as_secs_f64()), "{wait:?}");
        let later = start + Duration::from_secs(34);
        assert!(bucket.take(Priority::Normal, later).is_ok());
        let slow = taken(&bucket, Priority::Normal, later + Duration::from_secs(1), 10);
        assert!((200..=211).contains(&slow), "{slow}");
        for _ in 0..40 {
            bucket.answered();
        }
        let fast = taken(&bucket, Priority::Normal, later + Duration::from_secs(60), 10);
        assert!((400..=411).contains(&fast), "{fast}");
        for _ in 0..20 {
            bucket.busy(Some(Duration::ZERO), later + Duration::from_secs(100));
        }
        assert_eq!(bucket.with(|state| state.rate), SLOWEST.max(IDENTIFIED / 2_f64.powi(20)));
    }

    #[test]
    fn a_server_on_this_machine_is_asked_as_fast_as_it_answers_until_it_is_busy() {
        for (url, asked) in [
            ("http://127.0.0.1:8080/log/", Asked::Loopback),
            ("http://127.8.9.1/", Asked::Loopback),
            ("https://[::1]:443/log/", Asked::Loopback),
            ("http://localhost:8080/log/", Asked::Loopback),
            ("http://10.0.0.1/", Asked::Identified),
            ("https://127.0.0.1.log.example/", Asked::Identified),
            ("https://localhost.log.example/", Asked::Identified),
            ("https://log.example/127.0.0.1/", Asked::Identified),
            ("https://127.0.0.1@log.example/", Asked::Identified),
        ] {
            assert_eq!(Asked::at(url, true), asked, "{url}");
        }
        assert_eq!(Asked::at("https://log.example/", false), Asked::Anonymous);
        let start = Instant::now();
        let bucket = Bucket::new(Asked::Loopback, start);
        assert_eq!(taken(&bucket, Priority::Normal, start, 10), 1000, "each try");
        let soon = start + Duration::from_secs(10);
        let wait = (0..1000).find_map(|_| bucket.take(Priority::Normal, soon).err());
        assert!(wait.is_some_and(|wait| wait <= Duration::from_micros(1)), "{wait:?}");
        bucket.busy(Some(Duration::from_secs(30)), soon);
        let wait = bucket.take(Priority::Normal, soon).unwrap_err();
        assert!(wait >= Duration::from_secs(30), "{wait:?}");
    }

    #[test]
    fn what_can_wait_gets_a_quarter_and_no_more() {
        let start = Instant::now();
        let bucket = Bucket::new(Asked::Identified, start);
        assert!((95..=103).contains(&taken(&bucket, Priority::Low, start, 10)));
        // The others empty the bucket as it fills.
        let (mut normal, mut low) = (0, 0);
        for n in 0..1000 {
            let now = start + Duration::from_secs(20) + Duration::from_millis(10 * n);
            normal += u64::from(bucket.take(Priority::Normal, now).is_ok());
            low += u64::from(bucket.take(Priority::Low, now).is_ok());
        }
        assert!((95..=103).contains(&low), "{low}");
        assert!((295..=310).contains(&normal), "{normal}");
    }
}
