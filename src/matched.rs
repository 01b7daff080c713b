//! What crosses the channel from the matchers to the writer, together.
//!
//! Owns the message only: one [`Matched`] for every batch, even when nothing in it matched, so
//! that the writer can apply each feed's batches strictly in sequence.

use std::sync::Arc;

use crate::batch::{Coverage, GapEvent, Reading};
use crate::domain::Views;
use crate::rule::{RuleIndex, Typosquat};
use crate::stats::FeedIndex;
use crate::update::Evidence;

/// The outcome of matching one batch.
#[derive(Debug, Default)]
pub struct Matched {
    /// The feed the batch came from.
    pub feed: FeedIndex,
    /// The batch's number within that feed.
    pub sequence: u64,
    /// How many batches right before that one this message stands for as well.
    pub merged: u64,
    /// How far the feed has been read once this is stored.
    pub position: u64,
    /// When the batch's first frame was received, in microseconds since the Unix epoch.
    pub received: i64,
    /// A gap that begins or ends here.
    pub gap: Option<GapEvent>,
    /// How far a log has been read.
    pub reading: Reading,
    /// Which entries of which logs it stands for, of servers that say so.
    pub coverage: Coverage,
    /// How it was read.
    pub source: Source,
    /// What matched.
    pub rows: Vec<MatchedDomain>,
    /// The certificates of those rows.
    pub certificates: Vec<Evidence>,
    /// Rows dropped because the backlog was full and the feed cannot wait.
    pub dropped_rows: u64,
    /// Whether the backlog had been full and had not yet room enough again
    /// ([`Backlog::is_overflowing`](crate::backlog::Backlog::is_overflowing)); never for a feed
    /// that can wait.
    pub overflow: bool,
    /// What this message was booked with in the backlog account; subtracted after COMMIT, or as
    /// soon as the writer has taken it in where it has no rows to keep.
    pub bytes: usize,
}

/// How what was matched was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// With all that there is to read.
    #[default]
    Whole,
    /// Out of a log's names tiles: the certificates are to be read afterwards.
    NamesAlone,
    /// Read again, for the certificates: all entries of the log at this URL that were, by index.
    Again {
        /// Where the log is read.
        log_url: Arc<str>,
        /// The entries, and whether anything in them matched.
        entries: Vec<(u64, bool)>,
    },
}

/// One domain of one certificate update, with the rules it matched.
#[derive(Debug, PartialEq, Eq)]
pub struct MatchedDomain {
    /// The sanitised domain.
    pub domain: Box<str>,
    /// The names as seen that led to it, those apart that equal it.
    pub names_as_seen: Vec<Box<str>>,
    /// Index into [`Matched::certificates`]; none for domains-only streams.
    pub certificate: Option<u32>,
    /// The rules that hit, ascending, without repeats. Never empty.
    pub hits: Vec<Hit>,
}

/// A rule that matched a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule.
    pub rule: RuleIndex,
    /// The views of the domain it matched.
    pub views: Views,
    /// The rule reached its step limit: kept as a candidate for review, not a proven match.
    pub gave_up: bool,
    /// How the domain passes for the rule's brand, where it is one.
    pub typosquat: Option<Typosquat>,
}

impl Hit {
    /// This hit and another of the same rule on the same domain, in one.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self {
            rule: self.rule,
            views: self.views.union(other.views),
            gave_up: self.gave_up && other.gave_up,
            typosquat: self.typosquat.into_iter().chain(other.typosquat).min(),
        }
    }
}

impl Matched {
    /// Number of the first batch this message stands for.
    #[must_use]
    pub fn first_sequence(&self) -> u64 {
        self.sequence - self.merged
    }

    /// Whether it says no more than that its feed has been read further, of which logs, and which
    /// rows were dropped meanwhile.
    #[must_use]
    pub fn only_moves(&self) -> bool {
        self.rows.is_empty() && self.gap.is_none() && self.reading == Reading::default()
    }

    /// Lets it stand for the batches of `later` too, which come next and [only move](Self::only_moves).
    pub fn extend_by(&mut self, later: Self) {
        if self.dropped_rows == 0 {
            self.received = later.received;
        }
        self.dropped_rows += later.dropped_rows;
        self.overflow = later.overflow;
        self.merged += later.merged + 1;
        self.sequence = later.sequence;
        self.position = later.position;
        self.coverage.merge(later.coverage);
    }

    /// Roughly the memory this message holds, for the backlog account, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let rows: usize = self
            .rows
            .iter()
            .map(|row| {
                size_of::<MatchedDomain>()
                    + row.domain.len()
                    + row.hits.len() * size_of::<Hit>()
                    + row
                        .names_as_seen
                        .iter()
                        .map(|n| n.len() + size_of::<Box<str>>())
                        .sum::<usize>()
            })
            .sum();
        let certificates: usize = self.certificates.iter().map(Evidence::size).sum();
        size_of::<Self>() + rows + certificates + self.coverage.size()
    }
}
