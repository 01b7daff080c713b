//! The counters in Prometheus' text form.
//!
//! Owns the names of the metrics and their help texts. Values are read when they are asked for;
//! nothing is kept but which rules are named, so that their number stays bounded.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Seen;
use crate::domain::NameFault;
use crate::rule::RuleIndex;
use crate::stats::{FeedStats, Histogram, MatcherStats};
use crate::store::{free_bytes, wal_of};
use crate::update::FrameFault;

/// Rules that have a series of their own: the first to match. Every further one adds to the
/// series of none, since each series costs whoever scrapes them memory for months.
const NAMED_RULES: usize = 500;

/// Everything that can be scraped.
pub(super) struct Metrics(Registry);

impl Metrics {
    pub(super) fn new(seen: Arc<Seen>) -> Self {
        let mut registry = Registry::with_prefix("certstream");
        registry.register_collector(Box::new(Scrape { seen, named: Mutex::default() }));
        Self(registry)
    }

    /// All metrics as they stand.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// Reads the counters.
#[derive(Debug)]
struct Scrape {
    seen: Arc<Seen>,
    /// The rules that have a series, in the order in which they were first seen to match.
    named: Mutex<Vec<RuleIndex>>,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(&mut encoder);
        self.feeds(&mut out)?;
        self.logs(&mut out)?;
        self.matchers(&mut out)?;
        self.rules(&mut out)?;
        self.writer(&mut out)?;
        self.disk(&mut out)?;
        self.build(&mut out)
    }
}

impl Scrape {
    fn feeds(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        type Count = (&'static str, &'static str, fn(&FeedStats) -> u64);
        let counts: [Count; 15] = [
            ("frames", "Frames and log entries received, of every kind", |f| f.frames.get()),
            ("received_bytes", "Bytes of frames received", |f| f.bytes.get()),
            ("certificates", "Certificate updates read", |f| f.updates.get()),
            ("scanned_frames", "Certificate updates whose names the scan found", |f| {
                f.scanned.get()
            }),
            ("disputed_frames", "Frames that the scan and the judge read differently", |f| {
                f.disputed.load(Ordering::Relaxed)
            }),
            ("refused_late_frames", "Frames with a match that the judge refused", |f| {
                f.refused_late.load(Ordering::Relaxed)
            }),
            ("names", "Names in certificates, before sanitising", |f| f.names.get()),
            ("surplus_names", "Names left unread, their certificates having too many", |f| {
                f.surplus_names.get()
            }),
            ("indexes", "Entries of logs received by certstream feeds, each counted once", |f| {
                f.indexes.get()
            }),
            ("index_span", "Entries of those logs from the first to the last received", |f| {
                f.index_span.get()
            }),
            ("unindexed", "Certificates whose index is missing or cannot be told", |f| {
                f.without_index.get()
            }),
            (
                "missed_entries",
                "Entries missed while a certstream feed was not read, at most",
                |f| f.missed.get(),
            ),
            ("unreadable_entries", "Log entries that could not be read", |f| f.unreadable.get()),
            ("reconnects", "Connections made after the first", |f| f.reconnects.get()),
            ("gaps", "Spans in which a feed was not read, by feed", |f| f.gaps.get()),
        ];
        let feeds = self.seen.stats.feeds.all();
        for (name, help, count) in counts {
            let values = feeds.iter().map(|feed| ([("feed", feed.name.as_str())], count(feed)));
            out.counters(name, help, values)?;
        }
        let refused = feeds.iter().flat_map(|feed| {
            FrameFault::ALL.into_iter().map(|fault| {
                let labels = [("feed", feed.name.as_str()), ("reason", fault.reason())];
                (labels, feed.refused[fault as usize].get())
            })
        });
        let refused = refused.filter(|(_, count)| *count > 0);
        out.counters("refused_frames", "Frames refused, by reason", refused)?;
        let live = feeds.iter().map(|feed| {
            let live = feed.live.load(Ordering::Relaxed);
            ([("feed", feed.name.as_str())], f64::from(u8::from(live)))
        });
        out.gauges("feed_live", "1 while the feed is being read", live)?;
        let newest = feeds.iter().filter_map(|feed| {
            let seen = feed.newest_seen.load(Ordering::Relaxed);
            (seen > 0).then(|| ([("feed", feed.name.as_str())], seen as f64 / 1e6))
        });
        let help = "When the newest certificate was seen, by the source's own clock";
        out.gauges("newest_seen_timestamp_seconds", help, newest)
    }

    fn logs(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let feeds = self.seen.stats.feeds.all();
        let logs = || {
            feeds.iter().filter_map(|feed| {
                let size = feed.tree_size.load(Ordering::Relaxed);
                let position = feed.position.load(Ordering::Relaxed);
                let follows = size > 0 && !feed.recorded.load(Ordering::Relaxed);
                follows.then(|| ([("feed", feed.name.as_str())], size, position))
            })
        };
        let sizes = logs().map(|(labels, size, _)| (labels, size as f64));
        out.gauges("log_tree_size_entries", "Entries in the log's newest tree", sizes)?;
        let positions = logs().map(|(labels, _, position)| (labels, position as f64));
        out.gauges("log_position_entries", "Entries of the log read so far", positions)?;
        let lags =
            logs().map(|(labels, size, position)| (labels, size.saturating_sub(position) as f64));
        out.gauges("log_lag_entries", "Entries of the log not read yet", lags)
    }

    fn matchers(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        type Count = (&'static str, &'static str, fn(&MatcherStats) -> u64);
        let counts: [Count; 5] = [
            ("domains", "Domains matched against the rules", |m| m.domains.get()),
            ("candidates", "Pairs of domain and rule that were verified", |m| m.candidates.get()),
            ("matches", "Pairs of domain and rule that matched", |m| m.matches.get()),
            ("give_ups", "Matches whose rule reached its step limit", |m| m.gave_up.get()),
            ("dropped_rows", "Matched rows dropped, the backlog being full", |m| {
                m.backlog_dropped.get()
            }),
        ];
        for (name, help, count) in counts {
            out.counter(name, help, self.seen.stats.matcher_total(count))?;
        }
        let dropped = NameFault::ALL.into_iter().map(|fault| {
            let count = self.seen.stats.matcher_total(|m| m.dropped[fault as usize].get());
            ([("reason", fault.reason())], count)
        });
        let help = "Names that are no host names, by reason";
        out.counters("dropped_names", help, dropped)
    }

    fn rules(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let rules = &self.seen.engine.rules().rules;
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = 0;
        let mut by_rule = vec![0; rules.len()];
        for matcher in &self.seen.stats.matchers {
            for (sum, count) in by_rule.iter_mut().zip(&matcher.rule_matches) {
                *sum += count.get();
            }
        }
        for (index, count) in (0..).zip(&by_rule).filter(|(_, count)| **count > 0) {
            if named.contains(&index) {
                continue;
            }
            if named.len() < NAMED_RULES {
                named.push(index);
            } else {
                others += count;
            }
        }
        let series = named.iter().map(|index| {
            ([("rule", rules[*index as usize].name.as_str())], by_rule[*index as usize])
        });
        let others = (others > 0).then_some(([("rule", "")], others));
        let help = "Matches by rule; without a name, those of all further rules together";
        out.counters("rule_matches", help, series.chain(others))
    }

    fn writer(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let Seen { stats, backlog, .. } = &*self.seen;
        let writer = &stats.writer;
        out.counter("commits", "Transactions committed", writer.commits.get())?;
        let help = "Transactions that had to be tried again";
        out.counter("commit_retries", help, writer.retries.get())?;
        let help = "Matched rows committed (sightings of a domain)";
        out.counter("committed_rows", help, writer.rows.get())?;
        out.counter("new_domains", "New domains committed", writer.new_domains.get())?;
        let help = "New pairs of domain and rule committed";
        out.counter("new_pairs", help, writer.new_pairs.get())?;
        let lines = stats.lines_dropped.get() + stats.lines_left_out.get();
        let help = "Lines for stdout dropped because nobody read them in time";
        out.counter("dropped_lines", help, lines)?;
        let waiting = writer.waiting.load(Ordering::Relaxed);
        out.gauge("waiting_rows", "Matched rows waiting for their transaction", waiting as f64)?;
        let help = "Bytes matched and not yet committed";
        out.gauge("backlog_bytes", help, backlog.bytes() as f64)?;
        let help = "Bytes beyond which feeds wait or rows are dropped";
        out.gauge("backlog_limit_bytes", help, backlog.limit() as f64)?;
        out.histogram("commit_seconds", "How long transactions took", &writer.commit_time)?;
        let help = "From the receipt of a frame until its matches were committed";
        out.histogram("delay_seconds", help, &writer.delay)
    }

    fn disk(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let file = &self.seen.database;
        let size = |file: &Path| fs::metadata(file).map_or(0, |metadata| metadata.len());
        out.gauge("database_bytes", "Size of the database file", size(file) as f64)?;
        let help = "Size of the database's write-ahead log";
        out.gauge("database_wal_bytes", help, size(&wal_of(file)) as f64)?;
        match free_bytes(file) {
            Some(free) => {
                out.gauge("disk_free_bytes", "Bytes free on the database's disk", free as f64)
            }
            None => Ok(()),
        }
    }

    fn build(&self, out: &mut Out<'_, '_>) -> fmt::Result {
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", env!("CERTSTREAM_COMMIT")),
            ("rustc", env!("CERTSTREAM_RUSTC")),
        ];
        out.gauges("build_info", "What runs here", [(labels, 1.0)].into_iter())
    }
}

/// Writes metrics, a family at a time. The encoder ends the name of a counter in `_total`.
struct Out<'e, 'w>(&'e mut DescriptorEncoder<'w>);

impl Out<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(encoder)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (impl EncodeLabelSet, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(encoder)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (impl EncodeLabelSet, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        let buckets: Vec<(f64, u64)> = histogram.buckets().collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(histogram.seconds(), count, &buckets, None)
    }
}
