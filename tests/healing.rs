//! What a certstream feed has missed is fetched from the log itself, by the real binary: a server
//! that is cut in mid-stream, and the log whose entries it has been handing on.

use std::collections::BTreeMap;
use std::ops::Range;

use rustix::process::Signal;
use tungstenite::Message;

use crate::testenv::ctwatch::{WORD, log_of, stored};
use crate::testenv::log::{Fault, LogServer, Protocol, TestLog, Times};
use crate::testenv::{Folder, Program, Server, Tls, wait_until};

/// How the frames of a server name the log.
type Naming = fn(&TestLog, &LogServer) -> (String, String);

fn by_monitoring_url(log: &TestLog, logs: &LogServer) -> (String, String) {
    (logs.url(&format!("/{}/", log.name())), String::new())
}

/// A certstream server that hands on the entries of `log`: to each client those of its range, and
/// all but the last are then cut off.
fn server(log: &TestLog, source: (String, String), ranges: Vec<Range<u64>>) -> Server {
    let names = log.expected();
    Server::start(Tls::Off, move |visit| {
        let last = visit.number + 1 >= ranges.len();
        let range = ranges.get(visit.number).cloned().unwrap_or(0..0);
        let mut peer = visit.upgrade()?;
        let update = |index: u64| {
            let (url, name) = &source;
            let update = serde_json::json!({
                "message_type": "certificate_update",
                "data": {
                    "update_type": "X509LogEntry",
                    "cert_index": index,
                    "leaf_cert": {"all_domains": names[index as usize].1, "sha256": format!("{index:064x}")},
                    "source": {"url": url, "name": name},
                },
            });
            Message::text(update.to_string())
        };
        peer.send(range.map(update))?;
        if last { peer.keep_open() } else { Ok(()) }
    })
}

/// A folder with a config that watches `server`, and heals from `logs`.
fn folder(server: &Server, logs: &LogServer, more: &str) -> Folder {
    let folder = Folder::new();
    folder.write("list.json", logs.list());
    let url = server.url("/");
    folder.write(
        "config.yaml",
        format!(
            "certstream: {{server: '{url}'}}\nct: {{enabled: no, log_list: list.json}}\n\
             heal: {{settle_after: 1 s{more}}}\nrules: [{WORD}]\n"
        ),
    );
    folder
}

/// The domains of the entries before `end`, and how often each is sighted when each is read once.
fn expected(log: &TestLog, end: u64) -> BTreeMap<String, i64> {
    let mut expected = BTreeMap::new();
    for (_, names) in log.expected().into_iter().filter(|(index, _)| *index < end) {
        for name in names.into_iter().filter(|name| name.contains(WORD)) {
            *expected.entry(name).or_default() += 1;
        }
    }
    expected
}

/// The holes that are known, and by whom each was closed.
fn holes(folder: &Folder) -> Vec<String> {
    let sql = "SELECT first_index || '-' || last_index || ' ' || reason || ' ' ||
                   iif(closed IS NULL, 'open', 'closed by ' || filled_by)
               FROM gaps WHERE log IS NOT NULL ORDER BY id";
    folder.texts("certstream.db", sql)
}

#[track_caller]
fn wait_for_holes(folder: &Folder, wanted: &[&str]) {
    let mut seen = Vec::new();
    wait_until(&format!("the holes are {wanted:?}"), || {
        let there = folder.number("certstream.db", "SELECT count(filled_by) FROM gaps").is_some();
        if there {
            seen = holes(folder);
        }
        seen == wanted
    });
}

fn stop(program: &mut Program, folder: &Folder) {
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}

#[test]
fn what_was_missed_is_fetched_however_the_server_names_the_log() {
    let by_submission_url: Naming = |log, _| (format!("https://{}/", log.origin()), String::new());
    let by_name: Naming = |log, _| (String::new(), format!("Operator '{}'", log.name()));
    for (protocol, naming) in [
        (Protocol::Tiles, by_monitoring_url as Naming),
        (Protocol::Tiles, by_submission_url),
        (Protocol::Rfc6962, by_monitoring_url),
        (Protocol::Rfc6962, by_name),
    ] {
        let log = log_of(protocol, 5, 1500);
        let logs = LogServer::start(Tls::Off, &[&log]);
        let server = server(&log, naming(&log, &logs), vec![0..300, 1100..1400]);
        let folder = folder(&server, &logs, "");
        let mut program = folder.start(&[]);
        let origin = match protocol {
            Protocol::Rfc6962 => logs.url("/alpha").replace("http://", ""),
            _ => log.origin(),
        };
        wait_for_holes(&folder, &[&format!("300-1099 disconnected closed by heal {origin}")]);
        stop(&mut program, &folder);
        // Each entry was read once: by the server's feed, or by that which heals.
        assert_eq!(stored(&folder), expected(&log, 1400), "{protocol:?}");
        let sql = "SELECT entries || ' ' || verified FROM positions WHERE feed LIKE 'heal %'";
        assert_eq!(folder.texts("certstream.db", sql), ["800 800"]);
        assert!(folder.stderr().contains("at most 800 log entries missed in them, 800 of those"));
        assert_eq!(folder.lines("certstream.txt").len(), stored(&folder).len());
    }
}

#[test]
fn what_is_too_large_stays_open_until_the_command_that_is_shown_is_run() {
    let log = log_of(Protocol::Tiles, 5, 1500);
    let logs = LogServer::start(Tls::Off, &[&log]);
    let source = by_monitoring_url(&log, &logs);
    let server = server(&log, source, vec![0..300, 310..400, 900..1000]);
    let folder = folder(&server, &logs, ", max_entries: 499");
    let mut program = folder.start(&[]);
    let small = format!("300-309 disconnected closed by heal {}", log.origin());
    wait_for_holes(&folder, &[&small, "400-899 disconnected open"]);
    // Beside the watch.
    assert_eq!(
        folder.start_logged(&["report", "--config", "config.yaml"], "said").end().code(),
        Some(0)
    );
    let report = folder.read("said");
    let command = report.lines().find_map(|line| line.split_once("certstream backfill "));
    let (_, words) = command.unwrap_or_else(|| panic!("{report}"));
    let place = logs.url("/alpha").replace("http://", "");
    assert_eq!(words, format!("--log {place} --from 400 --to 900 --config config.yaml"));
    let words: Vec<&str> = ["backfill"].into_iter().chain(words.split(' ')).collect();
    assert_eq!(
        folder.start_logged(&words, "said").end().code(),
        Some(0),
        "{}",
        folder.read("said")
    );
    let filled = format!("400-899 disconnected closed by backfill {} 400-900", log.origin());
    wait_for_holes(&folder, &[&small, &filled]);
    stop(&mut program, &folder);
    assert_eq!(stored(&folder), expected(&log, 1000));
    assert_eq!(folder.run(&["report"]), 0);
    assert!(!folder.stdout().contains("certstream backfill"), "{}", folder.stdout());
}

#[test]
fn a_log_that_cannot_be_reached_is_tried_again() {
    let log = log_of(Protocol::Tiles, 5, 1500);
    let logs = LogServer::start(Tls::Off, &[&log]);
    let refused = Fault::Refused { status: 404, retry_after: None };
    logs.misbehave("/alpha/checkpoint", Times::Always, refused);
    let server = server(&log, by_monitoring_url(&log, &logs), vec![0..300, 600..700]);
    let folder = folder(&server, &logs, "");
    let mut program = folder.start(&[]);
    wait_for_holes(&folder, &["300-599 disconnected open"]);
    let put_off =
        || folder.stderr().matches(&format!("heal {}: next attempt in", log.origin())).count();
    wait_until("it has been tried and put off twice", || put_off() == 2);
    assert_eq!(logs.count("/alpha/checkpoint"), 2, "not again before its time");
    assert_eq!(holes(&folder), ["300-599 disconnected open"]);
    logs.behave();
    wait_for_holes(&folder, &[&format!("300-599 disconnected closed by heal {}", log.origin())]);
    stop(&mut program, &folder);
    assert_eq!(stored(&folder), expected(&log, 700));
}

#[test]
fn a_log_that_is_in_no_list_stays_open() {
    let log = log_of(Protocol::Tiles, 5, 300);
    let logs = LogServer::start(Tls::Off, &[&log]);
    let elsewhere = ("https://elsewhere.example/log/".to_owned(), "a\u{1b}[2J log".to_owned());
    let server = server(&log, elsewhere, vec![0..100, 200..300]);
    let folder = folder(&server, &logs, "");
    let mut program = folder.start(&[]);
    let said = "elsewhere.example/log is in no list that is read";
    wait_until("it is said", || folder.stderr().contains(said));
    stop(&mut program, &folder);
    assert_eq!(holes(&folder), ["100-199 disconnected open"]);
    assert_eq!(logs.count("/alpha/checkpoint"), 0);
}

#[test]
fn a_kill_in_the_middle_costs_nothing_and_what_was_fetched_is_not_fetched_again() {
    let log = log_of(Protocol::Tiles, 5, 6000);
    let logs = LogServer::start(Tls::Off, &[&log]);
    // Who comes back is sent nothing more.
    let server = server(&log, by_monitoring_url(&log, &logs), vec![0..300, 5300..5400]);
    let folder = folder(&server, &logs, "");
    let position = || {
        folder.number("certstream.db", "SELECT position FROM positions WHERE feed LIKE 'heal %'")
    };
    for stalled in [6_i64, 12, 18] {
        logs.behave();
        let tile = format!("/alpha/tile/data/{stalled:03}");
        logs.misbehave(&tile, Times::Always, Fault::Stalled);
        let mut program = folder.start(&[]);
        // In batches of 256, which begin anywhere.
        wait_until("what comes before is stored", || position() > Some((stalled - 1) * 256));
        program.signal(Signal::KILL);
        program.end();
    }
    logs.behave();
    let before = logs.count("/alpha/tile/data/003");
    let mut program = folder.start(&[]);
    wait_for_holes(&folder, &[&format!("300-5299 disconnected closed by heal {}", log.origin())]);
    stop(&mut program, &folder);
    assert_eq!(logs.count("/alpha/tile/data/003"), before, "it was stored");
    assert_eq!(stored(&folder), expected(&log, 5400), "each entry is read once");
}

#[test]
fn what_went_by_while_nothing_ran_is_fetched_too() {
    let log = log_of(Protocol::Tiles, 5, 2000);
    let logs = LogServer::start(Tls::Off, &[&log]);
    let ranges = [0..500, 900..1000, 1700..1800];
    let names = log.expected();
    let server = Server::start(Tls::Off, {
        let url = logs.url("/alpha/");
        move |visit| {
            let run = visit.number;
            let mut peer = visit.upgrade()?;
            for index in ranges[run].clone() {
                let domains = serde_json::json!(names[index as usize].1);
                peer.send([Message::text(format!(
                    r#"{{"message_type":"certificate_update","data":{{"cert_index":{index},"leaf_cert":{{"all_domains":{domains}}},"source":{{"url":"{url}"}}}}}}"#
                ))])?;
            }
            peer.keep_open()
        }
    });
    let folder = folder(&server, &logs, "");
    let mut program = folder.start(&[]);
    folder.wait_for_position("certstream.db", 500);
    stop(&mut program, &folder);
    let closed = |range: &str| format!("{range} not running closed by heal {}", log.origin());
    let mut program = folder.start(&[]);
    wait_for_holes(&folder, &[&closed("500-899")]);
    program.signal(Signal::KILL);
    program.end();
    let mut program = folder.start(&[]);
    wait_for_holes(&folder, &[&closed("500-899"), &closed("1000-1699")]);
    stop(&mut program, &folder);
    assert_eq!(stored(&folder), expected(&log, 1800));
}
