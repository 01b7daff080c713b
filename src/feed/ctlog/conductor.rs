//! Which logs are read at a time.
//!
//! Owns the threads of the courses: begins one for each log of the list that is worth reading,
//! lets those end that no longer are, resumes those whose log comes back or moves, and looks at the
//! list again while the run goes on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;

use crate::backlog::Backlog;
use crate::batch::{Content, TreeHead, now_micros};
use crate::config::{CtSource, Start};
use crate::connect::sleep;
use crate::ctlog::{Log, LogList, LogSource, Standing};
use crate::error::{Error, Result};
use crate::feed::Outlets;
use crate::stop::Stop;

use super::bucket::Priority;
use super::course::{Course, End, Protocol, Wish};
use super::doubt::Doubt;
use super::heal::keys;
use super::intake::EntryIntake;
use super::pace::Pace;
use super::protocols::Protocols;
use super::running::{Running, asked};
use super::settings::{Settings, feed_name, is_feed_of_log, verifier_name};
use super::verifier::{Left as LeftToVerify, Moved, Verifier};

/// How often the courses are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The same where a range is read: someone waits for its end.
const LOOK_AT_RANGE: Duration = Duration::from_millis(50);
/// Microseconds for which a log that offers no names tiles is taken not to: a week.
const PROBE_AGAIN: i64 = 7 * 24 * 3_600_000_000;
/// What the conductor shares with the rest of the run.
#[derive(Debug)]
pub struct Surroundings {
    /// Where courses get their output ends.
    pub outlets: Arc<Outlets>,
    /// The newest tree head of every log that was read before, by feed.
    pub tree_heads: Arc<HashMap<String, TreeHead>>,
    /// The logs that were given up before their end, by feed: at which entry.
    pub given_up: Arc<HashMap<String, u64>>,
    /// Tells what was matched by names alone.
    pub left: LeftToVerify,
    /// What the logs are asked with.
    pub protocols: Arc<Protocols>,
    /// The account of what is not committed.
    pub backlog: Arc<Backlog>,
    /// Ends it.
    pub stop: Arc<Stop>,
}

/// What is left of a course that has ended.
enum Ended {
    /// It can be resumed, should its log come back.
    Resumable(Box<Course>),
    /// Its log has broken its promise.
    Broken,
    /// For good: its range is read, or the run is ending.
    Over,
}

struct Conductor<'scope, 'a> {
    scope: &'scope Scope<'scope, 'a>,
    settings: Settings,
    around: &'a Surroundings,
    /// By feed.
    running: HashMap<String, Running<'scope>>,
    ended: HashMap<String, Ended>,
    /// The feeds of logs that are not in the list.
    unlisted: HashMap<String, EntryIntake>,
    verifying: HashMap<String, Verifying<'scope>>,
    /// All courses have ended: nothing is left to wait for.
    over: Arc<AtomicBool>,
    doubt: Doubt,
}

/// A verifier that goes on.
struct Verifying<'scope> {
    /// How the log is asked from now on.
    moved: Moved,
    thread: Option<ScopedJoinHandle<'scope, Result<()>>>,
}

/// Reads the logs until the stop is requested or all have ended.
///
/// # Errors
/// When a log has broken its promise; the others have been read on.
pub fn run(settings: Settings, around: &Surroundings) -> Result<()> {
    std::thread::scope(|scope| {
        let mut conductor = Conductor {
            scope,
            settings,
            around,
            running: HashMap::new(),
            ended: HashMap::new(),
            unlisted: HashMap::new(),
            verifying: HashMap::new(),
            over: Arc::default(),
            doubt: Doubt::default(),
        };
        let broken = conductor.conduct().inspect_err(|_| {
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

impl<'scope, 'a> Conductor<'scope, 'a> {
    /// Reads the logs; the feeds of those that have broken their promise.
    fn conduct(&mut self) -> Result<Vec<String>> {
        let mut list = self.settings.list.clone();
        let mut wanted: Vec<Log> = self.settings.wanted(&list).cloned().collect();
        let pause = if self.settings.range.is_some() { LOOK_AT_RANGE } else { LOOK };
        if self.settings.range.is_none() {
            self.finish_what_has_ended(&wanted)?;
            self.name_what_is_not_listed(&list)?;
        }
        loop {
            // First: of what has moved the course has ended, and goes on.
            self.reap();
            self.follow(&wanted)?;
            self.let_go_of_what_is_not_listed(&list);
            if self.running.is_empty() || self.around.stop.is_requested() {
                break;
            }
            sleep(pause, &self.around.stop)
                .map_err(|error| Error::failed(format!("CT logs: {error}")))?;
            if self.settings.range.is_none()
                && let Some(newer) = self.settings.lists.look()
                && self.believes(&newer)
            {
                if (&newer.version, &newer.date) != (&list.version, &list.date) {
                    let (version, date) = (&newer.version, &newer.date);
                    log::info!("the list of CT logs is now version {version} of {date}");
                }
                list = newer;
                wanted = self.settings.wanted(&list).cloned().collect();
            }
        }
        for (name, course) in std::mem::take(&mut self.running) {
            self.end(name, course);
        }
        self.over.store(true, Ordering::Relaxed);
        for verifying in std::mem::take(&mut self.verifying).into_values() {
            // What it could not do stays to be done by the next run.
            if let Some(Err(error)) = verifying.thread.map(|t| join(t, &self.around.stop)) {
                log::error!("{error}");
            }
        }
        let broken = self.ended.iter().filter(|(_, ended)| matches!(ended, Ended::Broken));
        Ok(broken.map(|(name, _)| name.clone()).collect())
    }

    /// Begins or resumes the courses of what is to be followed, and tells those that go on what
    /// has changed.
    fn follow(&mut self, wanted: &[Log]) -> Result<()> {
        let now = now_micros() / 1_000_000;
        for log in wanted {
            let name = self.feed_name(log);
            let standing = match &self.settings.range {
                Some(range) if range.origin == log.origin() => Standing::Current,
                Some(_) => continue,
                None => log.standing(now),
            };
            match self.running.get(&name) {
                Some(course) => course.is_wanted(&name, log, standing),
                None if matches!(self.ended.get(&name), Some(Ended::Broken | Ended::Over)) => {}
                None if standing == Standing::Current => self.begin(name, log, false)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Logs that ended while nobody watched have a rest that was not read.
    fn finish_what_has_ended(&mut self, wanted: &[Log]) -> Result<()> {
        let now = now_micros() / 1_000_000;
        for log in wanted {
            let name = self.feed_name(log);
            let Some(position) = self.unfinished(&name) else { continue };
            let Standing::Ended(why) = log.standing(now) else { continue };
            let is_read = self.around.tree_heads.get(&name).is_some_and(|head| {
                let seconds = i64::try_from(head.timestamp / 1000).unwrap_or(i64::MAX);
                position >= head.size && log.interval.is_some_and(|span| span.end <= seconds)
            });
            if !is_read {
                log::info!("{name}: {why}: what is left of it from entry {position} on is read");
                self.begin(name, log, true)?;
            }
        }
        Ok(())
    }

    /// A log that was read, and is in the list no more, is named, and what is known to be left of
    /// it.
    fn name_what_is_not_listed(&mut self, list: &LogList) -> Result<()> {
        let listed: HashSet<String> = list.logs.iter().map(feed_name).collect();
        let heads = Arc::clone(&self.around.tree_heads);
        for (name, head) in heads.iter().filter(|(name, _)| is_feed_of_log(name)) {
            let Some(position) = self.unfinished(name).filter(|_| !listed.contains(name)) else {
                continue;
            };
            let what = format!(
                "it is not in the list of logs any more, and not read any further: entry \
                 {position} of the {} that were known comes next",
                head.size
            );
            if position >= head.size {
                log::info!("{name}: {what}");
                continue;
            }
            log::error!("{name}: {what}");
            let mut intake = self.intake(name, Content::default())?;
            intake.stats().ended.store(true, Ordering::Relaxed);
            // Nobody is left to hand over to, where this fails.
            let _ = intake.leave_unread("log gone", what, Some(head.size - 1));
            self.unlisted.insert(name.clone(), intake);
        }
        Ok(())
    }

    /// The position of a log that was read before, and was not given up there.
    fn unfinished(&self, name: &str) -> Option<u64> {
        self.around.tree_heads.get(name)?;
        let position = self.around.outlets.positions.get(name)?.position;
        (self.around.given_up.get(name) != Some(&position)).then_some(position)
    }

    /// Whether to take over a newer list: not at once, where it lets many logs go.
    fn believes(&mut self, newer: &LogList) -> bool {
        let now = now_micros() / 1_000_000;
        let kept: HashSet<String> = newer
            .logs
            .iter()
            .filter(|log| log.standing(now) == Standing::Current)
            .map(|log| self.feed_name(log))
            .collect();
        let followed = self.running.iter().filter(|(_, course)| !course.is_ending());
        let followed: Vec<&String> = followed.map(|(name, _)| name).collect();
        let lost = followed.iter().filter(|name| !kept.contains(**name));
        let lost: BTreeSet<String> = lost.map(|name| (*name).clone()).collect();
        let (lost_count, all) = (lost.len(), followed.len());
        let believed = self.doubt.believes(lost, all);
        if !believed {
            log::error!(
                "the new list of CT logs (version {} of {}) lets {lost_count} of {all} logs go: \
                 the old one goes on, unless the next look finds the same",
                newer.version,
                newer.date
            );
            self.settings.lists.look_twice();
        }
        believed
    }

    /// A log that has left the list is read to its end.
    fn let_go_of_what_is_not_listed(&self, list: &LogList) {
        for (name, course) in &self.running {
            if !list.logs.iter().any(|log| self.feed_name(log) == *name) {
                course.is_to_end(name, "it has left the list");
            }
        }
    }

    /// Takes note of the courses that have ended.
    fn reap(&mut self) {
        let over: Vec<_> =
            self.running.extract_if(|_, course| course.thread.is_finished()).collect();
        for (name, course) in over {
            self.end(name, course);
        }
    }

    /// Waits for the end of a course.
    fn end(&mut self, name: String, course: Running<'scope>) {
        let (mut course, outcome) = join(course.thread, &self.around.stop);
        if matches!(outcome, Ok(End::Read)) {
            log::info!("{name}: read to its end");
            self.note_filled(&name, &mut course);
        }
        let ended = match outcome {
            Err(error) => {
                log::error!("{error}");
                Ended::Broken
            }
            Ok(End::Stopped) => Ended::Over,
            Ok(_) if self.settings.range.is_some() => Ended::Over,
            Ok(End::Read | End::Moved | End::Gone | End::Failed) => {
                Ended::Resumable(Box::new(course))
            }
        };
        self.ended.insert(name, ended);
    }

    /// A range that has been read closes the gaps within.
    fn note_filled(&self, name: &str, course: &mut Course) {
        let log = self.settings.list.logs.iter().find(|log| self.feed_name(log) == name);
        let (Some(_), Some(log)) = (&self.settings.range, log) else { return };
        let first = course.intake.stats().range_begin.load(Ordering::Relaxed);
        let end = course.intake.position();
        if first < end {
            // Nobody is left to hand over to, where this fails.
            let _ = course.intake.filled(Arc::new(keys(log)), first, end);
        }
    }

    fn feed_name(&self, log: &Log) -> String {
        match &self.settings.range {
            Some(range) => format!("backfill {} {}", log.origin(), range.written),
            None => feed_name(log),
        }
    }

    /// Begins the course of a log, or resumes it where it was left.
    fn begin(&mut self, name: String, log: &Log, ending: bool) -> Result<()> {
        let course = match self.ended.remove(&name) {
            Some(Ended::Resumable(mut course)) => {
                log::info!("{name}: goes on from entry {}", course.intake.position());
                course.protocol = self.around.protocols.of(log, &self.settings, &self.around.stop);
                // What was matched by names alone is asked for by the place it was read at.
                if self.settings.source == CtSource::Data
                    && course.intake.come_from(Arc::new(LogSource::of(log))).is_err()
                {
                    return Ok(());
                }
                *course
            }
            _ => self.course(&name, log)?,
        };
        let wish = Arc::new(Wish::default());
        wish.ending.store(ending, Ordering::Relaxed);
        let course = Course { wish: Arc::clone(&wish), ..course };
        let thread = Builder::new()
            .name("ctlog".to_owned())
            .spawn_scoped(self.scope, move || course.run())
            .map_err(|error| {
                Error::failed(format!("no thread to read {name} with: {error}"))
                    .remedy("raise the limit on threads (ulimit -u)")
            })?;
        self.running.insert(name, Running { wish, asked: asked(log), thread });
        self.begin_verifying(log)
    }

    fn course(&mut self, name: &str, log: &Log) -> Result<Course> {
        let source = Arc::new(LogSource::of(log));
        let (start, end) = match &self.settings.range {
            Some(range) => (range.from, Some(range.to)),
            None => (self.settings.start, None),
        };
        let intake = match self.unlisted.remove(name) {
            Some(mut intake) => {
                // Nobody is left to hand over to, where this fails: the course will find out.
                let _ = intake.come_from(source);
                intake
            }
            None => self.intake(name, Content::Entries(source))?,
        };
        // Where to begin is decided, and stored, with the first tree head: a gap before that has
        // stored a number, but no place.
        let known = self.around.tree_heads.get(name).cloned();
        let mut protocol = self.around.protocols.of(log, &self.settings, &self.around.stop);
        let no_names = self.around.outlets.positions.get(name).and_then(|stored| stored.no_names);
        if let Protocol::Tiled(tiled) = &mut protocol
            && no_names.is_some_and(|found| now_micros() - found < PROBE_AGAIN)
        {
            tiled.source = CtSource::Data;
        }
        Ok(Course {
            protocol,
            intake,
            pace: Pace::new(self.settings.max_delay),
            start: known.is_none().then_some(start),
            known,
            shown: None,
            behind: false,
            from: match start {
                Start::Index(index) if end.is_some() => Some(index),
                _ => None,
            },
            end,
            wish: Arc::default(),
            let_go_after: self.settings.let_go_after,
            in_background: false,
            stop: Arc::clone(&self.around.stop),
            name: name.to_owned(),
        })
    }

    /// The output end of the feed called `name`, at its position.
    fn intake(&self, name: &str, content: Content) -> Result<EntryIntake> {
        let outlet = self.around.outlets.open(name, true, content)?;
        let position = outlet.applied.unwrap_or_default().position;
        Ok(EntryIntake::new(outlet, Arc::clone(&self.around.backlog), position))
    }

    /// What is read of `log` by its names alone is read again by a thread of its own.
    fn begin_verifying(&mut self, log: &Log) -> Result<()> {
        let protocol = self.around.protocols.of(log, &self.settings, &self.around.stop);
        let Protocol::Tiled(mut tiled) = protocol else { return Ok(()) };
        if self.settings.source != CtSource::Names {
            return Ok(());
        }
        tiled.source = CtSource::Data;
        tiled.place.fetcher.priority = Priority::Low;
        let name = verifier_name(log);
        if let Some(verifying) = self.verifying.get(&name) {
            *verifying.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(tiled);
            return Ok(());
        }
        let moved = Moved::default();
        let verifier = Verifier {
            name: name.clone(),
            source: Arc::new(LogSource::of(log)),
            tiled,
            moved: Arc::clone(&moved),
            left: &self.around.left,
            outlets: &self.around.outlets,
            backlog: Arc::clone(&self.around.backlog),
            max_delay: self.settings.max_delay,
            stop: &self.around.stop,
            over: Arc::clone(&self.over),
        };
        let thread = Builder::new().name("verify".to_owned());
        let thread = thread.spawn_scoped(self.scope, move || verifier.run()).map_err(|error| {
            Error::failed(format!("no thread to verify what matched with: {error}"))
                .remedy("raise the limit on threads (ulimit -u)")
        })?;
        self.verifying.insert(name, Verifying { moved, thread: Some(thread) });
        Ok(())
    }
}

/// Waits for a thread. One that was lost to a panic takes the run with it.
fn join<T>(thread: ScopedJoinHandle<'_, T>, stop: &Stop) -> T {
    thread.join().unwrap_or_else(|panic| {
        stop.request();
        resume_unwind(panic)
    })
}
