//! `backup` and `prune` with the real binary, also beside a watch under full load.

use rusqlite::Connection;
use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls, wait_until};

fn update(n: u64, seen: u64) -> String {
    format!(
        r#"{{"message_type":"certificate_update","data":{{"update_type":"X509LogEntry","leaf_cert":{{"all_domains":["n{n}.example.com"],"serial_number":"{n:X}","issuer":{{"CN":"Test"}}}},"seen":{seen}.0}}}}"#
    )
}

/// An endless stream, as fast as the client reads.
fn flood() -> Server {
    Server::start(Tls::Off, |visit| {
        visit.upgrade()?.send((0_u64..).map(|n| Message::text(update(n % 50_000, n))))
    })
}

/// A database of a hundred domains, each with a certificate, seen a second after the other.
fn stored(folder: &Folder) {
    folder.write("rules.txt", "example\n");
    let frames: String = (0..100).map(|n| update(n, 1_700_000_000 + n) + "\n").collect();
    folder.write("capture.jsonl", frames);
    let words = ["replay", "-q", "--rules", "rules.txt", "--database", "kept.db", "capture.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
}

fn is_sound(database: &Connection) -> bool {
    let one = |sql| database.query_row(sql, [], |row| row.get::<_, String>(0)).expect("checks");
    let dangling = database.prepare("PRAGMA foreign_key_check").expect("checks").exists([]);
    one("PRAGMA integrity_check") == "ok" && !dangling.expect("checks")
}

#[test]
fn a_backup_under_full_load_is_whole_and_of_one_moment() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = flood();
    let mut watch = folder.start(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    folder.wait_for_position("certstream.db", 20_000);
    for n in 0..3 {
        let copy = format!("copy{n}.db");
        let words = ["backup", "--database", "certstream.db", &copy];
        let mut backup = folder.start_logged(&words, "backup.log");
        assert_eq!(backup.end().code(), Some(0), "{}", folder.read("backup.log"));
        let database = folder.database(&copy);
        assert!(is_sound(&database));
        // Rows and positions are one transaction: each frame is one sighting.
        let both = folder.number(&copy, "SELECT sum(sightings) FROM domains");
        assert_eq!(both, folder.number(&copy, "SELECT position FROM positions"));
        assert!(both >= Some(20_000));
    }
    assert!(watch.is_running());
    assert_eq!(watch.stop(), 0, "{}", folder.stderr());
    let export = ["export", "--database", "copy0.db", "--output", "-"];
    assert_eq!(folder.run(&export), 0, "{}", folder.stderr());
}

#[test]
fn a_backup_replaces_nothing_and_says_what_is_wrong() {
    let folder = Folder::new();
    stored(&folder);
    folder.write("there.db", "precious");
    let table = [
        ("there.db", 2, "there.db: there is a file of this name"),
        ("kept.db", 2, "would overwrite the database"),
        ("nowhere/copy.db", 1, "cannot write the backup"),
    ];
    for (target, code, says) in table {
        assert_eq!(folder.run(&["backup", "--database", "kept.db", target]), code);
        assert!(folder.stderr().contains(says), "{target}: {}", folder.stderr());
    }
    assert_eq!(folder.read("there.db"), "precious");
    assert_eq!(folder.run(&["backup", "--database", "none.db", "copy.db"]), 1);
    assert!(folder.stderr().contains("there is no such database"), "{}", folder.stderr());
    assert!(!folder.path("copy.db").exists());
}

#[test]
fn pruning_forgets_what_is_old_and_nothing_else() {
    let folder = Folder::new();
    stored(&folder);
    let count = |what: &str| folder.number("kept.db", &format!("SELECT count(*) FROM {what}"));
    let prune = |more: &[&str]| {
        // The time of the fortieth second.
        let words = ["prune", "--database", "kept.db", "--older-than", "2023-11-14T22:14:00Z"];
        assert_eq!(folder.run(&[&words, more].concat()), 0, "{}", folder.stderr());
        folder.stdout()
    };
    assert_eq!(prune(&[]), "forgot 40 certificates, 0 rows of coverage\n");
    assert_eq!((count("certificates"), count("domain_certificates")), (Some(60), Some(60)));
    assert_eq!((count("domains"), count("matches")), (Some(100), Some(100)));
    assert!(is_sound(&folder.database("kept.db")));
    assert_eq!(prune(&[]), "forgot 0 certificates, 0 rows of coverage\n");
    assert_eq!(prune(&["--domains"]), "forgot 0 certificates, 0 rows of coverage and 40 domains\n");
    assert_eq!((count("domains"), count("matches")), (Some(60), Some(60)));
    assert_eq!((count("runs"), count("rules")), (Some(1), Some(1)));
    assert!(is_sound(&folder.database("kept.db")));
    let oldest = folder.texts("kept.db", "SELECT domain FROM domains ORDER BY first_seen LIMIT 1");
    assert_eq!(oldest, ["n40.example.com"]);
}

#[test]
fn pruning_forgets_old_coverage_but_not_what_the_next_run_goes_on_from() {
    let folder = Folder::new();
    stored(&folder);
    // Three days of one log, an hour each row; the last one begins at hour 71.
    let database = Connection::open(folder.path("kept.db")).expect("opens");
    let sql = "INSERT INTO feed_logs (id, feed, log, name) VALUES (1, 'a', 'log.example', 'A log');
        INSERT INTO coverage (minute, feed_log, lowest, highest, count)
            WITH RECURSIVE hours (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM hours WHERE n < 71)
            SELECT n * 3600000000, 1, n, n, 1 FROM hours";
    database.execute_batch(sql).expect("writes");
    drop(database);
    let prune = |before: &str| {
        let words = ["prune", "--database", "kept.db", "--older-than", before];
        assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
        folder.stdout()
    };
    assert_eq!(prune("1970-01-01T10:00:00Z"), "forgot 0 certificates, 10 rows of coverage\n");
    // However much is asked for, the last day stays.
    assert_eq!(prune("1971-01-01T00:00:00Z"), "forgot 0 certificates, 37 rows of coverage\n");
    assert_eq!(folder.number("kept.db", "SELECT min(lowest) FROM coverage"), Some(47));
    assert!(is_sound(&folder.database("kept.db")));
}

#[test]
fn pruning_beside_a_watch_under_full_load_leaves_it_whole() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = flood();
    let mut watch = folder.start(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    folder.wait_for_position("certstream.db", 20_000);
    for _ in 0..3 {
        let before = folder.number("certstream.db", "SELECT max(position) FROM positions");
        let words = [
            "prune",
            "--database",
            "certstream.db",
            "--older-than",
            "1970-01-01T02:00:00Z",
            "--domains",
        ];
        let mut prune = folder.start_logged(&words, "prune.log");
        assert_eq!(prune.end().code(), Some(0), "{}", folder.read("prune.log"));
        wait_until("the watch goes on", || {
            folder.number("certstream.db", "SELECT max(position) FROM positions") > before
        });
    }
    assert_eq!(watch.stop(), 0, "{}", folder.stderr());
    assert!(is_sound(&folder.database("certstream.db")));
}
