//! What stands at the database's path when it is opened: adopted, or refused unchanged.

use super::*;
use crate::store::{open_read_only, purge, schema};

fn made_by(base: &Base, statements: &str) {
    Connection::open(base.file()).unwrap().execute_batch(statements).unwrap();
}

/// What `open` says; the file must be left as it was.
fn refusal(base: &Base) -> String {
    let before = std::fs::read(base.file()).unwrap();
    let error = Store::open(&base.file(), SETTINGS).unwrap_err().to_string();
    assert!(purge(&base.file()).is_err(), "purge refuses it too");
    assert_eq!(std::fs::read(base.file()).unwrap(), before, "left as it was");
    assert!(error.contains("certs.db") && error.contains("remedy"), "{error}");
    error
}

#[test]
fn the_ancestors_database_is_adopted() {
    let base = Base::new();
    made_by(
        &base,
        "CREATE TABLE certtransp_domains (domain TEXT PRIMARY KEY);
         INSERT INTO certtransp_domains VALUES ('b.shop.example'), ('A.example'), ('a.example'),
             (NULL), ('not a domain');",
    );
    assert!(open_read_only(&base.file()).unwrap_err().to_string().contains("older version"));
    base.write(vec![message(1, vec![row("a.example")])]);
    let domains = base.column::<String>(
        "SELECT concat_ws(' ', domain, registered_domain, first_seen, sightings)
         FROM domains ORDER BY domain",
    );
    assert_eq!(
        domains,
        ["a.example a.example 1000 1", "b.shop.example shop.example 0", "not a domain 0"]
    );
    let view = base.column::<String>("SELECT domain FROM certtransp_domains ORDER BY domain");
    assert_eq!(view, ["a.example", "b.shop.example", "not a domain"]);
    assert_eq!(base.stats.new_domains.get(), 0, "it was known, though without a date");
    assert_eq!(base.stats.new_pairs.get(), 1);
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'ancestor%'";
    assert_eq!(base.column::<i64>(tables), [0]);
}

#[test]
fn an_ancestors_row_that_is_no_text_keeps_no_other_out() {
    let base = Base::new();
    made_by(
        &base,
        "CREATE TABLE certtransp_domains (domain TEXT NOT NULL PRIMARY KEY);
         INSERT INTO certtransp_domains VALUES ('a.example'), (CAST(X'FF422E6578' AS TEXT)),
             (X'00FF'), (X'412E6578616D706C65');",
    );
    base.write(vec![]);
    let domains = base.column::<String>("SELECT domain FROM domains ORDER BY domain");
    assert_eq!(domains, ["\0\u{fffd}", "a.example", "\u{fffd}b.ex"]);
}

#[test]
fn a_reader_never_takes_a_database_in_the_making_for_anothers() {
    for _ in 0..30 {
        let base = Base::new();
        let file = base.file();
        std::thread::scope(|scope| {
            let making = scope.spawn(|| Store::open(&file, SETTINGS).unwrap());
            while !making.is_finished() {
                if let Err(error) = open_read_only(&file) {
                    let text = error.to_string();
                    assert!(!text.contains("another program's"), "{text}");
                }
            }
        });
        open_read_only(&file).expect("made");
    }
}

#[test]
fn a_newer_version_is_refused() {
    let base = Base::new();
    base.write(vec![]);
    made_by(&base, "PRAGMA journal_mode = DELETE; PRAGMA user_version = 99");
    let text = refusal(&base);
    let known = format!("up to {}", schema::VERSION);
    assert!(text.contains("version 99") && text.contains(&known), "{text}");
    assert!(open_read_only(&base.file()).unwrap_err().to_string().contains("version 99"));
}

#[test]
fn an_older_version_is_brought_up_to_date_and_keeps_its_rows() {
    let base = Base::new();
    let first = format!(
        "{} PRAGMA application_id = {}; PRAGMA user_version = 1;
         INSERT INTO domains VALUES (1, 'old.example', 'old.example', 5, 6, 7);
         INSERT INTO positions VALUES ('left', 4, 40, 9);
         INSERT INTO runs VALUES (1, 1, 2, '0.1.0', 'watch', 1, x'00', 'done');
         INSERT INTO gaps VALUES (1, 1, 'left', 2, 3, 'disconnected', 'reset', 0);",
        schema::STEPS[0],
        schema::APPLICATION_ID
    );
    made_by(&base, &first);
    base.write(vec![message(5, vec![row("new.example")])]);
    assert_eq!(base.sightings(), ["new.example 1", "old.example 7"]);
    assert_eq!(base.column::<i64>("SELECT sequence FROM positions"), [5]);
    assert_eq!(base.column::<Option<i64>>("SELECT first_index FROM gaps"), [None]);
    assert_eq!(base.column::<i32>("PRAGMA user_version"), [schema::VERSION]);
}

#[test]
fn another_programs_database_is_refused() {
    for statements in [
        "CREATE TABLE places (url TEXT)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 3",
        "CREATE TABLE certtransp_domains (name TEXT)",
        "CREATE TABLE certtransp_domains (domain TEXT); CREATE TABLE more (x)",
    ] {
        let base = Base::new();
        made_by(&base, statements);
        let text = refusal(&base);
        assert!(text.contains("another program's"), "{statements}: {text}");
        assert!(open_read_only(&base.file()).is_err());
    }
}

#[test]
fn what_is_no_database_is_refused() {
    let base = Base::new();
    std::fs::write(base.file(), "certificate,transparency\n".repeat(100)).unwrap();
    let text = refusal(&base);
    assert!(text.contains("no SQLite database"), "{text}");
}

#[test]
fn a_missing_file_is_nothing_to_read() {
    let base = Base::new();
    let text = open_read_only(&base.file()).unwrap_err().to_string();
    assert!(text.contains("there is no such database"), "{text}");
    assert!(!base.file().exists());
}

#[test]
fn a_new_database_is_ours_and_reads_while_it_is_written() {
    let base = Base::new();
    let store = base.begin();
    let reader = base.reader();
    let pragma =
        |name: &str| reader.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).unwrap();
    assert_eq!(pragma("application_id"), schema::APPLICATION_ID);
    assert_eq!(pragma("user_version"), schema::VERSION);
    let mode: String =
        store.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn certificates_are_found_by_their_index() {
    let base = Base::new();
    base.write(vec![]);
    let plan = base.reader().query_row(
        "EXPLAIN QUERY PLAN SELECT id FROM certificates WHERE ifnull(issuer, '') = ?1
         AND CASE WHEN issuer IS NULL OR serial IS NULL
                  THEN ifnull(sha256, fingerprint) ELSE serial END = ?2",
        ["", ""],
        |row| row.get::<_, String>("detail"),
    );
    assert!(plan.unwrap().contains("USING INDEX certificates_identity"));
}
