//! Gap rows: the spans in which a feed was not read, or its rows were dropped.
//!
//! Owns how gap events and dropped rows become `gaps` rows. Reads what is open from the database
//! itself, so that a transaction tried again needs nothing undone in memory.

use std::collections::HashMap;
use std::ops::Range;

use rusqlite::Connection;

use super::integer;
use crate::batch::{GapEvent, Hole, LogKeys};
use crate::matched::Matched;

/// Reason of the gap that holds rows dropped because the backlog was full.
const BACKLOG_FULL: &str = "backlog full";

/// A change to a feed's gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GapChange {
    /// The feed reports a gap's begin or end.
    Feed(GapEvent),
    /// Rows were dropped: begins an episode, or adds to the one that is open.
    Dropped { at: i64, rows: u64 },
    /// The episode is over, in which so many rows were dropped.
    DroppedEnd { at: i64, rows: u64 },
}

/// Whether a feed is in an episode of dropped rows, which is one gap: from the first batch that
/// lost rows until the backlog had room enough, or the writer has caught up. In between rows are
/// kept wherever there is room, since a writer that is slow makes a little all the time.
#[derive(Debug, Default)]
pub(super) struct Episode {
    /// Rows dropped in it; none while there is no episode.
    open: Option<u64>,
}

impl Episode {
    /// The change that `matched` makes, if any. `caught_up`: nothing waits behind it.
    pub fn follow(&mut self, matched: &Matched, caught_up: bool) -> Option<GapChange> {
        let (at, rows) = (matched.received, matched.dropped_rows);
        if rows > 0 {
            *self.open.get_or_insert(0) += rows;
            return Some(GapChange::Dropped { at, rows });
        }
        if matched.overflow && !caught_up {
            return None;
        }
        self.open.take().map(|rows| GapChange::DroppedEnd { at, rows })
    }
}

/// Writes `change` for `feed` within the transaction that is open.
pub(super) fn write(
    connection: &Connection,
    run: i64,
    feed: &str,
    change: &GapChange,
) -> rusqlite::Result<()> {
    match change {
        GapChange::Feed(GapEvent::Opened { at, reason, detail }) => {
            open(connection, run, feed, *at, reason, detail, 0)
        }
        GapChange::Feed(GapEvent::Closed { at }) => connection
            .prepare_cached(
                "UPDATE gaps SET ended = max(started, ?1)
                 WHERE run_id = ?2 AND feed = ?3 AND ended IS NULL AND reason <> ?4",
            )?
            .execute((at, run, feed, BACKLOG_FULL))
            .map(drop),
        GapChange::Feed(GapEvent::Entries { at, first, last, reason, detail }) => connection
            .prepare_cached(
                "INSERT INTO gaps (run_id, feed, started, ended, reason, detail, first_index,
                     last_index)
                 VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((run, feed, at, reason, detail, integer(*first), integer(*last)))
            .map(drop),
        GapChange::Feed(GapEvent::Unread { at, first, last, reason, detail }) => connection
            .prepare_cached(
                "INSERT INTO gaps (run_id, feed, started, ended, reason, detail, first_index,
                     last_index)
                 VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((run, feed, at, reason, detail, integer(*first), last.map(integer)))
            .map(drop),
        GapChange::Feed(GapEvent::Missed(holes)) => {
            holes.iter().try_for_each(|hole| miss(connection, run, feed, hole))
        }
        GapChange::Feed(GapEvent::Filling { gap }) => connection
            // The feed's position is that of one gap alone.
            .prepare_cached(
                "UPDATE gaps SET filled_by = iif(id = ?2, ?1, NULL)
                 WHERE closed IS NULL AND first_index IS NOT NULL
                     AND (id = ?2 OR filled_by = ?1)",
            )?
            .execute((feed, gap))
            .map(drop),
        GapChange::Feed(GapEvent::Filled { at, log, first, end }) => {
            fill(connection, feed, *at, log, *first..*end)
        }
        GapChange::Dropped { at, rows } => {
            let added = connection
                .prepare_cached(
                    "UPDATE gaps SET rows_dropped = rows_dropped + ?1
                     WHERE run_id = ?2 AND feed = ?3 AND ended IS NULL AND reason = ?4",
                )?
                .execute((integer(*rows), run, feed, BACKLOG_FULL))?;
            if added > 0 {
                return Ok(());
            }
            let detail = "matched rows dropped: the writer could not keep up";
            open(connection, run, feed, *at, BACKLOG_FULL, detail, *rows)
        }
        GapChange::DroppedEnd { at, .. } => connection
            .prepare_cached(
                "UPDATE gaps SET ended = max(started, ?1)
                 WHERE run_id = ?2 AND feed = ?3 AND ended IS NULL AND reason = ?4",
            )?
            .execute((at, run, feed, BACKLOG_FULL))
            .map(drop),
    }
}

fn miss(connection: &Connection, run: i64, feed: &str, hole: &Hole) -> rusqlite::Result<()> {
    let Hole { log, first, last, from, to, reason } = hole;
    let (key, name) = (&*log.key, &*log.name);
    let (first, last) = (integer(*first), integer(*last));
    connection
        .prepare_cached(
            "INSERT INTO gaps (run_id, feed, started, ended, reason, detail, log, log_name,
                 first_index, last_index)
             VALUES (?1, ?2, ?3, max(?3, ?4), ?5, '', ?6, ?7, ?8, ?9)",
        )?
        .execute((run, feed, from, to, reason, key, name, first, last))
        .map(drop)
}

/// Closes the gaps that lie within what `feed` has read of a log. Of entries that could not be read,
/// those stay open that it could not read either.
fn fill(
    connection: &Connection,
    feed: &str,
    at: i64,
    log: &LogKeys,
    indexes: Range<u64>,
) -> rusqlite::Result<()> {
    let LogKeys { urls: [submission, monitoring], name } = log;
    let [follows, heals] = ["log", "heal"].map(|feed| format!("{feed} {submission}"));
    let (first, end) = (integer(indexes.start), integer(indexes.end));
    connection
        .prepare_cached(
            "UPDATE gaps AS gap SET closed = ?1, filled_by = ?2
             WHERE closed IS NULL AND first_index >= ?3 AND last_index < ?4
                 AND (log IN (?5, ?6, ?7) OR log_name = ?7 OR feed IN (?8, ?9))
                 AND NOT (log IS NULL AND EXISTS (
                     SELECT 1 FROM gaps AS again WHERE again.feed = ?2 AND again.id >= gap.id
                         AND again.first_index <= gap.last_index
                         AND again.last_index >= gap.first_index))",
        )?
        .execute((at, feed, first, end, submission, monitoring, name, follows, heals))
        .map(drop)
}

/// The logs that were let go with entries unread, by feed: the first of them.
pub(super) fn unread(connection: &Connection) -> rusqlite::Result<HashMap<String, u64>> {
    connection
        .prepare("SELECT feed, max(first_index) FROM gaps WHERE reason = 'log gone' GROUP BY feed")?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect()
}

fn open(
    connection: &Connection,
    run: i64,
    feed: &str,
    at: i64,
    reason: &str,
    detail: &str,
    rows: u64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO gaps (run_id, feed, started, reason, detail, rows_dropped)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((run, feed, at, reason, detail, integer(rows)))
        .map(drop)
}
