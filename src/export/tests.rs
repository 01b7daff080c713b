//! Exports as files: what stands in them, and what they replace.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::*;
use crate::error::ExitCode;
use crate::store::schema;

/// A database file with rows of every kind: `paypal` matched two domains in the first run and one
/// in the second, `login` one of them; one domain was adopted.
const ROWS: &str = r"
INSERT INTO runs (started, ended, version, command, rules, rules_hash, outcome)
    VALUES (1000, 2000, '0.1.0', 'watch', 2, x'00', 'done'),
           (5000, NULL, '0.1.0', 'watch', 2, x'00', NULL);
INSERT INTO rules (id, hash, name, pattern, tags, first_loaded)
    VALUES (1, x'01', 'paypal', 'paypal', '[]', 1000), (2, x'02', 'login', '^login', '[]', 1000),
           (3, x'03', 'paypal', 'pay-?pal', '[]', 5000);
INSERT INTO domains (id, domain, registered_domain, first_seen, last_seen, sightings)
    VALUES (1, 'paypal.example', 'paypal.example', 1100, 1900, 3),
           (2, 'login.paypal.example', 'paypal.example', 1200, 5300, 4),
           (3, 'Zeta.example', NULL, NULL, NULL, 0),
           (4, 'pay-pal.example', 'pay-pal.example', 5100, 5200, 1);
INSERT INTO certificates (id, issuer, serial, sha256, subject_cn, not_before, not_after,
                          update_type, log_name, cert_index, cert_link)
    VALUES (1, '=CMD()', '0A', 'ab12', 'paypal.example', 1, 2, 'X509LogEntry', 'Log 1', 7,
            'https://ct.example/7'),
           (2, 'CN=New', '0B', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO matches (domain_id, rule_id, views, first_certificate, last_certificate, first_seen,
                     last_seen, first_run)
    VALUES (1, 1, 1, 1, 1, 1100, 1900, 1), (2, 1, 1, 1, 1, 1200, 1900, 1),
           (2, 3, 1, 2, 2, 5300, 5300, 2), (2, 2, 1, NULL, NULL, 1200, 5300, NULL),
           (4, 3, 1, NULL, NULL, 4900, 5200, 2);
UPDATE matches SET technique = 'omission', distance = 1 WHERE domain_id = 2 AND rule_id = 1;
INSERT INTO names VALUES (2, 'www.login.paypal.example'), (2, '*.login.paypal.example');
";

/// A folder with a database in it, gone when dropped.
struct Database {
    folder: tempfile::TempDir,
    connection: Connection,
}

impl Database {
    fn new(rows: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("database.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        for step in schema::STEPS {
            connection.execute_batch(step).unwrap();
        }
        connection.execute_batch(rows).unwrap();
        Self { folder, connection }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn export_to(&self, file: &Path, filter: &Filter, format: Format) -> Result<Summary> {
        export(&self.connection, filter, format, &Target::File(file.to_path_buf()))
    }

    /// What is exported, as text; the summary must agree.
    fn domains(&self, filter: &Filter) -> Vec<String> {
        let file = self.path("domains.txt");
        let summary = self.export_to(&file, filter, Format::Text).unwrap();
        let text = fs::read_to_string(file).unwrap();
        let domains: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(summary.domains, domains.len() as u64);
        domains
    }

    /// Files in the folder besides the database's own.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with("database.db"))
            .collect();
        files.sort();
        files
    }
}

fn span(since: Option<i64>, until: Option<i64>) -> Filter {
    Filter { since, until, ..Filter::default() }
}

#[test]
fn text_is_every_domain_sorted_bytewise() {
    let database = Database::new(ROWS);
    let file = database.path("new/folder/domains.txt");
    let summary = database.export_to(&file, &Filter::default(), Format::Text).unwrap();
    assert_eq!(summary, Summary { domains: 4, ..Summary::default() });
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        "Zeta.example\nlogin.paypal.example\npay-pal.example\npaypal.example\n"
    );
}

#[test]
fn csv_guards_formulas_and_shows_the_newest_evidence() {
    let database = Database::new(ROWS);
    let file = database.path("domains.csv");
    database.export_to(&file, &Filter::default(), Format::Csv).unwrap();
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        "domain,registered_domain,rules,techniques,distances,verdicts,views,mixed_script,new,first_seen,\
         last_seen,sightings,names_as_seen,issuer,subject_cn,serial,sha256,not_before,\
         not_after,update_type,log,index,link\n\
         Zeta.example,,,,,,,false,false,,,0,,,,,,,,,,,\n\
         login.paypal.example,paypal.example,login; paypal,; omission,; 1,; ,a-label,false,true,\
         1970-01-01T00:00:00.0012Z,1970-01-01T00:00:00.0053Z,4,\
         *.login.paypal.example; www.login.paypal.example,CN=New,,0B,,,,,,,\n\
         pay-pal.example,pay-pal.example,paypal,,,,a-label,false,true,\
         1970-01-01T00:00:00.0051Z,1970-01-01T00:00:00.0052Z,1,,,,,,,,,,,\n\
         paypal.example,paypal.example,paypal,,,,a-label,false,false,\
         1970-01-01T00:00:00.0011Z,1970-01-01T00:00:00.0019Z,3,,'=CMD(),paypal.example,0A,ab12,\
         1970-01-01T00:00:01Z,1970-01-01T00:00:02Z,X509LogEntry,Log 1,7,https://ct.example/7\n"
    );
}

#[test]
fn json_lines_have_the_fields_of_csv() {
    let database = Database::new(ROWS);
    let file = database.path("domains.jsonl");
    database.export_to(&file, &span(Some(0), Some(1150)), Format::JsonLines).unwrap();
    assert_eq!(
        fs::read_to_string(file).unwrap(),
        concat!(
            r#"{"domain":"paypal.example","registered_domain":"paypal.example","#,
            r#""rules":["paypal"],"techniques":[null],"distances":[null],"verdicts":[null],"#,
            r#""views":["a-label"],"mixed_script":false,"new":true,"#,
            r#""first_seen":"1970-01-01T00:00:00.0011Z","#,
            r#""last_seen":"1970-01-01T00:00:00.0019Z","sightings":3,"names_as_seen":[],"#,
            r#""issuer":"=CMD()","subject_cn":"paypal.example","serial":"0A","sha256":"ab12","#,
            r#""not_before":"1970-01-01T00:00:01Z","not_after":"1970-01-01T00:00:02Z","#,
            r#""update_type":"X509LogEntry","log":"Log 1","index":7,"#,
            r#""link":"https://ct.example/7"}"#,
            "\n"
        )
    );
}

#[test]
fn a_span_takes_the_domains_that_were_seen_in_it() {
    let database = Database::new(ROWS);
    let all = ["login.paypal.example", "pay-pal.example", "paypal.example"];
    assert_eq!(database.domains(&span(Some(0), None)), all, "adopted ones have no date");
    assert_eq!(database.domains(&span(Some(1900), None)), all);
    assert_eq!(database.domains(&span(Some(1901), None)), &all[..2]);
    assert_eq!(database.domains(&span(None, Some(1100))), [""; 0]);
    assert_eq!(database.domains(&span(None, Some(1101))), ["paypal.example"]);
    assert_eq!(database.domains(&span(Some(2000), Some(5000))), ["login.paypal.example"]);
}

#[test]
fn the_summary_tells_of_the_gaps_within_the_span() {
    let database = Database::new(ROWS);
    let gaps = "INSERT INTO gaps (run_id, feed, started, ended, reason, detail, rows_dropped)
        VALUES (1, 'a', 1200, 1300, 'disconnected', '', 0), (1, 'a', 1400, 1500, 'backlog', '', 7),
               (2, 'a', 5100, NULL, 'disconnected', '', 0)";
    database.connection.execute_batch(gaps).unwrap();
    let missed = |filter: &Filter| {
        let file = database.path("domains.txt");
        let summary = database.export_to(&file, filter, Format::Text).unwrap();
        (summary.gaps, summary.rows_dropped)
    };
    assert_eq!(missed(&Filter::default()), (3, 7));
    assert_eq!(missed(&span(Some(1301), None)), (2, 7));
    assert_eq!(missed(&span(Some(1501), None)), (1, 0));
    assert_eq!(missed(&span(None, Some(1400))), (1, 0));
    let summary = Summary { domains: 4, gaps: 3, rows_dropped: 7, ..Summary::default() };
    let line = "exported 4 domains to out.txt; missed until now: 3 gaps, 7 matched rows dropped";
    assert_eq!(summary.to_line(&Target::File(PathBuf::from("out.txt"))), line);
    let logs = "INSERT INTO positions (feed, sequence, position, updated, entries, verified)
        VALUES ('log a', 1, 1, 1, 100, 60), ('verify a', 1, 1, 1, 5, 5), ('ws://a/', 1, 1, 1, 0, 0)";
    database.connection.execute_batch(logs).unwrap();
    let file = database.path("domains.txt");
    let summary = database.export_to(&file, &Filter::default(), Format::Text).unwrap();
    let line = summary.to_line(&Target::Stdout);
    assert!(line.ends_with("; 65 of 100 log entries verified"), "{line}");
}

#[test]
fn a_rule_takes_the_domains_it_matched_under_any_pattern() {
    let database = Database::new(ROWS);
    let rule = |name: &str| Filter { rule: Some(name.to_owned()), ..Filter::default() };
    assert_eq!(database.domains(&rule("login")), ["login.paypal.example"]);
    assert_eq!(
        database.domains(&rule("paypal")),
        ["login.paypal.example", "pay-pal.example", "paypal.example"]
    );
}

#[test]
fn new_means_in_the_span_or_else_in_the_latest_run() {
    let database = Database::new(ROWS);
    let new = |filter: Filter| database.domains(&Filter { new_only: true, ..filter });
    // Known before, but the second run's rule is new to it.
    assert_eq!(new(Filter::default()), ["login.paypal.example", "pay-pal.example"]);
    let login = Filter { rule: Some("login".to_owned()), ..Filter::default() };
    assert_eq!(new(login), [""; 0]);
    assert_eq!(new(span(Some(1150), Some(1201))), ["login.paypal.example"]);
    assert_eq!(new(span(None, Some(1150))), ["paypal.example"]);
}

#[test]
fn an_unknown_rule_is_a_usage_error_that_names_the_known_ones() {
    let database = Database::new(ROWS);
    let filter = Filter { rule: Some("pay\u{1b}pal".to_owned()), ..Filter::default() };
    let file = database.path("domains.txt");
    let error = database.export_to(&file, &filter, Format::Text).unwrap_err();
    assert_eq!(error.exit(), ExitCode::Usage);
    assert_eq!(
        error.to_string(),
        "--rule: no run had a rule named `pay\\u{1b}pal`\n  \
         remedy: the database knows: login, paypal"
    );
    assert_eq!(database.files(), [""; 0]);
}

#[test]
fn a_span_that_ends_before_it_begins_is_a_usage_error() {
    let database = Database::new(ROWS);
    let file = database.path("domains.txt");
    let error = database.export_to(&file, &span(Some(5), Some(5)), Format::Text).unwrap_err();
    assert_eq!(error.exit(), ExitCode::Usage);
    assert!(error.to_string().contains("--since must be earlier than --until"));
}

#[test]
fn what_was_adopted_cannot_break_lines_or_end_the_export() {
    let database = Database::new(
        "INSERT INTO domains (domain, sightings)
             VALUES ('a' || char(10) || 'b', 0), (CAST(x'63ff' AS TEXT), 0), ('=d', 0)",
    );
    assert_eq!(database.domains(&Filter::default()), ["=d", "a\\u{a}b", "c\u{fffd}"]);
    let file = database.path("domains.csv");
    database.export_to(&file, &Filter::default(), Format::Csv).unwrap();
    let csv = fs::read_to_string(file).unwrap();
    assert_eq!(csv.lines().nth(1), Some("'=d,,,,,,,false,false,,,0,,,,,,,,,,,"));
}

#[test]
fn an_old_export_is_replaced_and_keeps_its_mode() {
    let database = Database::new(ROWS);
    let file = database.path("domains.txt");
    fs::write(&file, "old and much longer than what comes after it, to the last byte of all\n")
        .unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let inode = fs::metadata(&file).unwrap().ino();
    database.export_to(&file, &span(None, Some(1101)), Format::Text).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "paypal.example\n");
    let new = fs::metadata(&file).unwrap();
    assert_eq!(new.permissions().mode() & 0o7777, 0o640);
    assert_ne!(new.ino(), inode, "renamed over, not written into");
    assert_eq!(database.files(), ["domains.txt"]);
}

#[test]
fn a_new_export_follows_the_umask() {
    let database = Database::new(ROWS);
    let (file, expected) = (database.path("domains.txt"), database.path("touched"));
    database.export_to(&file, &Filter::default(), Format::Text).unwrap();
    assert!(Command::new("touch").arg(&expected).status().unwrap().success());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&file), mode(&expected) & 0o644);
}

#[test]
fn a_link_stays_and_what_it_points_to_is_replaced() {
    let database = Database::new(ROWS);
    let (file, link) = (database.path("real.txt"), database.path("link.txt"));
    fs::write(&file, "old\n").unwrap();
    symlink(&file, &link).unwrap();
    database.export_to(&link, &span(None, Some(1101)), Format::Text).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "paypal.example\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

    // Also where that is not there yet, over several links, and in a folder of another name.
    fs::create_dir(database.path("disk")).unwrap();
    let (first, second) = (database.path("first.txt"), database.path("disk/second.txt"));
    symlink("disk/second.txt", &first).unwrap();
    symlink("third.txt", &second).unwrap();
    database.export_to(&first, &span(None, Some(1101)), Format::Text).unwrap();
    assert_eq!(fs::read_to_string(database.path("disk/third.txt")).unwrap(), "paypal.example\n");
    for link in [first, second] {
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{}", link.display());
    }
    let circle = database.path("circle.txt");
    symlink("circle.txt", &circle).unwrap();
    database.export_to(&circle, &span(None, None), Format::Text).unwrap_err();
    assert!(fs::symlink_metadata(&circle).unwrap().is_symlink());
}

#[test]
fn a_database_is_not_replaced_whatever_it_is_called() {
    let database = Database::new(ROWS);
    let file = database.path("database.db");
    let (before, target) = (fs::read(&file).unwrap(), Target::File(file.clone()));
    for error in [
        target.check().unwrap_err(),
        database.export_to(&file, &Filter::default(), Format::Text).unwrap_err(),
    ] {
        assert_eq!(error.exit(), ExitCode::Usage);
        assert!(error.to_string().contains("would overwrite an SQLite database"), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_pipe_is_written_to_and_stays() {
    let database = Database::new(ROWS);
    let pipe = database.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
    };
    database.export_to(&pipe, &span(None, Some(1101)), Format::Text).unwrap();
    assert_eq!(reader.join().unwrap(), "paypal.example\n");
    assert_eq!(database.files(), ["pipe"]);
}

#[test]
fn a_failure_on_the_way_leaves_the_old_export() {
    let database = Database::new(ROWS);
    let file = database.path("domains.jsonl");
    fs::write(&file, "old\n").unwrap();
    // No set of views: found out at the last domain only.
    let damage = "UPDATE matches SET views = 999 WHERE domain_id = 1";
    database.connection.execute_batch(damage).unwrap();
    let error = database.export_to(&file, &Filter::default(), Format::JsonLines).unwrap_err();
    assert!(error.to_string().contains("cannot read the database: "), "{error}");
    assert!(error.to_string().contains("database.db"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old\n");
    assert_eq!(database.files(), ["domains.jsonl"]);
}

#[test]
fn what_a_killed_export_left_is_removed_and_that_of_a_live_one_is_not() {
    let database = Database::new(ROWS);
    let mut killed = Command::new("sleep").arg("60").spawn().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let temporary = |pid: u32, end: &str| format!(".certstream-export-{pid}-{end}");
    let live = temporary(std::process::id(), "live");
    // As one in another container looks, whose process ids are not ours.
    let elsewhere = temporary(killed.id(), "elsewhere");
    let abandoned = temporary(killed.id(), "abandoned");
    for name in [&live, &elsewhere, &abandoned] {
        fs::write(database.path(name), "half an exp").unwrap();
    }
    let held = fs::File::open(database.path(&elsewhere)).unwrap();
    held.try_lock().unwrap();
    fs::create_dir(database.path(&temporary(killed.id(), "folder"))).unwrap();
    database.export_to(&database.path("out.txt"), &Filter::default(), Format::Text).unwrap();
    let left = database.files();
    assert!(!left.contains(&abandoned), "{left:?}");
    assert!(left.contains(&live) && left.contains(&elsewhere), "{left:?}");
    assert!(left.contains(&temporary(killed.id(), "folder")), "{left:?}");
}

#[test]
fn places_that_cannot_be_written_are_named_with_a_remedy() {
    let database = Database::new(ROWS);
    let file = database.path("file");
    fs::write(&file, "not a folder").unwrap();
    for (target, exit, what) in [
        (database.folder.path().to_path_buf(), ExitCode::Usage, "target is a folder"),
        (file.join("domains.txt"), ExitCode::Failed, "cannot write the export there: Not a dir"),
        (file.join("a/domains.txt"), ExitCode::Failed, "cannot write the export there: Not a dir"),
        (PathBuf::from("/proc/domains.txt"), ExitCode::Failed, "cannot write the export there: "),
    ] {
        let error = database.export_to(&target, &Filter::default(), Format::Text).unwrap_err();
        assert_eq!(error.exit(), exit);
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: ", target.display())), "{text}");
        assert!(text.contains(what) && text.contains("remedy: "), "{text}");
    }
}

#[test]
fn a_full_disk_is_reported_as_one() {
    let database = Database::new(ROWS);
    let full = Path::new("/dev/full");
    let error = database.export_to(full, &Filter::default(), Format::Text).unwrap_err();
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert!(error.to_string().contains("free space there"), "{error}");
}

#[test]
fn a_reader_that_leaves_ends_the_export_quietly() {
    let database = Database::new(ROWS);
    let (reader, mut writer) = io::pipe().unwrap();
    drop(reader);
    let mut summary = Summary::default();
    let filter = Filter::default();
    let mut write =
        || write_all(&database.connection, &filter, Format::Text, &mut writer, &mut summary);
    assert!(matches!(write(), Err(Fault::Write(_))));
    assert!(until_closed(write()).is_ok());
    let full: io::Result<()> = Err(io::Error::from(io::ErrorKind::StorageFull));
    assert!(until_closed(full.map_err(Fault::Write)).is_err());
}

#[test]
fn an_export_is_one_snapshot_whatever_is_committed_meanwhile() {
    let database = Database::new(
        "INSERT INTO domains (domain, sightings)
             WITH RECURSIVE numbers (n) AS
                 (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
             SELECT format('b%05d.example', n), 0 FROM numbers",
    );
    let connection = Connection::open(database.path("database.db")).unwrap();

    /// Commits a row after the first bytes have left.
    struct Meddler<'a>(&'a Connection, Vec<u8>);
    impl Write for Meddler<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1.is_empty() {
                self.0
                    .execute("INSERT INTO domains (domain, sightings) VALUES ('z', 0)", [])
                    .unwrap();
            }
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Meddler(&connection, Vec::new());
    let mut summary = Summary::default();
    let filter = Filter::default();
    write_all(&database.connection, &filter, Format::Text, &mut out, &mut summary).unwrap();
    assert_eq!(summary.domains, 20_000);
    assert_eq!(out.1.iter().filter(|&&byte| byte == b'\n').count(), 20_000);
    assert_eq!(database.domains(&Filter::default()).len(), 20_001);
}
