//! A lost connection is a gap, and is made again.

use certstream::batch::GapEvent;
use certstream::update::FrameFault;
use tungstenite::Message;

use crate::testenv::{Peer, Server, Tls, Watching, certificate, frame, wait_until};

/// On the first connection `end` follows a frame; on the second another frame comes.
fn after(tls: Tls, end: fn(&mut Peer) -> tungstenite::Result<()>) -> (Server, Watching) {
    let server = Server::start(tls, move |visit| {
        let first = visit.number == 0;
        let mut peer = visit.upgrade()?;
        if first {
            peer.send([certificate("before.example")])?;
            return end(&mut peer);
        }
        peer.send([certificate("after.example")])?;
        peer.keep_open()
    });
    let watching = Watching::start(Watching::settings(&server, "/"));
    let expected = ["before.example", "after.example"].map(|name| certificate(name).into_data());
    assert_eq!(watching.wait_for_frames(2), expected);
    wait_until("the gap has ended", || watching.gaps().len() == 2);
    (server, watching)
}

/// Exactly one gap, which begins for `why` and ends.
#[track_caller]
fn one_gap(watching: &Watching, why: &str) {
    let gaps = watching.gaps();
    let [GapEvent::Opened { at: from, reason, detail }, GapEvent::Closed { at: to }] = &gaps[..]
    else {
        panic!("{gaps:?}");
    };
    assert_eq!(*reason, "disconnected");
    assert!(detail.contains(why), "{detail}");
    assert!(from <= to, "{from} {to}");
    assert_eq!((watching.stats.gaps.get(), watching.stats.reconnects.get()), (1, 1));
}

/// One frame was refused for `fault`, and counted among all: the two that came through and it.
#[track_caller]
fn one_refused(watching: &Watching, fault: FrameFault) {
    assert_eq!(watching.stats.refused[fault as usize].get(), 1);
    assert_eq!(watching.stats.frames.get(), 3);
}

#[test]
fn a_connection_lost_within_a_frame_is_a_gap() {
    for tls in [Tls::Off, Tls::Good] {
        let (_server, watching) = after(tls, |peer| {
            let whole = frame(true, 1, &[b'x'; 1000]);
            peer.send_bytes(&whole[..500])
        });
        one_gap(&watching, "connection lost: ");
    }
}

#[test]
fn an_orderly_close_is_answered_and_shown_escaped() {
    let (server, watching) = after(Tls::Off, |peer| peer.close(1008, "No ping\u{1b}[2J received!"));
    one_gap(&watching, "closed the connection with code 1008: No ping\\u{1b}[2J received!");
    let answered = || server.messages().iter().any(|m| matches!(m, Message::Close(_)));
    wait_until("the close is answered", answered);
}

#[test]
fn text_that_is_not_utf8_is_counted_and_ends_the_connection() {
    let (_server, watching) = after(Tls::Off, |peer| {
        peer.send_bytes(&frame(true, 1, b"\xff\xfe"))?;
        peer.keep_open()
    });
    one_gap(&watching, "not UTF-8");
    one_refused(&watching, FrameFault::NotUtf8);
}

#[test]
fn a_broken_frame_ends_the_connection() {
    let (_server, watching) = after(Tls::Off, |peer| {
        // An opcode that does not exist.
        peer.send_bytes(&frame(true, 3, b""))?;
        peer.keep_open()
    });
    one_gap(&watching, "connection lost: ");
}

#[test]
fn a_frame_beyond_the_limit_is_not_waited_for() {
    let (_server, watching) = after(Tls::Off, |peer| {
        // 2^40 bytes are announced.
        peer.send_bytes(&[0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0])?;
        peer.keep_open()
    });
    one_gap(&watching, "larger than we accept");
    one_refused(&watching, FrameFault::TooLarge);
}

#[test]
fn a_message_in_pieces_is_not_longer_than_one_in_one() {
    let (_server, watching) = after(Tls::Off, |peer| {
        let piece = [b'x'; 1 << 20];
        peer.send_bytes(&frame(false, 1, &piece))?;
        loop {
            peer.send_bytes(&frame(false, 0, &piece))?;
        }
    });
    one_gap(&watching, "larger than we accept");
    one_refused(&watching, FrameFault::TooLarge);
}

#[test]
fn a_server_that_comes_up_late_leaves_a_gap_from_the_start() {
    let server = Server::start(Tls::Off, |visit| match visit.number {
        0..3 => visit.refuse("502 Bad Gateway", &[]),
        _ => visit.upgrade()?.serve(),
    });
    let started = certstream::batch::now_micros();
    let watching = Watching::start(Watching::settings(&server, "/"));
    wait_until("the gap has ended", || watching.gaps().len() == 2);
    let GapEvent::Opened { at, reason, detail } = &watching.gaps()[0] else { panic!("no begin") };
    assert!(*at >= started && *reason == "not connected", "{at} {reason}");
    assert!(detail.contains("502 Bad Gateway"), "{detail}");
    assert_eq!(watching.stats.reconnects.get(), 0);
}
