//! Exports by command: whole and in one step, also while a watch writes.

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls};

#[test]
fn an_export_beside_a_running_watch_replaces_the_old_file() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\nlogin\n");
    folder.write("out.txt", "something.else\n".repeat(1000));
    let server = Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        let names = ["b.example.com", "login.org", "a.example.com", "-11.example.com"];
        peer.send(names.map(|name| {
            Message::text(format!(
                r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{"all_domains":["{name}"],"subject":{{"CN":"=cmd\u001b[2J"}},"serial_number":"1","issuer":{{"CN":"x"}}}}}}}}"#
            ))
        }))?;
        peer.keep_open()
    });
    let mut program = folder.start(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    folder.wait_for_position("certstream.db", 4);
    let export = |words: &[&str]| {
        let beside = [&["export", "--database", "certstream.db"], words].concat();
        assert_eq!(folder.run(&beside), 0, "{}", folder.stderr());
    };
    export(&["--output", "out.txt"]);
    let all = ["-11.example.com", "a.example.com", "b.example.com", "login.org"];
    assert_eq!(folder.lines("out.txt"), all);
    export(&["--output", "-", "--rule", "login"]);
    assert_eq!(folder.stdout(), "login.org\n");
    export(&["--output", "-", "--since", "2000-01-01", "--until", "2001-01-01"]);
    assert_eq!(folder.stdout(), "");
    export(&["--output", "-", "--new-only"]);
    assert_eq!(folder.stdout().lines().count(), 4);
    export(&["--output", "out.csv", "--format", "csv"]);
    let csv = folder.read("out.csv");
    assert!(csv.starts_with("domain,registered_domain,rules,"), "{csv}");
    assert!(csv.contains("'-11.example.com") && csv.contains("'=cmd"), "{csv}");
    assert!(!csv.contains('\u{1b}'), "{csv}");
    export(&["--output", "out.jsonl", "--format=jsonl"]);
    assert_eq!(folder.read("out.jsonl").lines().count(), 4);
    assert!(folder.run(&["export", "--database", "certstream.db", "--rule", "none"]) == 2);
    assert_eq!(program.stop(), 0);
}
