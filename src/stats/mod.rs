//! Counters that say how the run goes, and the text that shows them.
//!
//! Owns the counters, each with exactly one writing thread, and the register of the feeds that
//! count. Whoever reads them (status line, metrics, report) never touches the pipeline.

mod histogram;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

pub use histogram::Histogram;

use crate::domain::NameFault;
use crate::rule::RuleIndex;
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

/// Bytes that are shown of a frame in dispute.
const DISPUTED: usize = 300;

/// Index of a feed within this run, in the order in which the feeds began.
pub type FeedIndex = u16;

/// What one feed's thread counts.
#[derive(Debug, Default)]
pub struct FeedStats {
    /// The feed's name, as stored in `positions` and `gaps`.
    pub name: String,
    /// Whether what it reads can be read again, so that it may be made to wait for the writer.
    pub can_wait: bool,
    /// Frames received, of every kind.
    pub frames: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Certificate updates (and domains-only messages) among them.
    pub updates: Counter,
    /// Of those, the ones whose names the scan found, so that nobody has read the rest of them.
    pub scanned: Counter,
    /// Frames in which the scan and the judge read different names. Written by the feed and by
    /// matchers; the scan is trusted while it is 0.
    pub disputed: AtomicU64,
    /// Frames with a match that the judge refused after the scan had found names in them. Written
    /// by matchers.
    pub refused_late: AtomicU64,
    /// Names in those, before sanitising.
    pub names: Counter,
    /// Names left unread, since their certificates had more than anyone reads.
    pub surplus_names: Counter,
    /// Heartbeats.
    pub heartbeats: Counter,
    /// Blank frames, which some servers send while they close.
    pub blank: Counter,
    /// Messages of a type we do not know.
    pub unknown: Counter,
    /// Frames refused, by reason.
    pub refused: [Counter; FrameFault::ALL.len()],
    /// Of a certstream feed: entries of logs that came, each counted once.
    pub indexes: Counter,
    /// Entries that those logs have from the first to the last of them, in this run.
    pub index_span: Counter,
    /// Certificates whose index is missing or cannot be told.
    pub without_index: Counter,
    /// Entries, at most, that were missed while the feed was not read.
    pub missed: Counter,
    /// Entries of a log that could not be read.
    pub unreadable: Counter,
    /// Of a log: entries in its newest tree. Written by the feed.
    pub tree_size: AtomicU64,
    /// Of a log: entries read, from its first on. Written by the feed.
    pub position: AtomicU64,
    /// Connections made after the first.
    pub reconnects: Counter,
    /// Gaps opened.
    pub gaps: Counter,
    /// Whether the feed is being read now. Written by the feed.
    pub live: AtomicBool,
    /// Of a range of a log, once that is known: where it begins. Written by the feed.
    pub range_begin: AtomicU64,
    /// Of a range of a log, once that is known: the entry it ends before. Written by the feed.
    pub range_end: AtomicU64,
    /// Of a log: whether it was left, read to its end. Written by the feed.
    pub ended: AtomicBool,
    /// Whether what it reads is of an earlier time, so that its times tell of no lag. Written by
    /// the feed.
    pub recorded: AtomicBool,
    /// The newest source time seen, in microseconds since the Unix epoch; 0 until one is known.
    /// Written by the feed.
    pub newest_seen: AtomicI64,
}

impl FeedStats {
    /// Counters for the feed called `name`; `can_wait`: see there.
    #[must_use]
    pub fn named(name: impl Into<String>, can_wait: bool) -> Self {
        Self { name: name.into(), can_wait, ..Self::default() }
    }

    /// Whether the scan has read every frame as the judge did, of those both have read.
    #[must_use]
    pub fn is_scan_trusted(&self) -> bool {
        self.disputed.load(Ordering::Relaxed) == 0
    }

    /// Counts a frame that the scan and the judge read differently; the scan is trusted no more.
    /// The first one is logged.
    pub fn dispute(&self, frame: &[u8]) {
        if self.disputed.fetch_add(1, Ordering::Relaxed) == 0 {
            log::warn!(
                "{}: the quick scan and the JSON parser read different names from a frame; from \
                 here on this feed is parsed strictly (as with `engine.parse: strict`), and frames \
                 the scan read alone since the start may have been read wrongly. The frame begins \
                 {}",
                self.name,
                frame[..frame.len().min(DISPUTED)].escape_ascii()
            );
        }
    }

    /// Counts a refused frame.
    pub fn refuse(&self, fault: FrameFault) {
        self.refused[fault as usize].add(1);
    }

    /// What was refused so far, by reason: frames, and names of frames that had too many; reasons that never applied are left out.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let surplus = ("names beyond the limit", self.surplus_names.get());
        FrameFault::ALL
            .into_iter()
            .map(|fault| (fault.reason(), self.refused[fault as usize].get()))
            .chain([surplus])
            .filter(|(_, count)| *count > 0)
    }

    /// Entries read of a range, and all it has; none where no range is read.
    #[must_use]
    pub fn range(&self) -> Option<(u64, u64)> {
        let begin = self.range_begin.load(Ordering::Relaxed);
        let all = self.range_end.load(Ordering::Relaxed).checked_sub(begin)?;
        let read = self.position.load(Ordering::Relaxed).saturating_sub(begin);
        (all > 0).then_some((read.min(all), all))
    }

    /// How far what is read of a log lies back at `now`, in microseconds, by the log's own clock: 0
    /// when all is read. None for what is no log that is followed; the maximum before anything is
    /// known.
    #[must_use]
    pub fn lag_of_log(&self, now: i64) -> Option<i64> {
        let size = self.tree_size.load(Ordering::Relaxed);
        let follows = !self.recorded.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed);
        if size == 0 || !follows {
            return None;
        }
        let is_at_end = self.position.load(Ordering::Relaxed) >= size;
        match self.newest_seen.load(Ordering::Relaxed) {
            _ if is_at_end && self.live.load(Ordering::Relaxed) => Some(0),
            0 => Some(i64::MAX),
            newest => Some((now - newest).max(0)),
        }
    }

    /// Frames refused, whatever the reason.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().map(Counter::get).sum()
    }
}

/// The feeds of a run, by [`FeedIndex`]. Feeds may begin while it goes on (a new CT log), and
/// none is ever taken out.
#[derive(Debug, Default)]
pub struct Feeds(RwLock<Vec<Arc<FeedStats>>>);

impl Feeds {
    /// Adds a feed; none when its name is taken (positions are kept by name: two feeds of one
    /// name would move each other's), or when there are too many to count.
    #[must_use]
    pub fn add(&self, feed: FeedStats) -> Option<(FeedIndex, Arc<FeedStats>)> {
        let mut feeds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let index = FeedIndex::try_from(feeds.len()).ok()?;
        if feeds.iter().any(|other| other.name == feed.name) {
            return None;
        }
        let feed = Arc::new(feed);
        feeds.push(Arc::clone(&feed));
        Some((index, feed))
    }

    /// The feed at `index`.
    #[must_use]
    pub fn get(&self, index: FeedIndex) -> Option<Arc<FeedStats>> {
        let feeds = self.0.read().unwrap_or_else(PoisonError::into_inner);
        feeds.get(usize::from(index)).cloned()
    }

    /// All feeds so far, by index.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<FeedStats>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What one matcher thread counts.
#[derive(Debug, Default)]
pub struct MatcherStats {
    /// Domains matched against the rules, after sanitising and without repeats in a certificate.
    pub domains: Counter,
    /// Names dropped while sanitising, by reason.
    pub dropped: [Counter; NameFault::ALL.len()],
    /// Labels that begin `xn--` and do not decode.
    pub invalid_labels: Counter,
    /// (domain, rule) pairs the prefilter let through, in any view.
    pub candidates: Counter,
    /// (domain, rule) pairs that matched.
    pub matches: Counter,
    /// Pairs whose look-around rule gave up at its step limit; kept as candidates for review.
    pub gave_up: Counter,
    /// Matched rows sent to the writer (sightings of a domain).
    pub rows: Counter,
    /// Matched rows dropped because the backlog was full.
    pub backlog_dropped: Counter,
    /// Matches by rule; empty where nobody asked for them.
    pub rule_matches: Box<[Counter]>,
}

impl MatcherStats {
    /// Counters that tell the matches of `rules` rules apart.
    #[must_use]
    pub fn by_rule(rules: usize) -> Self {
        let rule_matches = std::iter::repeat_with(Counter::default).take(rules).collect();
        Self { rule_matches, ..Self::default() }
    }

    /// Counts a match of one rule.
    pub fn match_of(&self, rule: RuleIndex) {
        self.matches.add(1);
        if let Some(count) = self.rule_matches.get(rule as usize) {
            count.add(1);
        }
    }
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
    /// Since when rows have waited without a break, in microseconds since the Unix epoch; 0 while
    /// none do.
    pub waiting_since: AtomicI64,
    /// How long transactions took, those that had to be tried again included.
    pub commit_time: Histogram,
    /// From the receipt of a batch's first frame until its rows were committed, by batch with rows.
    pub delay: Histogram,
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
    /// One per feed.
    pub feeds: Arc<Feeds>,
    /// One per matcher thread.
    pub matchers: Vec<Arc<MatcherStats>>,
    /// The writer's.
    pub writer: Arc<WriterStats>,
    /// Lines for stdout dropped because its reader was slow. Written by the writer.
    pub lines_dropped: Arc<Counter>,
    /// Lines for stdout left out at the end because nobody read them. Written by the printer.
    pub lines_left_out: Arc<Counter>,
}

impl Stats {
    /// Sums a feed counter over all feeds.
    #[must_use]
    pub fn feed_total(&self, counter: impl Fn(&FeedStats) -> u64) -> u64 {
        self.feeds.all().iter().map(|feed| counter(feed)).sum()
    }

    /// Sums a matcher counter over all matchers.
    #[must_use]
    pub fn matcher_total(&self, counter: impl Fn(&MatcherStats) -> u64) -> u64 {
        self.matchers.iter().map(|matcher| counter(matcher)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_registered_once_and_keeps_its_index() {
        let feeds = Feeds::default();
        let (first, _) = feeds.add(FeedStats::named("one", true)).expect("new");
        let (second, stats) = feeds.add(FeedStats::named("two", false)).expect("new");
        assert!(feeds.add(FeedStats::named("one", true)).is_none());
        assert_eq!((first, second, feeds.all().len()), (0, 1, 2));
        stats.frames.add(3);
        assert_eq!(feeds.get(1).expect("there").frames.get(), 3);
        assert!(feeds.get(2).is_none());
    }
}
