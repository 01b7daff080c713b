//! Matchers: the pool of threads between the feeds and the writer.
//!
//! Owns the work on one batch: names are sanitised into a block, the engine finds the hits, and
//! evidence is read for what matched. Each matcher owns its scratch space; the compiled rules
//! ([`Engine`]) are shared. What a name or a frame is, is `domain`'s and `update`'s business.

mod always;
mod engine;
mod literal;
mod plain;
mod prefilter;
mod profiler;
mod proof;
mod sender;
mod side;
mod tokens;
mod unicode;
mod verify;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

pub use engine::{Engine, Profile, RuleCost, Scratch};
pub use plain::{GaveUp, Plain};
#[doc(hidden)]
pub use prefilter::{Level, Regime};
pub use profiler::Profiler;
pub use proof::{Called, Miss, Proof};
pub use sender::MatchedSender;

use crate::backlog::Backlog;
use crate::batch::{self, AHEAD, Batch, Content, Coverage};
use crate::ctlog::{self, LogName};
use crate::domain;
use crate::matched::{Hit, Matched, MatchedDomain, Source};
use crate::stats::{FeedStats, MatcherStats};
use crate::update::{Evidence, Judged, UpdateReader};
use engine::domain_at;

/// A name that was dropped, in [`Block::name_domains`].
const DROPPED: u32 = u32::MAX;

/// How often the writer is looked after while messages to it are held back.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// One matcher thread's work and everything it reuses.
#[derive(Debug)]
pub struct Matcher {
    engine: Arc<Engine>,
    stats: Arc<MatcherStats>,
    backlog: Arc<Backlog>,
    reader: UpdateReader,
    scratch: Scratch,
    block: Block,
    /// The hits of the current batch: domain, rule; ascending.
    hits: Vec<(u32, Hit)>,
}

/// The domains of a batch, newline-joined, and where each came from.
#[derive(Debug, Default)]
struct Block {
    text: Vec<u8>,
    /// Where each domain ends in `text`, before its newline.
    ends: Vec<u32>,
    /// By domain: the update it came from.
    updates: Vec<u32>,
    /// By name of the batch: its domain, or [`DROPPED`].
    name_domains: Vec<u32>,
    /// By update: its first name.
    first_names: Vec<u32>,
}

impl Matcher {
    /// A matcher over `engine` that books rows in `backlog`.
    #[must_use]
    pub fn new(engine: Arc<Engine>, stats: Arc<MatcherStats>, backlog: Arc<Backlog>) -> Self {
        let scratch = engine.scratch();
        Self {
            engine,
            stats,
            backlog,
            reader: UpdateReader::default(),
            scratch,
            block: Block::default(),
            hits: Vec::new(),
        }
    }

    /// Matches batches until none can come any more, or nobody takes what matched.
    pub fn run(
        mut self,
        batches: &Receiver<Batch>,
        matched: &MatchedSender,
        empties: &Sender<Batch>,
    ) {
        loop {
            let received = if matched.holds_back() {
                batches.recv_timeout(LOOK_AFTER)
            } else {
                batches.recv().map_err(RecvTimeoutError::from)
            };
            let sent = match received {
                Ok(batch) => {
                    let sent = matched.send(self.matched(&batch), batch.can_wait);
                    // Full means that enough batches circulate already.
                    let _ = empties.try_send(batch);
                    sent
                }
                Err(RecvTimeoutError::Timeout) => matched.flush_when_due(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if sent.is_err() {
                return;
            }
        }
        // Whoever lost the writer reports it.
        let _ = matched.flush();
    }

    /// What matches in a batch; booked in the backlog.
    pub fn matched(&mut self, batch: &Batch) -> Matched {
        let mut matched = Matched {
            feed: batch.feed,
            sequence: batch.sequence,
            position: batch.position,
            received: batch.received,
            gap: batch.gap.clone(),
            reading: batch.reading.clone(),
            coverage: Coverage::of(&batch.coverage),
            ..Matched::default()
        };
        self.block.fill(batch, &self.stats);
        self.find_hits();
        matched.source = self.source(batch);
        self.gather_rows(batch, &mut matched);
        if self.backlog.is_full() && !batch.can_wait {
            matched.dropped_rows = matched.rows.len() as u64;
            self.stats.backlog_dropped.add(matched.dropped_rows);
            // Their memory, too.
            matched.rows = Vec::new();
            matched.certificates = Vec::new();
            if matched.dropped_rows > 0 && self.backlog.overflow() {
                log::warn!("{}", self.backlog.told());
            }
        }
        matched.overflow = !batch.can_wait && self.backlog.is_overflowing();
        matched.bytes = matched.size();
        self.backlog.add(matched.bytes);
        self.stats.rows.add(matched.rows.len() as u64);
        matched
    }

    /// How the batch was read, and of what was read again, what came of it.
    fn source(&self, batch: &Batch) -> Source {
        let log = match &batch.content {
            Content::Updates | Content::Scanned(_) | Content::Entries(_) => return Source::Whole,
            Content::Names(_) => return Source::NamesAlone,
            Content::Again(log) => log,
        };
        let matched = |place: u32| {
            let of = |(domain, _): &(u32, Hit)| self.block.updates[*domain as usize];
            self.hits.binary_search_by_key(&place, of).is_ok()
        };
        let entries = batch.updates().zip(0..).filter_map(|(update, place)| {
            batch::indexed(update.frame()).map(|(index, _)| (index, matched(place)))
        });
        Source::Again { log_url: log.url.as_str().into(), entries: entries.collect() }
    }

    fn find_hits(&mut self) {
        let Self { engine, stats, scratch, block, hits, .. } = self;
        hits.clear();
        // Domains are ASCII: sanitising lets nothing else through.
        let text = std::str::from_utf8(&block.text).unwrap_or_default();
        let candidates = engine.hits(text, &block.ends, scratch, |domain, hit| {
            hits.push((domain as u32, hit));
        });
        stats.domains.add(block.ends.len() as u64);
        stats.invalid_labels.add(scratch.invalid_labels() as u64);
        stats.candidates.add(candidates as u64);
        hits.iter().for_each(|(_, hit)| stats.match_of(hit.rule));
        stats.gave_up.add(hits.iter().filter(|(_, hit)| hit.gave_up).count() as u64);
    }

    /// Makes a row of every domain with hits, and reads the evidence of its update.
    fn gather_rows(&mut self, batch: &Batch, matched: &mut Matched) {
        let Self { block, hits, reader, .. } = self;
        let mut rest = hits.as_slice();
        let mut disputed = Vec::new();
        while let Some((domain, _)) = rest.first() {
            let update = block.updates[*domain as usize];
            let of_update = rest.partition_point(|(d, _)| block.updates[*d as usize] == update);
            let (ours, others) = rest.split_at(of_update);
            rest = others;
            let source = batch.update(update as usize);
            let evidence = match &batch.content {
                Content::Scanned(feed) => match judged(reader, feed, &source) {
                    Some(Judged::Agreed(evidence)) => evidence.map(|evidence| *evidence),
                    Some(Judged::Others(names)) => {
                        disputed
                            .push(Batch::of_one(source.frame(), names.iter().map(String::as_str)));
                        continue;
                    }
                    None => continue,
                },
                content => evidence(reader, content, source.frame()),
            };
            let certificate = evidence.map(|mut evidence| {
                // Nothing would ever count as seen later.
                evidence.seen = evidence.seen.filter(|seen| *seen <= batch.received + AHEAD);
                matched.certificates.push(evidence);
                matched.certificates.len() as u32 - 1
            });
            let rows = block.rows(ours, certificate);
            let first = matched.rows.len();
            matched.rows.extend(rows.rows);
            let names = &block.name_domains[block.names_of(update)];
            for (name, domain) in source.names().zip(names) {
                if let Some(row) = rows.by_domain.get(domain) {
                    let row = &mut matched.rows[first + row];
                    if *name != *row.domain {
                        row.names_as_seen.push(name.into());
                    }
                }
            }
            for row in &mut matched.rows[first..] {
                row.names_as_seen.sort_unstable();
                row.names_as_seen.dedup();
            }
        }
        // Matched anew, by the names that the judge has read.
        for batch in disputed {
            self.block.fill(&batch, &self.stats);
            self.find_hits();
            self.gather_rows(&batch, matched);
        }
    }
}

/// What the judge makes of an update that has matched, if it takes it for one at all.
fn judged(
    reader: &mut UpdateReader,
    feed: &FeedStats,
    update: &batch::Update<'_>,
) -> Option<Judged> {
    let judged = reader.judge(update.frame(), update.names()).ok();
    if !matches!(judged, Some(Judged::Agreed(_))) {
        feed.dispute(update.frame());
    }
    if judged.is_none() {
        feed.refused_late.fetch_add(1, Ordering::Relaxed);
    }
    judged
}

/// What a frame says about its certificate, if anything.
fn evidence(reader: &mut UpdateReader, content: &Content, frame: &[u8]) -> Option<Evidence> {
    match content {
        Content::Updates | Content::Scanned(_) => reader.evidence(frame),
        Content::Entries(log) | Content::Again(log) => {
            let (index, entry) = ctlog::read_frame(frame).ok()?;
            let name = LogName { name: &log.name, url: &log.url };
            Some(ctlog::evidence(&entry, index, &name, &log.link(index)))
        }
        Content::Names(log) => {
            let (index, rest) = batch::indexed(frame)?;
            let millis = rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
            Some(Evidence {
                log_name: Some(log.name.as_str().into()),
                log_url: Some(log.url.as_str().into()),
                cert_index: i64::try_from(index).ok(),
                cert_link: Some(log.link(index).into()),
                seen: millis.and_then(ctlog::micros),
                ..Evidence::default()
            })
        }
    }
}

/// The rows of one update.
struct Rows {
    rows: Vec<MatchedDomain>,
    /// By domain of the block: its row. The same domain may stand in the block twice.
    by_domain: HashMap<u32, usize>,
}

impl Block {
    /// Sanitises the names of a batch. A domain that repeats the one before it (`www.` and bare,
    /// side by side) is matched once; others are merged when they hit.
    fn fill(&mut self, batch: &Batch, stats: &MatcherStats) {
        self.text.clear();
        self.ends.clear();
        self.updates.clear();
        self.name_domains.clear();
        self.first_names.clear();
        for (update, index) in batch.updates().zip(0..) {
            self.first_names.push(self.name_domains.len() as u32);
            for name in update.name_bytes() {
                let domain = self.domain_of(name, index, stats);
                self.name_domains.push(domain);
            }
        }
    }

    fn domain_of(&mut self, name: &[u8], update: u32, stats: &MatcherStats) -> u32 {
        let start = self.text.len();
        if let Err(fault) = domain::sanitise(name, &mut self.text) {
            stats.dropped[fault as usize].add(1);
            return DROPPED;
        }
        if self.updates.last() == Some(&update) {
            let last = self.ends.len() - 1;
            let before = if last == 0 { 0 } else { self.ends[last - 1] as usize + 1 };
            if self.text[start..] == self.text[before..self.ends[last] as usize] {
                self.text.truncate(start);
                return last as u32;
            }
        }
        self.ends.push(self.text.len() as u32);
        self.updates.push(update);
        self.text.push(b'\n');
        self.ends.len() as u32 - 1
    }

    /// The names of an update, as a range of `name_domains`.
    fn names_of(&self, update: u32) -> Range<usize> {
        let start = self.first_names[update as usize] as usize;
        let end = self.first_names.get(update as usize + 1);
        start..end.map_or(self.name_domains.len(), |end| *end as usize)
    }

    /// The rows that the hits of one update make; equal domains share a row.
    fn rows(&self, hits: &[(u32, Hit)], certificate: Option<u32>) -> Rows {
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        let mut made = Rows { rows: Vec::new(), by_domain: HashMap::new() };
        let mut by_text: HashMap<&str, usize> = HashMap::new();
        for (domain, hit) in hits {
            let name = domain_at(text, &self.ends, *domain as usize);
            let next = made.rows.len();
            let row = *by_text.entry(name).or_insert(next);
            if row == next {
                made.rows.push(MatchedDomain {
                    domain: name.into(),
                    names_as_seen: Vec::new(),
                    certificate,
                    hits: Vec::new(),
                });
            }
            made.by_domain.insert(*domain, row);
            // Equal domains have equal hits, so a repeat brings nothing new.
            let hits = &mut made.rows[row].hits;
            if hits.last().is_none_or(|last| last.rule < hit.rule) {
                hits.push(*hit);
            }
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchSender, LogEntry, Origin, now_micros};
    use crate::ctlog::LogSource;
    use crate::rule::{Anchor, Loader, RuleEntry};
    use crossbeam_channel::unbounded;
    use std::path::Path;

    fn matcher(patterns: &[&str], backlog: usize) -> Matcher {
        let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
        let entries: Vec<RuleEntry> = patterns.iter().map(entry).collect();
        let mut loader = Loader::new(Anchor::Search);
        loader.entries(&entries, Path::new("test")).expect("rules compile");
        let engine = Engine::build(loader.finish().expect("rules")).expect("builds");
        Matcher::new(Arc::new(engine), Arc::default(), Arc::new(Backlog::new(backlog)))
    }

    fn batch(updates: &[(&str, &[&str])]) -> Batch {
        let (batches, received) = unbounded();
        let (_, empties) = unbounded();
        let mut out = BatchSender::new(Origin::default(), batches, empties, None);
        for ((frame, names), position) in updates.iter().zip(1..) {
            out.push(position, frame.as_bytes(), names.iter().copied()).expect("open");
        }
        out.flush().expect("open");
        received.try_recv().expect("a batch")
    }

    const FRAME: &str = r#"{"message_type":"certificate_update","data":{"leaf_cert":{"serial_number":"0A","all_domains":[]}}}"#;

    #[test]
    fn rows_carry_rules_names_and_evidence() {
        let mut matcher = matcher(&["pay", "pal"], 1 << 20);
        let names = ["*.paypal.com", "x.org", "www.PayPal.com", "paypal.com", "opal.de"];
        let matched = matcher.matched(&batch(&[("{}", &["a.b"]), (FRAME, &names)]));
        assert_eq!((matched.sequence, matched.position), (1, 2));
        assert_eq!(matched.certificates.len(), 1);
        assert_eq!(matched.certificates[0].serial.as_deref(), Some("A"));
        let rows: Vec<_> = matched
            .rows
            .iter()
            .map(|row| (&*row.domain, row.hits.iter().map(|h| h.rule).collect::<Vec<_>>()))
            .collect();
        assert_eq!(rows, [("paypal.com", vec![0, 1]), ("opal.de", vec![1])]);
        let seen: Vec<&str> = matched.rows[0].names_as_seen.iter().map(|n| &**n).collect();
        assert_eq!(seen, ["*.paypal.com", "www.PayPal.com"]);
        assert_eq!(matcher.backlog.bytes(), matched.bytes);
    }

    #[test]
    fn a_time_that_is_far_ahead_or_none_is_left_out() {
        let mut matcher = matcher(&["pay"], 1 << 20);
        let log = LogSource { name: "a".into(), url: "https://a/".into(), tiled: true };
        let now = now_micros().unsigned_abs() / 1000;
        for (millis, told) in [(now, true), (0, false), (now + 7_200_000, false), (u64::MAX, false)]
        {
            let (batches, received) = unbounded();
            let content = Content::Names(Arc::new(log.clone()));
            let origin = Origin { content, ..Origin::default() };
            let mut out = BatchSender::new(origin, batches, unbounded().1, None);
            let bytes = &millis.to_le_bytes();
            let entry = LogEntry { index: 7, bytes, timestamp: millis, verified: false };
            out.push_entry(&entry, ["pay.org"].into_iter()).expect("open");
            out.flush().expect("open");
            let matched = matcher.matched(&received.try_recv().expect("a batch"));
            let seen = matched.certificates[0].seen;
            assert_eq!(seen, told.then(|| (millis * 1000).cast_signed()), "{millis}");
        }
    }

    #[test]
    fn a_batch_without_matches_is_its_number_alone() {
        let mut matcher = matcher(&["pay"], 1 << 20);
        let matched = matcher.matched(&batch(&[(FRAME, &["a.org", "no dot"])]));
        assert!(matched.rows.is_empty() && matched.certificates.is_empty());
        assert_eq!(matched.sequence, 1);
        assert_eq!((matched.bytes, matcher.backlog.bytes()), (size_of::<Matched>(), matched.bytes));
        assert_eq!(matcher.stats.domains.get(), 1);
    }

    #[test]
    fn a_full_backlog_drops_the_rows_of_feeds_that_cannot_wait() {
        let mut matcher = matcher(&["pay"], 1);
        matcher.backlog.add(1);
        let matched = matcher.matched(&batch(&[(FRAME, &["pay.org"])]));
        assert_eq!((matched.rows.len(), matched.dropped_rows), (0, 1));
        assert_eq!(
            (matched.bytes, matcher.backlog.bytes()),
            (size_of::<Matched>(), 1 + matched.bytes)
        );
        assert_eq!(matcher.stats.backlog_dropped.get(), 1);
    }
}
