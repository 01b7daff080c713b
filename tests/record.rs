//! Recording while watching: what was recorded replays to the same domains.

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls, wait_until};

#[test]
fn a_recording_replays_to_what_was_watched() {
    for capture in ["c.jsonl", "c.jsonl.gz", "c.jsonl.zst"] {
        let folder = Folder::new();
        folder.write("rules.txt", "example\n");
        let server = Server::start(Tls::Off, |visit| {
            let mut peer = visit.upgrade()?;
            peer.send((0..500).map(|n| {
                Message::text(format!(
                    "{{\"message_type\":\"certificate_update\",\"data\":{{\"leaf_cert\":{{\"all_domains\":[\"n{n}.example.com\"]}}}}}}\n"
                ))
            }))?;
            peer.send([
                Message::text(r#"{"message_type":"heartbeat"}"#),
                Message::text("two\nlines"),
            ])?;
            peer.keep_open()
        });
        let url = server.url("/");
        let words = ["record", "--server", &url, "--rules", "rules.txt", capture];
        let mut program = folder.start(&words);
        folder.wait_for_position("certstream.db", 502);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert!(folder.stderr().contains("501 frames written"), "{}", folder.stderr());
        let replay = ["replay", "--rules", "rules.txt", "--output", "replayed.txt", capture];
        assert_eq!(folder.run(&replay), 0, "{}", folder.stderr());
        assert_eq!(folder.lines("replayed.txt").len(), 500);
        assert_eq!(folder.lines("replayed.txt"), folder.lines("certstream.txt"));
        assert_eq!(folder.run(&words), 2, "an existing capture is not overwritten");
        assert!(folder.stderr().contains(capture), "{}", folder.stderr());
    }
}

#[test]
fn a_run_that_does_not_start_leaves_the_capture() {
    let folder = Folder::new();
    folder.write("r.txt", "example\n");
    folder.write("old.jsonl", "precious\n");
    folder.write("text.db", "this is no database");
    let server = Server::start(Tls::Off, |visit| visit.upgrade()?.keep_open());
    let url = server.url("/");
    let record = |database, capture| {
        let words = ["record", "--force", "--server", &url, "--rules", "r.txt"];
        [&words[..], &["--database", database, capture]].concat()
    };
    assert_eq!(folder.run(&record("text.db", "old.jsonl")), 1, "{}", folder.stderr());
    // With a log of its own: the others write theirs meanwhile.
    let mut program = folder.start_logged(&record("d.db", "new.jsonl"), "first");
    wait_until("the run begins", || folder.number("d.db", "SELECT count(*) FROM runs") == Some(1));
    assert_eq!(folder.run(&record("d.db", "old.jsonl")), 1, "{}", folder.stderr());
    assert!(folder.stderr().contains("is already writing"), "{}", folder.stderr());
    assert_eq!(folder.run(&record("d.db", "never.jsonl")), 1, "{}", folder.stderr());
    assert_eq!(folder.run(&record("other.db", "new.jsonl")), 2, "{}", folder.stderr());
    assert!(folder.stderr().contains("is recording to this capture"), "{}", folder.stderr());
    assert_eq!(folder.read("old.jsonl"), "precious\n");
    assert!(!folder.path("never.jsonl").exists());
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}

#[test]
fn ten_thousand_rules_start_and_match() {
    let folder = Folder::new();
    let rules: String = (0..10_000).map(|n| format!("brand{n:05}(shop|-?login)\n")).collect();
    folder.write("rules.txt", rules);
    let frame =
        r#"{"message_type":"dns_entries","data":["brand04711-login.example.com","brand1.org"]}"#;
    folder.write("c.jsonl", frame);
    let words = ["replay", "--rules", "rules.txt", "--output", "out.txt", "c.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    assert_eq!(folder.lines("out.txt"), ["brand04711-login.example.com"]);
}
