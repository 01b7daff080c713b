//! What a log is resumed from: its place, whatever went wrong before it could be read again.

use certstream::ctlog::{self, SignedTreeHead};
use rustix::process::Signal;

use crate::testenv::ctwatch::{
    expected, folder, log_of, made, stored, wait_for_end, wait_for_position, watch,
};
use crate::testenv::log::{LogServer, Protocol, Signing, TestLog};
use crate::testenv::{Folder, Tls, wait_until};

/// Entries of each log: two full tiles and a part.
const ENTRIES: u64 = 700;

fn position(folder: &Folder) -> Option<i64> {
    folder.number("certstream.db", "SELECT position FROM positions")
}

/// Watches until one more gap is stored than before, then kills it.
fn watch_until_a_gap_is_stored(folder: &Folder) {
    let gaps = || folder.number("certstream.db", "SELECT count(*) FROM gaps").unwrap_or(0);
    let before = gaps();
    let mut program = watch(folder);
    wait_until("a gap is stored", || gaps() > before);
    program.signal(Signal::KILL);
    program.end();
}

#[test]
fn a_gap_before_the_first_entry_of_a_run_leaves_the_position_as_it_was() {
    for protocol in [Protocol::Tiles, Protocol::Rfc6962] {
        let log = log_of(protocol, 5, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        log.sign(Signing::Broken);
        watch_until_a_gap_is_stored(&folder);
        assert_eq!(position(&folder), Some(700), "{protocol:?}");
        // The gap's end comes before an entry is read, too.
        let mut program = watch(&folder);
        wait_until("it is said", || folder.stderr().contains("next attempt"));
        log.sign(Signing::Good);
        wait_until("the gap is closed", || {
            let open = "SELECT count(*) FROM gaps WHERE ended IS NOT NULL";
            folder.number("certstream.db", open) == Some(1)
        });
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(position(&folder), Some(700), "{protocol:?}");
        log.append(made(5).entries(ENTRIES..ENTRIES + 30));
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log), "{protocol:?}");
    }
}

/// The two heads of the one fork that is stored, each as the log has signed it.
fn fork(folder: &Folder, log: &TestLog, protocol: Protocol) -> [SignedTreeHead; 2] {
    let sql = "SELECT known_signed FROM forks UNION ALL SELECT shown_signed FROM forks";
    let key = ctlog::Key::from_spki(&log.key()).unwrap();
    let heads: Vec<SignedTreeHead> = folder
        .texts("certstream.db", sql)
        .iter()
        .map(|signed| match protocol {
            Protocol::Rfc6962 => ctlog::signed_tree_head(signed.as_bytes(), &key).unwrap(),
            _ => ctlog::checkpoint(signed.as_bytes(), &log.origin(), &key).unwrap(),
        })
        .collect();
    heads.try_into().unwrap()
}

#[test]
fn a_log_that_has_forked_keeps_its_position_at_every_start_and_what_convicts_it() {
    for (protocol, grown) in [
        (Protocol::Tiles, 0),
        (Protocol::Tiles, 40),
        (Protocol::Rfc6962, 0),
        (Protocol::Rfc6962, 40),
    ] {
        let log = log_of(protocol, 5, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        let before = log.root(ENTRIES);
        log.fork(300);
        log.append(made(5).entries(ENTRIES..ENTRIES + grown));
        for _ in 0..2 {
            assert_eq!(watch(&folder).end().code(), Some(1), "{}", folder.stderr());
            assert_eq!(position(&folder), Some(700));
            let [known, shown] = fork(&folder, &log, protocol);
            assert_eq!((known.size, known.root), (ENTRIES, before));
            assert_eq!((shown.size, shown.root), (log.size(), log.root(log.size())));
        }
    }
}

#[test]
fn a_log_that_is_to_be_read_from_its_end_is_so_whatever_came_before_its_first_tree_head() {
    for protocol in [Protocol::Tiles, Protocol::Rfc6962] {
        let log = log_of(protocol, 5, ENTRIES);
        log.sign(Signing::Broken);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let text = folder.read("config.yaml").replace("start: beginning", "start: end");
        folder.write("config.yaml", text);
        watch_until_a_gap_is_stored(&folder);
        log.sign(Signing::Good);
        assert_eq!(folder.run(&["logs", "--json", "--offline"]), 0, "{}", folder.stderr());
        let shown = folder.stdout();
        assert!(shown.contains("\"position\":null"), "nothing was read: {shown}");
        let mut program = watch(&folder);
        wait_for_position(&folder, &log, ENTRIES);
        log.append(made(5).entries(ENTRIES..ENTRIES + 30));
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        let later = |index: u64| index >= ENTRIES;
        let names = log.expected().into_iter().filter(|(index, _)| later(*index));
        let mut names: Vec<String> =
            names.flat_map(|(_, names)| names).filter(|name| name.contains("paypal")).collect();
        names.sort();
        assert_eq!(stored(&folder).into_keys().collect::<Vec<_>>(), names, "{protocol:?}");
    }
}

#[test]
fn that_a_log_has_no_names_tiles_is_found_out_by_a_tile_that_is_not_full_and_remembered() {
    let log = log_of(Protocol::Tiles, 5, ENTRIES).without_names();
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, "  source: names\n");
    let text = folder.read("config.yaml").replace("start: beginning", "start: end");
    folder.write("config.yaml", text);
    let mut program = watch(&folder);
    wait_for_position(&folder, &log, ENTRIES);
    log.append(made(5).entries(ENTRIES..ENTRIES + 30));
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert!(!folder.stderr().contains("next attempt"), "{}", folder.stderr());
    // The part, and the full tile it might have become.
    assert_eq!(server.count("/alpha/tile/names/*"), 2);
    let mut program = watch(&folder);
    log.append(made(5).entries(ENTRIES + 30..ENTRIES + 300));
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(server.count("/alpha/tile/names/*"), 2, "remembered");
    // Not for ever.
    let week_ago = "UPDATE positions SET no_names = no_names - 7 * 24 * 3600 * 1000000";
    folder.database("certstream.db").execute(week_ago, []).unwrap();
    let mut program = watch(&folder);
    log.append(made(5).entries(ENTRIES + 300..ENTRIES + 330));
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert!(server.count("/alpha/tile/names/*") > 2, "asked for again");
}
