//! `prune`: forgets old evidence, and old domains where that is asked for.
//!
//! Owns what is old and the order of forgetting. In short transactions, so that a watch beside it
//! waits for milliseconds; a crash in between leaves a whole database and less to do.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::coverage::CURRENT;
use super::fault::Fault;
use super::open::{Kind, connect, writable_kind};
use super::schema;
use crate::error::{Error, Result};

/// Domains forgotten in one transaction: everything about them is found by its key.
const DOMAINS_AT_ONCE: i64 = 2_000;
/// Certificates forgotten in one transaction. What points to them is found by going through all
/// matches once a transaction, which takes 0.1 s a million: few and larger ones.
const CERTIFICATES_AT_ONCE: i64 = 50_000;
/// Minutes of coverage forgotten in one transaction: they stand together, oldest first.
const COVERAGE_AT_ONCE: i64 = 50_000;
/// Between two tries to get a turn. SQLite's own pauses grow to 100 ms, and a watch under full load
/// leaves only some milliseconds between two transactions.
const TRY_EVERY: Duration = Duration::from_millis(1);
/// Tries before it is an error: a minute and more.
const TRIES: i32 = 60_000;
/// Between two transactions, for the writer that a busy database is there for.
const PAUSE: Duration = Duration::from_millis(5);

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Certificates, with the note of which domains they had.
    pub certificates: u64,
    /// Rows of coverage: a minute of a log, as a feed received it.
    pub coverage: u64,
    /// Domains, with their matches and the names they were seen under.
    pub domains: u64,
}

/// Forgets the certificates first seen and the coverage received before `before` (microseconds since
/// the Unix epoch), and with `domains` also the domains last seen before then. What has no time is
/// kept: nobody knows how old it is. So is the last day of coverage, from which a feed goes on.
/// Rules, runs, gaps and positions always stay.
///
/// # Errors
/// When there is no such database of this version, or it cannot be written.
pub fn prune(database: &Path, before: i64, domains: bool) -> Result<Pruned> {
    if !database.exists() {
        return Err(Error::failed("there is no such database")
            .in_file(database)
            .remedy("check database.filename, or name it with --database"));
    }
    let failed = |error| Fault::new("forget old rows", error).into_error(database);
    let mut connection = connect(database, OpenFlags::empty())?;
    if writable_kind(&connection, database)? != Kind::Ours(schema::VERSION) {
        return Err(Error::failed("the database is of an older version")
            .in_file(database)
            .remedy("run `certstream watch` once: it brings the database up to date"));
    }
    connection.busy_handler(Some(wait_for_turn)).map_err(failed)?;
    // Each transaction deletes what points to a row before the row; checked, every row would cost
    // a way through all matches.
    connection.pragma_update(None, "foreign_keys", "OFF").map_err(failed)?;
    let mut pruned = Pruned::default();
    if domains {
        pruned.domains =
            repeat(&mut connection, &DOMAINS, DOMAINS_AT_ONCE, before).map_err(failed)?;
    }
    pruned.certificates =
        repeat(&mut connection, &CERTIFICATES, CERTIFICATES_AT_ONCE, before).map_err(failed)?;
    pruned.coverage = forget_coverage(&mut connection, before).map_err(failed)?;
    Ok(pruned)
}

/// The statements that forget some rows: the first gathers in `old` the next ids behind ?2 of what
/// is older than ?1, at most ?3; the last deletes the rows themselves.
type Steps = [&'static str; 5];

const DOMAINS: Steps = [
    "INSERT INTO old SELECT id FROM domains WHERE id > ?2 AND last_seen < ?1 ORDER BY id LIMIT ?3",
    "DELETE FROM matches WHERE domain_id IN (SELECT id FROM old)",
    "DELETE FROM domain_certificates WHERE domain_id IN (SELECT id FROM old)",
    "DELETE FROM names WHERE domain_id IN (SELECT id FROM old)",
    "DELETE FROM domains WHERE id IN (SELECT id FROM old)",
];

/// A match keeps its times and its rule; only the certificates it points to are gone.
const CERTIFICATES: Steps = [
    "INSERT INTO old SELECT id FROM certificates WHERE id > ?2 AND seen < ?1 ORDER BY id LIMIT ?3",
    "UPDATE matches SET first_certificate = NULL WHERE first_certificate IN (SELECT id FROM old)",
    "UPDATE matches SET last_certificate = NULL WHERE last_certificate IN (SELECT id FROM old)",
    "DELETE FROM domain_certificates WHERE certificate_id IN (SELECT id FROM old)",
    "DELETE FROM certificates WHERE id IN (SELECT id FROM old)",
];

/// Forgets until nothing old is left: how many rows.
fn repeat(
    connection: &mut Connection,
    steps: &Steps,
    at_once: i64,
    before: i64,
) -> rusqlite::Result<u64> {
    connection.execute_batch("CREATE TEMP TABLE IF NOT EXISTS old (id INTEGER PRIMARY KEY)")?;
    let (mut forgotten, mut last) = (0, 0);
    loop {
        let Some((some, behind)) = forget_some(connection, steps, (before, last, at_once))? else {
            return Ok(forgotten);
        };
        forgotten += some;
        last = behind;
        thread::sleep(PAUSE);
    }
}

/// Forgets the coverage of before `before`, but for what the next run goes on from: how many rows.
fn forget_coverage(connection: &mut Connection, before: i64) -> rusqlite::Result<u64> {
    let mut forgotten = 0;
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let some = transaction
            .prepare_cached(
                "DELETE FROM coverage WHERE (minute, feed_log) IN (
                     SELECT minute, feed_log FROM coverage
                     WHERE minute < min(?1, (SELECT max(minute) FROM coverage) - ?2)
                     ORDER BY minute, feed_log LIMIT ?3)",
            )?
            .execute((before, CURRENT, COVERAGE_AT_ONCE))?;
        transaction.commit()?;
        if some == 0 {
            return Ok(forgotten);
        }
        forgotten += some as u64;
        thread::sleep(PAUSE);
    }
}

fn wait_for_turn(tries: i32) -> bool {
    thread::sleep(TRY_EVERY);
    tries < TRIES
}

/// Forgets the next rows: how many, and the last one's id; none when nothing old is left.
fn forget_some(
    connection: &mut Connection,
    steps: &Steps,
    which: (i64, i64, i64),
) -> rusqlite::Result<Option<(u64, i64)>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM old", [])?;
    let [gather, rest @ ..] = steps;
    let some = transaction.prepare_cached(gather)?.execute(which)?;
    let last: Option<i64> = transaction.query_row("SELECT max(id) FROM old", [], |r| r.get(0))?;
    for step in rest {
        transaction.prepare_cached(step)?.execute([])?;
    }
    transaction.commit()?;
    Ok(last.map(|last| (some as u64, last)))
}
