//! Reports of databases as runs leave them.

use super::figures::SECOND;
use super::*;
use crate::store::schema;

/// 2026-11-24T09:45:00Z.
const NOW: i64 = 1_795_513_500 * SECOND;

/// Three runs, of which the second was killed and the last goes on; a replay between them. Times
/// are in minutes before NOW.
const ROWS: &str = r"
CREATE TEMP TABLE clock AS SELECT 1795513500000000 AS now, 60000000 AS minute;
INSERT INTO runs (started, ended, version, command, rules, rules_hash, outcome)
    SELECT now - 4000 * minute, now - 3000 * minute, '0.1.0', 'watch', 100, x'00', 'stopped'
        FROM clock
    UNION ALL SELECT now - 2900 * minute, NULL, '0.1.0', 'watch', 100, x'00', NULL FROM clock
    UNION ALL SELECT now - 1600 * minute, now - 1590 * minute, '0.1.0', 'replay', 9, x'00', 'done'
        FROM clock
    UNION ALL SELECT now - 60 * minute, NULL, '0.1.0', 'watch', 100, x'00', NULL FROM clock;
INSERT INTO rules (id, hash, name, pattern, tags, first_loaded)
    VALUES (1, x'01', 'pay' || char(27) || 'pal', 'paypal', '[]', 0),
           (2, x'02', 'login', 'x', '[]', 0);
INSERT INTO domains (id, domain, first_seen, last_seen, sightings)
    SELECT 1, 'a.example', now - 2 * minute, now, 1 FROM clock
    UNION ALL SELECT 2, 'b.example', now - 1445 * minute, now, 1 FROM clock
    UNION ALL SELECT 3, 'c.example', now - 20000 * minute, now, 1 FROM clock
    UNION ALL SELECT 4, 'adopted.example', NULL, NULL, 0 FROM clock;
INSERT INTO matches (domain_id, rule_id, views, verdict, first_seen, last_seen)
    VALUES (1, 1, 1, NULL, 0, 0), (2, 1, 1, NULL, 0, 0), (3, 2, 1, 'gave up', 0, 0);
INSERT INTO gaps (run_id, feed, started, ended, reason, detail, rows_dropped)
    SELECT 1, 'wss://ct.example/', now - 3500 * minute, now - 3490 * minute, 'disconnected', '', 0
        FROM clock
    UNION ALL SELECT 1, 'wss://ct.example/', now - 3400 * minute, now - 3398 * minute,
        'disconnected', '', 0 FROM clock
    UNION ALL SELECT 1, 'wss://ct.example/', now - 3300 * minute, now - 3300 * minute + 500000,
        'backlog full', '', 12345 FROM clock
    UNION ALL SELECT 4, 'wss://ct.example/', now - 5 * minute, NULL, 'disconnected',
        '502' || char(27, 10) || 'Bad Gateway', 0 FROM clock;
INSERT INTO refused VALUES (1, 'wss://ct.example/', 'not JSON', 1200), (4, 'wss://ct.example/', 'not JSON', 34),
    (4, 'wss://ct.example/', 'too large', 1);
INSERT INTO gaps (run_id, feed, started, ended, reason, detail, log, log_name, first_index,
    last_index, closed)
    SELECT 1, 'wss://ct.example/', now, now, 'disconnected', '', 'log.example/a', '', 1, 150, NULL
        FROM clock
    UNION ALL SELECT 1, 'wss://ct.example/', now, now, 'disconnected', '', 'log.example/a', '',
        201, 210, 7 FROM clock;
INSERT INTO feed_logs VALUES (1, 'wss://ct.example/', 'log.example/a', 'A'),
    (2, 'wss://ct.example/', 'log.example/b', ''), (3, 'wss://ct.example/', '', '');
-- A week and more ago, then yesterday 100 to 150 without one, then 151 to 350 without 50 of them.
INSERT INTO coverage
    SELECT now - now % minute - 20000 * minute, 1, 1, 9, 9 FROM clock
    UNION ALL SELECT now - now % minute - 1000 * minute, 1, 100, 130, 30 FROM clock
    UNION ALL SELECT now - now % minute - 900 * minute, 1, 131, 150, 20 FROM clock
    UNION ALL SELECT now - now % minute - 9 * minute, 1, 171, 300, 100 FROM clock
    UNION ALL SELECT now - now % minute - 8 * minute, 1, 301, 350, 50 FROM clock
    UNION ALL SELECT now - now % minute - 8 * minute, 2, 7, 9, 3 FROM clock
    UNION ALL SELECT now - now % minute - 8 * minute, 3, NULL, NULL, 12 FROM clock;
INSERT INTO positions (feed, sequence, position, updated) SELECT 'wss://ct.example/', 9, 1234567, now - 6 * minute FROM clock;
";

const EXPECTED: &str = r"Report of 2026-11-24T09:45:00Z, all times UTC

Database
  FILE
  grew by HALF a day over 2 days, since its first run

Runs (4 in all, 1 of the earlier ones ended uncleanly; the latest first)
    started               ended                 how                          command  rules  version
    2026-11-24T08:45:00Z  -                     goes on, or ended UNCLEANLY  watch    100    0.1.0
    2026-11-23T07:05:00Z  2026-11-23T07:15:00Z  done                         replay   9      0.1.0
    2026-11-22T09:25:00Z  -                     UNCLEANLY                    watch    100    0.1.0
    2026-11-21T15:05:00Z  2026-11-22T07:45:00Z  stopped                      watch    100    0.1.0

Found
  4 domains
    1 of them adopted from an older database, without dates
  3 matches (pairs of a domain and a rule)
    1 of them not proven: the rule reached its step limit; to be reviewed
  new domains a day, by the time their source gives
    2026-11-18  0
    2026-11-19  0
    2026-11-20  0
    2026-11-21  0
    2026-11-22  0
    2026-11-23  1
    2026-11-24  1
  matches by rule (2 of 2)
    2  pay\u{1b}pal
    1  login

Missed
  1 h 40 min between runs, when nothing was watched (spans: 1; longest: 1 h 40 min from 2026-11-22T07:45:00Z)
  an unknown time, at most 1 d 23 h, between the unclean end of a run and the next (ends: 1)
  gaps in the feeds; the duration is that of those that have ended
    feed               reason        gaps  duration    rows dropped  open
    wss://ct.example/  backlog full  1     0.5 s       12,345        0
    wss://ct.example/  disconnected  3     12 min 0 s  0             1
  open since, unless the run ended uncleanly meanwhile
    2026-11-24T09:40:00Z  wss://ct.example/  disconnected  502\u{1b}\u{a}Bad Gateway
  entries of the logs that certstream feeds missed in gaps
    feed               holes  entries, at most  fetched since  holes open
    wss://ct.example/  2      160               10             1
  holes that are open; a watch closes those of up to heal.max_entries by itself
    since                 feed               entries  what closes it
    2026-11-24T09:45:00Z  wss://ct.example/  150      certstream backfill --log log.example/a --from 1 --to 151 --config c.yaml
  refused, and so neither matched nor stored
    feed               reason     count  runs
    wss://ct.example/  not JSON   1,234  2
    wss://ct.example/  too large  1      1
  not counted, because no client can see it: a certstream server may itself have skipped
    certificates, when it fell behind a log or held this client for too slow

Coverage of the certstream feeds, by the indexes that certificates bear
    feed               day         logs  received  not received  coverage  without index
    wss://ct.example/  2026-11-23  1     50        1             98.03 %   0
    wss://ct.example/  2026-11-24  2     153       50            75.36 %   12
  not received is an upper bound: a server that leaves out duplicates, or reads a log in parts,
    makes holes that are none
  without index: from a domains-only stream, or an index too far from all others; what is
    missing among those cannot be known

Positions (how far each feed is stored, in its own unit)
    feed               position   stored
    wss://ct.example/  1,234,567  2026-11-24T09:39:00Z
";

fn database(rows: &str) -> (tempfile::TempDir, PathBuf, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("database.db");
    let connection = Connection::open(&file).unwrap();
    for step in schema::STEPS {
        connection.execute_batch(step).unwrap();
    }
    connection.execute_batch(rows).unwrap();
    (folder, file, connection)
}

#[test]
fn says_what_was_found_and_what_was_missed() {
    let (_folder, file, connection) = database(ROWS);
    let size = fs::metadata(&file).unwrap().len();
    let text = report_at(&connection, &file, " --config c.yaml", NOW).unwrap();
    let file_line = format!("{}: {}", file.display(), bytes(size));
    // Half of it each day: the first run began two days before.
    let text = text.replace(&format!("grew by {} a day", bytes(size / 2)), "grew by HALF a day");
    assert_eq!(text.replace(&file_line, "FILE"), EXPECTED);
}

#[test]
fn an_empty_database_has_a_report_too() {
    let (_folder, file, connection) = database("");
    let text = report_at(&connection, &file, " --config c.yaml", NOW).unwrap();
    for line in ["Runs\n  none yet\n", "  0 domains\n", "  nothing was watched yet\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("  no gap recorded in any feed\n"), "{text}");
    assert!(text.contains("  nothing refused in any feed\n"), "{text}");
}

#[test]
fn a_run_that_ended_well_leaves_a_span_until_now() {
    let (_folder, file, connection) = database(
        "INSERT INTO runs (started, ended, version, command, rules, rules_hash, outcome)
             VALUES (1795427100000000, 1795502700000000, '0.1.0', 'watch', 1, x'00', 'done')",
    );
    let text = report_at(&connection, &file, " --config c.yaml", NOW).unwrap();
    assert!(text.contains("  3 h 0 min since the last run ended, at 2026-11-24T06:45:00Z\n"));
}

#[test]
fn only_so_many_runs_and_open_gaps_are_listed() {
    let (_folder, file, connection) = database(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 25)
         INSERT INTO runs (started, ended, version, command, rules, rules_hash, outcome)
             SELECT n * 10, n * 10 + 10, 'v' || n || '.', 'watch', 1, x'00', 'done' FROM n;
         INSERT INTO gaps (run_id, feed, started, reason, detail)
             SELECT 25, 'feed ' || id, 1, 'disconnected', printf('%.*c', 500, 'x') FROM runs",
    );
    let text = report_at(&connection, &file, " --config c.yaml", NOW).unwrap();
    assert!(text.contains("v16.\n") && !text.contains("v15."), "{text}");
    assert!(text.contains("    and 5 more\n"), "{text}");
    assert!(text.contains(&format!(" {}…\n", "x".repeat(100))), "{text}");
}

#[test]
fn what_cannot_be_read_is_named_with_a_remedy() {
    let (_folder, file, connection) = database("DROP TABLE gaps");
    let error = report(&connection, &file, "", &mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot read the database: ", file.display())));
    assert!(error.contains("no such table: gaps") && error.contains("remedy: "), "{error}");
}

#[test]
fn a_reader_that_leaves_is_no_error_and_a_full_disk_is() {
    let (_folder, file, connection) = database("");
    let (reader, mut writer) = io::pipe().unwrap();
    drop(reader);
    report(&connection, &file, "", &mut writer).unwrap();
    let mut full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = report(&connection, &file, "", &mut full).unwrap_err().to_string();
    assert!(error.contains("cannot write the report: No space left"), "{error}");
}

#[test]
fn numbers_are_shown_in_units_that_fit() {
    for (micros, text) in [
        (-1, "0.0 s"),
        (9_940_000, "9.9 s"),
        (59 * SECOND, "59 s"),
        (61 * SECOND, "1 min 1 s"),
        (3_660 * SECOND, "1 h 1 min"),
        (DAY + 7_200 * SECOND, "1 d 2 h"),
    ] {
        assert_eq!(duration(micros), text);
    }
    assert_eq!(
        [count(0), count(999), count(1_000), count(1_234_567)],
        ["0", "999", "1,000", "1,234,567"]
    );
    assert_eq!([bytes(512), bytes(45_056), bytes(12_345_678)], ["512 bytes", "45.1 kB", "12.3 MB"]);
}

#[test]
fn says_how_much_of_the_logs_is_verified() {
    let (_folder, file, connection) = database(
        "INSERT INTO positions (feed, sequence, position, updated, entries, verified)
         VALUES ('log a', 1, 1, 1, 2000, 500), ('verify a', 1, 1, 1, 20, 20);
         INSERT INTO unverified VALUES ('a', 1, 1, 0), ('a', 2, 1, 0), ('a', 3, 1, 1);",
    );
    let mut text = Vec::new();
    report(&connection, &file, "", &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for line in [
        "  520 of 2,000 entries were proven to stand in their log's signed tree (26 %)",
        "  2 that matched by their names alone wait for that",
        "  1 matched by names that their certificates do not hold: refuted",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
}
