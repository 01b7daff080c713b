//! What is exported: the domains that pass the filter, in order, and the record of each.
//!
//! Owns the queries. How rows are written is one file a format.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, named_params};

use super::{Fault, Filter};
use crate::domain::{Views, is_mixed_script};
use crate::error::Error;
use crate::record::{Record, RuleHit, escape};
use crate::store;

/// Rule names that an error lists at most.
const LISTED_RULES: usize = 10;

/// The filter in SQL. A comparison with NULL is not true, so domains without dates pass only
/// where no time is asked for.
const CONDITIONS: &str = "
    (:since IS NULL OR d.last_seen >= :since)
    AND (:until IS NULL OR d.first_seen < :until)
    AND (NOT :by_match OR EXISTS (
        SELECT 1 FROM matches m JOIN rules r ON r.id = m.rule_id
        WHERE m.domain_id = d.id
          AND (:rule IS NULL OR r.name = :rule)
          AND (NOT :new_only OR iif(:new_run IS NULL,
               m.first_seen >= :new_from AND m.first_seen < :new_until,
               m.first_run = :new_run))
    ))";

/// Every match of a domain, those with the newest certificate first.
const MATCHES: &str = "
    SELECT r.name, m.views, m.last_certificate, m.first_seen, m.first_run, m.technique,
           m.distance, m.verdict
    FROM matches m JOIN rules r ON r.id = m.rule_id
    WHERE m.domain_id = ?1
    ORDER BY m.last_certificate IS NULL, m.last_seen DESC, m.last_certificate DESC";

const NAMES: &str = "SELECT name FROM names WHERE domain_id = ?1 ORDER BY name";

const CERTIFICATE: &str = "
    SELECT issuer, subject_cn, serial, sha256, not_before, not_after, update_type, log_name,
           cert_index, cert_link
    FROM certificates WHERE id = ?1";

/// A filter, checked against the database it is applied to.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    connection: &'a Connection,
    filter: &'a Filter,
    new: New,
}

/// Which (domain, rule) pairs are new.
#[derive(Clone, Copy, Debug)]
enum New {
    /// Those first seen in this span; the end is exclusive.
    Span(i64, i64),
    /// Those that this run found, however old their certificates are by the source's clock.
    Run(i64),
}

impl New {
    fn holds(self, first_seen: i64, first_run: Option<i64>) -> bool {
        match self {
            Self::Span(from, until) => (from..until).contains(&first_seen),
            Self::Run(run) => first_run == Some(run),
        }
    }
}

impl<'a> Selection<'a> {
    /// Checks `filter`: the span begins before it ends, and the rule is known.
    pub fn new(connection: &'a Connection, filter: &'a Filter) -> Result<Self, Fault> {
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && since >= until
        {
            return Err(Fault::Told(
                Error::usage("the span ends before it begins")
                    .remedy("--since must be earlier than --until"),
            ));
        }
        if let Some(rule) = &filter.rule {
            check_rule(connection, rule)?;
        }
        let new = match (filter.since, filter.until) {
            (None, None) => New::Run(latest_run(connection)?),
            (since, until) => New::Span(since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)),
        };
        Ok(Self { connection, filter, new })
    }

    /// Hands each selected domain to `write`, sorted bytewise.
    pub fn domains(&self, mut write: impl FnMut(&str) -> Result<(), Fault>) -> Result<(), Fault> {
        // Nothing else of the row is asked for, so that an unfiltered export reads the index on
        // `domain` alone, which has the order, too.
        self.each("d.domain", |row| write(&domain_of(row, 0)?))
    }

    /// Hands the record of each selected domain to `write`, sorted bytewise by domain.
    pub fn records(
        &self,
        mut write: impl FnMut(&Record) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut evidence = Evidence {
            matches: self.connection.prepare_cached(MATCHES)?,
            names: self.connection.prepare_cached(NAMES)?,
            certificate: self.connection.prepare_cached(CERTIFICATE)?,
        };
        let columns = "d.domain, d.id, d.registered_domain, d.first_seen, d.last_seen, d.sightings";
        self.each(columns, |row| {
            let domain = domain_of(row, 0)?;
            let mut record = Record {
                mixed_script: is_mixed_script(&domain),
                domain,
                registered_domain: row.get(2)?,
                first_seen: row.get(3)?,
                last_seen: row.get(4)?,
                sightings: row.get::<_, i64>(5)?.unsigned_abs(),
                ..Record::default()
            };
            evidence.complete(&mut record, row.get(1)?, |rule, first_seen, first_run| {
                self.filter.rule.as_deref().is_none_or(|asked| asked == rule)
                    && self.new.holds(first_seen, first_run)
            })?;
            write(&record)
        })
    }

    /// Entries of CT logs that were read, and how many of them were verified, then or afterwards.
    pub fn log_entries(&self) -> rusqlite::Result<(u64, u64)> {
        let (read, verified) = store::log_entries(self.connection)?;
        Ok((read.unsigned_abs(), verified.unsigned_abs()))
    }

    /// How many gaps touch the asked span, and how many matched rows were dropped in them.
    pub fn missed(&self) -> rusqlite::Result<(u64, u64)> {
        let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        self.connection.query_row(
            "SELECT count(*), ifnull(sum(rows_dropped), 0) FROM gaps
             WHERE log IS NULL AND (?1 IS NULL OR ended IS NULL OR ended >= ?1) AND (?2 IS NULL OR started < ?2)",
            (self.filter.since, self.filter.until),
            |row| Ok((count(row, 0)?, count(row, 1)?)),
        )
    }

    /// How many entries of logs were missed in gaps that touch the asked span, at most, and how many
    /// of those have been fetched since.
    pub fn missed_entries(&self) -> rusqlite::Result<(u64, u64)> {
        let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        self.connection.query_row(
            "SELECT ifnull(sum(last_index - first_index + 1), 0),
                 ifnull(sum(iif(closed IS NULL, 0, last_index - first_index + 1)), 0) FROM gaps
             WHERE log IS NOT NULL AND (?1 IS NULL OR ended >= ?1) AND (?2 IS NULL OR started < ?2)",
            (self.filter.since, self.filter.until),
            |row| Ok((count(row, 0)?, count(row, 1)?)),
        )
    }

    /// How many pairs of domain and rule await review, because the rule gave up on the domain.
    pub fn to_review(&self) -> rusqlite::Result<u64> {
        let count = "SELECT count(*) FROM matches WHERE verdict IS NOT NULL";
        self.connection.query_row(count, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    }

    fn each(
        &self,
        columns: &str,
        mut write: impl FnMut(&Row<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT {columns} FROM domains d WHERE {CONDITIONS} ORDER BY d.domain"
        ))?;
        let (from, until, run) = match self.new {
            New::Span(from, until) => (from, until, None),
            New::Run(run) => (i64::MIN, i64::MAX, Some(run)),
        };
        let mut rows = statement.query(named_params! {
            ":since": self.filter.since,
            ":until": self.filter.until,
            ":rule": self.filter.rule,
            ":by_match": self.filter.rule.is_some() || self.filter.new_only,
            ":new_only": self.filter.new_only,
            ":new_from": from,
            ":new_until": until,
            ":new_run": run,
        })?;
        while let Some(row) = rows.next()? {
            write(row)?;
        }
        Ok(())
    }
}

/// The statements that complete a record, prepared once.
struct Evidence<'a> {
    matches: CachedStatement<'a>,
    names: CachedStatement<'a>,
    certificate: CachedStatement<'a>,
}

impl Evidence<'_> {
    /// Adds to `record` what the domain of row `id` matched, under which names it was seen, and
    /// the newest certificate among its matches.
    fn complete(
        &mut self,
        record: &mut Record,
        id: i64,
        is_new: impl Fn(&str, i64, Option<i64>) -> bool,
    ) -> rusqlite::Result<()> {
        let mut views = Views::default();
        let mut newest: Option<i64> = None;
        let mut rules = Vec::new();
        let mut matches = self.matches.query([id])?;
        while let Some(row) = matches.next()? {
            let rule: String = row.get(0)?;
            views = views.union(Views::from_bits(row.get(1)?));
            record.new |= is_new(&rule, row.get(3)?, row.get(4)?);
            newest = newest.or(row.get(2)?);
            let (technique, distance, verdict) = (row.get(5)?, row.get(6)?, row.get(7)?);
            rules.push(RuleHit { rule, technique, distance, verdict });
        }
        record.set_rules(rules);
        record.views = views.names().collect();
        record.names_as_seen =
            self.names.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        let Some(newest) = newest else { return Ok(()) };
        let mut certificates = self.certificate.query([newest])?;
        let Some(row) = certificates.next()? else { return Ok(()) };
        record.issuer = row.get(0)?;
        record.subject_cn = row.get(1)?;
        record.serial = row.get(2)?;
        record.sha256 = row.get(3)?;
        record.not_before = row.get(4)?;
        record.not_after = row.get(5)?;
        record.update_type = row.get(6)?;
        record.log = row.get(7)?;
        record.index = row.get(8)?;
        record.link = row.get(9)?;
        Ok(())
    }
}

/// The domain in `column`. One adopted from the ancestor may hold any bytes: they must not end
/// the export.
fn domain_of(row: &Row<'_>, column: usize) -> Result<String, rusqlite::Error> {
    let value = row.get_ref(column)?;
    let bytes = value.as_bytes().map_err(rusqlite::Error::from)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// The latest run; 0, which is none, before the first.
fn latest_run(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(id), 0) FROM runs", [], |row| row.get(0))
}

fn check_rule(connection: &Connection, rule: &str) -> Result<(), Fault> {
    let known = connection
        .query_row("SELECT 1 FROM rules WHERE name = ?1", [rule], |_row| Ok(()))
        .optional()?;
    if known.is_some() {
        return Ok(());
    }
    let mut names: Vec<String> = connection
        .prepare("SELECT DISTINCT name FROM rules ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let further = names.len().saturating_sub(LISTED_RULES);
    names.truncate(LISTED_RULES);
    let remedy = if names.is_empty() {
        "the database knows no rule yet: they enter it when a run begins".to_owned()
    } else {
        let and_further = if further > 0 { format!(" and {further} more") } else { String::new() };
        format!("the database knows: {}{and_further}", escape(&names.join(", ")))
    };
    let what = format!("--rule: no run had a rule named `{}`", escape(rule));
    Err(Fault::Told(Error::usage(what).remedy(remedy)))
}
