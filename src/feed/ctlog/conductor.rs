//! Which logs are read at a time.
//!
//! Owns the threads of the courses: begins one for each log of the list that is worth reading,
//! lets those end that no longer are, and looks at the list again while the run goes on.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::backlog::Backlog;
use crate::batch::{Content, TreeHead, now_micros};
use crate::config::CtSource;
use crate::connect::sleep;
use crate::ctlog::{Log, LogProtocol, LogSource, NamesTileReader, Standing};
use crate::error::{Error, Result};
use crate::feed::Outlets;
use crate::stop::Stop;

use super::bucket::{Asked, Bucket, Priority};
use super::course::{Course, Protocol};
use super::fetch::Fetcher;
use super::get_entries::GetEntries;
use super::intake::EntryIntake;
use super::pace::Pace;
use super::page_size::PageSize;
use super::settings::{Settings, feed_name, verifier_name};
use super::tiled::{Place, Tiled};
use super::verifier::{Left, Verifier};

/// How often the courses are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The same where a range is read: someone waits for its end.
const LOOK_AT_RANGE: Duration = Duration::from_millis(50);
/// Tiles, or pages, of one log that are fetched at once when it has to catch up.
const TILES_AT_ONCE: usize = 4;
const PAGES_AT_ONCE: usize = 2;

/// What the conductor shares with the rest of the run.
#[derive(Debug)]
pub struct Surroundings {
    /// Where courses get their output ends.
    pub outlets: Arc<Outlets>,
    /// The newest tree head of every log that was read before, by feed.
    pub tree_heads: Arc<HashMap<String, TreeHead>>,
    /// Tells what was matched by names alone.
    pub left: Left,
    /// The account of what is not committed.
    pub backlog: Arc<Backlog>,
    /// Ends it.
    pub stop: Arc<Stop>,
}

/// A course that goes on.
struct Running<'scope> {
    /// Tells it that its log is no longer to be followed.
    ending: Arc<AtomicBool>,
    thread: ScopedJoinHandle<'scope, Result<()>>,
}

struct Conductor<'a> {
    settings: Settings,
    around: &'a Surroundings,
    protocols: Protocols,
    /// All courses have ended: nothing is left to wait for.
    over: Arc<AtomicBool>,
}

/// Reads the logs until the stop is requested or all have ended.
///
/// # Errors
/// When a log has broken its promise; the others have been read on.
pub fn run(settings: Settings, around: &Surroundings) -> Result<()> {
    std::thread::scope(|scope| {
        let (protocols, over) = (Protocols::default(), Arc::default());
        let mut conductor = Conductor { settings, around, protocols, over };
        let broken = conductor.conduct(scope).inspect_err(|_| {
            // A course that cannot begin must not leave the others unwatched.
            around.stop.request();
        })?;
        if broken.is_empty() {
            return Ok(());
        }
        // Each was said when it happened. Feeds of another kind go on.
        Err(Error::failed(format!("no longer read: {}", broken.join(", ")))
            .remedy("see the errors above, and `certstream report` for the gaps"))
    })
}

impl<'a> Conductor<'a> {
    /// Reads the logs; the feeds of those that have broken their promise.
    fn conduct<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>) -> Result<Vec<String>> {
        let mut verifiers = Vec::new();
        let mut running: HashMap<String, Running<'scope>> = HashMap::new();
        let mut ended: HashMap<String, Option<Error>> = HashMap::new();
        let mut list = self.settings.list.clone();
        let pause = if self.settings.range.is_some() { LOOK_AT_RANGE } else { LOOK };
        loop {
            let now = now_micros() / 1_000_000;
            for log in self.settings.wanted(&list).cloned().collect::<Vec<_>>() {
                let name = self.feed_name(&log);
                let follow = match &self.settings.range {
                    Some(range) => range.origin == log.origin(),
                    None => log.standing(now) == Standing::Current,
                };
                if let Some(course) = running.get(&name) {
                    course.ending.store(!follow, Ordering::Relaxed);
                } else if follow && !ended.contains_key(&name) {
                    let course = self.begin(scope, &log)?;
                    running.insert(name, course);
                    verifiers.extend(self.begin_verifying(scope, &log)?);
                }
            }
            self.let_go_of_what_is_not_listed(&list, &running);
            self.reap(&mut running, &mut ended);
            let (over, on) = verifiers.into_iter().partition(ScopedJoinHandle::is_finished);
            verifiers = on;
            self.part_with(over);
            if running.is_empty() || self.around.stop.is_requested() {
                break;
            }
            sleep(pause, &self.around.stop)
                .map_err(|error| Error::failed(format!("CT logs: {error}")))?;
            if Instant::now() >= self.settings.lists.next_look()
                && let Some(newer) = self.settings.lists.look()
            {
                log::info!(
                    "the list of CT logs is now version {} of {}",
                    newer.version,
                    newer.date
                );
                list = newer;
            }
        }
        for (name, course) in running {
            let error = join(course.thread, &self.around.stop);
            if let Some(error) = &error {
                log::error!("{error}");
            }
            ended.insert(name, error);
        }
        self.over.store(true, Ordering::Relaxed);
        self.part_with(verifiers);
        Ok(ended.into_iter().filter_map(|(name, error)| error.map(|_| name)).collect())
    }

    /// Waits for verifiers; what they could not do stays to be done by the next run.
    fn part_with(&self, verifiers: Vec<ScopedJoinHandle<'_, Result<()>>>) {
        for verifier in verifiers {
            if let Some(error) = join(verifier, &self.around.stop) {
                log::error!("{error}");
            }
        }
    }

    /// What is read of `log` by its names alone is read again by a thread of its own.
    fn begin_verifying<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'a>,
        log: &Log,
    ) -> Result<Option<ScopedJoinHandle<'scope, Result<()>>>> {
        let protocol = self.protocols.of(log, &self.settings, &self.around.stop);
        let Protocol::Tiled(mut tiled) = protocol else { return Ok(None) };
        if self.settings.source != CtSource::Names {
            return Ok(None);
        }
        tiled.source = CtSource::Data;
        tiled.place.fetcher.priority = Priority::Low;
        let verifier = Verifier {
            name: verifier_name(log),
            source: Arc::new(LogSource::of(log)),
            tiled,
            left: &self.around.left,
            outlets: &self.around.outlets,
            backlog: Arc::clone(&self.around.backlog),
            max_delay: self.settings.max_delay,
            stop: &self.around.stop,
            over: Arc::clone(&self.over),
        };
        let thread = Builder::new().name("verify".to_owned());
        thread.spawn_scoped(scope, move || verifier.run()).map(Some).map_err(|error| {
            Error::failed(format!("no thread to verify what matched with: {error}"))
                .remedy("raise the limit on threads (ulimit -u)")
        })
    }

    /// A log that has left the list is read to its end.
    fn let_go_of_what_is_not_listed(
        &self,
        list: &crate::ctlog::LogList,
        running: &HashMap<String, Running<'_>>,
    ) {
        for (name, course) in running {
            if !list.logs.iter().any(|log| self.feed_name(log) == *name) {
                course.ending.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Takes note of the courses that have ended.
    fn reap(
        &self,
        running: &mut HashMap<String, Running<'_>>,
        ended: &mut HashMap<String, Option<Error>>,
    ) {
        let over = running.extract_if(|_, course| course.thread.is_finished());
        for (name, course) in over {
            let error = join(course.thread, &self.around.stop);
            match &error {
                Some(error) => log::error!("{error}"),
                None if self.around.stop.is_requested() => {}
                None => log::info!("{name}: read to its end"),
            }
            ended.insert(name, error);
        }
    }

    fn feed_name(&self, log: &Log) -> String {
        match &self.settings.range {
            Some(range) => format!("backfill {} {}", log.origin(), range.written),
            None => feed_name(log),
        }
    }

    fn begin<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'a>,
        log: &Log,
    ) -> Result<Running<'scope>> {
        let name = self.feed_name(log);
        let content = Content::Entries(Arc::new(LogSource::of(log)));
        let outlet = self.around.outlets.open(&name, true, content)?;
        let (start, end) = match &self.settings.range {
            Some(range) => (range.from, Some(range.to)),
            None => (self.settings.start, None),
        };
        let position = outlet.applied.unwrap_or_default().position;
        let backlog = Arc::clone(&self.around.backlog);
        let ending = Arc::new(AtomicBool::new(false));
        // Where to begin is decided, and stored, with the first tree head: a gap before that has
        // stored a number, but no place.
        let known = self.around.tree_heads.get(&name).cloned();
        let course = Course {
            protocol: self.protocols.of(log, &self.settings, &self.around.stop),
            intake: EntryIntake::new(outlet, backlog, position),
            pace: Pace::new(self.settings.max_delay),
            start: known.is_none().then_some(start),
            known,
            end,
            ending: Arc::clone(&ending),
            stop: &self.around.stop,
            name: name.clone(),
        };
        let thread = Builder::new()
            .name("ctlog".to_owned())
            .spawn_scoped(scope, move || course.run())
            .map_err(|error| {
                Error::failed(format!("no thread to read {name} with: {error}"))
                    .remedy("raise the limit on threads (ulimit -u)")
            })?;
        Ok(Running { ending, thread })
    }
}

/// How each log is asked and read; those of one operator share its bucket.
#[derive(Debug, Default)]
pub(super) struct Protocols {
    buckets: HashMap<(String, Asked), Arc<Bucket>>,
}

impl Protocols {
    pub fn of(&mut self, log: &Log, settings: &Settings, stop: &Arc<Stop>) -> Protocol {
        let asked = Asked::at(log.url(), settings.identified);
        let bucket = self
            .buckets
            .entry((log.operator.clone(), asked))
            .or_insert_with(|| Arc::new(Bucket::new(asked, Instant::now())));
        let fetcher = |parallel| Fetcher {
            client: settings.client.clone(),
            bucket: Arc::clone(bucket),
            priority: Priority::Normal,
            parallel,
        };
        let (verify, stop) = (settings.verify, Arc::clone(stop));
        match &log.protocol {
            LogProtocol::Tiled { monitoring_url, .. } => Protocol::Tiled(Box::new(Tiled {
                origin: log.origin().to_owned(),
                key: log.key.clone(),
                source: settings.source,
                verify,
                place: Place {
                    prefix: monitoring_url.clone(),
                    fetcher: fetcher(TILES_AT_ONCE),
                    stop,
                },
                names: NamesTileReader::default(),
                frontier: None,
            })),
            LogProtocol::Rfc6962 { url } => Protocol::GetEntries(Box::new(GetEntries {
                url: url.clone(),
                key: log.key.clone(),
                verify,
                fetcher: fetcher(PAGES_AT_ONCE),
                stop,
                page: PageSize::default(),
                frontier: None,
            })),
        }
    }
}

/// Waits for a course. One that was lost to a panic takes the run with it.
fn join(thread: ScopedJoinHandle<'_, Result<()>>, stop: &Stop) -> Option<Error> {
    match thread.join() {
        Ok(outcome) => outcome.err(),
        Err(panic) => {
            stop.request();
            resume_unwind(panic)
        }
    }
}
