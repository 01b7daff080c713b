//! Merges the repeats of one transaction: a domain or certificate that came many times is written
//! once.
//!
//! Owns the merging in memory, within a transaction and never across. It borrows from what waits,
//! which stays unchanged until COMMIT has returned.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::run::StoredRule;
use crate::domain::Views;
use crate::matched::{Matched, MatchedDomain, Source};
use crate::rule::{RuleIndex, Typosquat};
use crate::update::Evidence;

/// Index of a certificate within [`Merged`].
pub(super) type Slot = u32;

/// The rows of one transaction without repeats.
#[derive(Debug)]
pub(super) struct Merged<'m> {
    /// Sorted, so that neighbours share pages of the index: 1.16 times the rows a second.
    pub domains: Vec<Domain<'m>>,
    /// By [`Slot`].
    pub certificates: Vec<Certificate<'m>>,
}

/// A domain with all that happened to it within one transaction.
#[derive(Debug)]
pub(super) struct Domain<'m> {
    pub domain: &'m str,
    /// Certificate updates that held it.
    pub sightings: u64,
    pub first_seen: i64,
    pub last_seen: i64,
    /// Names as seen, sorted, without repeats.
    pub names: Vec<&'m str>,
    /// Ascending, without repeats.
    pub certificates: Vec<Slot>,
    /// The certificate that came last.
    pub latest: Option<Slot>,
    /// Ascending by rule, without repeats.
    pub hits: Vec<Hit>,
    /// Each sighting by itself, in their order; empty where nobody asked for them.
    pub apart: Vec<Sighting<'m>>,
}

/// One certificate update that held a domain.
#[derive(Debug)]
pub(super) struct Sighting<'m> {
    row: &'m MatchedDomain,
    seen: i64,
    pub evidence: Option<&'m Evidence>,
}

impl<'m> Sighting<'m> {
    /// The domain as if it had been sighted this one time.
    pub fn alone(&self, rules: &[StoredRule]) -> Domain<'m> {
        let mut domain = Domain::new(&self.row.domain);
        domain.sight(self.row, self.seen, None, rules, 1);
        domain.sort();
        domain
    }
}

/// A rule that hit a domain, once or more.
#[derive(Debug)]
pub(super) struct Hit {
    /// Of rules that share a row, the first.
    pub rule: RuleIndex,
    pub views: Views,
    /// No hit of it is proven.
    pub gave_up: bool,
    /// How the domain passes for the rule's brand.
    pub typosquat: Option<Typosquat>,
    pub first_seen: i64,
    pub last_seen: i64,
    /// The certificate of `first_seen`, where it had one.
    pub first_certificate: Option<Slot>,
    /// The certificate of `last_seen`, where it had one.
    pub last_certificate: Option<Slot>,
}

/// What makes a certificate the same: issuer and serial, or a hash where either is missing. The
/// same expressions as in the table's unique index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity<'m> {
    pub issuer: &'m str,
    pub number: &'m str,
}

/// A certificate, with every piece of evidence of it that says something new.
#[derive(Debug)]
pub(super) struct Certificate<'m> {
    pub identity: Identity<'m>,
    /// Never empty. The table merges them, in this order, as it would across transactions.
    pub evidence: Vec<&'m Evidence>,
}

impl<'m> Identity<'m> {
    /// None where nothing identifies the certificate.
    pub fn of(evidence: &'m Evidence) -> Option<Self> {
        match (&evidence.issuer, &evidence.serial) {
            (Some(issuer), Some(serial)) => Some(Self { issuer, number: serial }),
            (issuer, _) => {
                let number = evidence.sha256.as_ref().or(evidence.fingerprint.as_ref())?;
                Some(Self { issuer: issuer.as_deref().unwrap_or_default(), number })
            }
        }
    }
}

impl<'m> Certificate<'m> {
    /// What a record shows of it: the final certificate where it has been seen.
    pub fn shown(&self) -> &'m Evidence {
        let final_one = self.evidence.iter().find(|evidence| is_final(evidence));
        final_one.unwrap_or(&self.evidence[0])
    }
}

impl<'m> Merged<'m> {
    /// Merges `messages`, in their order; `rules` are those of the run. `apart`: whether to keep
    /// each sighting by itself as well.
    pub fn of(messages: &'m [Matched], rules: &[StoredRule], apart: bool) -> Self {
        let rows = messages.iter().map(|message| message.rows.len()).sum();
        let mut domains: Vec<Domain<'m>> = Vec::with_capacity(rows);
        let mut places: HashMap<&'m str, usize> = HashMap::with_capacity(rows);
        let mut certificates = Certificates::default();
        let mut slots = Vec::new();
        for message in messages {
            slots.clear();
            slots.extend(message.certificates.iter().map(|evidence| certificates.slot(evidence)));
            for row in &message.rows {
                let place = *places.entry(&row.domain).or_insert_with(|| {
                    domains.push(Domain::new(&row.domain));
                    domains.len() - 1
                });
                let certificate = row.certificate.map(|index| index as usize);
                let evidence = certificate.map(|index| &message.certificates[index]);
                let seen = evidence.and_then(|evidence| evidence.seen).unwrap_or(message.received);
                let slot = certificate.and_then(|index| slots[index]);
                let again = matches!(message.source, Source::Again { .. });
                domains[place].sight(row, seen, slot, rules, u64::from(!again));
                // A second reading is no further sighting.
                if apart && !again {
                    domains[place].apart.push(Sighting { row, seen, evidence });
                }
            }
        }
        domains.iter_mut().for_each(Domain::sort);
        domains.sort_unstable_by_key(|domain| domain.domain);
        Self { domains, certificates: certificates.all }
    }
}

impl<'m> Domain<'m> {
    fn new(domain: &'m str) -> Self {
        Self {
            domain,
            sightings: 0,
            first_seen: i64::MAX,
            last_seen: i64::MIN,
            names: Vec::new(),
            certificates: Vec::new(),
            latest: None,
            hits: Vec::new(),
            apart: Vec::new(),
        }
    }

    /// Takes out the repeats, once and for all: looking for each as it comes would take quadratic
    /// time, and both are attacker-written.
    fn sort(&mut self) {
        self.names.sort_unstable();
        self.names.dedup();
        self.certificates.sort_unstable();
        self.certificates.dedup();
    }

    fn sight(
        &mut self,
        row: &'m MatchedDomain,
        seen: i64,
        slot: Option<Slot>,
        rules: &[StoredRule],
        sightings: u64,
    ) {
        self.sightings += sightings;
        self.first_seen = self.first_seen.min(seen);
        self.last_seen = self.last_seen.max(seen);
        self.names.extend(row.names_as_seen.iter().map(AsRef::<str>::as_ref));
        if slot.is_some() {
            self.certificates.extend(slot);
            self.latest = slot;
        }
        for hit in &row.hits {
            let new = Hit {
                rule: rules[hit.rule as usize].first,
                views: hit.views,
                gave_up: hit.gave_up,
                typosquat: hit.typosquat,
                first_seen: seen,
                last_seen: seen,
                first_certificate: slot,
                last_certificate: slot,
            };
            match self.hits.binary_search_by_key(&new.rule, |hit| hit.rule) {
                Ok(place) => self.hits[place].merge(&new),
                Err(place) => self.hits.insert(place, new),
            }
        }
    }
}

impl Hit {
    fn merge(&mut self, later: &Self) {
        self.views = self.views.union(later.views);
        self.gave_up &= later.gave_up;
        self.typosquat = later.typosquat.or(self.typosquat);
        if later.first_seen < self.first_seen {
            self.first_seen = later.first_seen;
            self.first_certificate = later.first_certificate.or(self.first_certificate);
        } else {
            self.first_certificate = self.first_certificate.or(later.first_certificate);
        }
        if later.last_seen >= self.last_seen {
            self.last_seen = later.last_seen;
            self.last_certificate = later.last_certificate.or(self.last_certificate);
        } else {
            self.last_certificate = self.last_certificate.or(later.last_certificate);
        }
    }
}

#[derive(Default)]
struct Certificates<'m> {
    all: Vec<Certificate<'m>>,
    slots: HashMap<Identity<'m>, Slot>,
}

impl<'m> Certificates<'m> {
    fn slot(&mut self, evidence: &'m Evidence) -> Option<Slot> {
        let identity = Identity::of(evidence)?;
        match self.slots.entry(identity) {
            Entry::Occupied(known) => {
                let certificate = &mut self.all[*known.get() as usize];
                let says_nothing_new = certificate
                    .evidence
                    .iter()
                    .any(|known| is_final(known) == is_final(evidence) && covers(known, evidence));
                if !says_nothing_new {
                    certificate.evidence.push(evidence);
                }
                Some(*known.get())
            }
            Entry::Vacant(vacant) => {
                let slot = Slot::try_from(self.all.len()).ok()?;
                vacant.insert(slot);
                self.all.push(Certificate { identity, evidence: vec![evidence] });
                Some(slot)
            }
        }
    }
}

fn is_final(evidence: &Evidence) -> bool {
    evidence.update_type.as_deref() == Some("X509LogEntry")
}

/// Whether `known` has every field that `other` has.
fn covers(known: &Evidence, other: &Evidence) -> bool {
    fields(other) & !fields(known) == 0
}

/// One bit a field that is there.
fn fields(evidence: &Evidence) -> u16 {
    [
        evidence.update_type.is_some(),
        evidence.fingerprint.is_some(),
        evidence.sha256.is_some(),
        evidence.issuer.is_some(),
        evidence.subject_cn.is_some(),
        evidence.serial.is_some(),
        evidence.not_before.is_some(),
        evidence.not_after.is_some(),
        evidence.log_name.is_some(),
        evidence.log_url.is_some(),
        evidence.cert_index.is_some(),
        evidence.cert_link.is_some(),
        evidence.seen.is_some(),
    ]
    .into_iter()
    .fold(0, |bits, there| bits << 1 | u16::from(there))
}
