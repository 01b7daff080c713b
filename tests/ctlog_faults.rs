//! What becomes of a log's faults: none costs an entry, doubles one, hangs, or goes unsaid.

use std::time::Duration;

use crate::testenv::ctwatch::{expected, folder, gaps, log_of, made, stored, wait_for_end, watch};
use crate::testenv::log::{
    Fault, Key, LogServer, Protocol, RetryAfter, Signing, TestLog, Times, most_at_once, most_within,
};
use crate::testenv::{Folder, Tls, wait_until};

/// Entries of each log: two full tiles and a part.
const ENTRIES: u64 = 700;

/// Reads a log of `protocol` whose answers at `pattern` go wrong with `fault`; it is read in full
/// all the same, and grows. What was logged, for the caller to look into.
fn survives(protocol: Protocol, pattern: &str, times: Times, fault: Fault) -> Folder {
    survives_with("", protocol, pattern, times, fault)
}

/// The same with `more` lines in the config's `ct:` block.
fn survives_with(
    more: &str,
    protocol: Protocol,
    pattern: &str,
    times: Times,
    fault: Fault,
) -> Folder {
    let log = log_of(protocol, 3, ENTRIES);
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, more);
    server.misbehave(pattern, times, fault);
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    log.append(made(3).entries(ENTRIES..ENTRIES + 50));
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{pattern}: {}", folder.stderr());
    assert_eq!(stored(&folder), expected(&log), "{pattern}");
    folder
}

fn busy(retry_after: RetryAfter) -> Fault {
    Fault::Refused { status: 429, retry_after: Some(retry_after) }
}

#[test]
fn what_passes_costs_nothing_and_leaves_no_gap() {
    let second = Duration::from_secs(1);
    for (protocol, pattern, times, fault) in [
        (Protocol::Tiles, "/alpha/tile/data/*", Times::Next(2), busy(RetryAfter::Seconds(1))),
        (Protocol::Rfc6962, "/alpha/ct/v1/*", Times::Next(2), busy(RetryAfter::Date(second))),
        (Protocol::Tiles, "*", Times::Next(3), Fault::status(500)),
        (Protocol::Tiles, "/alpha/tile/*", Times::Next(3), Fault::status(503)),
        (Protocol::Tiles, "/alpha/tile/*", Times::Next(3), Fault::Truncated),
        (Protocol::Rfc6962, "/alpha/ct/v1/get-entries*", Times::Next(2), Fault::Truncated),
        (Protocol::Tiles, "/alpha/tile/*", Times::Next(2), Fault::Reset),
        (Protocol::Rfc6962, "/alpha/ct/v1/get-entries*", Times::Next(2), Fault::Reset),
        (Protocol::Tiles, "/alpha/*", Times::Always, Fault::Closed { announced: true }),
        (Protocol::Tiles, "/alpha/*", Times::Next(3), Fault::Closed { announced: false }),
        (Protocol::Tiles, "/alpha/tile/data/*.p/*", Times::Next(1), Fault::status(404)),
    ] {
        let shown = format!("{fault:?} at {pattern}");
        let folder = survives(protocol, pattern, times, fault);
        assert_eq!(gaps(&folder), Vec::<String>::new(), "{shown}: {}", folder.stderr());
    }
}

#[test]
fn a_lying_mirror_is_noticed_said_and_asked_again() {
    for (protocol, pattern, fault) in [
        (Protocol::Tiles, "/alpha/tile/data/001", Fault::AlteredEntry(77)),
        (Protocol::Tiles, "/alpha/tile/data/000", Fault::OtherTile),
        (Protocol::Tiles, "/alpha/tile/data/*.p/*", Fault::AlteredEntry(3)),
        (Protocol::Tiles, "/alpha/checkpoint", Fault::FlippedBit(40)),
        (Protocol::Rfc6962, "/alpha/ct/v1/get-entries*", Fault::AlteredEntry(5)),
    ] {
        let folder = survives(protocol, pattern, Times::Next(1), fault);
        assert_eq!(gaps(&folder), ["not as signed"], "{pattern}: {}", folder.stderr());
        let stderr = folder.stderr();
        assert!(stderr.contains("ERROR") && stderr.contains("next attempt"), "{stderr}");
    }
}

/// More tiles than are proven together: each stands for itself, with hash tiles.
#[test]
fn when_catching_up_each_tile_is_proven_on_its_own() {
    for pattern in ["/alpha/tile/data/007", "/alpha/tile/1/*", "/alpha/tile/0/*"] {
        let log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
        log.append(made(3).entries(0..5000));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let fault =
            if pattern.contains("data") { Fault::AlteredEntry(9) } else { Fault::FlippedBit(99) };
        server.misbehave(pattern, Times::Next(1), fault);
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log));
        assert_eq!(gaps(&folder), ["not as signed"], "{pattern}: {}", folder.stderr());
        // Four, and four that were under way when the lie was found out.
        assert!(most_at_once(&server.requests("/alpha/tile/data/*")) <= 8);
    }
}

#[test]
fn a_fork_a_shrunk_tree_and_a_stranger_stop_the_log_or_are_refused() {
    for protocol in [Protocol::Tiles, Protocol::Rfc6962] {
        for broken in ["log forked", "log shrunk"] {
            let log = log_of(protocol, 3, ENTRIES);
            let server = LogServer::start(Tls::Off, &[&log]);
            let folder = folder(&server, "");
            let mut program = watch(&folder);
            wait_for_end(&folder, &log);
            let before = stored(&folder);
            if broken == "log forked" {
                log.fork(300);
                log.append(made(3).entries(ENTRIES..ENTRIES + 600));
            } else {
                log.shrink(500);
            }
            wait_until("the log is stopped", || folder.stderr().contains("not read any further"));
            // The only log there was: the run ends, and says so.
            assert_eq!(program.end().code(), Some(1), "{}", folder.stderr());
            assert_eq!(gaps(&folder), [broken], "{protocol:?} {}", folder.stderr());
            assert_eq!(stored(&folder), before, "nothing of the other tree is stored");
            // A restart does not forget.
            let mut again = watch(&folder);
            assert_eq!(again.end().code(), Some(1), "{}", folder.stderr());
            assert_eq!(stored(&folder), before);
        }
    }
}

#[test]
fn a_head_that_the_log_has_not_signed_is_not_believed() {
    for (signing, what) in [
        (Signing::Broken, "the signature does not hold"),
        (Signing::Stranger, "bears no signature of the log's key"),
    ] {
        let log = log_of(Protocol::Tiles, 3, ENTRIES);
        log.sign(signing);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        wait_until("it is said", || folder.stderr().contains("next attempt"));
        let stderr = folder.stderr();
        assert!(stderr.contains(what), "{stderr}");
        log.sign(Signing::Good);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log));
    }
}

#[test]
fn an_endless_or_oversized_answer_is_cut_and_said() {
    for (pattern, fault) in [
        ("/alpha/checkpoint", Fault::Endless),
        ("/alpha/tile/0/*", Fault::Endless),
        ("/alpha/checkpoint", Fault::Oversized),
    ] {
        let folder = survives(Protocol::Tiles, pattern, Times::Next(1), fault);
        let stderr = folder.stderr();
        assert!(stderr.contains("the answer is"), "{pattern}: {stderr}");
    }
}

#[test]
fn a_stop_does_not_wait_for_a_stalled_answer() {
    for fault in [Fault::Stalled, Fault::Slow(Duration::from_millis(500))] {
        let log = log_of(Protocol::Tiles, 3, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        server.misbehave("/alpha/tile/data/*", Times::Always, fault);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        server.wait_for_requests("/alpha/tile/data/*", 1);
        let before = std::time::Instant::now();
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        // The promise of the product, and a margin for a busy machine.
        assert!(before.elapsed() < Duration::from_secs(4), "{:?}", before.elapsed());
    }
}

#[test]
fn a_tile_that_cannot_be_verified_holds_up_no_other_and_is_not_asked_for_in_a_loop() {
    for fault in [Fault::AlteredEntry(7), Fault::status(404)] {
        let log = log_of(Protocol::Tiles, 3, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        server.misbehave("/alpha/tile/data/000", Times::Always, fault);
        let folder = folder(&server, "  source: names\n");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        // In the tile that fails nothing can be verified, in the others everything.
        let marked = |indexes: std::ops::Range<u64>| {
            indexes.filter(|index| index.is_multiple_of(7)).count() as i64
        };
        let left = || folder.number("certstream.db", "SELECT count(*) FROM unverified");
        wait_until("the others are verified", || left() == Some(marked(0..256)));
        // The pauses grow, and none is shorter than two seconds.
        server.wait_for_requests("/alpha/tile/data/000", 3);
        assert!(most_within(&server.requests("/alpha/tile/data/000"), Duration::from_secs(1)) <= 1);
        assert_eq!(server.count("/alpha/tile/data/001"), 1, "once a tile");
        server.behave();
        wait_until("all are verified", || left() == Some(0));
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log));
        let verified = "SELECT verified FROM positions WHERE feed LIKE 'verify %'";
        assert_eq!(folder.number("certstream.db", verified), Some(marked(0..ENTRIES)));
    }
}

#[test]
fn an_answer_that_stalls_or_trickles_is_given_up_in_time_and_asked_for_again() {
    for (protocol, pattern) in [
        (Protocol::Tiles, "/alpha/checkpoint"),
        (Protocol::Tiles, "/alpha/tile/data/*"),
        (Protocol::Tiles, "/alpha/tile/0/*"),
        (Protocol::Rfc6962, "/alpha/ct/v1/get-sth"),
        (Protocol::Rfc6962, "/alpha/ct/v1/get-entries*"),
    ] {
        for fault in [Fault::Stalled, Fault::Slow(Duration::from_millis(100))] {
            let shown = format!("{fault:?} at {pattern}");
            let more = "  timeout: 1 s\n";
            let folder = survives_with(more, protocol, pattern, Times::Next(2), fault);
            assert_eq!(gaps(&folder), Vec::<String>::new(), "{shown}: {}", folder.stderr());
        }
    }
}

#[test]
fn where_a_names_tile_is_of_no_use_its_data_tile_is_read() {
    let huge = vec![b'\n'; (32 << 20) + 1];
    for (shown, fault) in [
        ("none", Fault::status(404)),
        ("one line", Fault::Body(b"{}\n"[..].into())),
        ("too large", Fault::Body(huge.into())),
    ] {
        let log = log_of(Protocol::Tiles, 3, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        server.misbehave("/alpha/tile/names/001", Times::Always, fault);
        let folder = folder(&server, "  source: names\n");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        log.append(made(3).entries(ENTRIES..ENTRIES + 100));
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log), "{shown}");
        assert!(!folder.stderr().contains("next attempt"), "{}", folder.stderr());
        assert_eq!(gaps(&folder), [""; 0], "{}", folder.stderr());
        // One tile that is missing does not make a log without names tiles.
        assert!(server.count("/alpha/tile/names/003*") > 0, "{shown}");
    }
}

#[test]
fn a_proof_that_proves_nothing_condemns_no_log_and_a_fork_is_one_at_every_size() {
    let checkpoint = "  verify: checkpoint\n";
    let proofs = "/alpha/ct/v1/get-sth-consistency*";
    let rfc = Protocol::Rfc6962;
    let folder = survives_with(checkpoint, rfc, proofs, Times::Next(1), Fault::WrongHash);
    assert_eq!(gaps(&folder), ["not as signed"], "{}", folder.stderr());
    // From a power of two a proof says less: it is proven another way.
    for (size, forked) in [(512, false), (512, true), (700, true), (1, true), (2, true)] {
        let log = TestLog::new("alpha", Key::Ecdsa).speaking(rfc);
        log.append(made(3).entries(0..size));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = self::folder(&server, checkpoint);
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        let before = stored(&folder);
        if forked {
            log.freeze();
            log.fork(size / 2);
            log.thaw();
            log.append(made(3).entries(size..size + 9));
            assert_eq!(program.end().code(), Some(1), "{size}: {}", folder.stderr());
            assert_eq!(gaps(&folder), ["log forked"], "{size}: {}", folder.stderr());
            assert_eq!(stored(&folder), before);
        } else {
            server.misbehave(proofs, Times::Next(1), Fault::WrongHash);
            log.append(made(3).entries(size..size + 50));
            wait_for_end(&folder, &log);
            assert_eq!(program.stop(), 0, "{}", folder.stderr());
            assert_eq!(stored(&folder), expected(&log));
            assert_eq!(gaps(&folder), Vec::<String>::new());
        }
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_left_alone_until_then() {
    for (protocol, retry_after) in [
        (Protocol::Tiles, RetryAfter::Seconds(2)),
        (Protocol::Rfc6962, RetryAfter::Seconds(2)),
        // Dates have no parts of seconds: this is more than two of them.
        (Protocol::Tiles, RetryAfter::Date(Duration::from_secs(3))),
    ] {
        let log = log_of(protocol, 3, ENTRIES);
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        server.misbehave("/alpha/*", Times::Next(1), busy(retry_after));
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        let requests = server.requests("/alpha/*");
        let busy = requests[0].ended.expect("answered");
        let away = requests[1].began.duration_since(busy);
        assert!(away >= Duration::from_millis(1990), "{retry_after:?}: back after {away:?}");
    }
}

#[test]
fn a_small_thing_that_unpacks_without_end_is_cut_and_said() {
    for pattern in ["/alpha/checkpoint", "/alpha/tile/data/000"] {
        let folder = survives(Protocol::Tiles, pattern, Times::Next(1), Fault::Bomb);
        let stderr = folder.stderr();
        assert!(stderr.contains("the answer is larger than"), "{pattern}: {stderr}");
        assert_eq!(gaps(&folder), Vec::<String>::new());
    }
}

#[test]
fn a_redirect_is_followed_and_a_circle_is_left() {
    let log = log_of(Protocol::Tiles, 3, ENTRIES);
    let (old, new) = (LogServer::start(Tls::Off, &[&log]), LogServer::start(Tls::Off, &[&log]));
    let folder = folder(&old, "");
    let circle = Fault::Moved(old.url("/alpha/checkpoint"));
    old.misbehave("/alpha/checkpoint", Times::Next(4), circle);
    for tile in ["000", "001", "002.p/188"] {
        let path = format!("/alpha/tile/data/{tile}");
        old.misbehave(&path, Times::Always, Fault::Moved(new.url(&path)));
    }
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), expected(&log));
    assert_eq!(new.count("/alpha/tile/data/*"), 3);
    assert!(folder.stderr().contains("redirect"), "{}", folder.stderr());
}

#[test]
fn whom_nobody_vouches_for_is_not_read_and_the_remedy_is_said() {
    for (tls, what, remedy) in [
        (Tls::Stranger, "an authority this machine does not know", "`ca_file`"),
        (Tls::WrongHost, "is for another host", "write the host name"),
        (Tls::Expired, "has expired", "the server's owner must renew it"),
    ] {
        let log = log_of(Protocol::Tiles, 3, ENTRIES);
        let server = LogServer::start(tls, &[&log]);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        wait_until("it is said", || folder.stderr().contains("next attempt"));
        let stderr = folder.stderr();
        assert!(stderr.contains(what) && stderr.contains(remedy), "{stderr}");
        assert_eq!(server.count("*"), 0, "nothing is asked of a stranger");
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
    }
}
