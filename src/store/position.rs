//! Positions: how far each feed is stored, and of a log also how much of it was proven.
//!
//! Owns the `positions`, `tree_heads` and `forks` tables.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::integer;
use super::waiting::Progress;
use crate::batch::{Applied, Fork, TreeHead, now_micros};

/// How far every feed is stored that ever was.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<HashMap<String, Applied>> {
    connection
        .prepare("SELECT feed, sequence, position, no_names FROM positions")?
        .query_map([], |row| Ok((row.get(0)?, applied(row, 1)?)))?
        .collect()
}

/// How far the feed called `feed` is stored.
pub(super) fn of(connection: &Connection, feed: &str) -> rusqlite::Result<Applied> {
    let stored = connection
        .prepare_cached("SELECT sequence, position, no_names FROM positions WHERE feed = ?1")?
        .query_row([feed], |row| applied(row, 0))
        .optional()?;
    Ok(stored.unwrap_or_default())
}

/// The position whose three columns begin at `column`.
fn applied(row: &Row<'_>, column: usize) -> rusqlite::Result<Applied> {
    Ok(Applied {
        sequence: row.get::<_, i64>(column)?.unsigned_abs(),
        position: row.get::<_, i64>(column + 1)?.unsigned_abs(),
        no_names: row.get(column + 2)?,
    })
}

/// The newest tree head of every log that ever was read, by feed.
pub(super) fn tree_heads(connection: &Connection) -> rusqlite::Result<HashMap<String, TreeHead>> {
    connection
        .prepare("SELECT feed, size, root, timestamp, signed FROM tree_heads")?
        .query_map([], |row| {
            let head = TreeHead {
                size: row.get::<_, i64>(1)?.unsigned_abs(),
                root: row.get(2)?,
                timestamp: row.get::<_, i64>(3)?.unsigned_abs(),
                signed: row.get::<_, String>(4)?.into(),
            };
            Ok((row.get(0)?, head))
        })?
        .collect()
}

/// Writes how far `feed` is, within the transaction that is open.
pub(super) fn write(
    connection: &Connection,
    feed: &str,
    progress: &Progress,
) -> rusqlite::Result<()> {
    let Progress { applied, reading, .. } = progress;
    let now = now_micros();
    let newest = reading.newest.map(|millis| integer(millis.saturating_mul(1000)));
    connection
        .prepare_cached(
            "INSERT INTO positions (feed, sequence, position, updated, entries, verified, newest,
                 no_names)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (feed) DO UPDATE SET sequence = excluded.sequence,
                 position = excluded.position, updated = excluded.updated,
                 entries = entries + excluded.entries, verified = verified + excluded.verified,
                 newest = ifnull(excluded.newest, newest),
                 no_names = ifnull(excluded.no_names, no_names)",
        )?
        .execute((
            feed,
            integer(applied.sequence),
            integer(applied.position),
            now,
            integer(reading.entries),
            integer(reading.verified),
            newest,
            reading.no_names,
        ))?;
    if let Some(fork) = &reading.fork {
        write_fork(connection, feed, fork, now)?;
    }
    let Some(head) = &reading.tree_head else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO tree_heads (feed, size, root, timestamp, signed, received)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (feed) DO UPDATE SET size = excluded.size, root = excluded.root,
                 timestamp = excluded.timestamp, signed = excluded.signed,
                 received = excluded.received",
        )?
        .execute((feed, integer(head.size), head.root, integer(head.timestamp), &*head.signed, now))
        .map(drop)
}

/// A log that is asked again at each start shows the same two trees each time: once is enough.
fn write_fork(connection: &Connection, feed: &str, fork: &Fork, now: i64) -> rusqlite::Result<()> {
    let Fork { known, shown } = fork;
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO forks (feed, received, known_size, known_root, known_timestamp,
                 known_signed, shown_size, shown_root, shown_timestamp, shown_signed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute((
            feed,
            now,
            integer(known.size),
            known.root,
            integer(known.timestamp),
            &*known.signed,
            integer(shown.size),
            shown.root,
            integer(shown.timestamp),
            &*shown.signed,
        ))
        .map(drop)
}

/// Entries of CT logs that were read, and those among them that were verified. An entry that was
/// read again for its certificate counts as one.
///
/// # Errors
/// When the database cannot be read.
pub fn log_entries(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(
        "SELECT ifnull(sum(iif(feed LIKE 'verify %', 0, entries)), 0), ifnull(sum(verified), 0)
         FROM positions",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}
