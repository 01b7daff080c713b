//! Signals to the real binary: the first stores what was read and exports, the second exits at
//! once; under full load, and with a database that cannot be written.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls, wait_until};

const RULES: &str = "example\n";
/// After this a further signal is a second one; with a margin for the first one's way.
const GRACE: Duration = Duration::from_millis(700);

/// An endless stream, as fast as the client reads.
fn flood() -> Server {
    Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send((0_u64..).map(|n| {
            Message::text(format!(
                r#"{{"message_type":"certificate_update","data":{{"update_type":"X509LogEntry","leaf_cert":{{"all_domains":["n{}.example.com"],"serial_number":"{n:X}","issuer":{{"CN":"Test"}}}},"seen":{n}.5}}}}"#,
                n % 5000
            ))
        }))
    })
}

#[test]
fn each_signal_ends_a_run_under_full_load_within_two_seconds() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let folder = Folder::new();
        folder.write("rules.txt", RULES);
        let server = flood();
        let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
        let mut program = folder.start(&words);
        folder.wait_for_position("certstream.db", 10_000);
        let started = Instant::now();
        program.signal(signal);
        let status = program.end();
        let took = started.elapsed();
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", folder.stderr());
        // The promise of the product, not a timing of the machine.
        assert!(took < Duration::from_secs(2), "{signal:?} took {took:?}");
        let stored = folder.texts("certstream.db", "SELECT domain FROM domains ORDER BY domain");
        assert_eq!(folder.lines("certstream.txt"), stored);
        assert!(stored.len() >= 5000);
        assert_eq!(folder.texts("certstream.db", "SELECT outcome FROM runs").len(), 1);
    }
}

#[test]
fn signals_back_to_back_are_one_wish() {
    let folder = Folder::new();
    folder.write("rules.txt", RULES);
    let server = flood();
    let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
    let mut program = folder.start(&words);
    folder.wait_for_position("certstream.db", 10_000);
    // As `timeout` and a closing terminal do.
    for signal in [Signal::TERM, Signal::HUP, Signal::TERM] {
        program.signal(signal);
    }
    assert_eq!(program.end().code(), Some(0), "{}", folder.stderr());
    let stored = folder.texts("certstream.db", "SELECT domain FROM domains ORDER BY domain");
    assert_eq!(folder.lines("certstream.txt"), stored);
}

#[test]
fn a_replay_cut_short_says_so_and_one_that_ends_is_done() {
    let folder = Folder::new();
    folder.write("rules.txt", RULES);
    let line = r#"{"message_type":"dns_entries","data":["a.example.com"]}"#;
    folder.write("capture.jsonl", format!("{line}\n").repeat(1000));
    let words = ["replay", "--rules=rules.txt", "--database=kept.db", "capture.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    assert!(!folder.stderr().contains("stopped before the end"), "{}", folder.stderr());
    let mut program = folder.start(&[&words[..], &["--rate=50"]].concat());
    folder.wait_for_position("kept.db", 1001);
    assert_eq!(program.stop(), 0);
    assert!(
        folder.stderr().contains("stopped before the end of the replay"),
        "{}",
        folder.stderr()
    );
    let outcomes = folder.texts("kept.db", "SELECT outcome FROM runs ORDER BY id");
    assert_eq!(outcomes, ["done", "stopped"]);
}

#[test]
fn a_second_signal_exits_at_once_and_leaves_the_old_export() {
    let folder = Folder::new();
    folder.write("rules.txt", RULES);
    folder.write("certstream.txt", "old\n");
    let server = flood();
    let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
    let mut program = folder.start(&words);
    folder.wait_for_position("certstream.db", 1000);
    // Another program that writes: the rows on their way cannot be committed.
    let other = folder.database("certstream.db");
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    program.signal(Signal::INT);
    let first = Instant::now();
    wait_until("the first signal is taken", || folder.stderr().contains("SIGINT: stopping"));
    wait_until("the writer waits", || {
        folder.stderr().contains("trying") || folder.stderr().contains("to commit")
    });
    wait_until("the grace is over", || first.elapsed() >= GRACE);
    assert!(program.is_running());
    program.signal(Signal::INT);
    assert_eq!(program.end().code(), Some(1), "{}", folder.stderr());
    let stderr = folder.stderr();
    assert!(stderr.contains("exit at the second signal; "), "{stderr}");
    assert!(stderr.contains(" matched rows were not committed"), "{stderr}");
    assert_eq!(folder.read("certstream.txt"), "old\n");
}

#[test]
fn a_replay_broken_off_leaves_no_temporary_database() {
    let folder = Folder::new();
    folder.write("rules.txt", RULES);
    let words = ["replay", "--rules=rules.txt", "-"];
    let mut program = folder.start_with(&words, Stdio::null(), Stdio::piped());
    let temporary = || std::fs::read_dir(folder.path("tmp")).unwrap().flatten().next();
    let database = || Some(temporary()?.path().join("replay.db").to_str()?.to_owned());
    wait_until("the run has begun", || {
        database().is_some_and(|file| folder.number(&file, "SELECT 1 FROM runs").is_some())
    });
    // Its row in `runs` cannot be closed.
    let other = folder.database(&database().unwrap());
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    program.signal(Signal::INT);
    let first = Instant::now();
    wait_until("the grace is over", || first.elapsed() >= GRACE);
    program.signal(Signal::INT);
    assert_eq!(program.end().code(), Some(1), "{}", folder.stderr());
    assert!(temporary().is_none());
}

#[test]
fn a_closed_stderr_changes_no_exit_code() {
    let folder = Folder::new();
    folder.write("rules.txt", RULES);
    for (words, code) in [
        (&["--no-such-option"][..], 2),
        (&["replay", "--rules", "none.txt", "none.jsonl"], 2),
        (&["report", "--database", "none.db"], 1),
    ] {
        assert_eq!(folder.run(words), code, "{words:?}: {}", folder.stderr());
        assert_eq!(folder.start_unheard(words).end().code(), Some(code), "{words:?}");
    }
}

#[test]
fn a_second_signal_exits_at_once_though_nobody_reads_stderr() {
    let folder = Folder::new();
    folder.write("rules.txt", RULES);
    let server = flood();
    let mut program = folder.start_unheard(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    folder.wait_for_position("certstream.db", 1000);
    let other = folder.database("certstream.db");
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    program.signal(Signal::INT);
    let first = Instant::now();
    wait_until("the grace is over", || first.elapsed() >= GRACE);
    assert!(program.is_running());
    program.signal(Signal::INT);
    assert_eq!(program.end().code(), Some(1));
}
