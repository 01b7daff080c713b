//! The tables: their statements, and the steps that bring an older database up to date.
//!
//! Owns the schema and its versions (`user_version`). Times are INTEGER microseconds since the
//! Unix epoch, except a certificate's validity, which is in seconds.

use rusqlite::Connection;

/// Marks a file as ours in SQLite's header: "CTst".
pub const APPLICATION_ID: i32 = 0x4354_7374;

/// The statements that make version `n` from version `n - 1`, at index `n - 1`. Each runs in a
/// transaction of its own that also sets `user_version`. Append; never edit what has shipped.
pub const STEPS: [&str; 7] = [V1, V2, V3, V4, V5, V6, V7];

/// The version this build writes.
pub const VERSION: i32 = STEPS.len() as i32;

/// What a database of `version` lacks of its schema: the first of its tables, columns, indexes and
/// views that is missing. What somebody has added is no harm.
///
/// # Errors
/// When it cannot be read.
pub(super) fn missing(database: &Connection, version: i32) -> rusqlite::Result<Option<String>> {
    let model = Connection::open_in_memory()?;
    for step in &STEPS[..usize::try_from(version).unwrap_or(0)] {
        model.execute_batch(step)?;
    }
    let there = parts(database)?;
    Ok(parts(&model)?.into_iter().find(|part| !there.contains(part)))
}

/// Everything that a schema is made of, in words, tables before their columns.
fn parts(database: &Connection) -> rusqlite::Result<Vec<String>> {
    database
        .prepare(
            "SELECT type || ' `' || name || '`' FROM sqlite_schema WHERE sql IS NOT NULL
             UNION ALL
             SELECT 'column `' || t.name || '.' || c.name || '` (' || c.type || ')'
             FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// No index beyond `domains(first_seen)` and what UNIQUE and PRIMARY KEY make: each further one
/// costs the writer a random page a row (an index on `last_seen` nearly halves it).
const V1: &str = "
-- One row a domain. first_seen and last_seen are NULL for rows adopted from the ancestor.
CREATE TABLE domains (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL UNIQUE,
    registered_domain TEXT,
    first_seen INTEGER,
    last_seen INTEGER,
    sightings INTEGER NOT NULL
) STRICT;
CREATE INDEX domains_first_seen ON domains (first_seen);

-- Every rule that ever ran; never deleted. hash: 16 bytes over name and pattern.
CREATE TABLE rules (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    tags TEXT NOT NULL,
    severity TEXT,
    first_loaded INTEGER NOT NULL
) STRICT;

-- Precertificate and final certificate share one row: both have the same issuer and serial.
-- Where either is missing the hash takes the serial's place in the identity.
CREATE TABLE certificates (
    id INTEGER PRIMARY KEY,
    issuer TEXT,
    serial TEXT,
    sha256 TEXT,
    fingerprint TEXT,
    subject_cn TEXT,
    not_before INTEGER,
    not_after INTEGER,
    update_type TEXT,
    log_name TEXT,
    log_url TEXT,
    cert_index INTEGER,
    cert_link TEXT,
    seen INTEGER
) STRICT;
CREATE UNIQUE INDEX certificates_identity ON certificates (
    ifnull(issuer, ''),
    CASE WHEN issuer IS NULL OR serial IS NULL
         THEN ifnull(sha256, fingerprint) ELSE serial END
);

-- Which rule hit which domain. views: bits of the views that matched. verdict: NULL for a proven
-- match, 'gave up' where the rule reached its step limit and the domain awaits review.
CREATE TABLE matches (
    domain_id INTEGER NOT NULL REFERENCES domains (id),
    rule_id INTEGER NOT NULL REFERENCES rules (id),
    views INTEGER NOT NULL,
    technique TEXT,
    verdict TEXT,
    first_certificate INTEGER REFERENCES certificates (id),
    last_certificate INTEGER REFERENCES certificates (id),
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (domain_id, rule_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE domain_certificates (
    domain_id INTEGER NOT NULL REFERENCES domains (id),
    certificate_id INTEGER NOT NULL REFERENCES certificates (id),
    PRIMARY KEY (domain_id, certificate_id)
) STRICT, WITHOUT ROWID;

-- Names as seen in certificates, where they differ from the domain: '*.', 'www.', case, Unicode.
CREATE TABLE names (
    domain_id INTEGER NOT NULL REFERENCES domains (id),
    name TEXT NOT NULL,
    PRIMARY KEY (domain_id, name)
) STRICT, WITHOUT ROWID;

-- ended and outcome are NULL while a run goes on, and for good after an unclean end.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    ended INTEGER,
    version TEXT NOT NULL,
    command TEXT NOT NULL,
    rules INTEGER NOT NULL,
    rules_hash BLOB NOT NULL,
    outcome TEXT
) STRICT;

-- How far each feed is stored: written in the same transaction as the rows that came from it.
CREATE TABLE positions (
    feed TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Spans in which a feed was not read, or rows were dropped. ended is NULL while one is open.
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id),
    feed TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    rows_dropped INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What readers of the ancestor's database ask for.
CREATE VIEW certtransp_domains (domain) AS SELECT domain FROM domains;
";

/// CT logs: how far each has been read and proven, and which entries could not be read.
const V2: &str = "
-- Of log entries that could not be read: the first and the last of them.
ALTER TABLE gaps ADD COLUMN first_index INTEGER;
ALTER TABLE gaps ADD COLUMN last_index INTEGER;

-- Of CT logs: entries read, those proven to stand in the signed tree, and the newest time the log
-- gave one of them (microseconds since the Unix epoch).
ALTER TABLE positions ADD COLUMN entries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE positions ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE positions ADD COLUMN newest INTEGER;

-- The newest signed tree head of each log, which the next one must be consistent with. signed: as
-- received. timestamp: when the log signed it, in milliseconds.
CREATE TABLE tree_heads (
    feed TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    signed TEXT NOT NULL,
    received INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What was refused is kept, and in which run a match was new.
const V3: &str = "
-- The run in which the rule first hit the domain; NULL for matches of version 2 and before. A
-- source's own times say nothing about that: certificates may be older than the run.
ALTER TABLE matches ADD COLUMN first_run INTEGER REFERENCES runs (id);

-- What was refused of each feed in a run, by reason. count: frames, or names beyond the
-- limit.
CREATE TABLE refused (
    run_id INTEGER NOT NULL REFERENCES runs (id),
    feed TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (run_id, feed, reason)
) STRICT, WITHOUT ROWID;
";

/// Matches out of names tiles.
const V4: &str = "
-- Entries of logs that matched by their names alone, and whose certificates are still to be read.
-- refuted: they were, and nothing in them matches.
CREATE TABLE unverified (
    log_url TEXT NOT NULL,
    cert_index INTEGER NOT NULL,
    found INTEGER NOT NULL,
    refuted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (log_url, cert_index)
) STRICT, WITHOUT ROWID;
";

/// What a log that breaks its promise is convicted with, and what it does not offer.
const V5: &str = "
-- When it was found last that the log offers no names tiles.
ALTER TABLE positions ADD COLUMN no_names INTEGER;

-- Logs that have signed two trees of which the second does not extend the first: both tree heads,
-- signed as received. The log's key is in the list of logs: anybody can check them.
CREATE TABLE forks (
    id INTEGER PRIMARY KEY,
    feed TEXT NOT NULL,
    received INTEGER NOT NULL,
    known_size INTEGER NOT NULL,
    known_root BLOB NOT NULL,
    known_timestamp INTEGER NOT NULL,
    known_signed TEXT NOT NULL,
    shown_size INTEGER NOT NULL,
    shown_root BLOB NOT NULL,
    shown_timestamp INTEGER NOT NULL,
    shown_signed TEXT NOT NULL,
    UNIQUE (feed, known_size, known_root, shown_size, shown_root)
) STRICT;
";

/// Brands: how far a domain is from the one it passes for.
const V6: &str = "
-- Of brand rules: edits between the brand and what stands for it in the domain; `technique` says
-- which. Both are NULL for other rules.
ALTER TABLE matches ADD COLUMN distance INTEGER;
";

/// The loss ledger: which entries of which logs came, which were missed, and which of those have been
/// fetched since.
const V7: &str = "
-- The logs that certstream feeds name. log: the URL without scheme and final slash, else the name.
-- Empty for what bears no index, as all of a domains-only stream.
CREATE TABLE feed_logs (
    id INTEGER PRIMARY KEY,
    feed TEXT NOT NULL,
    log TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (feed, log)
) STRICT;

-- What came of a log within a minute (its begin, by our clock): the lowest and the highest index,
-- and how many, each counted once. Both indexes are NULL for what bears none. By minute first, so
-- that what is written together stands together.
CREATE TABLE coverage (
    minute INTEGER NOT NULL,
    feed_log INTEGER NOT NULL REFERENCES feed_logs (id),
    lowest INTEGER,
    highest INTEGER,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, feed_log)
) STRICT, WITHOUT ROWID;

-- Of entries that a certstream feed missed while it was not read: their log, named as in feed_logs.
-- first_index and last_index are theirs. NULL where the gap is one of the feed as a whole.
ALTER TABLE gaps ADD COLUMN log TEXT;
ALTER TABLE gaps ADD COLUMN log_name TEXT;

-- When its entries had all been fetched after all, and by which feed; without a time that feed is
-- at it. NULL where nothing has.
ALTER TABLE gaps ADD COLUMN closed INTEGER;
ALTER TABLE gaps ADD COLUMN filled_by TEXT;

-- What is left to be fetched.
CREATE INDEX gaps_to_fill ON gaps (first_index) WHERE first_index IS NOT NULL AND closed IS NULL;
";
