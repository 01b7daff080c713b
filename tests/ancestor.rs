//! A drop-in for the ancestor: in its untouched folder the same domains come out that its script
//! would have stored from the same frames, but for those named here.

use std::collections::BTreeSet;
use std::path::Path;

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls};

const CONFIG: &str = "certstream:
  server: 'wss://certstream.calidog.io'  # the public server
  input: 'input/input_regex.txt'  # regexes
  output: 'logs/CertStream.txt'  # domains

database:
  purge: PURGE
  filename: 'logs/CertStream.db'
";
const RULES: [&str; 4] =
    [".*example.*", "wb[0-9]+", "(portal|mail|access)\\.", "[0-9a-z]+\\.myfritz"];

fn real_frames() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    std::fs::read_to_string(file).unwrap()
}

/// What the script stores, from its source: only certificate updates; `http://`, `https://` and
/// what follows the host removed; then `www.`, then `*.`; `re.match` on all rules joined.
fn script(frames: &str) -> BTreeSet<String> {
    let joined = format!("^(?:{})", RULES.join("|"));
    let pattern = regex_automata::meta::Regex::new(&joined).unwrap();
    let mut stored = BTreeSet::new();
    for line in frames.lines() {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        if frame["message_type"] != "certificate_update" {
            continue;
        }
        let names = frame["data"]["leaf_cert"]["all_domains"].as_array().cloned();
        for name in names.unwrap_or_default() {
            let name = name.as_str().unwrap();
            let name = name.strip_prefix("http://").unwrap_or(name);
            let name = name.strip_prefix("https://").unwrap_or(name);
            let name = name.split(['/', '?', '#']).next().unwrap();
            let name = name.strip_prefix("www.").unwrap_or(name);
            let name = name.strip_prefix("*.").unwrap_or(name);
            if pattern.is_match(name) {
                stored.insert(name.to_owned());
            }
        }
    }
    stored
}

/// Frames in which the two differ, each with what the script stores and what we store.
const DIFFERENT: [(&str, &str, &str); 9] = [
    // We ignore case and store lower case.
    ("Portal.Example.COM", "", "portal.example.com"),
    ("wb7.Example.com", "wb7.Example.com", "wb7.example.com"),
    // No host names: the script stores them.
    ("example free text", "example free text", ""),
    ("1example", "1example", ""),
    // We take the port away; `urlparse` leaves it.
    ("mail.test.org:8443", "mail.test.org:8443", "mail.test.org"),
    // The root's dot, blanks around, and Unicode: one spelling a domain.
    ("mail.dot.org.", "mail.dot.org.", "mail.dot.org"),
    ("mail.blank.org ", "mail.blank.org ", "mail.blank.org"),
    ("mail.bücher.org", "mail.bücher.org", "mail.xn--bcher-kva.org"),
    // Cyrillic letters that look like `mail`.
    ("xn--l-7sb9a1g.org", "", "xn--l-7sb9a1g.org"),
];

fn frames_that_differ() -> String {
    let frame = |(name, _, _): &(&str, &str, &str)| {
        let name = serde_json::to_string(name).unwrap();
        format!(
            r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{"all_domains":[{name}]}}}}}}"#
        )
    };
    // Domains-only messages say nothing to the script.
    let dns = r#"{"message_type":"dns_entries","data":["mail.only-names.org"]}"#.to_owned();
    DIFFERENT.iter().map(frame).chain([dns]).map(|line| line + "\n").collect()
}

/// Runs in the ancestor's folder against a server that sends `frames`; the exported domains.
fn run(folder: &Folder, frames: String, purge: &str) -> BTreeSet<String> {
    folder.write("input/config.yaml", CONFIG.replace("PURGE", purge));
    folder.write("input/input_regex.txt", RULES.join("\n") + "\n");
    folder.write("logs/CertStream.txt", "appended.before.example\n");
    let old = rusqlite::Connection::open(folder.path("logs/CertStream.db")).unwrap();
    old.execute_batch(
        "CREATE TABLE certtransp_domains(domain TEXT NOT NULL PRIMARY KEY);
         INSERT INTO certtransp_domains VALUES ('old.example.com'), ('older.org')",
    )
    .unwrap();
    drop(old);
    let count = frames.lines().count() as i64;
    let server = Server::start(Tls::Off, move |visit| {
        let mut peer = visit.upgrade()?;
        peer.send(frames.lines().map(Message::text))?;
        peer.keep_open()
    });
    let mut program = folder.start(&["watch", "--anchor", "start", "--server", &server.url("/")]);
    folder.wait_for_position("logs/CertStream.db", count);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    folder.lines("logs/CertStream.txt").into_iter().collect()
}

#[test]
fn the_same_domains_come_out_and_the_old_database_is_set_aside() {
    let folder = Folder::new();
    let exported = run(&folder, real_frames(), "True");
    // dns_entries among the real frames name the same certificates, so nothing differs here.
    let mut expected = script(&real_frames());
    let no_host_names: Vec<String> =
        expected.iter().filter(|name| !name.contains('.')).cloned().collect();
    assert!(no_host_names.is_empty(), "{no_host_names:?}");
    expected.retain(|name| !name.is_empty());
    assert!(expected.len() > 5, "{expected:?}");
    assert_eq!(exported, expected);
    let aside: Vec<_> = std::fs::read_dir(folder.path("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("CertStream.db.2"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    // What the script appended to for months is not lost to one run.
    let export = aside[0].replace("CertStream.db", "logs/CertStream.txt");
    assert_eq!(folder.read(&export), "appended.before.example\n");
    let kept = "SELECT domain FROM certtransp_domains ORDER BY domain";
    let old = rusqlite::Connection::open(folder.path("logs").join(&aside[0])).unwrap();
    let count: i64 =
        old.query_row("SELECT count(*) FROM certtransp_domains", [], |r| r.get(0)).unwrap();
    assert_eq!(count, 2);
    let view: BTreeSet<String> = folder.texts("logs/CertStream.db", kept).into_iter().collect();
    assert_eq!(view, exported);
}

#[test]
fn a_run_that_stores_nothing_leaves_the_old_export_aside() {
    let folder = Folder::new();
    let exported = run(&folder, "{\"message_type\":\"heartbeat\"}\n".to_owned(), "True");
    assert!(exported.is_empty(), "{exported:?}");
    let kept = |name: &String| folder.read(&format!("logs/{name}")) == "appended.before.example\n";
    let files = std::fs::read_dir(folder.path("logs")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(kept).count(), 1);
    assert!(folder.stderr().contains("the old export is set aside as "), "{}", folder.stderr());
}

#[test]
fn without_purge_the_old_rows_are_adopted() {
    let folder = Folder::new();
    let exported = run(&folder, real_frames(), "False");
    let mut expected = script(&real_frames());
    expected.extend(["old.example.com".to_owned(), "older.org".to_owned()]);
    assert_eq!(exported, expected);
}

#[test]
fn what_differs_is_known_by_name() {
    let folder = Folder::new();
    let exported = run(&folder, frames_that_differ(), "True");
    let theirs: BTreeSet<String> =
        DIFFERENT.iter().map(|d| d.1.to_owned()).filter(|d| !d.is_empty()).collect();
    let mut ours: BTreeSet<String> =
        DIFFERENT.iter().map(|d| d.2.to_owned()).filter(|d| !d.is_empty()).collect();
    ours.insert("mail.only-names.org".to_owned());
    assert_eq!(script(&frames_that_differ()), theirs);
    assert_eq!(exported, ours);
}
