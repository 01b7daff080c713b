//! Stopped and started again, cut off and back: everything stays, and what was not read is a row.

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls, frame};

fn update(name: &str) -> String {
    format!(
        r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{"all_domains":["{name}"]}}}}}}"#
    )
}

#[test]
fn a_second_run_keeps_everything_and_counts_on() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = Server::start(Tls::Off, |visit| {
        let names = [["a.example.com", "b.example.com"], ["b.example.com", "c.example.com"]];
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        peer.send(names[number].map(|name| Message::text(update(name))))?;
        peer.keep_open()
    });
    let url = server.url("/");
    for position in [2, 4] {
        let mut program = folder.start(&["--server", &url, "--rules", "rules.txt"]);
        folder.wait_for_position("certstream.db", position);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
    }
    let rows = "SELECT domain || ' ' || sightings FROM domains ORDER BY domain";
    let expected = ["a.example.com 1", "b.example.com 2", "c.example.com 1"];
    assert_eq!(folder.texts("certstream.db", rows), expected);
    assert_eq!(folder.lines("certstream.txt").len(), 3);
    assert_eq!(
        folder.number("certstream.db", "SELECT count(*) FROM runs WHERE ended > 0"),
        Some(2)
    );
}

#[test]
fn a_server_gone_in_the_middle_of_a_frame_and_back_is_one_gap() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = Server::start(Tls::Off, |visit| {
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        peer.send([Message::text(update(&format!("n{number}.example.com")))])?;
        if number == 0 {
            let whole = frame(true, 1, update("never.example.com").as_bytes());
            return peer.send_bytes(&whole[..whole.len() / 2]);
        }
        peer.keep_open()
    });
    let mut program = folder.start(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    folder.wait_for_position("certstream.db", 2);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(folder.lines("certstream.txt"), ["n0.example.com", "n1.example.com"]);
    let gaps = "SELECT reason FROM gaps WHERE ended >= started";
    assert_eq!(folder.texts("certstream.db", gaps).len(), 1);
    assert_eq!(folder.run(&["report", "--database", "certstream.db"]), 0);
    assert!(folder.stdout().contains("2 domains"), "{}", folder.stdout());
}

#[test]
fn a_second_watch_on_one_database_is_refused_with_the_pid_of_the_first() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = Server::start(Tls::Off, |visit| visit.upgrade()?.keep_open());
    let words = ["--server", &server.url("/"), "--rules", "rules.txt"];
    let mut first = folder.start(&words);
    crate::testenv::wait_until("the first one connects", || server.connections() == 1);
    let pid = first.child().id().to_string();
    let second = Folder::new();
    second.write("rules.txt", "example\n");
    let database = folder.path("certstream.db");
    let exit = second.run(&[&words[..], &["--database", database.to_str().unwrap()]].concat());
    assert_eq!(exit, 1, "{}", second.stderr());
    let refusal = format!("process {pid} is already writing to this database");
    assert!(second.stderr().contains(&refusal), "{}", second.stderr());
    assert_eq!(first.stop(), 0);
}
