//! Whether the run does its work, as JSON with the reasons.
//!
//! Owns the limits beyond which it does not. What is measured is `stats`' business.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::Seen;
use crate::batch::now_micros;
use crate::store::free_bytes;

/// How long rows may wait for their transaction: far longer than any that a disk in order takes.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Bytes that must be free on the database's disk: a WAL may grow by hundreds of megabytes while
/// somebody reads.
const MIN_FREE: u64 = 512 * 1024 * 1024;

/// Looks at what can be seen.
pub(super) struct Health(Arc<Seen>);

impl Health {
    pub(super) fn new(seen: Arc<Seen>) -> Self {
        Self(seen)
    }

    /// Whether everything is in order, and a JSON object that says so check by check.
    pub(super) fn ready(&self) -> (bool, String) {
        let checks = [
            ("feeds", self.feeds()),
            ("writer", self.writer()),
            ("backlog", self.backlog()),
            ("disk", self.disk()),
            ("stop", self.stop()),
        ];
        let ready = checks.iter().all(|(_, (good, _))| *good);
        let checks: serde_json::Map<String, Value> = checks
            .into_iter()
            .map(|(name, (good, mut says))| {
                says["ok"] = good.into();
                (name.to_owned(), says)
            })
            .collect();
        (ready, format!("{}\n", json!({"ready": ready, "checks": checks})))
    }

    /// One live feed is enough: of forty logs some are always down, and that is for an alert on
    /// `certstream_feed_live`, not for a restart of the whole.
    fn feeds(&self) -> (bool, Value) {
        let mut feeds = self.0.stats.feeds.all();
        // What reads the past says nothing about the present.
        feeds.retain(|feed| !feed.recorded.load(Ordering::Relaxed));
        let (live, down): (Vec<_>, Vec<_>) =
            feeds.iter().partition(|feed| feed.live.load(Ordering::Relaxed));
        let down: Vec<&str> = down.iter().map(|feed| feed.name.as_str()).collect();
        (!live.is_empty(), json!({"live": live.len(), "down": down}))
    }

    fn writer(&self) -> (bool, Value) {
        let writer = &self.0.stats.writer;
        let since = writer.waiting_since.load(Ordering::Relaxed);
        let waited = if since == 0 { 0 } else { (now_micros() - since).max(0) };
        let says = json!({
            "waiting_rows": writer.waiting.load(Ordering::Relaxed),
            "waited_seconds": waited as f64 / 1e6,
            "commits": writer.commits.get(),
        });
        (u128::from(waited.unsigned_abs()) < MAX_WAIT.as_micros(), says)
    }

    fn backlog(&self) -> (bool, Value) {
        let backlog = &self.0.backlog;
        let says = json!({"bytes": backlog.bytes(), "limit": backlog.limit()});
        (!backlog.is_full(), says)
    }

    /// A disk that cannot be asked is no reason to call the run unready: the writer says soon
    /// enough whether it can be written.
    fn disk(&self) -> (bool, Value) {
        let free = free_bytes(&self.0.database);
        let says = json!({"free_bytes": free, "wanted_bytes": MIN_FREE});
        (free.is_none_or(|free| free >= MIN_FREE), says)
    }

    fn stop(&self) -> (bool, Value) {
        let requested = self.0.stop.is_requested();
        (!requested, json!({"requested": requested}))
    }
}
