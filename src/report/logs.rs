//! The table of CT logs: who runs each, how it is read, and how far.
//!
//! Owns what is asked of the database about logs, and how it is put. Which logs there are, and how
//! large each is now, its caller knows.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::json;

use super::figures::{SECOND, count, duration, owned, shown, table};
use crate::record::rfc3339;
use crate::store;

/// How far a log has been read, as the database has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Index of the entry that is read next.
    pub position: i64,
    /// Entries read.
    pub entries: i64,
    /// Those among them that were proven to stand in the signed tree.
    pub verified: i64,
    /// The time the log gave the newest of them, in microseconds since the Unix epoch.
    pub newest: Option<i64>,
    /// Entries of the newest tree head that was proven.
    pub size: Option<i64>,
}

/// A log, as the table shows it.
#[derive(Clone, Debug, Default)]
pub struct LogRow {
    /// What it is called.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// `static-ct-api` or `RFC 6962`.
    pub protocol: &'static str,
    /// What Chrome holds of it; with why it is not read, where it is not.
    pub state: String,
    /// The certificates it takes in, by when they expire: first and last second.
    pub interval: Option<(i64, i64)>,
    /// None where it was never read.
    pub progress: Option<Progress>,
    /// Entries it has now; none where it was not asked, and its words where it did not answer.
    pub size: Option<Result<u64, String>>,
}

/// How far each feed is that reads a log, by its name.
///
/// # Errors
/// When the database cannot be read.
pub fn progress(connection: &Connection) -> rusqlite::Result<HashMap<String, Progress>> {
    connection
        .prepare(
            "SELECT p.feed, p.position, p.entries, p.verified, p.newest, t.size
             FROM positions p LEFT JOIN tree_heads t ON t.feed = p.feed
             -- A gap may be stored before it is decided where to begin.
             WHERE t.feed IS NOT NULL OR p.entries > 0",
        )?
        .query_map([], |row| {
            let progress = Progress {
                position: row.get(1)?,
                entries: row.get(2)?,
                verified: row.get(3)?,
                newest: row.get(4)?,
                size: row.get(5)?,
            };
            Ok((row.get(0)?, progress))
        })?
        .collect()
}

/// What was read of CT logs, and how much of it is verified; nothing where none was read.
pub(super) fn section(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let (read, verified) = store::log_entries(connection)?;
    if read == 0 {
        return Ok(vec![]);
    }
    let (left, refuted): (i64, i64) = connection.query_row(
        "SELECT count(*) - ifnull(sum(refuted), 0), ifnull(sum(refuted), 0) FROM unverified",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut lines = vec![
        owned("CT logs"),
        format!(
            "  {} of {} entries were proven to stand in their log's signed tree ({} %)",
            count(verified),
            count(read),
            verified * 100 / read
        ),
    ];
    if left > 0 {
        lines.push(format!("  {} that matched by their names alone wait for that", count(left)));
    }
    if refuted > 0 {
        lines.push(format!(
            "  {} matched by names that their certificates do not hold: refuted",
            count(refuted)
        ));
    }
    lines.push(String::new());
    Ok(lines)
}

impl LogRow {
    /// Entries of the log, as it says now or said when it was read last.
    fn entries(&self) -> Option<i64> {
        let now = self.size.as_ref().and_then(|size| size.as_ref().ok());
        now.and_then(|size| i64::try_from(*size).ok())
            .or_else(|| self.progress.as_ref().and_then(|progress| progress.size))
    }

    /// Entries that are not read yet.
    fn lag(&self) -> Option<i64> {
        Some((self.entries()? - self.progress.as_ref()?.position).max(0))
    }

    /// How long ago the newest entry that was read was taken in, in microseconds; 0 when all are
    /// read.
    fn lag_micros(&self, now: i64) -> Option<i64> {
        match self.lag()? {
            0 => Some(0),
            _ => Some((now - self.progress.as_ref()?.newest?).max(0)),
        }
    }

    fn cells(&self, now: i64) -> [String; 9] {
        let dash = || owned("-");
        let number = |number: Option<i64>| number.map_or_else(dash, count);
        let day = |seconds: i64| rfc3339(seconds * SECOND).chars().take(10).collect::<String>();
        let size = match &self.size {
            Some(Err(what)) => shown(what),
            _ => number(self.entries()),
        };
        [
            shown(&self.operator),
            shown(&self.name),
            owned(self.protocol),
            self.state.clone(),
            self.interval
                .map_or_else(dash, |(start, end)| format!("{} to {}", day(start), day(end))),
            number(self.progress.as_ref().map(|progress| progress.position)),
            size,
            match (self.lag(), self.lag_micros(now)) {
                (Some(lag), Some(micros)) => format!("{}, {}", count(lag), duration(micros)),
                (lag, _) => number(lag),
            },
            self.progress.as_ref().map_or_else(dash, |progress| match progress.verified * 100 {
                _ if progress.entries == 0 => dash(),
                share => format!("{} %", share / progress.entries),
            }),
        ]
    }

    fn json(&self, now: i64) -> serde_json::Value {
        let progress = self.progress.clone().unwrap_or_default();
        json!({
            "operator": self.operator,
            "log": self.name,
            "protocol": self.protocol,
            "state": self.state,
            "interval": self.interval.map(|(start, end)| [start, end].map(|s| rfc3339(s * SECOND))),
            "position": self.progress.as_ref().map(|progress| progress.position),
            "size": self.entries(),
            "lag_entries": self.lag(),
            "lag_seconds": self.lag_micros(now).map(|micros| micros / SECOND),
            "entries_read": progress.entries,
            "entries_verified": progress.verified,
            "error": self.size.as_ref().and_then(|size| size.as_ref().err()),
        })
    }
}

/// The table of `rows` at `now`, in microseconds since the Unix epoch.
#[must_use]
pub fn text(rows: &[LogRow], now: i64) -> String {
    let header =
        ["operator", "log", "protocol", "state", "interval", "position", "size", "lag", "verified"];
    let mut cells = vec![header.map(owned)];
    cells.extend(rows.iter().map(|row| row.cells(now)));
    let lines = table(&cells);
    lines.iter().map(|line| format!("{}\n", line.trim_start())).collect()
}

/// The same, one JSON object a line.
#[must_use]
pub fn json_lines(rows: &[LogRow], now: i64) -> String {
    rows.iter().map(|row| format!("{}\n", row.json(now))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> LogRow {
        LogRow {
            name: "Alpha2026h2".to_owned(),
            operator: "Someone".to_owned(),
            protocol: "static-ct-api",
            state: "usable".to_owned(),
            interval: Some((0, 86_400)),
            progress: Some(Progress {
                position: 1000,
                entries: 400,
                verified: 300,
                newest: Some(5 * SECOND),
                size: Some(1200),
            }),
            size: None,
        }
    }

    #[test]
    fn a_log_that_was_asked_shows_its_lag_and_one_that_was_not_what_was_known() {
        let known = text(&[row()], 65 * SECOND);
        let line = known.lines().nth(1).expect("a row");
        for part in ["1970-01-01 to 1970-01-02", "1,000", "1,200", "200, 1 min 0 s", "75 %"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let asked = LogRow { size: Some(Ok(1000)), ..row() };
        assert!(text(&[asked], 65 * SECOND).contains("0, 0.0 s"), "nothing is left to read");
        let silent = LogRow { size: Some(Err("no answer\u{1b}".to_owned())), ..row() };
        assert!(text(&[silent], 0).contains("no answer\\u"), "a server's words are escaped");
        let unread = LogRow { progress: None, size: Some(Ok(7)), ..row() };
        let json: serde_json::Value =
            serde_json::from_str(&json_lines(&[unread], 0)).expect("JSON");
        assert_eq!((&json["size"], &json["position"]), (&json!(7), &json!(null)));
        assert_eq!((&json["lag_entries"], &json["log"]), (&json!(null), &json!("Alpha2026h2")));
    }
}
