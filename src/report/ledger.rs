//! The loss ledger in the report: how much of the source logs came through the certstream feeds, and
//! what of them was missed while a feed was not read.
//!
//! Owns what is asked of `coverage` and of the gaps that name a log, and what is said about how far
//! the figures go.

use rusqlite::Connection;

use super::DAYS;
use super::figures::{DAY, count, owned, shown, table, time};
use crate::record::rfc3339;

const LISTED: usize = 20;

/// What the coverage cannot tell, said with it.
const LIMITS: [&str; 4] = [
    "  not received is an upper bound: a server that leaves out duplicates, or reads a log in parts,",
    "    makes holes that are none",
    "  without index: from a domains-only stream, or an index too far from all others; what is",
    "    missing among those cannot be known",
];

/// The section about coverage by feed and day, the days up to `now`.
pub(super) fn coverage(connection: &Connection, now: i64) -> rusqlite::Result<Vec<String>> {
    let today = now.div_euclid(DAY);
    let mut statement = connection.prepare(
        "WITH days AS (
             SELECT feed_log, minute / ?1 AS day, min(lowest) AS lowest, max(highest) AS highest,
                 sum(count) AS received
             FROM coverage WHERE minute >= ?2 * ?1 GROUP BY feed_log, day),
         spans AS (
             SELECT feed_log, day, received, highest - coalesce(
                 lag(highest) OVER (PARTITION BY feed_log ORDER BY day), lowest - 1) AS span
             FROM days)
         SELECT feed, day, count(span), sum(iif(span IS NULL, 0, received)),
             sum(ifnull(max(span - received, 0), 0)), sum(iif(span IS NULL, received, 0))
         FROM spans JOIN feed_logs ON feed_logs.id = feed_log
         WHERE day > ?2 GROUP BY feed, day ORDER BY feed, day",
    )?;
    // From the day before on, whose highest indexes the first day goes on from.
    let rows = statement
        .query_map((DAY, today - DAYS), |row| {
            let (received, missing) = (row.get::<_, i64>(3)?, row.get::<_, i64>(4)?);
            Ok([
                shown(&row.get::<_, String>(0)?),
                rfc3339(row.get::<_, i64>(1)? * DAY).chars().take(10).collect(),
                count(row.get(2)?),
                count(received),
                count(missing),
                share(received, missing),
                count(row.get(5)?),
            ])
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut lines =
        vec![owned("Coverage of the certstream feeds, by the indexes that certificates bear")];
    if rows.is_empty() {
        lines.push(format!("  nothing received in the last {DAYS} days"));
        return Ok(lines);
    }
    let header =
        ["feed", "day", "logs", "received", "not received", "coverage", "without index"].map(owned);
    lines.extend(table(&[vec![header], rows].concat()));
    lines.extend(LIMITS.map(owned));
    Ok(lines)
}

/// What share of the entries was received, rounded down: it is never said to be all of them where it
/// is not.
fn share(received: i64, missing: i64) -> String {
    match (i128::from(received) * 10_000).checked_div(i128::from(received + missing)) {
        Some(share) => format!("{}.{:02} %", share / 100, share % 100),
        None => owned("-"),
    }
}

/// What of the logs was missed in gaps, and how much of it has been fetched since.
pub(super) fn missed(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT feed, count(*), sum(last_index - first_index + 1),
             sum(iif(closed IS NULL, 0, last_index - first_index + 1)), count(*) - count(closed)
         FROM gaps WHERE log IS NOT NULL GROUP BY feed ORDER BY feed",
    )?;
    let rows = statement
        .query_map([], |row| {
            let feed = shown(&row.get::<_, String>(0)?);
            let number = |column| row.get(column).map(count);
            Ok([feed, number(1)?, number(2)?, number(3)?, number(4)?])
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let header = ["feed", "holes", "entries, at most", "fetched since", "holes open"].map(owned);
    let mut lines = vec![owned("  entries of the logs that certstream feeds missed in gaps")];
    lines.extend(table(&[vec![header], rows].concat()));
    Ok(lines)
}

/// The open holes of logs, each with what closes it. `options`: those of the config and database
/// that are reported on, as they are written on a command line.
pub(super) fn remedies(connection: &Connection, options: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT started, feed, ifnull(log, substr(feed, 5)), first_index, last_index FROM gaps
         WHERE first_index <= last_index AND closed IS NULL
             AND (log IS NOT NULL OR reason = 'log gone')
         ORDER BY started DESC, id DESC",
    )?;
    let rows = statement
        .query_map([], |row| {
            let (log, first): (String, i64) = (row.get(2)?, row.get(3)?);
            let last: i64 = row.get(4)?;
            let feed = shown(&row.get::<_, String>(1)?);
            let command = match quoted(&log) {
                Some(log) => {
                    let end = last + 1;
                    format!("certstream backfill --log {log} --from {first} --to {end}{options}")
                }
                None => format!("(no command line can name the log {})", shown(&log)),
            };
            Ok([time(row.get(0)?), feed, count(last - first + 1), command])
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let header = ["since", "feed", "entries", "what closes it"].map(owned);
    let mut lines = vec![owned(
        "  holes that are open; a watch closes those of up to heal.max_entries by itself",
    )];
    let more = rows.len().saturating_sub(LISTED);
    let listed = rows.into_iter().take(LISTED);
    lines.extend(table(&[vec![header], listed.collect()].concat()));
    if more > 0 {
        lines.push(format!("    and {more} more"));
    }
    Ok(lines)
}

/// `word` as a shell takes it for one; none where that cannot be shown. A log's name is what a
/// server says: nothing in it may end the word, or begin an option.
pub fn quoted(word: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._~/:@%+-".contains(c);
    let is_shown = |c: char| c.is_ascii_graphic() || c == ' ';
    if word.is_empty()
        || word.starts_with('-')
        || word.contains('\'')
        || !word.chars().all(is_shown)
    {
        return None;
    }
    Some(if word.chars().all(is_plain) { word.to_owned() } else { format!("'{word}'") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_servers_word_gets_out_of_its_quotes() {
        let shown = |word| quoted(word).unwrap_or_default();
        assert_eq!(shown("log.example/2026h1"), "log.example/2026h1");
        assert_eq!(shown("A log; rm -rf $HOME"), "'A log; rm -rf $HOME'");
        for word in ["", "-q", "it's", "a\nb", "\u{1b}[2J", "l\u{f6}g"] {
            assert_eq!(quoted(word), None, "{word:?}");
        }
    }

    #[test]
    fn a_share_is_rounded_down() {
        assert_eq!([share(999_999, 1), share(5, 0), share(0, 0)], ["99.99 %", "100.00 %", "-"]);
    }
}
