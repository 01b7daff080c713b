//! What goes to stdout once it is committed.
//!
//! Owns the making of records out of what a transaction wrote, and their handing over. Showing
//! them is the printer's business.

use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};

use super::merge::{Domain, Hit};
use super::run::StoredRule;
use super::upsert::StoredDomain;
use crate::domain::{Views, is_mixed_script};
use crate::record::{GAVE_UP, Record, RuleHit};
use crate::stats::Counter;
use crate::update::Evidence;

/// Where committed records go.
#[derive(Debug)]
pub struct Announce {
    /// The printer's queue.
    pub sender: Sender<Record>,
    /// Wait for room in the queue (`replay`), or drop and count (`watch`).
    pub wait: bool,
    /// Every sighting, one record each, or new (domain, rule) pairs only. New pairs of one domain
    /// within one transaction are one record.
    pub every_sighting: bool,
    /// Counts what was dropped. Written by the writer.
    pub dropped: Arc<Counter>,
}

impl Announce {
    /// Hands over `records`, whose COMMIT has returned.
    pub(super) fn send(&self, records: Vec<Record>) {
        for record in records {
            if self.wait {
                // A printer that is gone has asked for the stop itself.
                let _ = self.sender.send(record);
            } else if let Err(TrySendError::Full(_)) = self.sender.try_send(record) {
                self.dropped.add(1);
            }
        }
    }
}

/// The record of a domain as it is stored now, with the rules of `hits` and with `evidence`.
pub(super) fn record<'h>(
    stored: &StoredDomain,
    domain: &Domain<'_>,
    registered_domain: Option<&str>,
    hits: impl Iterator<Item = &'h Hit>,
    new: bool,
    evidence: Option<&Evidence>,
    rules: &[StoredRule],
) -> Record {
    let mut views = Views::default();
    let hit_rules = hits
        .map(|hit| {
            views = views.union(hit.views);
            RuleHit {
                rule: rules[hit.rule as usize].name.clone(),
                technique: hit.typosquat.map(|squat| squat.technique.word().to_owned()),
                distance: hit.typosquat.map(|squat| squat.distance),
                verdict: hit.gave_up.then(|| GAVE_UP.to_owned()),
            }
        })
        .collect();
    let mut record = Record {
        domain: domain.domain.to_owned(),
        registered_domain: registered_domain.map(str::to_owned),
        views: views.names().collect(),
        mixed_script: is_mixed_script(domain.domain),
        new,
        first_seen: stored.first_seen,
        last_seen: stored.last_seen,
        sightings: stored.sightings.unsigned_abs(),
        names_as_seen: domain.names.iter().map(|&name| name.to_owned()).collect(),
        ..Record::default()
    };
    record.set_rules(hit_rules);
    if let Some(evidence) = evidence {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        record.issuer = owned(&evidence.issuer);
        record.subject_cn = owned(&evidence.subject_cn);
        record.serial = owned(&evidence.serial);
        record.sha256 = owned(&evidence.sha256);
        record.not_before = evidence.not_before;
        record.not_after = evidence.not_after;
        record.update_type = owned(&evidence.update_type);
        record.log = owned(&evidence.log_name);
        record.index = evidence.cert_index;
        record.link = owned(&evidence.cert_link);
    }
    record
}
