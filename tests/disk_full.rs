//! The database's disk is full, and has room again: the run goes on, nothing is lost, and while it
//! lasts it is said once, and the watch is not ready.

use tungstenite::Message;

use crate::testenv::stream::update;
use crate::testenv::{Folder, Observed, Phase, Server, SmallDisk, Tls, wait_until};

/// Certificates sent in each of three phases: before, while, and after the disk is full. More
/// than the part of the write-ahead log holds that is there already.
const EACH: u64 = 8000;

#[test]
fn the_run_goes_on_when_there_is_room_again() {
    let folder = Folder::new();
    let phase = Phase::default();
    let waiter = phase.waiter();
    let server = Server::start(Tls::Off, move |visit| {
        let mut peer = visit.upgrade()?;
        for phase in 0..3 {
            waiter.wait_for(phase);
            let numbers = phase as u64 * EACH..(phase as u64 + 1) * EACH;
            peer.send(numbers.map(|n| Message::text(update(n, &format!("n{n}.bank.example")))))?;
        }
        peer.keep_open()
    });
    let phase = phase;
    folder.write("rules.txt", "bank\n");
    let config = format!(
        "certstream: {{server: '{}', input: rules.txt}}\nobserve: {{listen: '127.0.0.1:0'}}\n\
         database: {{filename: disk/certstream.db}}\n",
        server.url("/")
    );
    folder.write("config.yaml", config);
    // A watch with less than 512 MiB of room is not ready.
    let Some(mut watch) = SmallDisk::start(&folder, "600m", &[]) else { return };
    let observed = Observed::of(&folder);
    let stored = || observed.sum("certstream_new_domains_total");
    wait_until("the first are stored", || stored() == EACH);
    assert!(observed.ready("disk").0);

    watch.fill();
    let (ready, disk) = observed.ready("disk");
    assert!(!ready && disk["ok"] == false && disk["free_bytes"] == 0, "{disk}");
    phase.reach(1);
    wait_until("all are read", || observed.sum("certstream_certificates_total") == 2 * EACH);
    wait_until("it is tried again", || observed.sum("certstream_commit_retries_total") > 5);
    assert!(stored() < 2 * EACH, "there is no room for them");
    assert!(observed.sum("certstream_backlog_bytes") > 0, "they wait in memory");
    assert!(watch.is_running());
    watch.free();
    wait_until("what waited is stored", || stored() == 2 * EACH);
    assert!(observed.ready("disk").0, "room again");
    phase.reach(2);
    wait_until("the rest is stored", || stored() == 3 * EACH);
    assert_eq!(watch.stop(), 0, "{}", folder.stderr());

    let number = |sql: &str| folder.number("kept/certstream.db", sql).unwrap();
    let all = 3 * EACH as i64;
    assert_eq!(number("SELECT count(*) FROM domains"), all);
    assert_eq!(number("SELECT sum(sightings) FROM domains"), all);
    assert_eq!(number("SELECT position FROM positions"), all);
    assert_eq!(number("SELECT count(*) FROM gaps"), 0);
    assert_eq!(folder.texts("kept/certstream.db", "PRAGMA integrity_check"), ["ok"]);
    let said = folder.stderr();
    assert_eq!(said.matches("database or disk is full; trying again until it works").count(), 1);
    assert!(said.contains("remedy: make room on its disk") && said.contains("stored at try"));
    assert_eq!(folder.lines("certstream.txt").len() as i64, all);
}

#[test]
fn a_start_on_a_full_disk_says_so() {
    let folder = Folder::new();
    folder.write("rules.txt", "bank\n");
    let words =
        ["--server=ws://127.0.0.1:1/", "--rules=rules.txt", "--database=disk/certstream.db"];
    // Not even the schema fits.
    let Some(mut watch) = SmallDisk::start(&folder, "16k", &words) else { return };
    wait_until("it ends", || !watch.is_running());
    let said = folder.stderr();
    assert!(said.contains("remedy: the disk is full: make room, then start again"), "{said}");
}
