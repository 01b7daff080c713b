//! Frames come out of the feed as the server sent them, over `ws://` and `wss://`.

use tungstenite::Message;

use crate::testenv::{Server, Tls, Watching, frame, wait_until};

/// Frames of many sizes: empty, small, larger than the read buffer, larger than a batch.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> =
        (0..2000).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(n))).collect();
    texts.push(String::new());
    texts.push("é".repeat(1_000_000));
    texts.push("last".into());
    texts
}

fn frames_arrive_as_sent(tls: Tls, as_message: fn(String) -> Message) {
    let server = Server::start(tls, move |visit| {
        let mut peer = visit.upgrade()?;
        peer.send(texts().into_iter().map(as_message))?;
        peer.keep_open()
    });
    let watching = Watching::start(Watching::settings(&server, "/full-stream"));
    let frames = watching.wait_for_frames(texts().len());
    let expected: Vec<Vec<u8>> = texts().into_iter().map(String::into_bytes).collect();
    // Not assert_eq: it would print megabytes.
    assert!(frames == expected, "{} frames, {} sent", frames.len(), expected.len());
    assert_eq!(watching.stats.frames.get(), expected.len() as u64);
    assert_eq!(server.requests()[0].uri().path(), "/full-stream");
    assert_eq!(watching.gaps(), []);
}

#[test]
fn text_over_tcp() {
    frames_arrive_as_sent(Tls::Off, Message::text);
}

#[test]
fn text_over_tls() {
    frames_arrive_as_sent(Tls::Good, Message::text);
}

#[test]
fn binary_over_tls() {
    frames_arrive_as_sent(Tls::Good, Message::binary);
}

#[test]
fn fragments_are_joined_though_pings_come_between() {
    let server = Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send_bytes(&frame(false, 1, b"one, "))?;
        peer.send_bytes(&frame(true, 9, b"ping"))?;
        peer.send_bytes(&frame(false, 0, b"two, "))?;
        peer.send_bytes(&frame(true, 10, b"pong"))?;
        peer.send_bytes(&frame(true, 0, b"three"))?;
        peer.keep_open()
    });
    let watching = Watching::start(Watching::settings(&server, "/"));
    assert_eq!(watching.wait_for_frames(1), [b"one, two, three"]);
}

#[test]
fn a_lone_frame_does_not_wait_for_company() {
    let server = Server::start(Tls::Good, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send([Message::text("alone")])?;
        peer.keep_open()
    });
    let watching = Watching::start(Watching::settings(&server, "/"));
    assert_eq!(watching.wait_for_frames(1), [b"alone"]);
    wait_until("the feed is live", || {
        watching.stats.live.load(std::sync::atomic::Ordering::Relaxed)
    });
    let (_, outcome) = watching.stop();
    outcome.unwrap();
}

#[test]
fn the_server_is_told_who_we_are() {
    let server = Server::start(Tls::Off, |visit| visit.upgrade()?.keep_open());
    let _watching = Watching::start(Watching::settings(&server, "/"));
    wait_until("the request has come", || !server.requests().is_empty());
    let name = concat!("certstream/", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.requests()[0].headers()["user-agent"], name);
}

#[test]
fn the_token_is_sent_as_a_bearer() {
    let server = Server::start(Tls::Off, |visit| visit.upgrade()?.keep_open());
    let settings =
        certstream::feed::certstream::Settings::new(&server.url("/"), Some("sesame"), None);
    let _watching = Watching::start(settings.unwrap());
    wait_until("the request has come", || !server.requests().is_empty());
    assert_eq!(server.requests()[0].headers()["authorization"], "Bearer sesame");
}
