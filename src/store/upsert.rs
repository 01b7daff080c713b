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

/// `first_seen` stands in an index, and naming it here would rewrite the index with each repeat:
/// the rare earlier sighting has a statement of its own.
const DOMAIN: &str = "
INSERT INTO domains (domain, registered_domain, first_seen, last_seen, sightings)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (domain) DO UPDATE SET
    last_seen = max(ifnull(last_seen, excluded.last_seen), excluded.last_seen),
    sightings = sightings + excluded.sightings
RETURNING id, first_seen, last_seen, sightings";

const EARLIER: &str = "UPDATE domains SET first_seen = ?1 WHERE id = ?2";

/// See [`certificate_statement`].
static CERTIFICATE: LazyLock<String> = LazyLock::new(certificate_statement);

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
    domain: CachedStatement<'c>,
    earlier: CachedStatement<'c>,
    certificate: CachedStatement<'c>,
    certificate_id: CachedStatement<'c>,
    new_match: CachedStatement<'c>,
    match_again: CachedStatement<'c>,
    name: CachedStatement<'c>,
    domain_certificate: CachedStatement<'c>,
}

impl<'c> Upserts<'c> {
    pub fn prepare(connection: &'c Connection, run: i64) -> rusqlite::Result<Self> {
        Ok(Self {
            run,
            domain: connection.prepare_cached(DOMAIN)?,
            earlier: connection.prepare_cached(EARLIER)?,
            certificate: connection.prepare_cached(&CERTIFICATE)?,
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
        let mut stored = self.domain.query_row(
            (
                domain.domain,
                registered_domain,
                domain.first_seen,
                domain.last_seen,
                integer(domain.sightings),
            ),
            |row| {
                Ok(StoredDomain {
                    id: row.get(0)?,
                    first_seen: row.get(1)?,
                    last_seen: row.get(2)?,
                    sightings: row.get(3)?,
                })
            },
        )?;
        // NULL: adopted from the ancestor, and seen for the first time with a date.
        if stored.first_seen.is_none_or(|first_seen| domain.first_seen < first_seen) {
            self.earlier.execute((domain.first_seen, stored.id))?;
            stored.first_seen = Some(domain.first_seen);
        }
        Ok(stored)
    }

    /// Writes all that is known of a certificate; returns its id.
    pub fn certificate(&mut self, certificate: &Certificate<'_>) -> rusqlite::Result<i64> {
        let mut id = None;
        for evidence in &certificate.evidence {
            id = self.evidence(evidence)?.or(id);
        }
        if let Some(id) = id {
            return Ok(id);
        }
        let identity = certificate.identity;
        self.certificate_id.query_row((identity.issuer, identity.number), |row| row.get(0))
    }

    /// The certificate's id; none where it is stored and nothing was to be added.
    fn evidence(&mut self, evidence: &Evidence) -> rusqlite::Result<Option<i64>> {
        self.certificate
            .query_row(
                (
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
                ),
                |row| row.get(0),
            )
            .optional()
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

/// Writes a certificate or adds to it. What describes the entry (hashes, type, log) is taken from
/// the final certificate where the precertificate stood; whatever else is missing gets filled in,
/// and nothing that is there gets lost. Returns no row where nothing changed: most certificates
/// come from several logs, and a page that is not written is neither logged nor copied.
fn certificate_statement() -> String {
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
    format!(
        "INSERT INTO certificates AS c (issuer, serial, sha256, fingerprint, subject_cn, \
         not_before, not_after, update_type, log_name, log_url, cert_index, cert_link, seen) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
         ON CONFLICT DO UPDATE SET {}, {} WHERE {final_wins}{fills} RETURNING id",
        entry.join(", "),
        shared.join(", "),
    )
}
