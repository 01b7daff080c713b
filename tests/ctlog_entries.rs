//! What becomes of entries that cannot be read: each is a gap of its own, said, and costs no other.

use crate::testenv::ctwatch::{expected, folder, gaps, log_of, made, stored, wait_for_end, watch};
use crate::testenv::log::{Fault, Key, LogServer, Protocol, Signed, TestLog, Times};
use crate::testenv::{Folder, Tls};

/// Entries of each log: two full tiles and a part.
const ENTRIES: u64 = 700;

/// An entry of a type that no version of the protocol has, 77 entries into the second tile.
fn log_with_a_stranger(protocol: Protocol) -> (TestLog, u64) {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(protocol);
    let at = 256 + 77;
    log.append(made(3).entries(0..at));
    let mut stranger = made(3).entry(at);
    stranger.signed = Signed::Unknown { signed: b"something of the future".to_vec() };
    (stranger.names, stranger.common_name) = (Vec::new(), None);
    log.append([stranger]);
    log.append(made(3).entries(at + 1..ENTRIES));
    (log, at)
}

fn spans(folder: &Folder) -> Vec<String> {
    let sql = "SELECT reason || ' ' || first_index || ' ' || last_index FROM gaps ORDER BY id";
    folder.texts("certstream.db", sql)
}

/// Its hash is known all the same, so that its neighbours are proven.
#[test]
fn an_entry_of_an_unknown_type_is_a_gap_of_one() {
    for verify in ["full", "checkpoint"] {
        let (log, at) = log_with_a_stranger(Protocol::Rfc6962);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, &format!("  verify: {verify}\n"));
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log), "{verify}");
        assert_eq!(spans(&folder), [format!("unknown entry type {at} {at}")]);
        let stderr = folder.stderr();
        assert!(stderr.contains(&format!("entry {at} cannot be read")), "{stderr}");
    }
}

/// Where it ends nobody knows: the rest of its tile is a gap, and what stands before it and in the
/// other tiles is proven and stored.
#[test]
fn behind_an_entry_of_an_unknown_type_the_rest_of_the_tile_is_a_gap() {
    for (verify, more) in [("full", 0), ("checkpoint", 0), ("full", 2000)] {
        let (log, at) = log_with_a_stranger(Protocol::Tiles);
        // Enough to be proven tile by tile, instead of together.
        log.append(made(3).entries(ENTRIES..ENTRIES + more));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, &format!("  verify: {verify}\n"));
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        // It does not stay in the way.
        log.append(made(3).entries(9000..9100));
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        let mut due = std::collections::BTreeMap::new();
        for (index, names) in log.expected() {
            for name in names.into_iter().filter(|name| name.contains("paypal")) {
                if !(at..512).contains(&index) {
                    *due.entry(name).or_default() += 1;
                }
            }
        }
        assert_eq!(stored(&folder), due, "{verify}");
        assert_eq!(spans(&folder), [format!("unknown entry type {at} 511")]);
        let stderr = folder.stderr();
        assert!(stderr.contains(&format!("the entries {at} to 511 cannot be read")), "{stderr}");
        // Asked for twice before it was believed, and not again.
        let asked = server.count("/alpha/tile/data/001");
        assert!((2..=4).contains(&asked), "{asked}");
    }
}

/// What only looks like an unknown type is asked for again.
#[test]
fn a_tile_that_is_torn_on_its_way_leaves_no_lasting_gap() {
    // The high byte of the first entry's type.
    let fault = Fault::FlippedBit(8);
    let log = log_of(Protocol::Tiles, 3, ENTRIES);
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, "");
    server.misbehave("/alpha/tile/data/001", Times::Next(1), fault);
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), expected(&log));
    assert_eq!(spans(&folder), [""; 0], "{}", folder.stderr());
}

#[test]
fn a_certificate_that_cannot_be_read_is_a_gap_of_one() {
    let log = log_of(Protocol::Tiles, 3, ENTRIES);
    let mut broken = made(3).entry(ENTRIES);
    broken.signed = Signed::X509 { certificate: b"no certificate".to_vec() };
    (broken.names, broken.common_name) = (Vec::new(), None);
    log.append([broken]);
    log.append(made(3).entries(ENTRIES + 1..ENTRIES + 20));
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(spans(&folder), [format!("malformed certificate {ENTRIES} {ENTRIES}")]);
}

#[test]
fn a_certificate_with_too_many_names_is_read_up_to_the_limit_and_said() {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
    log.append(made(3).entries(0..256));
    let server = LogServer::start(Tls::Off, &[&log]);
    // Of names tiles nothing is signed: one can say anything.
    let name = |number: u64| format!("\"paypal-{}.x.org\"", number.min(100_000));
    let names = (0..100_007).map(name).collect::<Vec<_>>().join(",");
    let mut tile = format!("{{\"Timestamp\":1,\"DNS\":[{names}]}}\n");
    tile += &"{\"Timestamp\":1}\n".repeat(255);
    server.misbehave("/alpha/tile/names/000", Times::Always, Fault::Body(tile.into_bytes().into()));
    // And so nothing is verified.
    server.misbehave("/alpha/tile/data/*", Times::Always, Fault::status(404));
    let folder = folder(&server, "  source: names\n");
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let counts = "SELECT (SELECT count(*) FROM domains) || ' ' || reason || ' ' || first_index
        || ' ' || detail FROM gaps";
    assert_eq!(
        folder.texts("certstream.db", counts),
        ["100000 too many names 0 7 names beyond the first 100000 are left out"]
    );
}

/// The precertificate as submitted is signed by nobody.
#[test]
fn a_submitted_precertificate_that_is_too_large_is_left_out() {
    for protocol in [Protocol::Tiles, Protocol::Rfc6962] {
        let log = TestLog::new("alpha", Key::Ecdsa).speaking(protocol);
        log.append(made(3).entries(0..7));
        let mut odd = made(3).entry(7);
        if let Signed::Precert { submitted, .. } = &mut odd.signed {
            *submitted = vec![7; (1 << 24) - 1];
        }
        log.append([odd]);
        log.append(made(3).entries(8..256));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log));
        assert_eq!(gaps(&folder), [""; 0], "{}", folder.stderr());
        let without = "SELECT count(*) FROM certificates WHERE sha256 IS NULL";
        assert_eq!(folder.number("certstream.db", without), Some(1));
    }
}

/// Where entries are not hashed, the index is all that ties them to their place.
#[test]
fn entries_that_do_not_bear_their_index_are_refused() {
    for fault in [Fault::Unindexed, Fault::OtherTile] {
        let log = log_of(Protocol::Tiles, 3, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        server.misbehave("/alpha/tile/data/000", Times::Next(1), fault);
        let folder = folder(&server, "  verify: checkpoint\n");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log));
        assert_eq!(gaps(&folder), ["not as signed"], "{}", folder.stderr());
    }
}
