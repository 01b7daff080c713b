//! Writes what waits within the transaction that is open.
//!
//! Owns the order of the rows: certificates, then domains with what refers to both, then gaps,
//! then positions. Begin, commit and trying again are `writer`'s business.

use rusqlite::Connection;

use super::announce::record;
use super::merge::{Domain, Hit, Merged};
use super::run::Run;
use super::upsert::{StoredDomain, Upserts};
use super::waiting::Waiting;
use super::{coverage, gap, integer, position, refused, unverified};
use crate::domain::registered_domain;
use crate::record::Record;
use crate::rule::RuleIndex;

/// Which records a transaction is to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Nothing,
    NewPairs,
    EverySighting,
}

/// What a transaction wrote; true once it is committed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub records: Vec<Record>,
    pub new_domains: u64,
    pub new_pairs: u64,
}

/// Writes rows, gaps and positions of `waiting`; `merged` is what its messages came to.
pub(super) fn apply(
    connection: &Connection,
    run: &Run,
    feeds: &[String],
    waiting: &Waiting,
    merged: &Merged<'_>,
    report: Report,
) -> rusqlite::Result<Outcome> {
    let outcome = if merged.domains.is_empty() {
        Outcome::default()
    } else {
        Rows::begin(connection, run, merged, report)?.write()?
    };
    for message in &waiting.messages {
        unverified::write(connection, message)?;
    }
    for (feed, change) in &waiting.gaps {
        gap::write(connection, run.id, &feeds[usize::from(*feed)], change)?;
    }
    for refusal in &waiting.refused {
        refused::write(connection, run.id, refusal)?;
    }
    for (feed, progress) in feeds.iter().zip(&waiting.progress) {
        if let Some(progress) = progress {
            position::write(connection, feed, progress)?;
            coverage::write(connection, feed, &progress.coverage)?;
        }
    }
    Ok(outcome)
}

/// The rows of one transaction on their way into the tables.
struct Rows<'t> {
    upserts: Upserts<'t>,
    run: &'t Run,
    merged: &'t Merged<'t>,
    /// Ids of `merged.certificates`.
    certificates: Vec<i64>,
    /// The highest domain id before this transaction: whatever is above it is new.
    newest_domain: i64,
    report: Report,
    outcome: Outcome,
}

impl<'t> Rows<'t> {
    fn begin(
        connection: &'t Connection,
        run: &'t Run,
        merged: &'t Merged<'t>,
        report: Report,
    ) -> rusqlite::Result<Self> {
        let newest_domain = connection
            .prepare_cached("SELECT ifnull(max(id), 0) FROM domains")?
            .query_row([], |row| row.get(0))?;
        Ok(Self {
            upserts: Upserts::prepare(connection, run.id)?,
            run,
            merged,
            certificates: vec![0; merged.certificates.len()],
            newest_domain,
            report,
            outcome: Outcome::default(),
        })
    }

    fn write(mut self) -> rusqlite::Result<Outcome> {
        let merged = self.merged;
        // Sorted for the sake of the index, as the domains are.
        let mut order: Vec<usize> = (0..merged.certificates.len()).collect();
        order.sort_unstable_by_key(|&slot| merged.certificates[slot].identity);
        for slot in order {
            self.certificates[slot] = self.upserts.certificate(&merged.certificates[slot])?;
        }
        for domain in &merged.domains {
            self.write_domain(domain)?;
        }
        Ok(self.outcome)
    }

    fn write_domain(&mut self, domain: &Domain<'_>) -> rusqlite::Result<()> {
        let registered_domain = registered_domain(domain.domain);
        let stored = self.upserts.domain(domain, registered_domain)?;
        let new_domain = stored.id > self.newest_domain;
        self.outcome.new_domains += u64::from(new_domain);
        for &slot in &domain.certificates {
            self.upserts.domain_certificate(stored.id, self.certificates[slot as usize])?;
        }
        for name in &domain.names {
            self.upserts.name(stored.id, name)?;
        }
        let mut new_hits: Vec<&Hit> = Vec::new();
        for hit in &domain.hits {
            let rule = self.run.rules[hit.rule as usize].id;
            if self.upserts.hit(stored.id, new_domain, rule, hit, &self.certificates)? {
                new_hits.push(hit);
            }
        }
        self.outcome.new_pairs += new_hits.len() as u64;
        let rules = &self.run.rules;
        match self.report {
            Report::NewPairs if !new_hits.is_empty() => {
                let evidence =
                    domain.latest.map(|slot| self.merged.certificates[slot as usize].shown());
                let hits = new_hits.into_iter();
                let new = record(&stored, domain, registered_domain, hits, true, evidence, rules);
                self.outcome.records.push(new);
            }
            Report::EverySighting => {
                let new_rules = new_hits.iter().map(|hit| hit.rule).collect();
                self.report_each(stored, domain, registered_domain, new_rules);
            }
            Report::Nothing | Report::NewPairs => {}
        }
        Ok(())
    }

    /// Reports each sighting of a domain, counted up to the one that is stored last. A pair is new
    /// in the first sighting that has it.
    fn report_each(
        &mut self,
        mut stored: StoredDomain,
        domain: &Domain<'_>,
        registered_domain: Option<&str>,
        mut new_rules: Vec<RuleIndex>,
    ) {
        let rules = &self.run.rules;
        stored.sightings -= integer(domain.sightings);
        for sighting in &domain.apart {
            stored.sightings += 1;
            let alone = sighting.alone(rules);
            let waiting = new_rules.len();
            new_rules.retain(|rule| alone.hits.iter().all(|hit| hit.rule != *rule));
            let new = new_rules.len() < waiting;
            let hits = alone.hits.iter();
            let evidence = sighting.evidence;
            let each = record(&stored, &alone, registered_domain, hits, new, evidence, rules);
            self.outcome.records.push(each);
        }
    }
}
