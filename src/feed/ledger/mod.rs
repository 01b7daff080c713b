//! The loss ledger of a certstream feed: which entries of the source logs came, and which did not
//! while the feed was not read.
//!
//! Owns the counting, in bounded memory and without an allocation a frame, and the holes: what of
//! each log lies between the loss of a server and its return. Entries come out of order, so a hole
//! begins with the first entry that is missing of the last [`settle_after`](Ledger::new) before the
//! loss, and ends with the last one that is missing of as long after the return, or rather of the
//! half of that, the other half being what a late one may take.
//!
//! What it cannot know: a server that leaves out duplicates, or reads some logs only, makes holes
//! that are none, so all is an upper bound; a repeat that comes after more than 65,536 further
//! entries of its log counts as new.

mod window;

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::{Counted, CoverageHead, Hole, SourceLog, now_micros};
use crate::stats::FeedStats;
use crate::update::Place;
use window::{Index, Window};

/// Logs of one feed. There are some sixty in the world; further ones count as without index.
const MOST_LOGS: usize = 256;
/// Bytes that a log's URL or name may have.
const MOST_KEY: usize = 256;
/// What the holes are for that a run finds at its start.
const NOT_RUNNING: &str = "not running";

/// What came of each log.
#[derive(Debug)]
pub struct Ledger {
    lines: Vec<Line>,
    /// Where the line of a log stands, by the URL or name as the frames have it.
    places: HashMap<Box<str>, u16, BuildHasherDefault<Sketch>>,
    /// Stands for what bears no index.
    none: Arc<SourceLog>,
    settle_after: Duration,
    /// The time of the frame at hand.
    now: Instant,
    /// When the tops of the logs are noted again.
    next_floor: Instant,
    /// When to look at what is to be settled; none while nothing is.
    next_look: Option<Instant>,
}

/// A log.
#[derive(Debug)]
struct Line {
    log: Arc<SourceLog>,
    window: Window,
    /// The lowest index that came.
    lowest: u64,
    /// Its top by the last two times that it was noted.
    floors: [u64; 2],
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is read.
    Whole,
    /// Nothing has come since the loss.
    Missing(Loss),
    /// It has come again; what is late may still close the hole.
    Settling {
        loss: Loss,
        /// When, in microseconds since the Unix epoch.
        to: i64,
        since: Instant,
        /// The highest index in which the hole may end.
        high: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Loss {
    /// The first entry that may be missing.
    first: u64,
    /// When, in microseconds since the Unix epoch.
    from: i64,
    reason: &'static str,
}

impl Ledger {
    /// A ledger of a feed that an earlier run has read up to `heads`. `settle_after`: how late an
    /// entry may come.
    #[must_use]
    pub fn new(heads: Vec<CoverageHead>, settle_after: Duration) -> Self {
        let now = Instant::now();
        let mut ledger = Self {
            lines: Vec::new(),
            places: HashMap::default(),
            none: Arc::default(),
            settle_after,
            now,
            next_floor: now + settle_after,
            next_look: None,
        };
        for CoverageHead { log, next, minute } in heads {
            let loss = Loss { first: next, from: minute, reason: NOT_RUNNING };
            ledger.add(log, State::Missing(loss));
        }
        ledger
    }

    /// It is `now`: to be told before each frame.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        if now >= self.next_floor {
            self.next_floor = now + self.settle_after;
            for line in &mut self.lines {
                line.floors = [line.floors[1], line.window.top()];
            }
        }
    }

    /// Counts a certificate, by its place as far as the server gives one; none where it came before.
    pub fn count(&mut self, place: Option<Place<'_>>, stats: &FeedStats) -> Option<Counted<'_>> {
        let at = place.and_then(|place| Some((self.line(&place)?, place.index)));
        let Some((at, index)) = at else { return Some(self.without_index(stats)) };
        let line = &mut self.lines[usize::from(at)];
        let top = line.window.top();
        let and = match line.window.insert(index) {
            Index::New => None,
            Index::NewWith(earlier) => Some(earlier),
            Index::Repeat => return None,
            Index::Unsure => return Some(self.without_index(stats)),
        };
        if top == 0 {
            (line.lowest, line.floors) = (index, [index; 2]);
        }
        stats.indexes.add(1 + u64::from(and.is_some()));
        let above = line.window.top().saturating_sub(if top == 0 { index } else { top });
        stats.index_span.add(above + line.lowest.saturating_sub(index));
        line.lowest = line.lowest.min(index);
        if !matches!(line.state, State::Whole) {
            let high = and.map_or(index, |earlier| earlier.max(index));
            if line.came(high, self.now, self.settle_after) {
                self.next_look.get_or_insert(self.now + self.settle_after);
            }
        }
        Some(Counted { log: &self.lines[usize::from(at)].log, number: at + 1, index, and })
    }

    /// The feed is found not to be read, since `from` (microseconds since the Unix epoch).
    pub fn cut(&mut self, from: i64, reason: &'static str) -> Vec<Hole> {
        let holes = self.settle_all();
        for line in &mut self.lines {
            if matches!(line.state, State::Whole) {
                let first = line.window.first_missing(line.floors[0]);
                line.state = State::Missing(Loss { first, from, reason });
            }
        }
        holes
    }

    /// When there is something to be settled; none while there is nothing.
    pub fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// The holes that are settled by now.
    pub fn settled(&mut self) -> Vec<Hole> {
        if self.next_look.is_none_or(|look| self.now < look) {
            return Vec::new();
        }
        let (now, settle_after) = (self.now, self.settle_after);
        let holes = self.settle(|since| now.duration_since(since) >= settle_after);
        let settling = self.lines.iter().any(|line| matches!(line.state, State::Settling { .. }));
        // Not each by itself: what came back together is written together.
        self.next_look = settling.then(|| now + settle_after / 16);
        holes
    }

    /// The holes as far as they can be told now: the feed is ending, or lost again.
    pub fn settle_all(&mut self) -> Vec<Hole> {
        self.next_look = None;
        self.settle(|_since| true)
    }

    fn settle(&mut self, is_due: impl Fn(Instant) -> bool) -> Vec<Hole> {
        let mut holes = Vec::new();
        for line in &mut self.lines {
            let State::Settling { loss, to, since, high } = line.state else { continue };
            if !is_due(since) {
                continue;
            }
            line.state = State::Whole;
            let Loss { first, from, reason } = loss;
            if let Some(last) = line.window.last_missing(first, high) {
                // What is told is told once.
                line.floors = line.floors.map(|floor| floor.max(last + 1));
                let log = Arc::clone(&line.log);
                holes.push(Hole { log, first, last, from, to, reason });
            }
        }
        holes
    }

    fn without_index(&self, stats: &FeedStats) -> Counted<'_> {
        stats.without_index.add(1);
        Counted { log: &self.none, number: 0, index: 0, and: None }
    }

    /// Where the line of a log stands; it is made when the log comes first.
    fn line(&mut self, place: &Place<'_>) -> Option<u16> {
        let written = if place.log_url.is_empty() { place.log_name } else { place.log_url };
        if let Some(at) = self.places.get(written) {
            return Some(*at);
        }
        let key = key(written);
        let is_fit = !key.is_empty() && written.len().max(place.log_name.len()) <= MOST_KEY;
        if !is_fit || self.places.len() >= MOST_LOGS {
            return None;
        }
        let known = self.lines.iter().position(|line| &*line.log.key == key);
        let at = match known {
            Some(at) => u16::try_from(at).ok()?,
            None => {
                let log = SourceLog { key: key.into(), name: place.log_name.into() };
                self.add(log, State::Whole)?
            }
        };
        self.places.insert(written.into(), at);
        Some(at)
    }

    fn add(&mut self, log: SourceLog, state: State) -> Option<u16> {
        let at = u16::try_from(self.lines.len()).ok().filter(|at| usize::from(*at) < MOST_LOGS)?;
        let (log, window) = (Arc::new(log), Window::default());
        self.lines.push(Line { log, window, lowest: 0, floors: [0; 2], state });
        Some(at)
    }
}

impl Line {
    /// An index has come that is new; whether it is the first since the loss.
    fn came(&mut self, index: u64, now: Instant, settle_after: Duration) -> bool {
        match &mut self.state {
            State::Missing(loss) if index >= loss.first => {
                let loss = *loss;
                self.state = State::Settling { loss, to: now_micros(), since: now, high: index };
                true
            }
            State::Settling { since, high, .. }
                if now.duration_since(*since) < settle_after / 2 =>
            {
                *high = index.max(*high);
                false
            }
            _ => false,
        }
    }
}

/// Tells URLs apart by their length and some of their bytes: a third of the time of a whole hash.
/// Whoever makes them collide makes us compare the few that there may be.
#[derive(Debug, Default)]
struct Sketch(u64);

impl Hasher for Sketch {
    fn write(&mut self, bytes: &[u8]) {
        let word = |part: Option<&[u8; 8]>| part.map_or(0, |part| u64::from_le_bytes(*part));
        // Logs of one operator differ at their ends, operators before that.
        let (last, middle) = (bytes.last_chunk(), bytes[..bytes.len() / 2].last_chunk());
        for part in [word(last), word(middle), bytes.len() as u64] {
            self.0 = (self.0 ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }

    fn write_u8(&mut self, _end: u8) {}

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// What identifies the log of this URL or name.
fn key(written: &str) -> &str {
    let key = written.split_once("://").map_or(written, |(_scheme, rest)| rest);
    key.trim_end_matches('/')
}

#[cfg(test)]
mod tests;
