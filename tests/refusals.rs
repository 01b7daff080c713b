//! Servers that refuse: one clear message each, and an end where waiting is no use.

use crate::testenv::{Folder, Server, Tls, wait_until};

fn refusing(status: &'static str) -> (Folder, Server) {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    (folder, Server::start(Tls::Off, move |visit| visit.refuse(status, &[])))
}

#[test]
fn unauthorised_and_not_found_end_the_run() {
    for (status, word) in [("401 Unauthorized", "token"), ("404 Not Found", "stream")] {
        let (folder, server) = refusing(status);
        let exit = folder.run(&["--server", &server.url("/"), "--rules", "rules.txt"]);
        let stderr = folder.stderr();
        assert_eq!(exit, 1, "{status}: {stderr}");
        assert!(stderr.contains(&status[..3]) && stderr.contains(word), "{status}: {stderr}");
        assert!(stderr.contains("remedy: "), "{status}: {stderr}");
        assert!(folder.path("certstream.txt").exists(), "what is stored is exported all the same");
    }
}

#[test]
fn a_server_that_is_down_is_tried_again() {
    let (folder, server) = refusing("502 Bad Gateway");
    let mut program = folder.start(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    wait_until("it is tried again", || server.connections() >= 2);
    assert!(folder.stderr().contains("502"), "{}", folder.stderr());
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(folder.number("certstream.db", "SELECT count(*) FROM gaps"), Some(1));
}

#[test]
fn a_certificate_for_another_host_or_from_a_stranger_is_told_apart() {
    for (tls, word) in [(Tls::WrongHost, "host"), (Tls::Stranger, "authority")] {
        let folder = Folder::new();
        folder.write("rules.txt", "example\n");
        let server = Server::start(tls, |visit| visit.upgrade()?.keep_open());
        let ca_file = server.ca_file().unwrap().to_str().unwrap().to_owned();
        let url = server.url("/");
        let words = ["--server", &url, "--ca-file", &ca_file, "--rules", "rules.txt"];
        let exit = folder.run(&words);
        let stderr = folder.stderr();
        assert_eq!(exit, 1, "{word}: {stderr}");
        assert!(stderr.contains(word) && stderr.contains("remedy: "), "{word}: {stderr}");
    }
}

#[test]
fn refused_frames_and_dropped_names_are_told_by_reason_after_the_run() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    folder.write(
        "capture.jsonl",
        "<html>\n{\"a\":\n<html>\n{\"message_type\":\"dns_entries\",\"data\":[\"a.example.com\",\"nodot\"]}\n",
    );
    let words = ["replay", "-v", "--rules=rules.txt", "--database=kept.db", "capture.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    let stderr = folder.stderr();
    assert!(stderr.contains("3 frames refused (2 not JSON, 1 cut short)"), "{stderr}");
    assert!(stderr.contains("names that are no host names: 1 no dot"), "{stderr}");
    assert_eq!(folder.run(&["report", "--database", "kept.db"]), 0);
    let report = folder.stdout();
    for line in ["capture  cut short  1      1", "capture  not JSON   2      1"] {
        assert!(report.contains(line), "{report}");
    }
}
