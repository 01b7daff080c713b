//! No peer, however slow, holds the feed beyond its deadlines.

use std::time::{Duration, Instant};

use crate::testenv::{Server, Tls, Watching, wait_until};

/// The first connection hangs as `script` has it; the deadline ends it, not sooner.
#[track_caller]
fn is_left_at_the_deadline(server: &Server, what: &str) {
    let deadline = Duration::from_millis(300);
    let mut settings = Watching::settings(server, "/");
    settings.timings.connect = deadline;
    let started = Instant::now();
    let watching = Watching::start(settings);
    let detail = watching.first_gap();
    assert!(detail.contains("time ran out") && detail.contains(what), "{detail}");
    assert!(started.elapsed() >= deadline);
    wait_until("the feed has tried again", || server.connections() >= 2);
}

#[test]
fn a_byte_at_a_time_does_not_defeat_the_deadline_of_the_upgrade() {
    for tls in [Tls::Off, Tls::Good] {
        let server = Server::start(tls, |visit| visit.trickle(Duration::from_millis(10)));
        is_left_at_the_deadline(&server, "waiting for the server's answer");
    }
}

#[test]
fn a_server_silent_in_tls_is_left_at_the_deadline() {
    let server = Server::start(Tls::Good, |visit| visit.stay_silent());
    is_left_at_the_deadline(&server, "securing the connection");
}
