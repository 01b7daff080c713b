//! What a feed says beside its frames: gaps, how far it has read, what its frames are.

use std::sync::Arc;

use super::coverage::SourceLog;
use crate::ctlog::LogSource;
use crate::stats::FeedStats;

/// A span in which a feed was not read, as it begins and ends. Times in microseconds since the
/// Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GapEvent {
    /// The feed stopped being read.
    Opened {
        /// When.
        at: i64,
        /// Why, in a few fixed words: `disconnected`, `backlog full`, …
        reason: &'static str,
        /// The particulars, for a person; may hold a server's words, so escape before showing.
        detail: String,
    },
    /// The feed is read again.
    Closed {
        /// When.
        at: i64,
    },
    /// Entries of a log, as a rule one, could not be read, and will not be.
    Entries {
        /// When.
        at: i64,
        /// Index of the first of them in the log.
        first: u64,
        /// Index of the last.
        last: u64,
        /// Why, in a few fixed words.
        reason: &'static str,
        /// The particulars, for a person.
        detail: String,
    },
    /// The rest of a log is not read, unless the log comes back.
    Unread {
        /// When.
        at: i64,
        /// Index of the first entry that was not read.
        first: u64,
        /// Index of the last one, where any is known of.
        last: Option<u64>,
        /// Why, in a few fixed words.
        reason: &'static str,
        /// The particulars, for a person.
        detail: String,
    },
    /// What of the logs was missed while a certstream feed was not read.
    Missed(Vec<Hole>),
    /// The feed begins to fetch the entries of the gap of this id, from its position on.
    Filling {
        /// The row.
        gap: i64,
    },
    /// The feed has read entries of a log that were missed before, all from `first` up to `end`.
    Filled {
        /// When.
        at: i64,
        /// What the log is called.
        log: Arc<LogKeys>,
        /// Index of the first entry.
        first: u64,
        /// The index behind the last.
        end: u64,
    },
}

/// Entries of a log that a certstream feed may have missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The log.
    pub log: Arc<SourceLog>,
    /// Index of the first entry that was not received.
    pub first: u64,
    /// Index of the last.
    pub last: u64,
    /// When the feed was found not to be read, in microseconds since the Unix epoch.
    pub from: i64,
    /// When an entry of this log was received again.
    pub to: i64,
    /// Why, in a few fixed words.
    pub reason: &'static str,
}

/// A hole that is open, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenHole {
    /// The row.
    pub id: i64,
    /// The log: its [`SourceLog::key`], and its name where that is known.
    pub log: Box<str>,
    /// See there.
    pub log_name: Box<str>,
    /// Index of the first entry.
    pub first: u64,
    /// Index of the last.
    pub last: u64,
    /// The feed that has begun to fetch it.
    pub filled_by: Option<Box<str>>,
}

/// What a log may be called by the frames of certstream servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    /// Its [`SourceLog::key`] where its own URL is given: of submission, and of monitoring.
    pub urls: [String; 2],
    /// Its name in the list of logs.
    pub name: String,
}

/// A log's tree as the log has signed it, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Entries in the tree.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: [u8; 32],
    /// When the log signed it, in milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// What was signed, as received: evidence against a log that shows two trees.
    pub signed: Arc<str>,
}

/// What a log feed says about what it has read, beyond the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Entries in the batch.
    pub entries: u64,
    /// Those among them that were proven to stand in the log's signed tree.
    pub verified: u64,
    /// The newest time the log gave one of them, in milliseconds since the Unix epoch.
    pub newest: Option<u64>,
    /// The tree head that is the newest known from here on.
    pub tree_head: Option<TreeHead>,
    /// When it was found that the log offers no names tiles, in microseconds since the Unix epoch.
    pub no_names: Option<i64>,
    /// The log has signed two trees that are not one.
    pub fork: Option<Fork>,
}

/// Two trees that a log has signed, of which the second does not extend the first: what it can be
/// convicted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The one that was known.
    pub known: TreeHead,
    /// The one that came then.
    pub shown: TreeHead,
}

/// How far a feed is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Number of its last batch that is stored; 0 before the first.
    pub sequence: u64,
    /// How far it had been read by then, in the feed's own unit.
    pub position: u64,
    /// Of a log: when it was found last that it offers no names tiles, in microseconds since the
    /// Unix epoch.
    pub no_names: Option<i64>,
}

/// What the frames of a batch are, for whoever reads evidence out of them.
#[derive(Clone, Debug, Default)]
pub enum Content {
    /// Messages of a certstream server.
    #[default]
    Updates,
    /// Messages of a certstream server whose names the scan may have found: a judge has to read
    /// each frame from which something is stored. With the counters of their feed.
    Scanned(Arc<FeedStats>),
    /// Entries of a CT log.
    Entries(Arc<LogSource>),
    /// Entries of a CT log's names tiles, not covered by the log's signature: names alone, and for
    /// frames the index and the log's time of each.
    Names(Arc<LogSource>),
    /// Entries of a CT log that were read before, by their names alone, and matched: read again
    /// for their certificates. They count as no further sighting.
    Again(Arc<LogSource>),
}
