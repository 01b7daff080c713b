//! What was refused: how many frames of each feed, by reason.
//!
//! Owns the `refused` table. The feeds count; what they have counted is written along with the
//! next transaction, as the total of the run, so that trying again changes nothing.

use rusqlite::Connection;

use super::integer;
use crate::stats::Feeds;

/// A total of the run: feed, reason, count.
pub(super) type Refusal = (String, &'static str, u64);

/// What has been stored of the feeds' counts.
#[derive(Debug, Default)]
pub(super) struct Ledger(Vec<Refusal>);

impl Ledger {
    /// The totals that have changed since they were stored.
    pub fn changes(&self, feeds: &Feeds) -> Vec<Refusal> {
        let mut changes = Vec::new();
        for feed in feeds.all() {
            for (reason, count) in feed.refusals() {
                let stored = |(of, why, stored): &Refusal| {
                    *of == feed.name && *why == reason && *stored == count
                };
                if !self.0.iter().any(stored) {
                    changes.push((feed.name.clone(), reason, count));
                }
            }
        }
        changes
    }

    /// Notes that `changes` are stored.
    pub fn stored(&mut self, changes: Vec<Refusal>) {
        for change in changes {
            match self.0.iter_mut().find(|old| (&old.0, old.1) == (&change.0, change.1)) {
                Some(old) => *old = change,
                None => self.0.push(change),
            }
        }
    }
}

/// Writes a total within the transaction that is open.
pub(super) fn write(
    connection: &Connection,
    run: i64,
    (feed, reason, count): &Refusal,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO refused (run_id, feed, reason, count) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (run_id, feed, reason) DO UPDATE SET count = excluded.count",
        )?
        .execute((run, feed, reason, integer(*count)))
        .map(drop)
}
