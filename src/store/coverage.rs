//! Coverage: which entries of which logs the certstream feeds received, by minute.
//!
//! Owns the `coverage` and `feed_logs` tables, and what a feed goes on from after a restart. Rows
//! are written with the feed's position: at a kill the minute at hand holds what had been stored by
//! then, and the next run adds to it.

use std::collections::HashMap;

use rusqlite::Connection;

use super::integer;
use crate::batch::{Coverage, CoverageHead, Covered, SourceLog};

/// How long before the last thing that a feed received a log may have been heard of last, and still
/// count as one that the server reads, in microseconds.
pub(super) const CURRENT: i64 = 24 * 3_600_000_000;

/// Adds `coverage` of `feed`, within the transaction that is open.
pub(super) fn write(
    connection: &Connection,
    feed: &str,
    coverage: &Coverage,
) -> rusqlite::Result<()> {
    for covered in coverage.iter() {
        if add(connection, feed, covered)? == 0 {
            connection
                .prepare_cached("INSERT INTO feed_logs (feed, log, name) VALUES (?1, ?2, ?3)")?
                .execute((feed, &*covered.log.key, &*covered.log.name))?;
            add(connection, feed, covered)?;
        }
    }
    Ok(())
}

/// Rows written: none while the log is not known.
fn add(connection: &Connection, feed: &str, covered: &Covered) -> rusqlite::Result<usize> {
    let Covered { log, minute, lowest, highest, count, .. } = covered;
    let index = |index: &u64| (!log.key.is_empty()).then(|| integer(*index));
    connection
        .prepare_cached(
            "INSERT INTO coverage (minute, feed_log, lowest, highest, count)
             SELECT ?3, id, ?4, ?5, ?6 FROM feed_logs WHERE feed = ?1 AND log = ?2
             ON CONFLICT (minute, feed_log) DO UPDATE SET
                 lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest),
                 count = count + excluded.count",
        )?
        .execute((feed, &*log.key, minute, index(lowest), index(highest), integer(*count)))
}

/// How far each feed had received the logs that it was reading last.
pub(super) fn heads(
    connection: &Connection,
) -> rusqlite::Result<HashMap<String, Vec<CoverageHead>>> {
    let mut heads: HashMap<String, Vec<CoverageHead>> = HashMap::new();
    let mut statement = connection.prepare(
        "WITH last AS (
             SELECT feed_log, max(minute) AS minute FROM coverage
             WHERE lowest IS NOT NULL AND minute >= (SELECT max(minute) FROM coverage) - ?1
             GROUP BY feed_log)
         SELECT f.feed, f.log, f.name, c.minute,
             iif(c.count + (
                     -- What was missed within it is known.
                     SELECT ifnull(sum(g.last_index - g.first_index + 1), 0) FROM gaps AS g
                     WHERE g.feed = f.feed AND g.log = f.log
                         AND g.first_index >= c.lowest AND g.last_index <= c.highest
                 ) > c.highest - c.lowest, c.highest, c.lowest) + 1
         FROM last l JOIN coverage c USING (minute, feed_log) JOIN feed_logs f ON f.id = l.feed_log
         ORDER BY f.id",
    )?;
    let mut rows = statement.query([CURRENT])?;
    while let Some(row) = rows.next()? {
        let log = SourceLog { key: row.get(1)?, name: row.get(2)? };
        let next = row.get::<_, i64>(4)?.unsigned_abs();
        let head = CoverageHead { log, next, minute: row.get(3)? };
        heads.entry(row.get(0)?).or_default().push(head);
    }
    Ok(heads)
}
