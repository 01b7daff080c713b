//! The report: what was found, and what was missed.
//!
//! Owns what is asked of the database and how it is put; a section is a function. It says what
//! the database knows and no more: where it does not know, it says so.

mod figures;
mod ledger;
pub mod logs;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::batch::now_micros;
use crate::error::{Error, Result};
use crate::record::{escape, rfc3339};
use figures::{DAY, bytes, count, duration, owned, shown, table, time};
pub use ledger::quoted;

/// Days for which new domains are counted, today among them.
const DAYS: i64 = 7;
const LISTED_RUNS: usize = 10;
const LISTED_RULES: i64 = 20;
const LISTED_OPEN_GAPS: usize = 20;

/// What a certstream client cannot see, said in every report.
const BLIND_SPOT: [&str; 2] = [
    "  not counted, because no client can see it: a certstream server may itself have skipped",
    "    certificates, when it fell behind a log or held this client for too slow",
];

/// Writes the report on the database behind `connection`, which is the file `database`, to `out`.
/// A reader that closes `out` early is no error. `options`: the config and the database as a
/// command line names them, for the commands that are shown; empty for the configured ones.
///
/// # Errors
/// When the database cannot be read or `out` not be written.
pub fn report(
    connection: &Connection,
    database: &Path,
    options: &str,
    out: &mut impl Write,
) -> Result<()> {
    let text = report_at(connection, database, options, now_micros()).map_err(|error| {
        Error::failed(escape(&format!("cannot read the database: {error}")))
            .in_file(database)
            .remedy("check the file with `sqlite3 FILE 'PRAGMA integrity_check'`")
    })?;
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failed(format!("cannot write the report: {error}"))
                .remedy("check where standard output goes"))
        }
        _ => Ok(()),
    }
}

fn report_at(
    connection: &Connection,
    database: &Path,
    options: &str,
    now: i64,
) -> rusqlite::Result<String> {
    let _timed = crate::store::TimedSnapshot::begin("report");
    // One snapshot, so that the sections agree with each other.
    let snapshot = connection.unchecked_transaction()?;
    let runs = runs(&snapshot)?;
    let mut lines = vec![format!("Report of {}, all times UTC", time(now)), String::new()];
    lines.extend(database_size(&snapshot, database, &runs, now)?);
    lines.push(String::new());
    lines.extend(runs_section(&runs));
    lines.push(String::new());
    lines.extend(found_section(&snapshot, now)?);
    lines.push(String::new());
    lines.push("Missed".to_owned());
    lines.extend(unwatched(&runs, now));
    lines.extend(gaps(&snapshot)?);
    lines.extend(open_gaps(&snapshot)?);
    lines.extend(ledger::missed(&snapshot)?);
    lines.extend(ledger::remedies(&snapshot, options)?);
    lines.extend(refused(&snapshot)?);
    lines.extend(BLIND_SPOT.map(owned));
    lines.push(String::new());
    lines.extend(ledger::coverage(&snapshot, now)?);
    lines.push(String::new());
    lines.extend(positions(&snapshot)?);
    lines.push(String::new());
    lines.extend(logs::section(&snapshot)?);
    Ok(lines.join("\n"))
}

/// One `runs` row.
struct Run {
    started: i64,
    /// None while it goes on, and for good after an unclean end.
    ended: Option<i64>,
    version: String,
    command: String,
    rules: i64,
    outcome: Option<String>,
}

impl Run {
    /// Whether it followed the feeds live. Replays and backfills read the past.
    fn watched(&self) -> bool {
        !matches!(self.command.split(' ').next(), Some("replay" | "backfill"))
    }
}

/// All runs, oldest first.
fn runs(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    connection
        .prepare("SELECT started, ended, version, command, rules, outcome FROM runs ORDER BY id")?
        .query_map([], |row| {
            Ok(Run {
                started: row.get(0)?,
                ended: row.get(1)?,
                version: row.get(2)?,
                command: row.get(3)?,
                rules: row.get(4)?,
                outcome: row.get(5)?,
            })
        })?
        .collect()
}

fn database_size(
    connection: &Connection,
    database: &Path,
    runs: &[Run],
    now: i64,
) -> rusqlite::Result<Vec<String>> {
    let size = |file: &Path| fs::metadata(file).ok().map(|file| file.len());
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let file = escape(&database.to_string_lossy()).into_owned();
    let mut line = match size(database) {
        Some(size) => format!("  {file}: {}", bytes(size)),
        None => format!("  {file}: size unknown"),
    };
    let pages = |pragma: &str| -> rusqlite::Result<u64> {
        let count: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let page = pages("page_size")?;
    let (all, free) = (page * pages("page_count")?, page * pages("freelist_count")?);
    // Pages that `prune` has emptied are used again before the file grows.
    if free > 0 {
        line.push_str(&format!(", {} of it free for reuse", bytes(free)));
    }
    // Commits wait there until SQLite moves them into the database.
    if let Some(log) = size(&PathBuf::from(log)).filter(|&size| size > 0) {
        line.push_str(&format!(", and {} in its write-ahead log", bytes(log)));
    }
    let mut lines = vec!["Database".to_owned(), line];
    let days = runs.first().map_or(0, |first| (now - first.started) / DAY);
    if let Ok(days @ 1..) = u64::try_from(days) {
        let a_day = bytes((all - free) / days);
        lines.push(format!("  grew by {a_day} a day over {days} days, since its first run"));
    }
    Ok(lines)
}

fn runs_section(runs: &[Run]) -> Vec<String> {
    if runs.is_empty() {
        return vec!["Runs".to_owned(), "  none yet".to_owned()];
    }
    let unclean = runs.iter().rev().skip(1).filter(|run| run.ended.is_none()).count();
    let mut lines = vec![format!(
        "Runs ({} in all, {unclean} of the earlier ones ended uncleanly; the latest first)",
        runs.len()
    )];
    let mut rows = vec![["started", "ended", "how", "command", "rules", "version"].map(owned)];
    for (age, run) in runs.iter().rev().take(LISTED_RUNS).enumerate() {
        let how = match (&run.outcome, run.ended) {
            (Some(outcome), _) => shown(outcome),
            (None, Some(_)) => owned("not recorded"),
            // The row alone cannot tell a run that goes on from one that was killed.
            (None, None) if age == 0 => owned("goes on, or ended UNCLEANLY"),
            (None, None) => owned("UNCLEANLY"),
        };
        rows.push([
            time(run.started),
            run.ended.map_or_else(|| owned("-"), time),
            how,
            shown(&run.command),
            run.rules.to_string(),
            shown(&run.version),
        ]);
    }
    lines.extend(table(&rows));
    lines
}

fn found_section(connection: &Connection, now: i64) -> rusqlite::Result<Vec<String>> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let domains = number("SELECT count(*) FROM domains")?;
    let undated = number("SELECT count(*) FROM domains WHERE first_seen IS NULL")?;
    let matches = number("SELECT count(*) FROM matches")?;
    let gave_up = number("SELECT count(*) FROM matches WHERE verdict = 'gave up'")?;
    let mut lines = vec![owned("Found"), format!("  {} domains", count(domains))];
    if undated > 0 {
        let undated = count(undated);
        lines.push(format!("    {undated} of them adopted from an older database, without dates"));
    }
    lines.push(format!("  {} matches (pairs of a domain and a rule)", count(matches)));
    if gave_up > 0 {
        let gave_up = count(gave_up);
        lines.push(format!(
            "    {gave_up} of them not proven: the rule reached its step limit; to be reviewed"
        ));
    }
    lines.push(owned("  new domains a day, by the time their source gives"));
    lines.extend(table(&new_a_day(connection, now)?));
    lines.extend(matches_a_rule(connection)?);
    Ok(lines)
}

fn new_a_day(connection: &Connection, now: i64) -> rusqlite::Result<Vec<[String; 2]>> {
    let today = now.div_euclid(DAY);
    let mut statement = connection
        .prepare("SELECT count(*) FROM domains WHERE first_seen >= ?1 AND first_seen < ?2")?;
    (today - DAYS + 1..=today)
        .map(|day| {
            let new: i64 = statement.query_row([day * DAY, (day + 1) * DAY], |row| row.get(0))?;
            let date = rfc3339(day * DAY).chars().take_while(|&c| c != 'T').collect();
            Ok([date, count(new)])
        })
        .collect()
}

fn matches_a_rule(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT r.name, sum(m.domains) AS domains, count(*) OVER ()
         FROM (SELECT rule_id, count(*) AS domains FROM matches GROUP BY rule_id) m
         JOIN rules r ON r.id = m.rule_id
         GROUP BY r.name ORDER BY domains DESC, r.name LIMIT ?1",
    )?;
    let mut matched_rules: i64 = 0;
    let rows = statement
        .query_map([LISTED_RULES], |row| {
            matched_rules = row.get(2)?;
            Ok([count(row.get(1)?), shown(&row.get::<_, String>(0)?)])
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let mut lines = vec![format!("  matches by rule ({} of {matched_rules})", rows.len())];
    lines.extend(table(&rows));
    Ok(lines)
}

/// The spans between runs. Where a run ended uncleanly its end is not known, and so neither is
/// the begin of the span: only its upper bound can be told.
fn unwatched(runs: &[Run], now: i64) -> Vec<String> {
    let watching: Vec<&Run> = runs.iter().filter(|run| run.watched()).collect();
    let Some(latest) = watching.last() else { return vec![owned("  nothing was watched yet")] };
    let mut spans = vec![];
    let mut unknown = vec![];
    for pair in watching.windows(2) {
        let (run, next) = (pair[0], pair[1]);
        match run.ended {
            Some(ended) => spans.push((next.started.saturating_sub(ended), ended)),
            None => unknown.push(next.started.saturating_sub(run.started)),
        }
    }
    // Not those that a clock set back has made negative.
    spans.retain(|&(length, _from)| length > 0);
    let mut lines = vec![];
    if let Some((length, from)) = spans.iter().max() {
        lines.push(format!(
            "  {} between runs, when nothing was watched (spans: {}; longest: {} from {})",
            duration(spans.iter().map(|(length, _from)| length).sum()),
            spans.len(),
            duration(*length),
            time(*from)
        ));
    }
    if !unknown.is_empty() {
        lines.push(format!(
            "  an unknown time, at most {}, between the unclean end of a run and the next (ends: {})",
            duration(unknown.iter().sum()),
            unknown.len()
        ));
    }
    if let Some(ended) = latest.ended {
        let since = duration(now.saturating_sub(ended));
        lines.push(format!("  {since} since the last run ended, at {}", time(ended)));
    }
    if lines.is_empty() {
        lines.push(owned("  no time between runs"));
    }
    lines
}

fn gaps(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let header = ["feed", "reason", "gaps", "duration", "rows dropped", "open"].map(owned);
    let mut rows = vec![header];
    let mut statement = connection.prepare(
        "SELECT feed, reason, count(*), coalesce(sum(max(ended - started, 0)), 0),
                sum(rows_dropped), count(*) - count(ended)
         FROM gaps WHERE log IS NULL GROUP BY feed, reason ORDER BY feed, reason",
    )?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        rows.push([
            shown(&row.get::<_, String>(0)?),
            shown(&row.get::<_, String>(1)?),
            count(row.get(2)?),
            duration(row.get(3)?),
            count(row.get(4)?),
            count(row.get(5)?),
        ]);
    }
    if rows.len() == 1 {
        return Ok(vec![owned("  no gap recorded in any feed")]);
    }
    let mut lines =
        vec![owned("  gaps in the feeds; the duration is that of those that have ended")];
    lines.extend(table(&rows));
    Ok(lines)
}

fn open_gaps(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT started, feed, reason, detail FROM gaps WHERE ended IS NULL ORDER BY started, id",
    )?;
    let rows = statement
        .query_map([], |row| {
            let text = |column| row.get::<_, String>(column).map(|text| shown(&text));
            Ok([time(row.get(0)?), text(1)?, text(2)?, text(3)?])
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let mut lines = vec![owned("  open since, unless the run ended uncleanly meanwhile")];
    lines.extend(table(&rows[..rows.len().min(LISTED_OPEN_GAPS)]));
    if rows.len() > LISTED_OPEN_GAPS {
        lines.push(format!("    and {} more", rows.len() - LISTED_OPEN_GAPS));
    }
    Ok(lines)
}

fn refused(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT feed, reason, sum(count), count(*) FROM refused
         GROUP BY feed, reason ORDER BY feed, reason",
    )?;
    let rows = statement
        .query_map([], |row| {
            let text = |column| row.get::<_, String>(column).map(|text| shown(&text));
            Ok([text(0)?, text(1)?, count(row.get(2)?), count(row.get(3)?)])
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(vec![owned("  nothing refused in any feed")]);
    }
    let header = ["feed", "reason", "count", "runs"].map(owned);
    let mut lines = vec![owned("  refused, and so neither matched nor stored")];
    lines.extend(table(&[vec![header], rows].concat()));
    Ok(lines)
}

fn positions(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut rows = vec![["feed", "position", "stored"].map(owned)];
    let mut statement =
        connection.prepare("SELECT feed, position, updated FROM positions ORDER BY feed")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        rows.push([shown(&row.get::<_, String>(0)?), count(row.get(1)?), time(row.get(2)?)]);
    }
    let mut lines = vec![owned("Positions (how far each feed is stored, in its own unit)")];
    if rows.len() == 1 {
        lines.push(owned("  none yet"));
    } else {
        lines.extend(table(&rows));
    }
    Ok(lines)
}
