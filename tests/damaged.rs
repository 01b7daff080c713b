//! A database that a power loss has damaged: the next watch finds it out while it already
//! watches, ends with the remedy, and overwrites nothing.

use tungstenite::Message;

use crate::testenv::stream::update;
use crate::testenv::{Folder, Server, Tls, wait_until};

const STORED: u64 = 5000;

/// Sends certificates to each client, the names of later clients apart from the first one's.
fn server() -> Server {
    Server::start(Tls::Off, |visit| {
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        peer.send(
            (0..STORED).map(|n| Message::text(update(n, &format!("n{n}.of{number}.example")))),
        )?;
        peer.keep_open()
    })
}

/// Where a leaf of the table `names` stands in the file.
fn leaf(folder: &Folder) -> (usize, usize) {
    let database = folder.database("certstream.db");
    // What a killed run left in the log is moved into the file.
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let page: i64 = database
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'domains_first_seen' AND pagetype = 'leaf'
             ORDER BY pageno LIMIT 1 OFFSET 3",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let size = database.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0)).unwrap();
    let (page, size) = (usize::try_from(page).unwrap(), usize::try_from(size).unwrap());
    ((page - 1) * size, page * size)
}

#[test]
fn damage_after_an_unclean_end_is_found_and_told_and_not_written_over() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let server = server();
    let url = server.url("/");
    let words = ["--server", &url, "--rules", "rules.txt", "--no-export"];
    let mut killed = folder.start(&words);
    folder.wait_for_position("certstream.db", STORED as i64);
    killed.child().kill().unwrap();
    killed.end();

    let (from, to) = leaf(&folder);
    let mut bytes = std::fs::read(folder.path("certstream.db")).unwrap();
    let before = bytes[from..to].to_vec();
    bytes[from..to].fill(0xA5);
    folder.write("certstream.db", &bytes);
    for _ in 0..2 {
        let mut watch = folder.start(&words);
        assert_eq!(watch.end().code(), Some(1), "{}", folder.stderr());
        let said = folder.stderr();
        assert!(said.contains("certstream.db: the last run did not end cleanly"), "{said}");
        assert!(said.contains("certstream.db: the database is damaged: domains: "), "{said}");
        assert!(said.contains("remedy: move the database away with its -wal and -shm"), "{said}");
        assert!(said.contains("certstream backup"), "{said}");
        let now = std::fs::read(folder.path("certstream.db")).unwrap();
        assert!(now[from..to].iter().all(|byte| *byte == 0xA5), "not written over");
        assert!(now.len() >= bytes.len());
    }
    // As after the remedy: with the sound file in its place the next run is content.
    bytes[from..to].copy_from_slice(&before);
    for old in ["certstream.db-wal", "certstream.db-shm"] {
        let _ = std::fs::remove_file(folder.path(old));
    }
    folder.write("certstream.db", &bytes);
    let mut watch = folder.start(&words);
    wait_until("it is checked", || folder.stderr().contains("the database is sound"));
    assert_eq!(watch.stop(), 0, "{}", folder.stderr());
    let stored = "SELECT count(*) FROM domains WHERE domain LIKE '%.of0.example'";
    assert_eq!(folder.number("certstream.db", stored), Some(STORED as i64));
    let outcome =
        folder.texts("certstream.db", "SELECT outcome FROM runs ORDER BY id DESC LIMIT 1");
    assert_eq!(outcome, ["done"]);
}
