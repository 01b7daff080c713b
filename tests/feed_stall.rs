//! A server that is connected but sends no certificates is left, however busy it seems.

use std::time::{Duration, Instant};

use certstream::batch::GapEvent;
use tungstenite::{Bytes, Message};

use crate::testenv::{Peer, Server, Tls, Watching, certificate, frame, wait_until};

/// How long no certificate may come in these tests.
const SILENT: Duration = Duration::from_millis(300);

/// Sends a certificate at first, goes on as `idle` has it, and is left; on the second connection
/// certificates come again.
#[track_caller]
fn is_left(tls: Tls, idle: fn(&mut Peer) -> tungstenite::Result<()>) -> Watching {
    let server = Server::start(tls, move |visit| {
        let first = visit.number == 0;
        let mut peer = visit.upgrade()?;
        if first {
            peer.send([certificate("before.example")])?;
            return idle(&mut peer);
        }
        peer.serve()
    });
    let mut settings = Watching::settings(&server, "/");
    settings.timings.silent = SILENT;
    let started = Instant::now();
    let watching = Watching::start(settings);
    let detail = watching.first_gap();
    assert!(started.elapsed() >= SILENT);
    assert!(detail.contains("connected, but no certificate for"), "{detail}");
    wait_until("the gap has ended", || watching.gaps().len() >= 2);
    let gaps = watching.gaps();
    let [GapEvent::Opened { at: from, reason, .. }, GapEvent::Closed { at: to }, ..] = &gaps[..]
    else {
        panic!("{gaps:?}");
    };
    assert_eq!(*reason, "stall");
    // From the certificate, not from when its lack was noticed.
    let least = i64::try_from(SILENT.as_micros()).unwrap();
    assert!(to - from >= least, "{from} {to}");
    watching
}

#[test]
fn though_it_is_only_silent() {
    for tls in [Tls::Off, Tls::Good] {
        is_left(tls, Peer::keep_open);
    }
}

#[test]
fn though_it_sends_heartbeats_and_pings() {
    is_left(Tls::Off, |peer| {
        loop {
            peer.send([
                Message::text(r#"{"message_type":"heartbeat"}"#),
                Message::Ping(Bytes::from_static(b"there?")),
            ])?;
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn though_it_sends_what_is_no_message() {
    let watching = is_left(Tls::Off, |peer| {
        loop {
            peer.send([Message::text("<html>")])?;
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    assert!(watching.stats.refused_total() > 0);
}

#[test]
fn though_a_frame_comes_a_byte_at_a_time() {
    is_left(Tls::Off, |peer| {
        for byte in frame(true, 1, &[b'x'; 100_000]) {
            peer.send_bytes(&[byte])?;
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    });
}

/// tungstenite reads on for as long as what it gets makes no message.
#[test]
fn though_pieces_of_a_message_come_without_pause() {
    for tls in [Tls::Off, Tls::Good] {
        is_left(tls, |peer| {
            peer.send_bytes(&frame(false, 1, b""))?;
            let pieces = frame(false, 0, b"").repeat(1000);
            loop {
                peer.send_bytes(&pieces)?;
            }
        });
    }
}

#[test]
fn while_attempts_fail_and_connections_are_silent_it_is_one_gap() {
    let server = Server::start(Tls::Off, |visit| match visit.number {
        0 => {
            let mut peer = visit.upgrade()?;
            peer.send([certificate("before.example")])
        }
        1 => visit.refuse("502 Bad Gateway", &[]),
        2 => visit.upgrade()?.keep_open(),
        _ => visit.upgrade()?.serve(),
    });
    let mut settings = Watching::settings(&server, "/");
    settings.timings.silent = SILENT;
    let watching = Watching::start(settings);
    wait_until("the gap has ended", || watching.gaps().len() >= 2);
    let gaps = watching.gaps();
    let [GapEvent::Opened { reason: "disconnected", .. }, GapEvent::Closed { .. }] = &gaps[..2]
    else {
        panic!("{gaps:?}");
    };
    assert_eq!(server.connections(), 4);
    assert_eq!(watching.stats.gaps.get(), 1);
}
