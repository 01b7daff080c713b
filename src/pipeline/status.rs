//! The status: what the run is doing, once a second on a terminal, else a log line a minute.
//!
//! Owns the text and its pace. Reads the counters; touches nothing of the pipeline.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::backlog::Backlog;
use crate::batch::now_micros;
use crate::console::Console;
use crate::stats::{FeedStats, Stats};
use crate::stop::Stop;

const TICK: Duration = Duration::from_secs(1);
/// Log lines are for whoever reads them days later: one a minute.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What the status is made of.
#[derive(Debug)]
pub struct Status {
    /// The counters.
    pub stats: Arc<Stats>,
    /// The account of what is matched and not yet committed.
    pub backlog: Arc<Backlog>,
    /// The stop, whose progress is shown once it is requested.
    pub stop: Arc<Stop>,
    /// The live line.
    pub console: Console,
}

impl Status {
    /// Shows the status until `ended` closes.
    pub fn run(&self, ended: &Receiver<()>) {
        let mut shown = Shown { at: Instant::now(), updates: 0 };
        let mut logged = Shown { at: Instant::now(), updates: 0 };
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if self.stop.is_requested() {
                log::info!(
                    "stopping: {} matched rows to commit, {} in the backlog",
                    self.rows_to_commit(),
                    bytes(self.backlog.bytes() as u64)
                );
            } else if self.console.is_live() {
                if let Some((read, all)) = self.range() {
                    self.console.show_range(read, all);
                }
                self.console.status(self.line(&mut shown));
            } else if logged.at.elapsed() >= LOG_EVERY {
                log::info!("{}", self.line(&mut logged));
            }
        }
    }

    fn rows_to_commit(&self) -> u64 {
        let matched = self.stats.matcher_total(|matcher| matcher.rows.get());
        matched.saturating_sub(self.stats.writer.rows.get())
    }

    /// The status since `since`, which it brings up to now.
    fn line(&self, since: &mut Shown) -> String {
        let updates = self.stats.feed_total(|feed| feed.updates.get());
        let seconds = since.at.elapsed().as_secs_f64().max(0.001);
        let rate = (updates - since.updates) as f64 / seconds;
        *since = Shown { at: Instant::now(), updates };
        let mut feeds = self.stats.feeds.all();
        feeds.retain(|feed| !feed.ended.load(Ordering::Relaxed));
        let live = feeds.iter().filter(|feed| feed.live.load(Ordering::Relaxed)).count();
        // What is missed comes first: a terminal cuts the line at its width.
        let mut line = self.missed();
        if let Some((read, all)) = self.range().filter(|_| !self.console.is_live()) {
            let share = read as f64 / all as f64 * 100.0;
            line.push_str(&format!("{share:.1} % of {all} entries, "));
        }
        line.push_str(&format!(
            "{rate:.0} certificates/s, {updates} read, {} matches ({} new), backlog {}{}, {live} of \
             {} feeds live",
            self.stats.matcher_total(|matcher| matcher.matches.get()),
            self.stats.writer.new_pairs.get(),
            bytes(self.backlog.bytes() as u64),
            self.lag(),
            feeds.len(),
        ));
        line
    }

    /// What has been missed so far, and a semicolon; nothing where nothing was.
    fn missed(&self) -> String {
        let counts = [
            (self.stats.feed_total(|feed| feed.gaps.get()), "gaps"),
            (self.stats.feed_total(FeedStats::refused_total), "frames refused"),
            (self.stats.matcher_total(|matcher| matcher.backlog_dropped.get()), "rows dropped"),
        ];
        let counted = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = counted.map(|(count, what)| format!("{count} {what}")).collect();
        if words.is_empty() { String::new() } else { words.join(", ") + "; " }
    }

    /// How much is read of the range of a log; nothing where none is.
    fn range(&self) -> Option<(u64, u64)> {
        self.stats.feeds.all().iter().find_map(|feed| feed.range())
    }

    /// How far the newest certificate seen lies back, by the source's own clock; of CT logs that
    /// one which is furthest behind, since each is a source of its own. Nothing for captures, whose
    /// age is no lag.
    fn lag(&self) -> String {
        let now = now_micros();
        let feeds = self.stats.feeds.all();
        let worst = feeds
            .iter()
            .filter_map(|feed| Some((feed.lag_of_log(now)?, feed.name.as_str())))
            .max_by_key(|(lag, _)| *lag);
        let newest = feeds
            .iter()
            .filter(|feed| !feed.recorded.load(Ordering::Relaxed))
            .filter(|feed| !feed.ended.load(Ordering::Relaxed))
            .filter(|feed| feed.tree_size.load(Ordering::Relaxed) == 0)
            .map(|feed| feed.newest_seen.load(Ordering::Relaxed))
            .max();
        let mut lag = match newest {
            None => String::new(),
            Some(newest) if newest > 0 => {
                format!(", lag {:.1} s", (now - newest).max(0) as f64 / 1e6)
            }
            // A log that was not reached yet has its say when it is.
            Some(_) if worst.is_some() => String::new(),
            Some(_) => ", lag unknown".to_owned(),
        };
        match worst {
            None => {}
            Some((i64::MAX, name)) => lag.push_str(&format!(", lag unknown ({name})")),
            Some((0, _)) => lag.push_str(", no log lags"),
            Some((worst, name)) => {
                lag.push_str(&format!(", lag {:.1} s ({name})", worst as f64 / 1e6));
            }
        }
        lag
    }
}

/// When a status was last shown, and how many updates had been read by then.
struct Shown {
    at: Instant,
    updates: u64,
}

/// A number of bytes for a person.
fn bytes(n: u64) -> String {
    if n < 1024 * 1024 {
        format!("{} KiB", n.div_ceil(1024))
    } else {
        format!("{:.1} MiB", n as f64 / (1024.0 * 1024.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn status() -> (Status, Arc<FeedStats>) {
        let stats = Arc::new(Stats { matchers: vec![Arc::default()], ..Stats::default() });
        let (_, feed) = stats.feeds.add(FeedStats::named("feed", true)).expect("the first");
        let status = Status {
            stats,
            backlog: Arc::new(Backlog::new(1 << 20)),
            stop: Arc::new(Stop::new().expect("a pipe")),
            console: Console::new(true),
        };
        (status, feed)
    }

    #[test]
    fn what_is_missed_is_seen_on_a_narrow_terminal() {
        let (status, feed) = status();
        feed.gaps.add(12);
        feed.refuse(crate::update::FrameFault::TooLarge);
        status.stats.matchers[0].backlog_dropped.add(34);
        let line = status.line(&mut Shown { at: Instant::now(), updates: 0 });
        assert!(line.starts_with("12 gaps, 1 frames refused, 34 rows dropped; "), "{line}");
    }

    #[test]
    fn a_capture_has_no_lag() {
        let (status, feed) = status();
        feed.newest_seen.store(1, Ordering::Relaxed);
        feed.recorded.store(true, Ordering::Relaxed);
        let line = status.line(&mut Shown { at: Instant::now(), updates: 0 });
        assert!(!line.contains("lag"), "{line}");
    }

    #[test]
    fn of_logs_the_one_furthest_behind_is_named() {
        let (status, feed) = status();
        feed.recorded.store(true, Ordering::Relaxed);
        let line = || status.line(&mut Shown { at: Instant::now(), updates: 0 });
        let logs: Vec<Arc<FeedStats>> = ["log fast", "log stuck", "log over"]
            .map(|name| status.stats.feeds.add(FeedStats::named(name, true)).expect("new").1)
            .into();
        for log in &logs {
            log.live.store(true, Ordering::Relaxed);
            log.tree_size.store(100, Ordering::Relaxed);
            log.position.store(100, Ordering::Relaxed);
            log.newest_seen.store(now_micros() - 1_000_000, Ordering::Relaxed);
        }
        assert!(line().contains("no log lags, 3 of 4 feeds live"), "{}", line());
        // Its tree head cannot be had any more: what is behind it nobody knows.
        logs[1].live.store(false, Ordering::Relaxed);
        logs[1].newest_seen.store(now_micros() - 500_000_000, Ordering::Relaxed);
        logs[2].ended.store(true, Ordering::Relaxed);
        logs[2].live.store(false, Ordering::Relaxed);
        assert!(line().contains("lag 500.0 s (log stuck), 1 of 3 feeds live"), "{}", line());
        logs[1].newest_seen.store(0, Ordering::Relaxed);
        assert!(line().contains("lag unknown (log stuck)"), "{}", line());
    }

    #[test]
    fn a_range_shows_how_much_of_it_is_read() {
        let (status, feed) = status();
        feed.recorded.store(true, Ordering::Relaxed);
        let line = || status.line(&mut Shown { at: Instant::now(), updates: 0 });
        assert!(!line().contains('%'), "{}", line());
        feed.range_begin.store(1000, Ordering::Relaxed);
        feed.range_end.store(5000, Ordering::Relaxed);
        feed.position.store(2000, Ordering::Relaxed);
        assert!(line().starts_with("25.0 % of 4000 entries, "), "{}", line());
        let (read, all) = status.range().expect("a range");
        status.console.show_range(read, all);
        assert_eq!(status.console.shown_progress(), (1000, Some(4000)));
    }

    #[test]
    fn the_line_tells_what_happened_since_the_last_one() {
        let (status, feed) = status();
        feed.updates.add(50);
        feed.live.store(true, Ordering::Relaxed);
        status.stats.matchers[0].matches.add(3);
        status.backlog.add(2 << 20);
        let mut since = Shown { at: Instant::now() - Duration::from_secs(10), updates: 20 };
        let line = status.line(&mut since);
        assert!(line.starts_with("3 certificates/s, 50 read, 3 matches (0 new)"), "{line}");
        assert!(line.contains("backlog 2.0 MiB, lag unknown, 1 of 1 feeds live"), "{line}");
        assert_eq!(since.updates, 50);
    }
}
