//! The pipeline: the only place that makes channels, starts the stages and joins them.
//!
//! Owns the bounds of the channels and the order of shutdown; `source` has what each kind of feed
//! needs, `readers` the connections by which feeds ask the database. Stages get their ends and run; none
//! of them knows another. (Feeds keep threads inside: a certstream feed resolves and connects on one
//! that nobody joins, a capture feed unpacks on one; each CT log has one of its own, and some
//! that fetch.)
//!
//! Shutdown is closure flowing with the data: feeds return (at a stop, at the end of their
//! captures, or refused by their server), their senders drop, the matchers drain, the writer
//! commits what is left. Joins happen in that order, so each join waits for a stage whose input
//! is already closed.

mod crew;
mod profiling;
mod readers;
mod signals;
mod source;
mod status;

pub use profiling::profile;
pub use signals::SignalWatch;
pub use source::Source;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::backlog::Backlog;
use crate::batch::{Batch, Frames, TreeHead};
use crate::config::Ct;
use crate::console::Console;
use crate::cores::{CoreList, Pins};
use crate::error::{Error, Result};
use crate::feed::recorder::Recording;
use crate::feed::{Outlets, ctlog};
use crate::matcher::{Engine, MatchedSender, Matcher};
use crate::observe::{Observer, Seen};
use crate::printer::Printer;
use crate::record::Record;
use crate::stats::{MatcherStats, RecorderStats, Stats};
use crate::stop::Stop;
use crate::store::{Announce, Store, Writer};
use crate::update::Parse;

use crew::{Crew, OnError, Worker};
use status::Status;

/// Batches waiting for a matcher: enough to bridge a matcher's pause of some milliseconds. Each
/// holds at most 1 MiB of frames, but for a larger frame, which travels alone: at worst eight of
/// 16 MiB wait here. Beyond that the feed waits.
const BATCHES: usize = 8;
/// Records waiting for stdout. A reader slower than this makes `watch` drop lines (counted) and
/// `replay` wait.
const RECORDS: usize = 4096;
/// Frame arenas waiting for the recorder's disk: at 1 MiB each this is its memory bound too.
const RECORDED: usize = 32;

/// What several stages look at; nothing of the data.
#[derive(Clone, Debug)]
struct Shared {
    backlog: Arc<Backlog>,
    stop: Arc<Stop>,
    stats: Arc<Stats>,
    parse: Parse,
    pins: Pins,
    console: Console,
    /// The newest tree head of every CT log that was read before.
    tree_heads: Arc<HashMap<String, TreeHead>>,
    /// The CT logs that were given up before their end, by feed: at which entry.
    given_up: Arc<HashMap<String, u64>>,
    /// What the CT logs are asked with, whoever asks.
    protocols: Arc<ctlog::Protocols>,
    /// The database file, for a reader.
    database: PathBuf,
}

/// What is fetched of the logs where a certstream feed has missed it.
#[derive(Debug)]
pub struct Healing {
    /// How the logs are asked, and where their list is.
    pub ct: Ct,
    /// Entries that a hole may have.
    pub max_entries: u64,
}

/// Everything a run needs, ready to start.
#[derive(Debug)]
pub struct Pipeline {
    /// Where certificates come from.
    pub sources: Vec<Source>,
    /// Who reads the names of certstream frames.
    pub parse: Parse,
    /// Where threads run.
    pub pins: Pins,
    /// The compiled rules.
    pub engine: Arc<Engine>,
    /// The opened database, its run begun.
    pub store: Store,
    /// Bound of what is matched and not yet committed, in bytes.
    pub backlog: usize,
    /// Where matches are shown; none shows nothing.
    pub printer: Option<Printer>,
    /// Show every sighting instead of new (domain, rule) pairs only.
    pub every_sighting: bool,
    /// The capture to write while watching.
    pub recording: Option<Recording>,
    /// The counters, as [`counters`] made them: one matcher thread for each of its matchers.
    pub stats: Arc<Stats>,
    /// Asks the feeds to stop.
    pub stop: Arc<Stop>,
    /// The live line.
    pub console: Console,
    /// Where metrics and health are served; none serves nothing.
    pub observer: Option<Observer>,
    /// What is fetched where a feed has missed it; none: nothing.
    pub healing: Option<Healing>,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The database, unless the writer was lost with it.
    pub store: Option<Store>,
    /// Whether a stop was requested while feeds were still being read.
    pub stopped: bool,
    /// What went wrong, in the order of the joins. Empty: the run ended as it should.
    pub errors: Vec<Error>,
}

/// Counters for a run with so many matcher threads.
#[must_use]
pub fn counters(matchers: usize, rules: usize) -> Stats {
    let matcher = || Arc::new(MatcherStats::by_rule(rules));
    Stats { matchers: std::iter::repeat_with(matcher).take(matchers).collect(), ..Stats::default() }
}

impl Pipeline {
    /// Runs until every feed has ended and what they read is committed.
    ///
    /// # Errors
    /// When a thread cannot be started or the database cannot be asked where its feeds stand;
    /// what goes wrong later is in the [`Outcome`].
    pub fn run(self) -> Result<Outcome> {
        let shared = Shared {
            backlog: Arc::new(Backlog::new(self.backlog)),
            stop: self.stop,
            stats: self.stats,
            parse: self.parse,
            pins: self.pins,
            console: self.console,
            tree_heads: Arc::new(self.store.tree_heads()?),
            given_up: Arc::new(self.store.given_up()?),
            protocols: Arc::default(),
            database: self.store.file().to_path_buf(),
        };
        let mut crew = Crew::new(Arc::clone(&shared.stop));
        let (running, ended) = bounded::<()>(0);
        let status = start_status(&crew, &shared, ended.clone())?;
        let observer = start_observer(&crew, &shared, self.observer, &self.engine, ended)?;

        let (batches_in, batches) = bounded(BATCHES);
        // Giving one back never waits: of many CT logs, batches that find no room are freed.
        let (empties, empties_out) =
            bounded(BATCHES + shared.stats.matchers.len() + self.sources.len());
        let (matched_in, matched) = unbounded();

        let positions = self.store.positions()?;
        let check = start_check(&crew, &shared, &self.store)?;
        let coverage = self.store.coverage_heads()?;
        // A socket goes on while the reader of stdout sleeps; a capture can wait for it.
        let wait = self.sources.iter().all(Source::can_wait);
        let (announce, printer) =
            start_printer(&crew, &shared, self.printer, self.every_sighting, wait)?;
        let writer = start_writer(&crew, &shared, self.store, announce, matched)?;
        let matched_in = Arc::new(MatchedSender::new(matched_in, Arc::clone(&shared.backlog)));
        let matchers =
            start_matchers(&crew, &shared, &self.engine, &batches, &matched_in, &empties)?;
        // Only the matchers hold these from here on: their end closes the channels.
        drop((batches, matched_in, empties));
        let (recorded, recorder) = start_recorder(&crew, self.recording)?;
        let outlets = Arc::new(Outlets {
            batches: batches_in,
            empties: empties_out,
            recorded,
            feeds: Arc::clone(&shared.stats.feeds),
            positions,
            coverage,
        });
        let (alive, feeds_ended) = bounded::<()>(0);
        let healer = start_healer(&crew, &shared, self.healing, &outlets, feeds_ended)?;
        let feeds = start_feeds(&crew, &shared, self.sources, outlets, alive)?;

        crew.join_all(feeds);
        crew.join_all(healer);
        let stopped = shared.stop.is_requested();
        crew.join_all(check);
        crew.join_all(recorder);
        crew.join_all(matchers);
        let store = crew.join(writer);
        crew.join_all(printer);
        drop(running);
        crew.join(status);
        crew.join_all(observer);
        Ok(Outcome { store, stopped, errors: crew.into_errors() })
    }
}

fn start_status(crew: &Crew, shared: &Shared, ended: Receiver<()>) -> Result<Worker<()>> {
    let status = Status {
        stats: Arc::clone(&shared.stats),
        backlog: Arc::clone(&shared.backlog),
        stop: Arc::clone(&shared.stop),
        console: shared.console.clone(),
    };
    crew.start("status".to_owned(), OnError::GoOn, move || {
        status.run(&ended);
        Ok(())
    })
}

fn start_observer(
    crew: &Crew,
    shared: &Shared,
    observer: Option<Observer>,
    engine: &Arc<Engine>,
    ended: Receiver<()>,
) -> Result<Option<Worker<()>>> {
    let Some(observer) = observer else { return Ok(None) };
    let seen = Seen {
        stats: Arc::clone(&shared.stats),
        backlog: Arc::clone(&shared.backlog),
        engine: Arc::clone(engine),
        stop: Arc::clone(&shared.stop),
        database: shared.database.clone(),
    };
    let worker = crew.start("observe".to_owned(), OnError::GoOn, move || {
        observer.run(seen, &ended);
        Ok(())
    })?;
    Ok(Some(worker))
}

fn start_printer(
    crew: &Crew,
    shared: &Shared,
    printer: Option<Printer>,
    every_sighting: bool,
    wait: bool,
) -> Result<(Option<Announce>, Option<Worker<()>>)> {
    let Some(printer) = printer else { return Ok((None, None)) };
    let (sender, records) = bounded::<Record>(RECORDS);
    let announce =
        Announce { sender, wait, every_sighting, dropped: Arc::clone(&shared.stats.lines_dropped) };
    let worker = crew.start("printer".to_owned(), OnError::Stop, move || printer.run(&records))?;
    Ok((Some(announce), Some(worker)))
}

/// After an unclean end, while the feeds already run.
fn start_check(crew: &Crew, shared: &Shared, store: &Store) -> Result<Option<Worker<()>>> {
    let Some(check) = store.check() else { return Ok(None) };
    let stop = Arc::clone(&shared.stop);
    crew.start("check".to_owned(), OnError::Stop, move || check.run(&stop)).map(Some)
}

fn start_writer(
    crew: &Crew,
    shared: &Shared,
    store: Store,
    announce: Option<Announce>,
    matched: Receiver<crate::matched::Matched>,
) -> Result<Worker<Store>> {
    let writer = Writer::new(
        store,
        Arc::clone(&shared.stats.feeds),
        Arc::clone(&shared.stats.writer),
        Arc::clone(&shared.backlog),
        announce,
    );
    let work = pinned(&shared.pins.writer, move || writer.run(&matched));
    crew.start("writer".to_owned(), OnError::Stop, work)
}

fn start_matchers(
    crew: &Crew,
    shared: &Shared,
    engine: &Arc<Engine>,
    batches: &Receiver<Batch>,
    matched: &Arc<MatchedSender>,
    empties: &Sender<Batch>,
) -> Result<Vec<Worker<()>>> {
    let start = |(index, stats): (usize, &Arc<_>)| {
        let matcher =
            Matcher::new(Arc::clone(engine), Arc::clone(stats), Arc::clone(&shared.backlog));
        let ends = (batches.clone(), Arc::clone(matched), empties.clone());
        let work = pinned(&shared.pins.matchers, move || {
            let (batches, matched, empties) = ends;
            matcher.run(&batches, &matched, &empties);
            Ok(())
        });
        crew.start(format!("matcher-{index}"), OnError::Stop, work)
    };
    shared.stats.matchers.iter().enumerate().map(start).collect()
}

/// The way to the recorder, and its worker.
type Recorded = (Option<(Sender<Arc<Frames>>, Arc<RecorderStats>)>, Option<Worker<()>>);

fn start_recorder(crew: &Crew, recording: Option<Recording>) -> Result<Recorded> {
    let Some(recording) = recording else { return Ok((None, None)) };
    let (sender, frames) = bounded(RECORDED);
    let stats = Arc::<RecorderStats>::default();
    let counted = Arc::clone(&stats);
    let work = move || {
        let outcome = recording.run(&frames, &counted);
        log::info!(
            "capture: {} frames written, {} unfit for one line of text, {} left out because the \
             disk was slow",
            counted.written.get(),
            counted.unfit.get(),
            counted.left_out.load(Ordering::Relaxed),
        );
        outcome
    };
    let worker = crew.start("recorder".to_owned(), OnError::Stop, work)?;
    Ok((Some((sender, stats)), Some(worker)))
}

fn start_healer(
    crew: &Crew,
    shared: &Shared,
    healing: Option<Healing>,
    outlets: &Arc<Outlets>,
    others: Receiver<()>,
) -> Result<Option<Worker<()>>> {
    let Some(Healing { ct, max_entries }) = healing else { return Ok(None) };
    let healer = ctlog::Healer {
        ct,
        max_entries,
        holes: readers::open_holes(shared.database.clone()),
        outlets: Arc::clone(outlets),
        tree_heads: Arc::clone(&shared.tree_heads),
        protocols: Arc::clone(&shared.protocols),
        backlog: Arc::clone(&shared.backlog),
        stop: Arc::clone(&shared.stop),
        others,
    };
    // It fetches as the feeds of logs do.
    let work = pinned(&shared.pins.feeds, move || healer.run());
    crew.start("healer".to_owned(), OnError::GoOn, work).map(Some)
}

/// `alive` is closed once all of them have ended.
fn start_feeds(
    crew: &Crew,
    shared: &Shared,
    sources: Vec<Source>,
    outlets: Arc<Outlets>,
    alive: Sender<()>,
) -> Result<Vec<Worker<()>>> {
    let mut feeds = Vec::with_capacity(sources.len());
    for (index, source) in sources.into_iter().enumerate() {
        let reading = pinned(&shared.pins.feeds, source.reading(&outlets, shared)?);
        let alive = alive.clone();
        let work = move || {
            let _alive = alive;
            reading()
        };
        feeds.push(crew.start(format!("feed-{index}"), OnError::GoOn, work)?);
    }
    Ok(feeds)
}

/// `work` that begins by keeping its thread, and those it starts, to `cores`. Where the kernel
/// refuses, the work is done wherever it may run.
fn pinned<T, W: FnOnce() -> Result<T>>(
    cores: &Option<CoreList>,
    work: W,
) -> impl FnOnce() -> Result<T> + use<T, W> {
    let cores = cores.clone();
    move || {
        if let Some(Err(error)) = cores.map(|cores| cores.keep_this_thread()) {
            let thread = std::thread::current();
            log::warn!("{} is not pinned: {error}", thread.name().unwrap_or_default());
        }
        work()
    }
}
