//! Hostile frames among good ones, through the whole product: from a file, from stdin, and over a
//! socket, where some end their connection. No crash, every good frame stored, nothing but host
//! names in the database.

use std::process::Stdio;

use tungstenite::Message;

use crate::testenv::hostile::Hostile;
use crate::testenv::{Folder, Server, Tls, frame};

fn good(n: usize) -> String {
    format!(
        r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{"all_domains":["good{n}.example.net"]}}}}}}"#
    )
}

/// Every good frame is stored, and nothing that is no host name.
fn check(folder: &Folder, database: &str, count: usize) {
    let domains = folder.texts(database, "SELECT domain FROM domains");
    let bad = |c: char| c.is_control() || " @/'\"\\".contains(c) || !c.is_ascii();
    for domain in &domains {
        assert!(domain.len() <= 253 && !domain.contains(bad), "{domain:?}");
    }
    let goods = domains.iter().filter(|domain| domain.ends_with(".example.net")).count();
    assert_eq!(goods, count, "good frames: {}", folder.stderr());
    assert_eq!(folder.texts(database, "PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn from_a_file_and_from_stdin() {
    let folder = Folder::new();
    folder.write("rules.txt", ".\n");
    let mut capture = Vec::new();
    let mut count = 0;
    for hostile in Hostile::all() {
        let line = std::str::from_utf8(&hostile.bytes);
        if line.is_ok_and(|line| !line.contains('\n')) {
            capture.extend_from_slice(&hostile.bytes);
            capture.push(b'\n');
        }
        capture.extend_from_slice(good(count).as_bytes());
        capture.push(b'\n');
        count += 1;
    }
    assert!(count > 500);
    let capture = folder.write("hostile.jsonl", capture);
    for (source, database) in [("hostile.jsonl", "file.db"), ("-", "stdin.db")] {
        let words = ["replay", "--rules", "rules.txt", "--database", database, source];
        let stdin = std::fs::File::open(&capture).unwrap();
        let mut program = folder.start_with(&words, Stdio::null(), stdin.into());
        assert_eq!(program.end().code(), Some(0), "{}", folder.stderr());
        check(&folder, database, count);
        assert!(!folder.stderr().contains('\u{1b}'), "nothing hostile is shown raw");
    }
    let whole = "SELECT domain FROM domains ORDER BY domain";
    assert_eq!(folder.texts("file.db", whole), folder.texts("stdin.db", whole));
}

#[test]
fn over_a_socket_that_some_frames_end() {
    let folder = Folder::new();
    folder.write("rules.txt", ".\n");
    // A text frame that is not UTF-8 ends its connection (RFC 6455). Each such frame gets a server
    // of its own, so that they are reconnected to side by side, and goes on where it stopped.
    let (ending, passing): (Vec<Hostile>, Vec<Hostile>) =
        Hostile::all().into_iter().partition(Hostile::ends_connection);
    let (passing_count, ending_count) = (passing.len(), ending.len());
    assert!(ending_count > 3 && passing_count > 400);
    let mut servers = vec![Server::start(Tls::Off, move |visit| {
        let mut peer = visit.upgrade()?;
        for (n, hostile) in passing.iter().enumerate() {
            peer.send([Message::text(good(n))])?;
            let opcode = if hostile.binary { 2 } else { 1 };
            peer.send_bytes(&frame(true, opcode, &hostile.bytes))?;
        }
        peer.keep_open()
    })];
    for (index, hostile) in ending.into_iter().enumerate() {
        let first = passing_count + 2 * index;
        servers.push(Server::start(Tls::Off, move |visit| {
            let number = visit.number;
            let mut peer = visit.upgrade()?;
            peer.send([Message::text(good(first + number.min(1)))])?;
            if number == 0 {
                peer.send_bytes(&frame(true, 1, &hostile.bytes))?;
            }
            peer.keep_open()
        }));
    }
    let urls: Vec<String> = servers.iter().map(|server| server.url("/")).collect();
    let mut words = vec!["--rules", "rules.txt"];
    words.extend(urls.iter().flat_map(|url| ["--server", url.as_str()]));
    let mut program = folder.start(&words);
    let good_ones = "SELECT count(*) FROM domains WHERE domain LIKE '%.example.net'";
    let count = passing_count + 2 * ending_count;
    crate::testenv::wait_until("every good frame is stored", || {
        folder.number("certstream.db", good_ones) == Some(count as i64)
    });
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    check(&folder, "certstream.db", count);
    let gaps = folder.number("certstream.db", "SELECT count(*) FROM gaps WHERE ended NOT NULL");
    assert_eq!(gaps, Some(ending_count as i64), "a gap for each lost connection");
}
