//! Runs: one row from start to end, and the rules they ran with.
//!
//! Owns the `runs` and `rules` tables, and the closing of gaps that no feed will close any more.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::Store;
use super::check::Owed;
use super::fault::Fault;
use super::integer;
use crate::batch::now_micros;
use crate::error::Result;
use crate::rule::{Rule, RuleHash, RuleIndex, RuleSet};

/// How long the end of a run waits for another process's lock. Giving up makes the end unclean,
/// which costs a kept database at the next purge, and no row.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Ends the outcome of a run that owed the file a check after an unclean end, and ended before it
/// was made, or with a file that is damaged: the next one owes it.
const UNCHECKED: &str = " (file not checked)";

/// What the rows of the current run refer to.
#[derive(Debug)]
pub(super) struct Run {
    /// Its row in `runs`.
    pub id: i64,
    /// The rules, by `RuleIndex`.
    pub rules: Vec<StoredRule>,
}

/// A rule as the database knows it.
#[derive(Debug)]
pub(super) struct StoredRule {
    /// Its row in `rules`; two rules of the same name and pattern share one.
    pub id: i64,
    /// The first rule that has this row: hits of both are one match.
    pub first: RuleIndex,
    /// What it is called.
    pub name: String,
}

impl Store {
    /// Begins a run of `command` with `rules`: rows written from here on refer to both. Gaps that
    /// an unclean end left open are closed as of now, since nothing was read until now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn begin_run(&mut self, command: &str, rules: &RuleSet) -> Result<()> {
        let failed = |error| Fault::new("begin a run", error).into_error(&self.file);
        let owed = is_check_owed(&self.connection, command).map_err(failed)?;
        let run = begin(&mut self.connection, command, &rules.rules).map_err(failed)?;
        self.run = Some(run);
        self.check = owed.then(Owed::default);
        Ok(())
    }

    /// Ends the run: `outcome` says how. Its open gaps end with it. Without this call, which a
    /// crash never reaches, the run counts as ended uncleanly.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn end_run(&mut self, outcome: &str) -> Result<()> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let owed = self.check.take().is_some_and(|check| !check.is_made());
        let outcome = format!("{outcome}{}", if owed { UNCHECKED } else { "" });
        end(&mut self.connection, &run, &outcome)
            .map_err(|error| Fault::new("end the run", error).into_error(&self.file))
    }
}

/// Whether the last run of this kind ended uncleanly, or had such an end to make good and did
/// not come to it.
fn is_check_owed(connection: &Connection, command: &str) -> rusqlite::Result<bool> {
    // A backfill and a watch run side by side: neither knows whether the other goes on.
    let last = connection
        .query_row(
            "SELECT ended IS NULL OR outcome LIKE '%' || ?1 FROM runs
             WHERE (command = 'backfill') = (?2 = 'backfill') ORDER BY id DESC LIMIT 1",
            (UNCHECKED, command),
            |row| row.get(0),
        )
        .optional()?;
    Ok(last.unwrap_or(false))
}

fn begin(connection: &mut Connection, command: &str, rules: &[Rule]) -> rusqlite::Result<Run> {
    let now = now_micros();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut first_of = HashMap::with_capacity(rules.len());
    let stored = (0..)
        .zip(rules)
        .map(|(index, rule)| {
            let id = store_rule(&transaction, rule, now)?;
            let first = *first_of.entry(id).or_insert(index);
            Ok(StoredRule { id, first, name: rule.name.clone() })
        })
        .collect::<rusqlite::Result<Vec<_>>>()?;
    // A backfill and a watch run side by side: neither knows whether the other's gaps go on.
    transaction.execute(
        "UPDATE gaps SET ended = max(started, ?1) WHERE ended IS NULL AND run_id IN
             (SELECT id FROM runs WHERE (command = 'backfill') = (?2 = 'backfill'))",
        (now, command),
    )?;
    transaction.execute(
        "INSERT INTO runs (started, version, command, rules, rules_hash)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (now, env!("CARGO_PKG_VERSION"), command, integer(rules.len() as u64), hash_of(rules)),
    )?;
    let id = transaction.last_insert_rowid();
    // A crash before this line leaves no trace of the run, after it an unclean end.
    transaction.commit()?;
    Ok(Run { id, rules: stored })
}

/// Tags and severity are the user's notes and follow the file; name and pattern are identity.
fn store_rule(connection: &Connection, rule: &Rule, now: i64) -> rusqlite::Result<i64> {
    let tags = serde_json::Value::from(rule.tags.as_slice()).to_string();
    connection
        .prepare_cached(
            "INSERT INTO rules (hash, name, pattern, tags, severity, first_loaded)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (hash) DO UPDATE SET tags = excluded.tags, severity = excluded.severity
             RETURNING id",
        )?
        .query_row(
            (rule.hash, &rule.name, &rule.pattern.written, tags, &rule.severity, now),
            |row| row.get(0),
        )
}

/// The rule set's identity: a hash over its rules' hashes, whatever their order.
fn hash_of(rules: &[Rule]) -> Vec<u8> {
    let mut hashes: Vec<RuleHash> = rules.iter().map(|rule| rule.hash).collect();
    hashes.sort_unstable();
    Sha256::digest(hashes.concat())[..size_of::<RuleHash>()].to_vec()
}

fn end(connection: &mut Connection, run: &Run, outcome: &str) -> rusqlite::Result<()> {
    let now = now_micros();
    // The writer's own is short, since it tries again; this is tried once.
    connection.busy_timeout(END_TIMEOUT)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "UPDATE gaps SET ended = max(started, ?1) WHERE run_id = ?2 AND ended IS NULL",
        (now, run.id),
    )?;
    transaction.execute(
        "UPDATE runs SET ended = ?1, outcome = ?2 WHERE id = ?3",
        (now, outcome, run.id),
    )?;
    transaction.commit()
}
