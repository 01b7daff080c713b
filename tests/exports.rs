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
    let unknown = ["export", "--database", "certstream.db", "--output", "-", "--rule", "none"];
    assert_eq!(folder.run(&unknown), 2);
    assert!(folder.stderr().contains("no run had a rule named `none`"), "{}", folder.stderr());
    folder.write("config.yaml", "certstream: {output: out.txt}\n");
    assert_eq!(folder.run(&["export", "--database", "certstream.db"]), 2);
    assert!(folder.stderr().contains("add --output FILE"), "{}", folder.stderr());
    assert_eq!(folder.lines("out.txt"), all);
    assert_eq!(program.stop(), 0);
}

#[test]
fn an_export_never_replaces_what_it_comes_from() {
    let folder = Folder::new();
    folder.write("r.txt", "paypal\n");
    let frame = r#"{"message_type":"dns_entries","data":["paypal.example.com"]}"#;
    folder.write("cap.jsonl", frame);
    let server = "server: 'ws://127.0.0.1:1/'";
    let config = |output: &str| {
        let text = format!(
            "certstream: {{{server}, input: r.txt, output: {output}}}\ndatabase: {{filename: d.db}}\n"
        );
        folder.write("config.yaml", text);
    };
    config("out.txt");
    assert_eq!(folder.run(&["replay", "--into-configured", "cap.jsonl"]), 0);
    folder.write("other.db", std::fs::read(folder.path("d.db")).unwrap());
    std::os::unix::fs::symlink("d.db", folder.path("link.db")).unwrap();
    let kept: Vec<(&str, Vec<u8>)> = ["d.db", "other.db", "cap.jsonl", "r.txt", "config.yaml"]
        .map(|name| (name, std::fs::read(folder.path(name)).unwrap()))
        .into();
    let refused = |words: &[&str], what: &str| {
        assert_eq!(folder.run(words), 2, "{words:?}: {}", folder.stderr());
        let stderr = folder.stderr();
        assert!(stderr.contains(what) && stderr.contains("remedy: "), "{words:?}: {stderr}");
        for (name, bytes) in &kept {
            let now = std::fs::read(folder.path(name)).unwrap();
            assert!(now == *bytes, "{words:?}: {name} was changed");
        }
    };
    let database = "the export would overwrite the database (";
    for output in ["d.db", "./d.db", "link.db", "d.db-wal", "d.db.lock", "sub/../d.db-shm"] {
        std::fs::create_dir_all(folder.path("sub")).unwrap();
        refused(&["export", "--database", "d.db", "--output", output], database);
        refused(&["replay", "--database", "d.db", "--output", output, "cap.jsonl"], database);
        refused(&["watch", "--output", output], database);
    }
    let any_database = "the export would overwrite an SQLite database";
    refused(&["export", "--output", "other.db"], any_database);
    refused(&["watch", "--output", "other.db"], any_database);
    refused(&["replay", "--output", "other.db", "cap.jsonl"], any_database);
    let capture = "the export would overwrite a capture (";
    refused(&["replay", "--output", "cap.jsonl", "cap.jsonl"], capture);
    refused(&["record", "--output", "new.jsonl", "new.jsonl"], capture);
    refused(&["record", "--force", "d.db"], "the capture would overwrite the database (");
    refused(&["record", "--force", "r.txt"], "the capture would overwrite a rule file (");
    refused(&["export", "--output", "config.yaml"], "overwrite the config (");
    refused(&["watch", "--output", "r.txt"], "overwrite a rule file (");
    let rules = ["replay", "--rules", "r.txt", "--output", "r.txt", "cap.jsonl"];
    refused(&rules, "overwrite a rule file (");
    config("same.db");
    assert_eq!(folder.run(&["watch", "--database", "same.db"]), 2, "{}", folder.stderr());
    assert!(folder.stderr().contains(database), "{}", folder.stderr());
    assert!(!folder.path("same.db").exists() && !folder.path("new.jsonl").exists());
}

#[test]
fn a_replay_into_the_configured_database_reads_the_config() {
    let folder = Folder::new();
    folder.write("r.txt", "paypal\n");
    folder.write("cap.jsonl", r#"{"message_type":"dns_entries","data":["paypal.example.com"]}"#);
    let words = ["replay", "--into-configured", "--rules", "r.txt", "cap.jsonl"];
    assert_eq!(folder.run(&words), 2, "there is no config: {}", folder.stderr());
    folder.write("config.yaml", "rules: [example]\ndatabase: {filename: d.db}\n");
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    let rules = folder.texts("d.db", "SELECT name FROM rules ORDER BY name");
    assert_eq!(rules, ["example", "paypal"]);
    assert!(!folder.path("certstream.db").exists());
    let both = [&words[..], &["--database", "other.db"]].concat();
    assert_eq!(folder.run(&both), 2, "{}", folder.stderr());
    assert!(folder.stderr().contains("name two databases"), "{}", folder.stderr());
    assert!(!folder.path("other.db").exists());
}

#[test]
fn a_hyphen_is_stdout_for_an_export_and_refused_for_a_run() {
    let folder = Folder::new();
    folder.write("r.txt", "paypal\n");
    folder.write("cap.jsonl", r#"{"message_type":"dns_entries","data":["paypal.example.com"]}"#);
    let config = "certstream: {server: 'ws://127.0.0.1:1/', input: r.txt, output: '-'}\n";
    folder.write("config.yaml", config);
    for words in [
        &["watch"][..],
        &["watch", "--output", "-"],
        &["record", "--output", "-", "new.jsonl"],
        &["replay", "--output", "-", "cap.jsonl"],
    ] {
        assert_eq!(folder.run(words), 2, "{words:?}: {}", folder.stderr());
        assert!(folder.stderr().contains("cannot export to stdout"), "{}", folder.stderr());
    }
    assert_eq!(folder.run(&["replay", "--into-configured", "cap.jsonl"]), 0);
    assert_eq!(folder.run(&["export"]), 0, "{}", folder.stderr());
    assert_eq!(folder.stdout(), "paypal.example.com\n");
    assert!(!folder.path("-").exists());
}
