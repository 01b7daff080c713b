//! The statements that write a transaction's rows, one method a table.
//!
//! Owns how a row meets one that is stored already. All of it could be repeated without harm but
//! `sightings`, which is why a transaction that may have persisted never is (see `writer`).

use std::sync::LazyLock;

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::integer;
use super::merge::{Certificate, Domain, Hit, Slot};
use crate::record::GAVE_UP;
use crate::update::Evidence;

// No statement has a RETURNING clause: SQLite makes a table of its own for what comes back, each time,
// which costs as much as the row.

const NEW_DOMAIN: &str = "
INSERT INTO domains (domain, registered_domain, first_seen, last_seen, sightings)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (domain) DO NOTHING";

const KNOWN_DOMAIN: &str =
    "SELECT id, first_seen, last_seen, sightings FROM domains WHERE domain = ?1";

/// `first_seen` stands in an index, and naming it here would rewrite the index with each repeat:
/// the rare earlier sighting has a statement of its own.
const DOMAIN_AGAIN: &str = "UPDATE domains SET last_seen = ?1, sightings = ?2 WHERE id = ?3";

const EARLIER: &str = "UPDATE domains SET first_seen = ?1 WHERE id = ?2";

/// See [`certificate_statements`].
static CERTIFICATE: LazyLock<[String; 2]> = LazyLock::new(certificate_statements);

/// The table's unique index serves this: same expressions.
const CERTIFICATE_ID: &str = "
SELECT id FROM certificates
WHERE ifnull(issuer, '') = ?1
AND CASE WHEN issuer IS NULL OR serial IS NULL
         THEN ifnull(sha256, fingerprint) ELSE serial END = ?2";

const NEW_MATCH: &str = "
INSERT INTO matches (domain_id, rule_id, views, verdict, first_certificate, last_certificate,
    first_seen, last_seen, technique, distance, first_run)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// A proven hit clears the verdict; the certificates go with the times. What a brand's technique
/// is may have changed with its keywords: the last word counts.
const MATCH_AGAIN: &str = "
UPDATE matches SET
    views = views | ?3,
    verdict = iif(?4 IS NULL, NULL, verdict),
    first_certificate = iif(?7 < first_seen, ifnull(?5, first_certificate),
                            ifnull(first_certificate, ?5)),
    last_certificate = iif(?8 >= last_seen, ifnull(?6, last_certificate),
                           ifnull(last_certificate, ?6)),
    first_seen = min(first_seen, ?7),
    last_seen = max(last_seen, ?8),
    technique = ifnull(?9, technique),
    distance = ifnull(?10, distance)
WHERE domain_id = ?1 AND rule_id = ?2";

const NAME: &str = "INSERT OR IGNORE INTO names (domain_id, name) VALUES (?1, ?2)";

const DOMAIN_CERTIFICATE: &str =
    "INSERT OR IGNORE INTO domain_certificates (domain_id, certificate_id) VALUES (?1, ?2)";

/// A domain as it is stored now.
#[derive(Debug)]
pub(super) struct StoredDomain {
    pub id: i64,
    pub first_seen: Option<i64>,
    pub last_seen: Option<i64>,
    pub sightings: i64,
}

/// The statements, taken from the connection's cache once a transaction: looking one up costs as
/// much as a small insert.
pub(super) struct Upserts<'c> {
    /// The run that new matches belong to.
    run: i64,
    connection: &'c Connection,
    /// Whether the last domain was new: what came last is the best guess at what comes next, and
    /// says which statement is tried first. What is written does not depend on it.
    domain_was_new: bool,
    /// The same of the last certificate.
    certificate_was_new: bool,
    new_domain: CachedStatement<'c>,
    known_domain: CachedStatement<'c>,
    domain_again: CachedStatement<'c>,
    earlier: CachedStatement<'c>,
    new_certificate: CachedStatement<'c>,
    certificate: CachedStatement<'c>,
    certificate_id: CachedStatement<'c>,
    new_match: CachedStatement<'c>,
    match_again: CachedStatement<'c>,
    name: CachedStatement<'c>,
    domain_certificate: CachedStatement<'c>,
}

impl<'c> Upserts<'c> {
    pub fn prepare(connection: &'c Connection, run: i64) -> rusqlite::Result<Self> {
        let [new_certificate, certificate] = &*CERTIFICATE;
        Ok(Self {
            run,
            connection,
            domain_was_new: true,
            certificate_was_new: true,
            new_domain: connection.prepare_cached(NEW_DOMAIN)?,
            known_domain: connection.prepare_cached(KNOWN_DOMAIN)?,
            domain_again: connection.prepare_cached(DOMAIN_AGAIN)?,
            earlier: connection.prepare_cached(EARLIER)?,
            new_certificate: connection.prepare_cached(new_certificate)?,
            certificate: connection.prepare_cached(certificate)?,
            certificate_id: connection.prepare_cached(CERTIFICATE_ID)?,
            new_match: connection.prepare_cached(NEW_MATCH)?,
            match_again: connection.prepare_cached(MATCH_AGAIN)?,
            name: connection.prepare_cached(NAME)?,
            domain_certificate: connection.prepare_cached(DOMAIN_CERTIFICATE)?,
        })
    }

    /// Writes a domain, new or seen again.
    pub fn domain(
        &mut self,
        domain: &Domain<'_>,
        registered_domain: Option<&str>,
    ) -> rusqlite::Result<StoredDomain> {
        if !self.domain_was_new
            && let Some(stored) = self.domain_again(domain)?
        {
            return Ok(stored);
        }
        let Domain { first_seen, last_seen, .. } = *domain;
        let sightings = integer(domain.sightings);
        let values = (domain.domain, registered_domain, first_seen, last_seen, sightings);
        self.domain_was_new = self.new_domain.execute(values)? > 0;
        if self.domain_was_new {
            let (first_seen, last_seen) = (Some(first_seen), Some(last_seen));
            let id = self.connection.last_insert_rowid();
            return Ok(StoredDomain { id, first_seen, last_seen, sightings });
        }
        // It stands there: that is why it was not inserted.
        self.domain_again(domain)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Adds to a domain that is stored; none where it is not.
    fn domain_again(&mut self, domain: &Domain<'_>) -> rusqlite::Result<Option<StoredDomain>> {
        let known = self.known_domain.query_row([domain.domain], |row| {
            Ok(StoredDomain {
                id: row.get(0)?,
                first_seen: row.get(1)?,
                last_seen: row.get(2)?,
                sightings: row.get(3)?,
            })
        });
        let Some(mut stored) = known.optional()? else { return Ok(None) };
        stored.last_seen = stored.last_seen.max(Some(domain.last_seen));
        stored.sightings = stored.sightings.saturating_add(integer(domain.sightings));
        self.domain_again.execute((stored.last_seen, stored.sightings, stored.id))?;
        // NULL: adopted from the ancestor, and seen for the first time with a date.
        if stored.first_seen.is_none_or(|first_seen| domain.first_seen < first_seen) {
            self.earlier.execute((domain.first_seen, stored.id))?;
            stored.first_seen = Some(domain.first_seen);
        }
        Ok(Some(stored))
    }

    /// Writes all that is known of a certificate; returns its id.
    pub fn certificate(&mut self, certificate: &Certificate<'_>) -> rusqlite::Result<i64> {
        let mut id = None;
        let mut evidence = certificate.evidence.as_slice();
        if self.certificate_was_new
            && let Some((first, rest)) = evidence.split_first()
        {
            self.certificate_was_new = write_evidence(&mut self.new_certificate, first)? > 0;
            if self.certificate_was_new {
                (id, evidence) = (Some(self.connection.last_insert_rowid()), rest);
            }
        }
        for evidence in evidence {
            write_evidence(&mut self.certificate, evidence)?;
        }
        if let Some(id) = id {
            return Ok(id);
        }
        let highest = self.connection.last_insert_rowid();
        let identity = certificate.identity;
        let id =
            self.certificate_id.query_row((identity.issuer, identity.number), |row| row.get(0))?;
        // Of an insert the id is the one that was given last. No more than a guess hangs on it.
        self.certificate_was_new = id == highest;
        Ok(id)
    }

    /// Writes that a rule hit a domain; `true` when it is the first time. `certificates` are the
    /// ids by slot. `new_domain` saves looking for what cannot be there.
    pub fn hit(
        &mut self,
        domain: i64,
        new_domain: bool,
        rule: i64,
        hit: &Hit,
        certificates: &[i64],
    ) -> rusqlite::Result<bool> {
        let id_of = |slot: Option<Slot>| slot.map(|slot| certificates[slot as usize]);
        let values = (
            domain,
            rule,
            hit.views.bits(),
            hit.gave_up.then_some(GAVE_UP),
            id_of(hit.first_certificate),
            id_of(hit.last_certificate),
            hit.first_seen,
            hit.last_seen,
            hit.typosquat.map(|squat| squat.technique.word()),
            hit.typosquat.map(|squat| squat.distance),
        );
        // Most hits on a known domain are repeats: try that first.
        if !new_domain && self.match_again.execute(values)? > 0 {
            return Ok(false);
        }
        let (domain, rule, views, verdict, first, last, from, to, technique, distance) = values;
        self.new_match.execute((
            domain, rule, views, verdict, first, last, from, to, technique, distance, self.run,
        ))?;
        Ok(true)
    }

    /// Writes a name as seen in a certificate.
    pub fn name(&mut self, domain: i64, name: &str) -> rusqlite::Result<()> {
        self.name.execute((domain, name)).map(drop)
    }

    /// Writes that a certificate held a domain.
    pub fn domain_certificate(&mut self, domain: i64, certificate: i64) -> rusqlite::Result<()> {
        self.domain_certificate.execute((domain, certificate)).map(drop)
    }
}

/// Executes one of the statements of certificates; returns how many rows it wrote.
fn write_evidence(
    statement: &mut CachedStatement<'_>,
    evidence: &Evidence,
) -> rusqlite::Result<usize> {
    statement.execute((
        &evidence.issuer,
        &evidence.serial,
        &evidence.sha256,
        &evidence.fingerprint,
        &evidence.subject_cn,
        evidence.not_before,
        evidence.not_after,
        &evidence.update_type,
        &evidence.log_name,
        &evidence.log_url,
        evidence.cert_index,
        &evidence.cert_link,
        evidence.seen,
    ))
}

/// The statement that writes a certificate if it is new, and the one that writes it or adds to it.
/// What describes the entry (hashes, type, log) is taken from the final certificate where the
/// precertificate stood; whatever else is missing gets filled in, and nothing that is there gets
/// lost. Nothing is written where nothing changed: most certificates come from several logs, and a
/// page that is not written is neither logged nor copied.
fn certificate_statements() -> [String; 2] {
    /// Columns that differ between precertificate and final certificate.
    const ENTRY: [&str; 7] =
        ["sha256", "fingerprint", "update_type", "log_name", "log_url", "cert_index", "cert_link"];
    /// Columns that both share.
    const SHARED: [&str; 6] = ["issuer", "serial", "subject_cn", "not_before", "not_after", "seen"];
    let final_wins = "(excluded.update_type IS 'X509LogEntry' \
                      AND c.update_type IS NOT 'X509LogEntry')";
    let entry = ENTRY.map(|column| {
        format!(
            "{column} = iif({final_wins}, ifnull(excluded.{column}, c.{column}), \
             ifnull(c.{column}, excluded.{column}))"
        )
    });
    let shared = SHARED.map(|column| format!("{column} = ifnull(c.{column}, excluded.{column})"));
    let fills = ENTRY
        .iter()
        .chain(&SHARED)
        .map(|column| format!(" OR (c.{column} IS NULL AND excluded.{column} IS NOT NULL)"))
        .collect::<String>();
    let insert = "INSERT INTO certificates AS c (issuer, serial, sha256, fingerprint, subject_cn, \
                  not_before, not_after, update_type, log_name, log_url, cert_index, cert_link, \
                  seen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let (entry, shared) = (entry.join(", "), shared.join(", "));
    [
        format!("{insert} ON CONFLICT DO NOTHING"),
        format!("{insert} ON CONFLICT DO UPDATE SET {entry}, {shared} WHERE {final_wins}{fills}"),
    ]
}
