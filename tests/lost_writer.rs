//! A writer that is lost ends the run: at once, with its error once, and what it committed kept.

use std::time::Duration;

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls};

#[test]
fn a_database_that_breaks_under_a_run_ends_it_with_one_error() {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    folder.write("certstream.txt", "old\n");
    let server = Server::start(Tls::Off, |visit| {
        visit.upgrade()?.send((0_u64..).map(|n| {
            Message::text(format!(
                r#"{{"message_type":"dns_entries","data":["www.n{}.example.com"]}}"#,
                n % 5000
            ))
        }))
    });
    let mut program = folder.start(&["--server", &server.url("/"), "--rules", "rules.txt"]);
    folder.wait_for_position("certstream.db", 1000);
    let other = folder.database("certstream.db");
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other.execute_batch("DROP TABLE names").unwrap();
    assert_eq!(program.end().code(), Some(1), "{}", folder.stderr());
    let stderr = folder.stderr();
    assert_eq!(stderr.matches("no such table: names").count(), 1, "{stderr}");
    assert!(stderr.contains("the run ended without its writer"), "{stderr}");
    assert_eq!(folder.read("certstream.txt"), "old\n");
    let stored = folder.number("certstream.db", "SELECT count(*) FROM domains");
    assert!(stored > Some(0), "{stored:?}");
}
