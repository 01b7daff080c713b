//! A stop is noticed within 200 ms, whatever the feed is doing.

use std::time::Duration;

use certstream::feed::certstream::Settings;
use tungstenite::Message;

use crate::testenv::{DeafPort, Server, Tls, Watching, wait_until};

/// How soon a feed notices a stop.
const SOON: Duration = Duration::from_millis(200);

/// Stops a feed that has nothing to do but wait.
#[track_caller]
fn wakes_and_stops(watching: Watching) {
    watching.wait_until_asleep();
    stops_soon(watching);
}

#[track_caller]
fn stops_soon(watching: Watching) {
    let (took, outcome) = watching.stop();
    outcome.unwrap();
    assert!(took < SOON, "{took:?}");
}

#[test]
fn while_connecting() {
    let port = DeafPort::open();
    let watching = Watching::start(Settings::new(&port.url(), None, None).unwrap());
    wakes_and_stops(watching);
}

#[test]
fn in_tls_and_in_the_upgrade() {
    for tls in [Tls::Good, Tls::Off] {
        let server = Server::start(tls, |visit| visit.stay_silent());
        let watching = Watching::start(Watching::settings(&server, "/"));
        wait_until("the client has come", || server.connections() == 1);
        wakes_and_stops(watching);
    }
}

#[test]
fn while_nothing_arrives() {
    for tls in [Tls::Good, Tls::Off] {
        let server = Server::start(tls, |visit| {
            let mut peer = visit.upgrade()?;
            peer.send([Message::text("hello")])?;
            peer.keep_open()
        });
        let watching = Watching::start(Watching::settings(&server, "/"));
        watching.wait_for_frames(1);
        wakes_and_stops(watching);
        let said_goodbye = || server.messages().iter().any(|m| matches!(m, Message::Close(_)));
        wait_until("the server has been told", said_goodbye);
    }
}

#[test]
fn under_full_load() {
    let server = Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send(std::iter::repeat_with(|| Message::text("{}")))
    });
    let watching = Watching::start(Watching::settings(&server, "/"));
    watching.wait_for_frames(1000);
    stops_soon(watching);
}

#[test]
fn in_the_pause_before_the_next_attempt() {
    let server = Server::start(Tls::Off, |visit| {
        visit.refuse("503 Service Unavailable", &["Retry-After: 600"])
    });
    let watching = Watching::start(Watching::settings(&server, "/"));
    watching.first_gap();
    wakes_and_stops(watching);
}
