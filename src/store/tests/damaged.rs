//! A database that is damaged: refused at the start where that shows at once, found out during the
//! run after an unclean end, and never written over.

use super::*;
use crate::stop::Stop;
use crate::store::open_read_only;

fn alter(base: &Base, statements: &str) {
    Connection::open(base.file()).unwrap().execute_batch(statements).unwrap();
}

/// A stored domain for each number, in a run that ends as `clean` says.
fn filled(clean: bool) -> Base {
    let base = Base::new();
    let rows = (0..3000).map(|n| row(&format!("n{n}.example"))).collect();
    let mut store = base.write_with(base.writer(None), vec![message(1, rows)]).unwrap();
    if clean {
        store.end_run("done").unwrap();
    }
    base
}

/// Overwrites a leaf of the table of domains in the middle of the file.
fn damage(base: &Base) {
    let connection = Connection::open(base.file()).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let page: i64 = connection
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'domains' AND pagetype = 'leaf'
             ORDER BY pageno LIMIT 1 OFFSET 5",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(connection);
    let mut bytes = std::fs::read(base.file()).unwrap();
    let start = (usize::try_from(page).unwrap() - 1) * 4096;
    bytes[start..start + 4096].fill(0xA5);
    std::fs::write(base.file(), bytes).unwrap();
}

fn check(store: &Store) -> Option<Result<()>> {
    store.check().map(|check| check.run(&Arc::new(Stop::new().unwrap())))
}

#[test]
fn a_schema_that_lacks_something_is_refused_and_one_with_more_is_not() {
    for (statements, what) in [
        ("DROP TABLE names", "table `names`"),
        ("ALTER TABLE matches DROP COLUMN technique", "column `matches.technique` (TEXT)"),
        ("DROP INDEX domains_first_seen", "index `domains_first_seen`"),
        ("DROP VIEW certtransp_domains", "view `certtransp_domains`"),
    ] {
        let base = filled(true);
        alter(&base, statements);
        let before = std::fs::read(base.file()).unwrap();
        let error = Store::open(&base.file(), SETTINGS).unwrap_err().to_string();
        assert!(error.contains(&format!("lacks its {what}")), "{error}");
        assert!(error.contains("remedy: move the database away"), "{error}");
        assert_eq!(std::fs::read(base.file()).unwrap(), before, "left as it was");
    }
    let base = filled(true);
    alter(&base, "CREATE TABLE mine (x); CREATE INDEX own ON domains (last_seen)");
    base.write(vec![message(2, vec![row("n1.example")])]);
}

#[test]
fn a_file_is_checked_after_an_unclean_end_alone() {
    let base = filled(true);
    assert!(base.begin().check().is_none());
    // That one has not ended, as after a crash.
    let mut store = base.begin();
    assert!(check(&store).expect("owed").is_ok());
    store.end_run("done").unwrap();
    assert!(base.begin().check().is_none(), "made good");
}

#[test]
fn damage_is_found_by_the_check_and_every_later_run_owes_it_again() {
    let base = filled(false);
    damage(&base);
    let damaged = std::fs::read(base.file()).unwrap();
    for _ in 0..2 {
        let mut store = base.begin();
        let error = check(&store).expect("owed").unwrap_err().to_string();
        assert!(error.contains("certs.db: the database is damaged: domains: "), "{error}");
        assert!(error.contains("remedy: move the database away"), "{error}");
        store.end_run("the database is damaged").unwrap();
    }
    let outcomes: Vec<Option<String>> = {
        let reader = open_read_only(&base.file()).unwrap();
        let mut statement = reader.prepare("SELECT outcome FROM runs ORDER BY id").unwrap();
        statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(std::result::Result::unwrap)
            .collect()
    };
    let owed = Some("the database is damaged (file not checked)".to_owned());
    assert_eq!(outcomes, [None, owed.clone(), owed]);
    let now = std::fs::read(base.file()).unwrap();
    let differ = (0..damaged.len()).filter(|&at| damaged[at] != now[at]).count();
    assert!(differ < 3 * 4096, "only the rows of the runs were written");
}

#[test]
fn a_check_that_a_stop_breaks_off_is_owed_by_the_next_run() {
    let base = filled(false);
    let mut store = base.begin();
    let stop = Arc::new(Stop::new().unwrap());
    stop.request();
    store.check().expect("owed").run(&stop).unwrap();
    store.end_run("done").unwrap();
    let mut store = base.begin();
    assert!(check(&store).expect("owed again").is_ok());
    store.end_run("done").unwrap();
    assert!(base.begin().check().is_none());
}

#[test]
fn the_setting_of_synchronous_is_that_of_the_connection() {
    for (synchronous_full, value) in [(false, 1), (true, 2)] {
        let base = Base::new();
        let settings = Settings { synchronous_full, ..SETTINGS };
        let store = Store::open(&base.file(), settings).unwrap();
        let set = store.connection.pragma_query_value(None, "synchronous", |row| row.get(0));
        assert_eq!(set, Ok(value));
    }
}
