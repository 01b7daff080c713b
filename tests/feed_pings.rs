//! Pings and pongs keep a connection; a server that does not read loses us.

use std::time::Duration;

use tungstenite::{Bytes, Message};

use crate::testenv::{Server, Tls, Watching, frame, wait_until};

#[test]
fn a_ping_is_answered_at_once() {
    let server = Server::start(Tls::Good, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send([Message::Ping(Bytes::from_static(b"there?"))])?;
        peer.keep_open()
    });
    // Our own ping is far away, so that nothing else could push the pong out.
    let _watching = Watching::start(Watching::settings(&server, "/"));
    let pong = Message::Pong(Bytes::from_static(b"there?"));
    wait_until("the pong has come", || server.messages().contains(&pong));
}

#[test]
fn pings_go_out_whether_the_server_is_silent_or_busy() {
    for busy in [false, true] {
        let server = Server::start(Tls::Off, move |visit| {
            let mut peer = visit.upgrade()?;
            if busy {
                peer.send((0..300_000).map(|_| Message::text("{}")))?;
            }
            peer.keep_open()
        });
        let mut settings = Watching::settings(&server, "/");
        settings.timings.ping = Duration::from_millis(10);
        let _watching = Watching::start(settings);
        let pings = || {
            let short = |m: &&Message| matches!(m, Message::Ping(p) if p.len() <= 125);
            server.messages().iter().filter(short).count()
        };
        wait_until("three pings have come", || pings() >= 3);
    }
}

#[test]
fn a_server_that_does_not_read_is_left() {
    // In TLS a write that was cut off goes on from a buffer that has grown meanwhile.
    for tls in [Tls::Off, Tls::Good] {
        let server = Server::start(tls, |visit| {
            let mut peer = visit.upgrade()?;
            let pings = frame(true, 9, &[b'x'; 125]).repeat(100);
            loop {
                peer.send_bytes(&pings)?;
            }
        });
        let mut settings = Watching::settings(&server, "/");
        settings.timings.unread = Duration::from_millis(100);
        let watching = Watching::start(settings);
        assert_eq!(watching.first_gap(), "the server does not read what we send");
        wait_until("the feed has connected again", || server.connections() >= 2);
    }
}
