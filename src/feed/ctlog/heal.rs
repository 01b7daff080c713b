//! Healing: what certstream feeds missed is fetched from the logs themselves.
//!
//! Owns what is fetched and in which order: of each log one hole at a time, the newest first, at low
//! priority. How a range is read is `course`'s business, as it is for a backfill; where the holes
//! are kept is its caller's. The list of logs is asked for when there is something to fetch, and
//! not before: a run that only watches servers may never need it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

use crate::backlog::Backlog;
use crate::batch::{Content, LogKeys, OpenHole, TreeHead};
use crate::config::{Ct, CtSource, Start};
use crate::connect::sleep;
use crate::ctlog::{Log, LogList, LogSource};
use crate::error::{Error, Result};
use crate::feed::Outlets;
use crate::feed::back_off::BackOff;
use crate::stop::Stop;

use super::course::{Course, End};
use super::intake::EntryIntake;
use super::pace::Pace;
use super::protocols::Protocols;
use super::settings::Settings;

/// How often the holes are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Logs that are read at a time: each costs threads and the tiles under way.
const AT_ONCE: usize = 4;
/// Pauses after what failed, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The question which holes are open that have no more than so many entries, the newest first.
pub type AskHoles = dyn Fn(u64) -> Result<Vec<OpenHole>> + Send + Sync;

/// Tells which holes are open.
pub struct Holes(pub Box<AskHoles>);

impl fmt::Debug for Holes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holes").finish_non_exhaustive()
    }
}

/// The name of the feed that fetches what was missed of `log`.
fn feed_name(log: &Log) -> String {
    format!("heal {}", log.origin())
}

/// Fetches what was missed.
#[derive(Debug)]
pub struct Healer {
    /// How the logs are asked, and where their list is.
    pub ct: Ct,
    /// Entries that a hole may have.
    pub max_entries: u64,
    /// Tells which holes are open.
    pub holes: Holes,
    /// Where feeds get their output ends.
    pub outlets: Arc<Outlets>,
    /// The newest tree head of every log that was read before, by feed.
    pub tree_heads: Arc<HashMap<String, TreeHead>>,
    /// What the logs are asked with.
    pub protocols: Arc<Protocols>,
    /// The account of what is not committed.
    pub backlog: Arc<Backlog>,
    /// Ends it.
    pub stop: Arc<Stop>,
    /// Closed when all other feeds have ended: then this one has nothing to wait for.
    pub others: Receiver<()>,
}

/// A log of which something was missed.
struct Patient {
    /// None while a thread has it.
    course: Option<Course>,
    fetching: Option<Fetching>,
    keys: Arc<LogKeys>,
    back_off: BackOff,
    /// Nothing is fetched before.
    not_before: Instant,
    /// The log has broken its promise.
    broken: bool,
}

/// A hole that is being fetched.
struct Fetching {
    hole: OpenHole,
    thread: JoinHandle<(Course, Result<End>)>,
}

/// What the healer knows.
struct Ward {
    healer: Healer,
    /// Ends the courses: with the run, or with the other feeds.
    stop: Arc<Stop>,
    settings: Option<(Settings, LogList)>,
    list_back_off: BackOff,
    /// The list is not asked for before.
    list_not_before: Instant,
    /// By the name of its feed.
    patients: HashMap<String, Patient>,
    /// Holes that have been fetched, and may not be known to be committed.
    fetched: HashSet<i64>,
    /// Logs that are in no list, which was said.
    unknown: HashSet<Box<str>>,
}

impl Healer {
    /// Fetches until the stop is requested or all other feeds have ended.
    ///
    /// # Errors
    /// When this process may not open a pipe.
    pub fn run(self) -> Result<()> {
        let stop = Stop::new().map_err(|error| {
            Error::failed(format!("cannot open a pipe: {error}"))
                .remedy("raise the limit on open files (ulimit -n)")
        })?;
        let now = Instant::now();
        let mut ward = Ward {
            healer: self,
            stop: Arc::new(stop),
            settings: None,
            list_back_off: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
            list_not_before: now,
            patients: HashMap::new(),
            fetched: HashSet::new(),
            unknown: HashSet::new(),
        };
        let outcome = ward.look_after();
        ward.stop.request();
        for (name, patient) in &mut ward.patients {
            patient.end(name);
        }
        outcome
    }

    fn is_over(&self) -> bool {
        self.stop.is_requested() || self.others.try_recv() == Err(TryRecvError::Disconnected)
    }
}

impl Ward {
    fn look_after(&mut self) -> Result<()> {
        while !self.healer.is_over() {
            for (name, patient) in &mut self.patients {
                if let Some(hole) = patient.reap(name) {
                    self.fetched.insert(hole);
                }
            }
            match (self.healer.holes.0)(self.healer.max_entries) {
                Ok(holes) => self.take_up(holes)?,
                // The writer has its own word about a database that fails.
                Err(error) => log::debug!("healing: {error}"),
            }
            sleep(LOOK, &self.healer.stop)
                .map_err(|error| Error::failed(format!("healing: {error}")))?;
        }
        Ok(())
    }

    /// Begins to fetch what can be fetched now.
    fn take_up(&mut self, mut holes: Vec<OpenHole>) -> Result<()> {
        self.fetched.retain(|id| holes.iter().any(|hole| hole.id == *id));
        holes.retain(|hole| !self.fetched.contains(&hole.id));
        if holes.is_empty() || !self.have_list() {
            return Ok(());
        }
        // What was begun is ended first: the position is its.
        holes.sort_by_key(|hole| hole.filled_by.is_none());
        for hole in holes {
            let under_way = self.patients.values().filter(|patient| patient.fetching.is_some());
            if under_way.count() >= AT_ONCE {
                break;
            }
            let Some((settings, list)) = &self.settings else { break };
            let Some(log) = settings.wanted(list).find(|log| is_named(log, &hole)) else {
                if self.unknown.insert(hole.log.clone()) {
                    log::warn!(
                        "healing: {} is in no list that is read: what was missed of it stays open",
                        hole.log.escape_default()
                    );
                }
                continue;
            };
            let name = feed_name(log);
            if !self.patients.contains_key(&name) {
                let patient = self.admit(&name, log, settings)?;
                self.patients.insert(name.clone(), patient);
            }
            if let Some(patient) = self.patients.get_mut(&name) {
                patient.fetch(&name, hole)?;
            }
        }
        Ok(())
    }

    /// Whether there is a list of logs by now.
    fn have_list(&mut self) -> bool {
        if let Some((settings, list)) = &mut self.settings {
            if let Some(newer) = settings.lists.look() {
                *list = newer;
            }
            return true;
        }
        if Instant::now() < self.list_not_before {
            return false;
        }
        let ct = Ct { source: CtSource::Data, ..self.healer.ct.clone() };
        match Settings::new(&ct) {
            Ok(settings) => {
                let list = settings.list().clone();
                self.settings = Some((settings, list));
            }
            Err(error) => {
                let pause = self.list_back_off.next(Some(FIRST_PAUSE));
                log::warn!("healing: {error}\n  next attempt in {:.1} s", pause.as_secs_f64());
                self.list_not_before = Instant::now() + pause;
            }
        }
        self.settings.is_some()
    }

    fn admit(&self, name: &str, log: &Log, settings: &Settings) -> Result<Patient> {
        let healer = &self.healer;
        let outlet =
            healer.outlets.open(name, true, Content::Entries(Arc::new(LogSource::of(log))))?;
        let position = outlet.applied.unwrap_or_default().position;
        let mut intake = EntryIntake::new(outlet, Arc::clone(&healer.backlog), position);
        intake.give_way();
        intake.stats().recorded.store(true, Ordering::Relaxed);
        let course = Course {
            name: name.to_owned(),
            protocol: healer.protocols.of(log, settings, &self.stop).at_low_priority(),
            intake,
            pace: Pace::new(settings.max_delay),
            known: healer.tree_heads.get(name).cloned(),
            shown: None,
            behind: false,
            start: None,
            from: None,
            end: None,
            in_background: true,
            wish: Arc::default(),
            let_go_after: settings.let_go_after,
            stop: Arc::clone(&self.stop),
        };
        Ok(Patient {
            course: Some(course),
            fetching: None,
            keys: Arc::new(keys(log)),
            back_off: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
            not_before: Instant::now(),
            broken: false,
        })
    }
}

impl Patient {
    /// Begins to fetch `hole`, or goes on with it, unless something speaks against it.
    fn fetch(&mut self, name: &str, hole: OpenHole) -> Result<()> {
        if self.broken || Instant::now() < self.not_before {
            return Ok(());
        }
        let Some(mut course) = self.course.take() else { return Ok(()) };
        let end = hole.last + 1;
        let begun = hole.filled_by.as_deref() == Some(name)
            && (hole.first..=end).contains(&course.intake.position());
        if !begun {
            course.intake.begin_at(hole.first);
            // Nobody is left to hand over to, where this fails: the course will find out.
            let _ = course.intake.filling(hole.id);
        }
        log::info!(
            "{name}: fetching the entries {} to {}, which a server's feed has missed",
            course.intake.position(),
            hole.last
        );
        course.end = Some(Start::Index(end));
        let thread = Builder::new().name("heal".to_owned()).spawn(move || course.run());
        let thread = thread.map_err(|error| {
            Error::failed(format!("no thread to fetch what was missed with: {error}"))
                .remedy("raise the limit on threads (ulimit -u)")
        })?;
        self.fetching = Some(Fetching { hole, thread });
        Ok(())
    }

    /// Takes note of a hole that has been fetched.
    fn reap(&mut self, name: &str) -> Option<i64> {
        let is_over = |fetching: &Fetching| fetching.thread.is_finished();
        if !self.fetching.as_ref().is_some_and(is_over) {
            return None;
        }
        self.end(name)
    }

    /// Waits for the end of what is being fetched; which hole that was, where it is done with.
    fn end(&mut self, name: &str) -> Option<i64> {
        let Fetching { hole, thread } = self.fetching.take()?;
        let (mut course, outcome) =
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let position = course.intake.position();
        let done = match outcome {
            Ok(End::Read) if position > hole.last => {
                let _ = course.intake.filled(Arc::clone(&self.keys), hole.first, position);
                log::info!("{name}: the entries {} to {} are there", hole.first, hole.last);
                self.back_off.reset();
                Some(hole.id)
            }
            Ok(End::Failed) => {
                let pause = self.back_off.next(Some(FIRST_PAUSE));
                log::info!("{name}: next attempt in {:.1} s", pause.as_secs_f64());
                self.not_before = Instant::now() + pause;
                None
            }
            // The run is ending.
            Ok(_) => None,
            Err(error) => {
                log::error!("{error}");
                self.broken = true;
                None
            }
        };
        self.course = Some(course);
        done
    }
}

/// Whether `hole` is one of `log`, by what servers may call it.
fn is_named(log: &Log, hole: &OpenHole) -> bool {
    let LogKeys { urls, name } = keys(log);
    urls.iter().any(|url| **url == *hole.log)
        || [&hole.log, &hole.log_name].iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// What servers may call `log`.
pub(super) fn keys(log: &Log) -> LogKeys {
    LogKeys {
        urls: [log.origin().to_owned(), log.reading_place().to_owned()],
        name: log.name.clone(),
    }
}
