//! Counters that say how the run goes, and the text that shows them.
//!
//! Owns the counters, each with exactly one writing thread, and the status line made of them.
//! Whoever reads them (status line, metrics, report) never touches the pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::domain::NameFault;
use crate::update::FrameFault;

/// A count that one thread writes and any thread reads.
///
/// Load and store instead of `fetch_add`: with one writer nothing can be lost, and a plain
/// store costs a hundredth of a locked instruction under contention.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`; for the owning thread only.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one feed's thread counts.
#[derive(Debug, Default)]
pub struct FeedStats {
    /// The feed's name, as stored in `positions` and `gaps`.
    pub name: String,
    /// Frames received, of every kind.
    pub frames: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Certificate updates (and domains-only messages) among them.
    pub updates: Counter,
    /// Names in those, before sanitising.
    pub names: Counter,
    /// Heartbeats.
    pub heartbeats: Counter,
    /// Blank frames, which some servers send while they close.
    pub blank: Counter,
    /// Messages of a type we do not know.
    pub unknown: Counter,
    /// Frames refused, by reason.
    pub refused: [Counter; FrameFault::ALL.len()],
    /// Connections made after the first.
    pub reconnects: Counter,
    /// Gaps opened.
    pub gaps: Counter,
    /// Whether the feed is being read now. Written by the feed.
    pub live: AtomicBool,
    /// The newest source time seen, in microseconds since the Unix epoch; 0 until one is known.
    /// Written by the feed.
    pub newest_seen: AtomicI64,
}

impl FeedStats {
    /// Counters for the feed called `name`.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Counts a refused frame.
    pub fn refuse(&self, fault: FrameFault) {
        self.refused[fault as usize].add(1);
    }

    /// Frames refused, whatever the reason.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().map(Counter::get).sum()
    }
}

/// What one matcher thread counts.
#[derive(Debug, Default)]
pub struct MatcherStats {
    /// Domains matched against the rules, after sanitising and without repeats in a certificate.
    pub domains: Counter,
    /// Names dropped while sanitising, by reason.
    pub dropped: [Counter; NameFault::ALL.len()],
    /// (domain, rule) pairs the prefilter let through.
    pub candidates: Counter,
    /// (domain, rule) pairs that matched.
    pub matches: Counter,
    /// Pairs whose look-around rule gave up at its step limit; kept as candidates for review.
    pub gave_up: Counter,
    /// Matched rows sent to the writer (sightings of a domain).
    pub rows: Counter,
    /// Matched rows dropped because the backlog was full.
    pub backlog_dropped: Counter,
}

/// What the writer counts.
#[derive(Debug, Default)]
pub struct WriterStats {
    /// Transactions committed.
    pub commits: Counter,
    /// Matched rows committed (sightings of a domain).
    pub rows: Counter,
    /// New (domain, rule) pairs committed.
    pub new_pairs: Counter,
    /// New domains committed.
    pub new_domains: Counter,
    /// Rows read from the matchers and not yet committed.
    pub waiting: AtomicU64,
    /// Transactions that had to be tried again.
    pub retries: Counter,
}

/// What the recording thread and the feeds that offer to it count.
#[derive(Debug, Default)]
pub struct RecorderStats {
    /// Frames written to the capture. Written by the recorder.
    pub written: Counter,
    /// Frames that are not one line of UTF-8 and so cannot stand in a capture. Written by the
    /// recorder.
    pub unfit: Counter,
    /// Frames left out because the disk was too slow. Written by every feed that is recorded, so
    /// not a [`Counter`].
    pub left_out: AtomicU64,
}

/// All counters of a run.
#[derive(Debug, Default)]
pub struct Stats {
    /// One per feed, in the order of the config.
    pub feeds: Vec<Arc<FeedStats>>,
    /// One per matcher thread.
    pub matchers: Vec<Arc<MatcherStats>>,
    /// The writer's.
    pub writer: Arc<WriterStats>,
    /// Lines for stdout dropped because its reader was slow. Written by the writer.
    pub lines_dropped: Arc<Counter>,
}

impl Stats {
    /// Sums a feed counter over all feeds.
    #[must_use]
    pub fn feed_total(&self, counter: impl Fn(&FeedStats) -> u64) -> u64 {
        self.feeds.iter().map(|feed| counter(feed)).sum()
    }

    /// Sums a matcher counter over all matchers.
    #[must_use]
    pub fn matcher_total(&self, counter: impl Fn(&MatcherStats) -> u64) -> u64 {
        self.matchers.iter().map(|matcher| counter(matcher)).sum()
    }
}
