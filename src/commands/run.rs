//! One run of the pipeline, from an opened store to its end.
//!
//! Owns what `watch`, `record` and `replay` share: counters, signals, the run's row in the
//! database, and how errors become an exit code.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crate::console::Console;
use crate::cores::Pins;
use crate::domain::NameFault;
use crate::error::{Error, ExitCode, Result};
use crate::feed::MAX_NAMES;
use crate::feed::recorder::Recording;
use crate::matcher::Engine;
use crate::observe::Observer;
use crate::pipeline::{self, Healing, Outcome, Pipeline, SignalWatch, Source};
use crate::printer::Printer;
use crate::stats::Stats;
use crate::stop::Stop;
use crate::store::Store;
use crate::update::{FrameFault, Parse};

/// What a run is made of, as the subcommand decided.
pub struct Run {
    /// `watch`, `record` or `replay`, as stored in `runs`.
    pub command: &'static str,
    /// The feeds.
    pub sources: Vec<Source>,
    /// Who reads the names of certstream frames.
    pub parse: Parse,
    /// The compiled rules.
    pub engine: Arc<Engine>,
    /// The opened database.
    pub store: Store,
    /// Bound of what is matched and not yet committed, in bytes.
    pub backlog: usize,
    /// Matcher threads; none: one less than the cores, at least one.
    pub matchers: Option<usize>,
    /// Where threads run.
    pub pins: Pins,
    /// How matches are shown on stdout: none, text or JSON.
    pub show: Option<Show>,
    /// A folder to delete where the run is broken off: nobody else is left to do it then.
    pub scratch: Option<PathBuf>,
    /// The capture to write.
    pub recording: Option<Recording>,
    /// The terminal.
    pub console: Console,
    /// Where metrics and health are served, bound.
    pub observer: Option<Observer>,
    /// What is fetched where a feed has missed it.
    pub healing: Option<Healing>,
}

/// How matches are shown.
#[derive(Clone, Copy)]
pub struct Show {
    /// One JSON object a line.
    pub json: bool,
    /// Every sighting, not only new (domain, rule) pairs.
    pub every_sighting: bool,
}

/// What a run left behind.
pub struct Finished {
    /// Its counters.
    pub stats: Arc<Stats>,
    /// Its signal watch. Held until the export is written, so that a second signal still counts.
    _signals: SignalWatch,
    /// The worst that happened.
    pub exit: ExitCode,
}

impl Run {
    /// Runs to the end of the feeds or to a stop, and closes the run's row.
    ///
    /// # Errors
    /// When the run could not start, or the database was lost with the writer.
    pub fn run(mut self) -> Result<Finished> {
        let stop = Arc::new(Stop::new().map_err(|error| {
            Error::failed(format!("cannot open a pipe: {error}"))
                .remedy("raise the limit on open files (ulimit -n)")
        })?);
        let matchers = self.matchers.unwrap_or_else(default_matchers);
        let stats = Arc::new(pipeline::counters(matchers, self.engine.rules().rules.len()));
        let signals = SignalWatch::start(Arc::clone(&stop), Arc::clone(&stats), self.scratch)?;
        self.store.begin_run(self.command, self.engine.rules())?;
        let printer = self.show.map(|show| Printer {
            json: show.json,
            console: self.console.clone(),
            stop: Arc::clone(&stop),
            left_out: Arc::clone(&stats.lines_left_out),
        });
        let outcome = Pipeline {
            sources: self.sources,
            parse: self.parse,
            pins: self.pins,
            engine: self.engine,
            store: self.store,
            backlog: self.backlog,
            printer,
            every_sighting: self.show.is_some_and(|show| show.every_sighting),
            recording: self.recording,
            stats: Arc::clone(&stats),
            stop,
            console: self.console.clone(),
            observer: self.observer,
            healing: self.healing,
        }
        .run();
        self.console.finish();
        log_dropped_names(&stats);
        let exit = close(outcome?, self.command)?;
        Ok(Finished { stats, _signals: signals, exit })
    }
}

/// One matcher thread per core but one, which the feed and the writer share.
fn default_matchers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get() - 1).max(1)
}

/// Closes the run's row with how it ended. Errors have been logged where they happened; here
/// they decide the exit code.
fn close(outcome: Outcome, command: &str) -> Result<ExitCode> {
    let Outcome { store, stopped, errors } = outcome;
    let Some(mut store) = store else {
        // Why, has been logged where it happened.
        return Err(Error::failed("the run ended without its writer, and nothing was exported")
            .remedy("see the error above; `certstream export` writes what was committed"));
    };
    let exit = if errors.is_empty() { ExitCode::Done } else { ExitCode::Failed };
    let first = errors.first().map(ToString::to_string);
    // A watch ends with a stop as it should. What reads the past has an end of its own.
    let cut_short = stopped && matches!(command, "replay" | "backfill");
    if cut_short {
        log::warn!("stopped before the end of the {command}: what was not read is not matched");
    }
    store.end_run(first.as_deref().unwrap_or(if cut_short { "stopped" } else { "done" }))?;
    Ok(exit)
}

/// What was refused, by reason, in brackets; empty where nothing was.
fn refusals(stats: &Stats) -> String {
    let reasons = FrameFault::ALL.map(|fault| {
        let count = stats.feed_total(|feed| feed.refused[fault as usize].get());
        (fault.reason(), count)
    });
    by_reason(&reasons).map_or_else(String::new, |reasons| format!(" ({reasons})"))
}

/// Says at `-v` which names were no host names, and why: certificates are full of them.
fn log_dropped_names(stats: &Stats) {
    let reasons = NameFault::ALL.map(|fault| {
        let count = stats.matcher_total(|matcher| matcher.dropped[fault as usize].get());
        (fault.reason(), count)
    });
    if let Some(reasons) = by_reason(&reasons) {
        log::debug!("names that are no host names: {reasons}");
    }
}

/// Counts and their reasons in words; none where there is nothing to count.
fn by_reason(reasons: &[(&str, u64)]) -> Option<String> {
    let counted = reasons.iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> = counted.map(|(why, count)| format!("{count} {why}")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// A run in one line: what was read, what matched, what was missed.
pub fn summary(stats: &Stats) -> String {
    use crate::stats::{Counter, FeedStats};
    let dropped_names = stats.matcher_total(|m| m.dropped.iter().map(Counter::get).sum());
    let mut line = format!(
        "read {} frames, {} certificates, {} names ({dropped_names} no host names); {} matches, \
         {} new domains, {} new pairs of domain and rule; missed: {} frames refused{}, {} gaps, {} \
         matched rows dropped",
        stats.feed_total(|feed| feed.frames.get()),
        stats.feed_total(|feed| feed.updates.get()),
        stats.feed_total(|feed| feed.names.get()),
        stats.matcher_total(|matcher| matcher.matches.get()),
        stats.writer.new_domains.get(),
        stats.writer.new_pairs.get(),
        stats.feed_total(FeedStats::refused_total),
        refusals(stats),
        stats.feed_total(|feed| feed.gaps.get()),
        stats.matcher_total(|matcher| matcher.backlog_dropped.get()),
    );
    let surplus = stats.feed_total(|feed| feed.surplus_names.get());
    if surplus > 0 {
        line.push_str(&format!(
            "; {surplus} names not read, beyond the first {MAX_NAMES} of their certificates"
        ));
    }
    let invalid = stats.matcher_total(|matcher| matcher.invalid_labels.get());
    if invalid > 0 {
        line.push_str(&format!("; {invalid} labels xn-- that do not decode, tried as they are"));
    }
    let gave_up = stats.matcher_total(|matcher| matcher.gave_up.get());
    if gave_up > 0 {
        line.push_str(&format!("; {gave_up} matches gave up and await review"));
    }
    let lines = stats.lines_dropped.get() + stats.lines_left_out.get();
    if lines > 0 {
        line.push_str(&format!("; {lines} lines not shown because stdout was not read in time"));
    }
    line
}
