//! SIGKILL at any moment: the database is exactly a prefix of what was read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::testenv::Folder;

const LINES: usize = 60_000;

/// Line `n` of the capture: one or two names, some of which match.
fn names(n: usize) -> Vec<String> {
    let mut names = vec![format!("n{}.example.com", n % 997)];
    if n.is_multiple_of(3) {
        names.push(format!("*.login{}.example.org", n % 101));
    }
    names
}

fn capture() -> String {
    let mut text = String::new();
    for n in 0..LINES {
        let names = serde_json::to_string(&names(n)).unwrap();
        text.push_str(&format!(
            r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{"all_domains":{names},"serial_number":"{:X}","issuer":{{"CN":"Test"}}}},"seen":{n}.25}}}}"#,
            n / 2 + 1
        ));
        text.push('\n');
    }
    text
}

/// The sightings of each domain that the first `lines` lines give under the rules of this test.
fn prefix(lines: usize) -> BTreeMap<String, i64> {
    let mut sightings = BTreeMap::new();
    for name in (0..lines).flat_map(names) {
        let domain = name.trim_start_matches("*.");
        if domain.starts_with("n1") || domain.contains("login") {
            *sightings.entry(domain.to_owned()).or_default() += 1;
        }
    }
    sightings
}

fn stored(folder: &Folder) -> BTreeMap<String, i64> {
    let connection = folder.database("kill.db");
    let mut statement = connection.prepare("SELECT domain, sightings FROM domains").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn killed_at_fifty_moments_the_database_is_a_prefix_each_time() {
    let folder = Folder::new();
    folder.write("rules.txt", "^n1\nlogin\n");
    folder.write("capture.jsonl", capture());
    let mut random = fastrand::Rng::with_seed(50);
    let (mut partial, mut highest) = (0, 0);
    for _ in 0..50 {
        for old in ["kill.db", "kill.db-wal", "kill.db-shm"] {
            let _ = std::fs::remove_file(folder.path(old));
        }
        let words = [
            "replay",
            "--rules",
            "rules.txt",
            "--database",
            "kill.db",
            "--matchers",
            "4",
            "--rate",
            "150000",
            "-q",
            "capture.jsonl",
        ];
        let mut program = folder.start(&words);
        // A random moment is what is tested here; no condition is waited for.
        std::thread::sleep(Duration::from_millis(random.u64(1..500)));
        program.child().kill().unwrap();
        program.end();
        let position = folder.number("kill.db", "SELECT max(position) FROM positions");
        let Some(read) = position.filter(|position| *position > 0) else {
            let count = folder.number("kill.db", "SELECT count(*) FROM domains");
            assert!(count.unwrap_or(0) == 0, "rows without a position");
            continue;
        };
        let read = usize::try_from(read).unwrap();
        assert!(read <= LINES);
        partial += usize::from(read < LINES);
        highest = highest.max(read);
        assert_eq!(stored(&folder), prefix(read), "after {read} lines");
        let check = folder.texts("kill.db", "PRAGMA integrity_check");
        assert_eq!(check, ["ok"]);
    }
    assert!(partial >= 15, "only {partial} kills fell into the run, up to line {highest}");
    // The last one's database goes on: a further replay adds its sightings.
    let before = stored(&folder);
    let words = ["replay", "--rules", "rules.txt", "--database", "kill.db", "-q", "capture.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    let whole = prefix(LINES);
    let after = stored(&folder);
    for (domain, sightings) in &whole {
        let earlier = before.get(domain).copied().unwrap_or(0);
        assert_eq!(after.get(domain), Some(&(earlier + sightings)), "{domain}");
    }
    assert_eq!(after.len(), whole.len());
    let unclean = folder.number("kill.db", "SELECT count(*) FROM runs WHERE ended IS NULL");
    assert_eq!(folder.run(&["report", "--database", "kill.db"]), 0, "{}", folder.stderr());
    assert_eq!(unclean > Some(0), folder.stdout().contains("UNCLEANLY"), "{}", folder.stdout());
}
