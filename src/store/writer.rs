//! The writer: the one thread that writes the database while a run goes on.
//!
//! Owns the way of a message from the channel to COMMIT: its turn, its wait, its transaction, and
//! the trying again. Nothing leaves memory, the backlog's account or the printer's sight before
//! COMMIT has returned.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rusqlite::TransactionBehavior;

use super::announce::Announce;
use super::apply::{Outcome, Report, apply};
use super::fault::{Fault, Hope};
use super::gap::{Episode, GapChange};
use super::merge::Merged;
use super::refused::Ledger;
use super::reorder::Reorder;
use super::run::Run;
use super::waiting::{Progress, Waiting};
use super::wal::{Look, Wal};
use super::{Store, position};
use crate::backlog::Backlog;
use crate::batch::now_micros;
use crate::error::{Error, Result};
use crate::matched::Matched;
use crate::stats::{FeedIndex, Feeds, WriterStats};

/// How long SQLite itself waits for another process's lock within one attempt.
const BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// Pause before a transaction is tried again; doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause: bounds how long a disk that works again stays unused.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a disk that fails is tried again before the run ends: a storage that is swapped or
/// reconnected comes back within this, and what nobody mends must not go unnoticed for days.
const DISK_PATIENCE: Duration = Duration::from_secs(300);

/// Applies what the matchers found, feed by feed in sequence, and commits it.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    /// The register of the feeds, of which some may not have sent anything yet.
    pub(super) register: Arc<Feeds>,
    /// Names of the feeds that have, by `FeedIndex`.
    feeds: Vec<String>,
    /// What is known of each of those.
    lines: Vec<Line>,
    /// In line for the next transaction.
    waiting: Waiting,
    /// Stored of what the feeds have refused.
    refused: Ledger,
    stats: Arc<WriterStats>,
    backlog: Arc<Backlog>,
    announce: Option<Announce>,
    /// The database's write-ahead log.
    pub(super) wal: Wal,
    /// See [`DISK_PATIENCE`].
    pub(super) disk_patience: Duration,
    #[cfg(test)]
    pub(super) faults: super::tests::Faults,
}

/// One feed's messages on their way into line.
#[derive(Debug)]
struct Line {
    reorder: Reorder,
    episode: Episode,
}

impl Writer {
    /// A writer into `store`, whose run has begun. `register` names the feeds; committed bytes
    /// are taken off `backlog`.
    #[must_use]
    pub fn new(
        store: Store,
        register: Arc<Feeds>,
        stats: Arc<WriterStats>,
        backlog: Arc<Backlog>,
        announce: Option<Announce>,
    ) -> Self {
        Self {
            wal: Wal::of(&store.file),
            store,
            register,
            feeds: Vec::new(),
            lines: Vec::new(),
            waiting: Waiting::default(),
            refused: Ledger::default(),
            stats,
            backlog,
            announce,
            disk_patience: DISK_PATIENCE,
            #[cfg(test)]
            faults: super::tests::Faults::default(),
        }
    }

    /// Writes until `matched` is closed and drained, then commits the rest and hands the store
    /// back. Messages behind one that never came (its matcher was lost) are not stored: the
    /// database stays a prefix of each feed.
    ///
    /// # Errors
    /// When the database fails in a way that trying again cannot mend. What was committed stays.
    pub fn run(mut self, matched: &Receiver<Matched>) -> Result<Store> {
        self.begin()?;
        loop {
            let received = match self.waiting.due() {
                None => matched.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => matched.recv_deadline(due),
            };
            match received {
                Ok(next) => self.take_in(next, matched.is_empty())?,
                Err(RecvTimeoutError::Timeout) => self.commit()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // What a feed refuses while it ends moves no position.
        if !self.waiting.is_empty() || !self.refused.changes(&self.register).is_empty() {
            self.commit()?;
        }
        self.warn_of_holes();
        Ok(self.store)
    }

    fn begin(&mut self) -> Result<()> {
        self.store
            .connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(|error| Fault::new("set a time-out", error).into_error(&self.store.file))
    }

    /// Gets to know the feeds up to `index`. Feeds begin while the run goes on.
    fn meet(&mut self, index: FeedIndex) -> Result<()> {
        while self.lines.len() <= usize::from(index) {
            // Lines are as few as feeds, whose indexes are of this type.
            let next = self.lines.len() as FeedIndex;
            let feed = self.register.get(next).ok_or_else(|| {
                Error::failed(format!("feed {next} is not registered: a fault of certstream"))
            })?;
            let reorder = Reorder::after(self.store.last_applied(&feed.name)?.sequence);
            self.lines.push(Line { reorder, episode: Episode::default() });
            self.feeds.push(feed.name.clone());
        }
        Ok(())
    }

    /// Puts in line what came, and everything that waited for it. `last`: nothing else has come.
    fn take_in(&mut self, matched: Matched, last: bool) -> Result<()> {
        self.meet(matched.feed)?;
        let (feed, sequence) = (usize::from(matched.feed), matched.sequence);
        let rows = matched.rows.len() as u64;
        if rows > 0 && self.stats.waiting.fetch_add(rows, Ordering::Relaxed) == 0 {
            self.stats.waiting_since.store(now_micros(), Ordering::Relaxed);
        }
        if !self.lines[feed].reorder.insert(matched) {
            return Err(Error::failed(format!(
                "feed {} numbered two batches {sequence}: this is a fault of certstream",
                self.feeds[feed]
            )));
        }
        let now = Instant::now();
        while let Some(next) = self.lines[feed].reorder.next() {
            let line = &mut self.lines[feed];
            let dropped = line.episode.follow(&next, last && line.reorder.held() == 0);
            if let Some(GapChange::DroppedEnd { rows, .. }) = dropped {
                let name = &self.feeds[feed];
                log::warn!("{name}: {rows} matched rows were dropped, which is a gap of its own");
            }
            if next.rows.is_empty() {
                // Nothing of it stays in memory.
                self.backlog.subtract(next.bytes);
            }
            self.waiting.push(next, dropped, now);
            if self.waiting.is_due(now, last) {
                self.commit()?;
            }
        }
        // A steady stream of messages that are early lets no time-out come.
        if self.waiting.is_due(now, last) { self.commit() } else { Ok(()) }
    }

    /// Stores what is in line, however often it takes, and only then lets go of it.
    fn commit(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.refused = self.refused.changes(&self.register);
        let run = self.store.run.take().ok_or_else(|| Error::failed("no run has begun"))?;
        let apart = self.report() == Report::EverySighting;
        let merged = Merged::of(&waiting.messages, &run.rules, apart);
        let began = Instant::now();
        let outcome = self.store_transaction(&run, &waiting, &merged);
        drop(merged);
        self.store.run = Some(run);
        let outcome = outcome?;
        // A crash from here on loses lines on stdout, never rows: they are committed.
        self.count_times(began.elapsed(), &waiting);
        self.stats.commits.add(1);
        self.stats.rows.add(waiting.rows as u64);
        self.stats.new_pairs.add(outcome.new_pairs);
        self.stats.new_domains.add(outcome.new_domains);
        let rows = waiting.rows as u64;
        if rows > 0 {
            let before = self.stats.waiting.fetch_sub(rows, Ordering::Relaxed);
            // What is left came while these were stored.
            let since = if before == rows { 0 } else { now_micros() };
            self.stats.waiting_since.store(since, Ordering::Relaxed);
        }
        self.backlog.subtract(waiting.bytes);
        self.refused.stored(std::mem::take(&mut waiting.refused));
        // Freed before the printer may make us wait.
        drop(waiting);
        if let Some(announce) = &self.announce {
            announce.send(outcome.records);
        }
        self.look_at_wal()
    }

    /// A log that cannot be cut now can be cut later: everything in it is stored.
    fn look_at_wal(&mut self) -> Result<()> {
        match self.wal.look(&self.store.connection) {
            Ok(Look::Gone) => {
                let what = "the database was moved or deleted while it was written: what is stored \
                            since then is not in this place";
                Err(Error::failed(what)
                    .in_file(&self.store.file)
                    .remedy("put it back with its -wal and -shm if you still have it; start again"))
            }
            Ok(_) => Ok(()),
            Err(error) => {
                let file = self.store.file.display();
                log::debug!("{file}: cannot cut the write-ahead log: {error}");
                Ok(())
            }
        }
    }

    /// Counts how long a transaction took, and how long ago what it stored was received.
    fn count_times(&self, took: Duration, waiting: &Waiting) {
        self.stats.commit_time.observe(took);
        let now = now_micros();
        for message in &waiting.messages {
            // A clock that was stepped back tells of no delay.
            let delay = u64::try_from(now - message.received).unwrap_or(0);
            self.stats.delay.observe(Duration::from_micros(delay));
        }
    }

    /// Tries the whole transaction until it is committed. A failed COMMIT may have persisted all
    /// the same, so each further try first looks whether it has: rows and positions are one
    /// transaction, and so either all of it is there or nothing.
    fn store_transaction(
        &mut self,
        run: &Run,
        waiting: &Waiting,
        merged: &Merged<'_>,
    ) -> Result<Outcome> {
        let mut written = None;
        let mut pause = FIRST_PAUSE;
        let mut tries = 1_u32;
        let mut said = Vec::new();
        let started = Instant::now();
        loop {
            let fault = match self.attempt(run, waiting, merged, tries > 1, &mut written) {
                Ok(outcome) => {
                    if tries > 1 {
                        log::info!("{}: stored at try {tries}", self.store.file.display());
                    }
                    return Ok(outcome);
                }
                Err(fault) => fault,
            };
            let tried = started.elapsed();
            let go_on = match fault.hope(&self.store.file) {
                Hope::None => false,
                Hope::Some => tried < self.disk_patience,
                Hope::Lasting => true,
            };
            if !go_on {
                let rows = self.stats.waiting.load(Ordering::Relaxed);
                return Err(fault.into_end(&self.store.file, rows, tried));
            }
            // One line for each kind of fault in an episode: the rows wait in memory meanwhile.
            if !said.contains(&fault.code()) {
                said.push(fault.code());
                log::warn!("{}", fault.into_wait(&self.store.file));
            }
            self.stats.retries.add(1);
            tries = tries.saturating_add(1);
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One try. `written` keeps what the last try wrote that came as far as COMMIT.
    fn attempt(
        &mut self,
        run: &Run,
        waiting: &Waiting,
        merged: &Merged<'_>,
        again: bool,
        written: &mut Option<Outcome>,
    ) -> Result<Outcome, Fault> {
        let report = self.report();
        let connection = &mut self.store.connection;
        // Some errors roll back by themselves, others leave the transaction open.
        if !connection.is_autocommit() {
            connection
                .execute_batch("ROLLBACK")
                .map_err(|error| Fault::new("roll back a transaction", error))?;
        }
        if again && is_stored(connection, &self.feeds, waiting)? {
            return Ok(written.take().unwrap_or_default());
        }
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| Fault::new("begin a transaction", error))?;
        // A crash before COMMIT leaves the last transaction's rows and positions: the feed's
        // prefix that ends there.
        *written = Some(
            apply(&transaction, run, &self.feeds, waiting, merged, report)
                .map_err(|error| Fault::new("write matches", error))?,
        );
        #[cfg(test)]
        self.faults.before_commit().map_err(|error| Fault::new("commit", error))?;
        transaction.commit().map_err(|error| Fault::new("commit", error))?;
        // A crash after COMMIT leaves this transaction's rows and positions, together.
        #[cfg(test)]
        self.faults.after_commit().map_err(|error| Fault::new("commit", error))?;
        Ok(written.take().unwrap_or_default())
    }

    fn report(&self) -> Report {
        match &self.announce {
            None => Report::Nothing,
            Some(announce) if announce.every_sighting => Report::EverySighting,
            Some(_) => Report::NewPairs,
        }
    }

    /// Says what a lost matcher left unstored.
    fn warn_of_holes(&self) {
        for (feed, line) in self.feeds.iter().zip(&self.lines) {
            if line.reorder.held() > 0 {
                log::warn!(
                    "feed {feed}: batch {} never came, so the {} behind it are not stored",
                    line.reorder.due(),
                    line.reorder.held()
                );
            }
        }
    }
}

/// Whether the transaction of `waiting` is in the database already.
fn is_stored(
    connection: &rusqlite::Connection,
    feeds: &[String],
    waiting: &Waiting,
) -> Result<bool, Fault> {
    for (feed, progress) in feeds.iter().zip(&waiting.progress) {
        if let Some(Progress { applied, .. }) = progress {
            let stored = position::of(connection, feed)
                .map_err(|error| Fault::new("read a position", error))?;
            return Ok(stored.sequence >= applied.sequence);
        }
    }
    Ok(false)
}
