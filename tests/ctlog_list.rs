//! The list of logs as it changes: while the real binary watches, and while nobody does.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use certstream::config::CHROME;
use jiff::Timestamp;

use crate::testenv::ctwatch::{
    expected, folder, made, stored, two_logs, wait_for_end, wait_for_position, watch,
};
use crate::testenv::log::{Fault, LogServer, TestLog, Times};
use crate::testenv::{Folder, LONG, Tls, wait_until};

/// The list of `server`'s logs without alpha.
fn without_alpha(server: &LogServer) -> String {
    let mut list: serde_json::Value = serde_json::from_str(&server.list()).unwrap();
    list["operators"][0]["tiled_logs"] = serde_json::json!([]);
    list.to_string()
}

/// Everything that both logs should have led to, once.
fn both(one: &TestLog, other: &TestLog) -> std::collections::BTreeMap<String, i64> {
    let mut both = expected(one);
    both.extend(expected(other));
    both
}

/// What was given up: log, first and last entry.
fn given_up(folder: &Folder) -> Vec<String> {
    let sql = "SELECT substr(feed, instr(feed, '/') + 1) || ' ' || first_index || ' '
        || ifnull(last_index, '?') FROM gaps WHERE reason = 'log gone'";
    folder.texts("certstream.db", sql)
}

#[test]
fn a_log_that_ended_while_nobody_watched_is_read_to_its_end() {
    let (ended, staying) = two_logs();
    let server = LogServer::start(Tls::Off, &[&ended, &staying]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &ended);
    wait_for_end(&folder, &staying);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    ended.append(made(1).entries(1000..1500));
    for round in 0..3 {
        match round {
            0 => ended.list_as("retired"),
            1 => {
                ended.list_as("usable");
                ended.set_interval("2020-01-01T00:00:00Z", &Timestamp::now().to_string());
                ended.append(made(1).entries(1500..1600));
            }
            // Asked since its end, and read: there is no more to be asked.
            _ => server.misbehave("/alpha/*", Times::Always, Fault::status(500)),
        }
        folder.write("list.json", server.list());
        let before = server.count("/alpha/*");
        let mut program = watch(&folder);
        if round < 2 {
            wait_until("it is read", || folder.stderr().contains("alpha: read to its end"));
        } else {
            staying.append(made(2).entries(5700..5720));
        }
        wait_for_end(&folder, &ended);
        wait_for_end(&folder, &staying);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), both(&ended, &staying), "round {round}");
        assert_eq!(server.count("/alpha/*") > before, round < 2, "round {round}");
    }
    assert_eq!(given_up(&folder), Vec::<String>::new());
}

#[test]
fn a_log_that_ended_and_does_not_answer_is_given_up_once_and_said() {
    let (gone, staying) = two_logs();
    let server = LogServer::start(Tls::Off, &[&gone, &staying]);
    let folder = folder(&server, "  let_go_after: 1 s\n");
    let mut program = watch(&folder);
    wait_for_end(&folder, &gone);
    wait_for_end(&folder, &staying);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    gone.list_as("retired");
    folder.write("list.json", server.list());
    server.misbehave("/alpha/*", Times::Always, Fault::status(404));
    for first in [true, false] {
        let mut program = watch(&folder);
        if first {
            wait_until("it is given up", || folder.stderr().contains("does not answer any more"));
        }
        let size = staying.size();
        staying.append(made(2).entries(size + 5000..size + 5020));
        wait_for_end(&folder, &staying);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        // How much it has grown since it was read last nobody knows.
        assert_eq!(given_up(&folder), ["alpha 1000 ?"], "{}", folder.stderr());
    }
    // It comes back, and is read as if nothing had been.
    server.behave();
    gone.list_as("usable");
    gone.append(made(1).entries(1000..1100));
    folder.write("list.json", server.list());
    let mut program = watch(&folder);
    wait_for_end(&folder, &gone);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), both(&gone, &staying));
}

#[test]
fn what_is_left_of_a_log_that_left_the_list_while_nobody_watched_is_said() {
    let (missing, staying) = two_logs();
    let server = LogServer::start(Tls::Off, &[&missing, &staying]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &missing);
    wait_for_end(&folder, &staying);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    // As a kill in the middle leaves it.
    let stored_up_to = |position: u64| {
        let sql = format!("UPDATE positions SET position = {position} WHERE feed LIKE '%/alpha'");
        assert_eq!(folder.database("certstream.db").execute(&sql, []), Ok(1));
    };
    stored_up_to(600);
    folder.write("list.json", without_alpha(&server));
    for _ in 0..2 {
        let mut program = watch(&folder);
        let size = staying.size();
        staying.append(made(2).entries(size + 5000..size + 5020));
        wait_for_end(&folder, &staying);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(given_up(&folder), ["alpha 600 999"], "{}", folder.stderr());
    }
    // Back in the list of the run that has said so, it is read from where it was left.
    stored_up_to(700);
    let mut program = watch(&folder);
    wait_until("it is said again", || folder.stderr().contains("not in the list of logs any more"));
    missing.append(made(1).entries(1000..1100));
    folder.write("list.json", server.list());
    wait_for_end(&folder, &missing);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}

#[test]
fn a_log_that_comes_back_into_the_list_is_read_on_and_a_doubtful_list_is_seen_twice() {
    let (coming, staying) = two_logs();
    let server = LogServer::start(Tls::Off, &[&coming, &staying]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &coming);
    folder.write("list.json", without_alpha(&server));
    wait_until("it is left", || folder.stderr().contains("alpha: read to its end"));
    let said = folder.stderr();
    let doubted = said.find("lets 1 of 2 logs go").expect("half of them");
    let let_go = said.find("alpha: it has left the list").expect("said");
    assert!(doubted < let_go, "{said}");
    coming.append(made(1).entries(1000..1200));
    folder.write("list.json", server.list());
    wait_for_end(&folder, &coming);
    // And again, by its state.
    coming.list_as("retired");
    folder.write("list.json", server.list());
    wait_until("it is left again", || {
        folder.stderr().matches("alpha: read to its end").count() == 2
    });
    coming.list_as("usable");
    coming.append(made(1).entries(1200..1300));
    folder.write("list.json", server.list());
    wait_for_end(&folder, &coming);
    wait_for_end(&folder, &staying);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), both(&coming, &staying));
}

#[test]
fn a_log_that_moves_is_followed_to_its_new_place() {
    for source in ["data", "names"] {
        let (log, _) = two_logs();
        let old = LogServer::start(Tls::Off, &[&log]);
        let new = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&old, &format!("  source: {source}\n"));
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        old.misbehave("/alpha/*", Times::Always, Fault::status(404));
        log.append(made(1).entries(1000..1100));
        folder.write("list.json", new.list());
        wait_for_end(&folder, &log);
        let certificates = "SELECT count(DISTINCT domain_id) FROM domain_certificates dc
             JOIN certificates c ON c.id = dc.certificate_id WHERE c.serial IS NOT NULL";
        let domains = expected(&log).len() as i64;
        wait_until("every match has its certificate", || {
            folder.number("certstream.db", certificates) == Some(domains)
        });
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log), "{source}");
        let link = "SELECT cert_link FROM certificates WHERE cert_index = 1050";
        let link = folder.texts("certstream.db", link).remove(0);
        assert_eq!(source == "data", link.starts_with(&new.url("")), "{link}");
    }
}

#[test]
fn a_list_at_a_url_is_fetched_again_and_never_waited_for() {
    let (first, second) = two_logs();
    let server = LogServer::start(Tls::Off, &[&first]);
    let folder = folder(&server, "  list_refresh: 1 s\n");
    let text = folder.read("config.yaml");
    folder.write("config.yaml", text.replace("list.json", &format!("'{}'", server.list_url())));
    let mut program = watch(&folder);
    wait_for_end(&folder, &first);
    server.add(&second);
    wait_for_end(&folder, &second);
    server.misbehave("/log_list.json", Times::Always, Fault::status(500));
    wait_until("it is said", || folder.stderr().contains("the list of CT logs cannot be had"));
    first.append(made(1).entries(1000..1100));
    wait_for_end(&folder, &first);
    server.behave();
    let before = server.count("/log_list.json");
    server.misbehave("/log_list.json", Times::Always, Fault::Stalled);
    server.wait_for_requests("/log_list.json", before + 1);
    let stalled = Instant::now();
    second.append(made(2).entries(5700..5750));
    wait_for_end(&folder, &second);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    // The list may take 15 s.
    assert!(stalled.elapsed() < Duration::from_secs(10), "{:?}", stalled.elapsed());
    assert_eq!(stored(&folder), both(&first, &second));
    server.behave();
    server.misbehave("/log_list.json", Times::Always, Fault::status(403));
    assert_eq!(folder.run(&[]), 1, "whoever names a list means that one");
    let said = folder.stderr();
    assert!(said.contains("refused (403)") && said.contains("remedy: check the URL"), "{said}");
}

#[test]
fn a_list_of_ended_logs_is_shown_and_backfilled_but_not_watched() {
    let (ended, _) = two_logs();
    ended.list_as("retired");
    let server = LogServer::start(Tls::Off, &[&ended]);
    let folder = folder(&server, "");
    assert_eq!(folder.run(&[]), 2);
    let said = folder.stderr();
    assert!(said.contains("no log in the list is worth reading now"), "{said}");
    assert!(said.contains("see `certstream logs --all`"), "{said}");
    assert_eq!(folder.run(&["logs", "--all"]), 0, "{}", folder.stderr());
    assert!(folder.stdout().contains("alpha") && folder.stdout().contains("retired"));
    assert_eq!(folder.run(&["backfill", "--log", "alpha"]), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), expected(&ended));
}

#[test]
fn a_start_beyond_the_end_is_said() {
    let (log, _) = two_logs();
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, "");
    let text = folder.read("config.yaml");
    folder.write("config.yaml", text.replace("start: beginning", "start: 5000"));
    let mut program = watch(&folder);
    wait_for_position(&folder, &log, 1000);
    assert_eq!(program.stop(), 0);
    let said = folder.stderr();
    assert!(said.contains("there is no entry 5000 yet: the log has 1000"), "{said}");
}

/// An HTTP proxy that lets nobody through, and what it was asked.
fn refusing_proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            // To the end of the request, so that closing resets nothing.
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            let _ = asked.send(first);
        }
    });
    (format!("http://{address}"), requests)
}

#[test]
fn chromes_list_is_asked_for_by_the_proxy_of_the_environment_and_gives_way_to_the_snapshot() {
    let (proxy, requests) = refusing_proxy();
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    folder.write(
        "config.yaml",
        format!("certstream: {{input: rules.txt}}\nct: {{log_list: '{CHROME}', contact: a@example.com}}\n"),
    );
    let mut program = folder.start_among(&["watch", "-q"], &[("HTTPS_PROXY", &proxy)]);
    let chrome = requests.recv_timeout(LONG).expect("the list is asked for");
    assert_eq!(chrome, "CONNECT www.gstatic.com:443 HTTP/1.1");
    wait_until("the snapshot serves", || {
        let said = folder.stderr();
        said.contains("the list of CT logs cannot be had")
            && said.contains("that came with certstream")
    });
    // Its logs are asked for next, by the same way.
    let log = requests.recv_timeout(LONG).expect("a log of the snapshot is asked for");
    assert!(log.starts_with("CONNECT ") && log != chrome, "{log}");
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}
