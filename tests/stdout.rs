//! Matches on stdout: as lines, as JSON, and when nobody reads them any more.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls, wait_until};

/// The fields of a record, in their order.
const FIELDS: [&str; 24] = [
    "domain",
    "registered_domain",
    "rules",
    "techniques",
    "distances",
    "verdicts",
    "views",
    "mixed_script",
    "new",
    "first_seen",
    "last_seen",
    "sightings",
    "names_as_seen",
    "issuer",
    "subject_cn",
    "serial",
    "sha256",
    "not_before",
    "not_after",
    "update_type",
    "log",
    "index",
    "link",
    "",
];

fn capture(folder: &Folder) {
    folder.write("rules.txt", "example\npay\n");
    let name = |n: usize| format!("*.pay{}.example.com", n % 10);
    let lines = (0..100).map(|n| {
        let name = name(n);
        format!(
            r#"{{"message_type":"certificate_update","data":{{"update_type":"X509LogEntry","seen":1700000000.5,"leaf_cert":{{"all_domains":["{name}"],"serial_number":"0AB","issuer":{{"C":"US","CN":"Test"}}}}}}}}"#
        )
    });
    let text: String = lines.map(|line| line + "\n").collect();
    folder.write("capture.jsonl", text);
}

#[test]
fn new_pairs_once_as_lines_or_as_json() {
    let folder = Folder::new();
    capture(&folder);
    assert_eq!(folder.run(&["replay", "--rules", "rules.txt", "capture.jsonl"]), 0);
    let lines = folder.stdout();
    assert_eq!(lines.lines().count(), 10, "{lines}");
    assert!(
        lines.lines().all(|line| line.starts_with("pay") && line.contains("\texample")),
        "{lines}"
    );
    assert_eq!(folder.run(&["replay", "--rules=rules.txt", "--json", "capture.jsonl"]), 0);
    let json = folder.stdout();
    assert_eq!(json.lines().count(), 10);
    for line in json.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let record = record.as_object().unwrap();
        assert_eq!(record.len(), FIELDS.len() - 1);
        let mut at = 0;
        for field in &FIELDS[..FIELDS.len() - 1] {
            let key = format!("\"{field}\":");
            at += line[at..].find(&key).unwrap_or_else(|| panic!("{field} in its place: {line}"));
        }
        assert_eq!(record["rules"], serde_json::json!(["example", "pay"]));
        assert_eq!(record["serial"], "AB");
        assert_eq!(record["issuer"], "C=US, CN=Test");
        assert_eq!(record["first_seen"], "2023-11-14T22:13:20.5Z");
        assert_eq!(record["registered_domain"], "example.com");
        assert!(record["names_as_seen"][0].as_str().unwrap().starts_with("*.pay"));
    }
}

#[test]
fn every_sighting_is_a_line() {
    let folder = Folder::new();
    capture(&folder);
    let words = ["replay", "--rules", "rules.txt", "--every-sighting", "--json", "capture.jsonl"];
    assert_eq!(folder.run(&words), 0);
    let mut seen = std::collections::HashMap::new();
    for line in folder.stdout().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let count: &mut u64 = seen.entry(record["domain"].to_string()).or_default();
        *count += 1;
        assert_eq!(record["sightings"], *count);
        assert_eq!(record["new"], *count == 1);
    }
    assert!(seen.len() == 10 && seen.values().all(|count| *count == 10), "{seen:?}");
}

/// An endless stream of new domains, as fast as the client reads.
fn flood() -> Server {
    Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send((0..).map(|n| {
            Message::text(format!(
                r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{"all_domains":["n{n}.example.com"]}}}}}}"#
            ))
        }))
    })
}

#[test]
fn a_reader_that_leaves_counts_as_a_first_signal() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = flood();
    let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
    let mut program = folder.start_with(&words, Stdio::piped(), Stdio::null());
    let stdout = program.child().stdout.take().unwrap();
    let first = BufReader::new(stdout).lines().next().unwrap().unwrap();
    assert!(first.contains(".example.com\t"), "{first}");
    // The reader is dropped by now: the pipe is closed.
    assert_eq!(program.end().code(), Some(0), "{}", folder.stderr());
    assert!(folder.stderr().contains("stdout was closed"), "{}", folder.stderr());
    let stored = folder.texts("certstream.db", "SELECT domain FROM domains ORDER BY domain");
    assert_eq!(folder.lines("certstream.txt"), stored);
}

#[test]
fn a_reader_that_leaves_is_noticed_without_a_match() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = Server::start(Tls::Off, |visit| visit.upgrade()?.keep_open());
    let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
    let mut program = folder.start_with(&words, Stdio::piped(), Stdio::null());
    wait_until("it is connected", || folder.stderr().contains("connected"));
    assert!(program.is_running());
    drop(program.child().stdout.take());
    assert_eq!(program.end().code(), Some(0), "{}", folder.stderr());
    assert!(folder.stderr().contains("stdout was closed"), "{}", folder.stderr());
}

#[test]
fn every_line_that_a_sleeping_reader_misses_is_counted() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = flood();
    let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
    let mut program = folder.start_with(&words, Stdio::piped(), Stdio::null());
    let mut stdout = program.child().stdout.take().unwrap();
    folder.wait_for_position("certstream.db", 20_000);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let mut shown = String::new();
    stdout.read_to_string(&mut shown).unwrap();
    let stderr = folder.stderr();
    let number_before = |words: &str| -> usize {
        let before = stderr.split(words).next().unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{words}: {stderr}"))
    };
    let whole = shown.bytes().filter(|byte| *byte == b'\n').count();
    let not_shown = number_before(" lines not shown");
    assert_eq!(whole + not_shown, number_before(" new pairs of domain and rule"));
}
