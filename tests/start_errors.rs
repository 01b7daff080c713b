//! What keeps a run from starting or an export from being written: each ends with its exit code,
//! its place, and what to do.

use crate::testenv::Folder;

/// Runs in a folder and returns what it complained, having ended with `code`.
#[track_caller]
fn complaint(folder: &Folder, words: &[&str], code: i32) -> String {
    let exit = folder.run(words);
    let stderr = folder.stderr();
    assert_eq!(exit, code, "{words:?}: {stderr}");
    assert!(stderr.contains("remedy: "), "{words:?}: {stderr}");
    stderr
}

#[test]
fn configs_that_are_missing_unreadable_or_wrong() {
    let folder = Folder::new();
    let shown = complaint(&folder, &["watch"], 2);
    assert!(shown.contains("there is neither config.yaml nor input/config.yaml here"), "{shown}");
    let shown = complaint(&folder, &["watch", "--config", "none.yaml"], 2);
    assert!(shown.contains("none.yaml: cannot read the config: No such file"), "{shown}");
    let shown = complaint(&folder, &["watch", "--config", "."], 2);
    assert!(shown.contains(".: cannot read the config: Is a directory"), "{shown}");
    folder.write("config.yaml", "certstream:\n  sever: ws://127.0.0.1:1/\n");
    let shown = complaint(&folder, &["watch"], 2);
    assert!(shown.contains("config.yaml:2:3: certstream.sever: unknown key"), "{shown}");
    assert!(shown.contains("remedy: did you mean `server`?"), "{shown}");
    folder.write("config.yaml", "rules: [{name: a, pattern: a}]\n");
    let shown = complaint(&folder, &["watch"], 2);
    assert!(
        shown.contains("certstream.server: there is nothing to watch: no server, and no CT logs"),
        "{shown}"
    );
    folder.write("config.yaml", "certstream: {server: ['ws://a/', 'ws://a/']}\nrules: [x]\n");
    let shown = complaint(&folder, &["watch"], 2);
    let twice = "config.yaml:1:34: certstream.server[2]: ws://a/ stands twice";
    assert!(shown.contains(twice), "{shown}");
    folder.write("config.yaml", "certstream:\n  server: 'http://a/'\nrules: [x]\n");
    let shown = complaint(&folder, &["watch"], 2);
    let wrong = "config.yaml:2:11: certstream.server: http://a/ is not the URL of a WebSocket";
    assert!(shown.contains(wrong) && shown.contains("remedy: write ws://a/"), "{shown}");
    let server = "    - ws://b/\n    - {url: 'wss://a/', token_env: NO_SUCH_TOKEN}\n";
    folder.write("config.yaml", format!("certstream:\n  server:\n{server}rules: [x]\n"));
    let shown = complaint(&folder, &["watch"], 2);
    assert!(shown.contains("config.yaml:4:13: certstream.server"), "{shown}");
    assert!(shown.contains("the environment variable NO_SUCH_TOKEN holds no token"), "{shown}");
    let secret = |key: &str| {
        folder.write(
            "config.yaml",
            format!("certstream: {{server: {{url: 'wss://a/', {key}}}}}\nrules: [x]\n"),
        );
        complaint(&folder, &["watch"], 2)
    };
    let shown = secret("token_file: none.secret");
    assert!(shown.contains("none.secret: the token cannot be read: No such file"), "{shown}");
    folder.write("empty.secret", " \n");
    let shown = secret("token_file: empty.secret");
    assert!(shown.contains("empty.secret: the file holds no token"), "{shown}");
    folder.write("odd.secret", "sesame");
    let shown = secret("proxy: 'http://p:1', proxy_auth_file: odd.secret");
    assert!(shown.contains("the proxy's credentials are not USER:PASSWORD"), "{shown}");
    assert!(!shown.contains("sesame"), "{shown}");
    let shown = secret("token_file: odd.secret, ca_file: odd.secret");
    assert!(shown.contains("odd.secret: the CA file holds no certificate"), "{shown}");
    let shown = complaint(&folder, &["watch", "--server", "http://a/"], 2);
    assert!(shown.contains("certstream: http://a/ is not the URL"), "{shown}");
}

#[test]
fn rules_that_are_missing_unreadable_or_wrong() {
    let folder = Folder::new();
    let words = ["--server", "ws://127.0.0.1:1/", "--rules", "r.txt"];
    let shown = complaint(&folder, &words, 2);
    assert!(shown.contains("r.txt: cannot read the rules: No such file"), "{shown}");
    std::fs::create_dir(folder.path("rules")).unwrap();
    let unreadable = ["--server", "ws://127.0.0.1:1/", "--rules", "rules"];
    let shown = complaint(&folder, &unreadable, 2);
    assert!(shown.contains("rules: cannot read the rules: Is a directory"), "{shown}");
    folder.write("r.txt", "# nothing\n\n");
    let shown = complaint(&folder, &words, 2);
    assert!(shown.contains("there are no rules"), "{shown}");
    folder.write("r.txt", "paypal\n\nlogin(\n");
    let shown = complaint(&folder, &words, 2);
    assert!(shown.contains("r.txt:3:6: the rule does not compile: unclosed group"), "{shown}");
    folder.write("r.yaml", "- name: bank\n  pattern: 'login('\n");
    let shown = complaint(&folder, &["--server", "ws://127.0.0.1:1/", "--rules", "r.yaml"], 2);
    let bank = "r.yaml:2: the rule `bank` does not compile: unclosed group (at character 6 of the";
    assert!(shown.contains(bank), "{shown}");
    folder.write("r.txt", b"ok\n\xff\xfe\n");
    let shown = complaint(&folder, &words, 2);
    assert!(shown.contains("r.txt:2: the line is not UTF-8"), "{shown}");
    assert!(!folder.path("certstream.db").exists(), "nothing was started");
}

#[test]
fn allowed_domains_that_are_none() {
    let folder = Folder::new();
    folder.write("empty.jsonl", "");
    for written in ["https://x.example", "x.example/", "x.example:443", "me@x.example", "a b"] {
        folder
            .write("config.yaml", format!("rules: [x]\nallow:\n  - ok.example\n  - '{written}'\n"));
        let shown = complaint(&folder, &["replay", "empty.jsonl"], 2);
        let place = format!("config.yaml:4:5: allow[2]: `{written}` is no domain");
        assert!(shown.contains(&place), "{shown}");
    }
}

#[test]
fn rules_that_stand_twice() {
    let folder = Folder::new();
    folder.write("empty.jsonl", "");
    folder.write("r.txt", "paypal\n# a comment\npaypal\n");
    assert_eq!(folder.run(&["replay", "--rules", "r.txt", "empty.jsonl"]), 0);
    let shown = folder.stderr();
    assert!(shown.contains("WARN"), "{shown}");
    assert!(shown.contains("r.txt:3: the rule `paypal` stands before, too"), "{shown}");
    folder.write("r.yaml", "- {name: a, pattern: b, exclude: c}\n- {name: a, pattern: b}\n");
    let shown = complaint(&folder, &["replay", "--rules", "r.yaml", "empty.jsonl"], 2);
    assert!(shown.contains("r.yaml:2: the rule has the name and pattern of"), "{shown}");
}

#[test]
fn captures_and_words_that_are_wrong() {
    let folder = Folder::new();
    folder.write("r.txt", "paypal\n");
    let shown = complaint(&folder, &["replay", "--rules", "r.txt", "none.jsonl"], 2);
    assert!(shown.contains("none.jsonl: there is no such capture"), "{shown}");
    let shown = complaint(&folder, &["replay", "--rules", "r.txt"], 2);
    assert!(shown.contains("no capture was named"), "{shown}");
    folder.write("config.yaml", "certstream: {server: 'wss://127.0.0.1:1/'}\nrules: [x]\n");
    let shown = complaint(&folder, &["watch", "--ca-file", "ca.pem"], 2);
    assert!(shown.contains("--ca-file is for the servers of --server"), "{shown}");
    let shown = complaint(&folder, &["watch", "--matchers", "0"], 2);
    assert!(shown.contains("a number from 1 up to 1024"), "{shown}");
    let shown = complaint(&folder, &["watch", "--matchers", "1025"], 2);
    assert!(shown.contains("a number from 1 up to 1024"), "{shown}");
}

#[test]
fn databases_that_cannot_be_written_or_are_not_ours() {
    let folder = Folder::new();
    folder.write("r.txt", "paypal\n");
    folder.write("file", "a file where a folder is wanted");
    folder.write("empty.jsonl", "");
    let fails = |database: &str, what: &str| {
        let words = ["replay", "--rules", "r.txt", "--database", database, "empty.jsonl"];
        let shown = complaint(&folder, &words, 1);
        assert!(shown.contains(what), "{what}: {shown}");
    };
    // A folder that cannot be written, whoever asks: it lies below a file.
    fails("file/deep/x.db", "cannot make the folder of the database: Not a directory");
    folder.write("text.db", "this is no database, whatever its name says");
    fails("text.db", "text.db: cannot read the database: file is not a database");
    assert_eq!(folder.read("text.db"), "this is no database, whatever its name says");
    let foreign = rusqlite::Connection::open(folder.path("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE books (title TEXT)").unwrap();
    drop(foreign);
    fails("foreign.db", "foreign.db: this SQLite database is another program's");
    std::fs::create_dir(folder.path("folder.db")).unwrap();
    fails("folder.db", "folder.db: cannot open the database: ");
    let words = |database| ["replay", "--rules", "r.txt", "--database", database, "empty.jsonl"];
    assert_eq!(folder.run(&words("ours.db")), 0, "{}", folder.stderr());
    let newer = folder.database("ours.db");
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    fails("ours.db", "ours.db: the database has version 99; this certstream knows");
}

#[test]
fn an_export_that_cannot_be_written_fails_and_keeps_what_is_stored() {
    let folder = Folder::new();
    folder.write("r.txt", "example\n");
    folder.write("file", "a file where a folder is wanted");
    folder.write("one.jsonl", "{\"message_type\":\"dns_entries\",\"data\":[\"a.example.com\"]}\n");
    std::fs::create_dir(folder.path("folder.txt")).unwrap();
    let words =
        |output| ["replay", "--rules=r.txt", "--database=d.db", "--output", output, "one.jsonl"];
    let shown = complaint(&folder, &words("file/x.txt"), 1);
    assert!(shown.contains("file/x.txt: ") && shown.contains("Not a directory"), "{shown}");
    // What can be known before the run is said before the run.
    let shown = complaint(&folder, &words("folder.txt"), 2);
    assert!(shown.contains("folder.txt: the export's target is a folder"), "{shown}");
    assert_eq!(folder.number("d.db", "SELECT sightings FROM domains"), Some(1));
}
