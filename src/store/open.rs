//! Opening a database: what it is, whether it is ours, and what it takes to write it.
//!
//! Owns the checks that come before the first write, the pragmas, the steps of the schema, and
//! the adoption of the ancestor's database. Refuses whatever it does not know, unchanged.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::fault::{DAMAGED, Fault};
use super::{Settings, schema};
use crate::domain::registered_domain;
use crate::error::{Error, Result};

/// Pages of WAL after which SQLite moves them into the database: at the default of 1,000 random
/// keys write the same pages again and again (16,000 gave 1.36 times the rows a second). The WAL
/// stays near 64 MiB.
const AUTOCHECKPOINT_PAGES: i64 = 16_000;
/// Bytes to which the WAL file is cut after a reader that held it open has left.
pub(super) const JOURNAL_SIZE_LIMIT: i64 = 64 * 1024 * 1024;
/// The table of the ancestor.
const ANCESTOR_TABLE: &str = "certtransp_domains";

/// What a database file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without a table.
    Empty,
    /// Ours, with its version.
    Ours(i32),
    /// The ancestor's.
    Ancestor,
    /// Somebody else's.
    Foreign,
}

/// Opens `path` for writing; see [`super::Store::open`].
pub(super) fn open(path: &Path, settings: Settings) -> Result<Connection> {
    make_folder(path)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
    let kind = writable_kind(&connection, path)?;
    set_pragmas(&connection, settings)
        .map_err(|error| Fault::new("set up the database", error).into_error(path))?;
    migrate(&mut connection, kind)
        .map_err(|error| Fault::new("bring the database up to date", error).into_error(path))?;
    // The writer takes its statements from this cache; it has some twenty.
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Opens an existing database of ours for reading, beside a running writer.
///
/// # Errors
/// When there is no such file, or it is not a database of this version.
pub fn open_read_only(path: &Path) -> Result<Connection> {
    if !path.exists() {
        return Err(Error::failed("there is no such database")
            .in_file(path)
            .remedy("check database.filename, or run `certstream watch` first"));
    }
    let failed = |error| Fault::new("open the database", error).into_error(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    match kind(&connection).map_err(failed)? {
        Kind::Ours(schema::VERSION) => Ok(connection),
        Kind::Ours(version) if version > schema::VERSION => Err(newer(path, version)),
        Kind::Ours(_) | Kind::Ancestor => Err(Error::failed("the database is of an older version")
            .in_file(path)
            .remedy("run `certstream watch` once: it brings the database up to date")),
        Kind::Empty => Err(Error::failed("the database is empty")
            .in_file(path)
            .remedy("check database.filename, or run `certstream watch` first")),
        Kind::Foreign => Err(foreign(path)),
    }
}

/// A writing connection to `path`, which is made only with `SQLITE_OPEN_CREATE` in `extra`.
pub(super) fn connect(path: &Path, extra: OpenFlags) -> Result<Connection> {
    // One thread at a time uses a connection: SQLite's own mutexes would only cost.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    Connection::open_with_flags(path, flags)
        .map_err(|error| Fault::new("open the database", error).into_error(path))
}

/// What the database behind a fresh writing connection is; refuses what must not be written.
/// Nothing has been written to it when this returns.
pub(super) fn writable_kind(connection: &Connection, path: &Path) -> Result<Kind> {
    let failed = |error| Fault::new("read the database", error).into_error(path);
    let kind = kind(connection).map_err(failed)?;
    match kind {
        Kind::Foreign => return Err(foreign(path)),
        Kind::Ours(version) if version > schema::VERSION => return Err(newer(path, version)),
        Kind::Ours(version) => {
            if let Some(missing) = schema::missing(connection, version).map_err(failed)? {
                return Err(incomplete(path, &missing));
            }
        }
        Kind::Empty | Kind::Ancestor => {}
    }
    // SQLite falls back to reading without a word where it may not write.
    if connection.is_readonly("main").map_err(failed)? {
        return Err(Error::failed("the database is read-only")
            .in_file(path)
            .remedy("let the user who runs certstream write the file and its folder"));
    }
    Ok(kind)
}

/// Makes the folder of `path` where there is none.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::failed(format!("cannot make the folder of the database: {error}"))
            .in_file(folder)
            .remedy("check database.filename and the rights on the folders above it")
    })
}

fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    // One snapshot: half of what another process is just making looks like somebody else's.
    let snapshot = connection.unchecked_transaction()?;
    let application: i32 = snapshot.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let version: i32 = snapshot.pragma_query_value(None, "user_version", |r| r.get(0))?;
    if application == schema::APPLICATION_ID {
        return Ok(Kind::Ours(version));
    }
    // `sqlite_…` tables are SQLite's own.
    let tables: Vec<String> = snapshot
        .prepare("SELECT name FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(match (application, version, tables.as_slice()) {
        (0, 0, []) => Kind::Empty,
        (0, 0, [table]) if table == ANCESTOR_TABLE && has_domains(&snapshot)? => Kind::Ancestor,
        _ => Kind::Foreign,
    })
}

fn has_domains(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare("SELECT 1 FROM pragma_table_info(?1) WHERE name = 'domain'")?
        .exists([ANCESTOR_TABLE])
}

fn foreign(path: &Path) -> Error {
    Error::failed("this SQLite database is another program's; it was left as it is")
        .in_file(path)
        .remedy("name another file with database.filename")
}

fn incomplete(path: &Path, missing: &str) -> Error {
    Error::failed(format!(
        "the database lacks its {missing}: it is damaged, or another program has changed it; it \
         was left as it is"
    ))
    .in_file(path)
    .remedy(DAMAGED)
}

fn newer(path: &Path, version: i32) -> Error {
    Error::failed(format!(
        "the database has version {version}; this certstream knows versions up to {}",
        schema::VERSION
    ))
    .in_file(path)
    .remedy("use the newer certstream that wrote it, or name another file with database.filename")
}

fn set_pragmas(connection: &Connection, settings: Settings) -> rusqlite::Result<()> {
    let synchronous = if settings.synchronous_full { "FULL" } else { "NORMAL" };
    let kibibytes = i64::try_from(settings.cache / 1024).unwrap_or(i64::MAX);
    // Readers go on while the writer commits, and a commit is one append.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Negative: kibibytes instead of pages.
    connection.pragma_update(None, "cache_size", -kibibytes)?;
    connection.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_SIZE_LIMIT)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Off: the one writer inserts a row only with ids it got in the same transaction, and each
    // check would cost a further lookup. The tests run `foreign_key_check`.
    connection.pragma_update(None, "foreign_keys", "OFF")
}

/// Takes the steps that are missing, each in a transaction of its own. A crash leaves the version
/// that the last whole step made; the next start takes the rest.
fn migrate(connection: &mut Connection, kind: Kind) -> rusqlite::Result<()> {
    let from = if let Kind::Ours(version) = kind { version.max(0) } else { 0 };
    for (version, step) in (1..).zip(schema::STEPS).skip(from as usize) {
        let step_transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version == 1 && kind == Kind::Ancestor {
            adopt(&step_transaction, step)?;
        } else {
            step_transaction.execute_batch(step)?;
        }
        step_transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
        step_transaction.pragma_update(None, "user_version", version)?;
        // A crash before this line leaves the database as it was.
        step_transaction.commit()?;
    }
    Ok(())
}

/// Makes the first version out of the ancestor's database: its rows become domains without dates
/// or rule, and its table gives way to the view of the same name.
fn adopt(step: &Transaction<'_>, first: &str) -> rusqlite::Result<()> {
    step.execute_batch(&format!("ALTER TABLE {ANCESTOR_TABLE} RENAME TO ancestor_domains"))?;
    step.execute_batch(first)?;
    {
        let mut rows = step.prepare(
            "SELECT CAST(domain AS BLOB) FROM ancestor_domains
             WHERE domain IS NOT NULL AND domain <> '' ORDER BY domain",
        )?;
        let mut insert = step.prepare(
            "INSERT INTO domains (domain, registered_domain, sightings) VALUES (?1, ?2, 0)
             ON CONFLICT (domain) DO NOTHING",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            // Names are attacker-written, and one that is no text must not keep the rest out.
            let bytes = row.get_ref(0)?.as_bytes()?;
            let domain = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            insert.execute((&domain, registered_domain(&domain)))?;
        }
    }
    step.execute_batch("DROP TABLE ancestor_domains")
}
