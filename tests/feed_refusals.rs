//! Each refusal of the upgrade has its message and its consequence.

use std::time::{Duration, Instant};

use certstream::batch::GapEvent;
use certstream::error::ExitCode;
use certstream::feed::certstream::Settings;

use crate::testenv::{Server, Tls, Watching, wait_until};

/// The feed ends with a message that contains all `parts`, and with its gap noted.
#[track_caller]
fn ends(status: &'static str, token: Option<&str>, parts: &[&str]) {
    let server = Server::start(Tls::Off, move |visit| visit.refuse(status, &[]));
    let watching = Watching::start(Settings::new(&server.url("/"), token, None).unwrap());
    let (outcome, gaps) = watching.end();
    let error = outcome.unwrap_err();
    let text = error.to_string();
    for part in parts.iter().chain(&[status, "remedy: ", &*server.url("/")]) {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("sesame"), "{text}");
    assert_eq!(error.exit(), ExitCode::Failed);
    assert!(matches!(gaps[..], [GapEvent::Opened { .. }]), "{gaps:?}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn unauthorized_asks_for_a_token() {
    ends("401 Unauthorized", None, &["it wants a token", "`token_env`", "`token_file`"]);
}

#[test]
fn unauthorized_with_a_token_doubts_it() {
    ends(
        "401 Unauthorized",
        Some("sesame"),
        &["does not accept the token", "`token_env`", "`token_file`"],
    );
}

#[test]
fn forbidden_speaks_of_the_allow_list() {
    ends("403 Forbidden", None, &["does not let us in", "allow-list"]);
}

#[test]
fn not_found_names_the_usual_streams() {
    ends("404 Not Found", None, &["disabled on that server", "/full-stream", "/domains-only"]);
}

/// The feed goes on trying, and the gap says why.
#[track_caller]
fn goes_on(status: &'static str, headers: &'static [&'static str], parts: &[&str]) {
    let server = Server::start(Tls::Good, move |visit| match visit.number {
        0 => visit.refuse(status, headers),
        _ => visit.upgrade()?.serve(),
    });
    let watching = Watching::start(Watching::settings(&server, "/"));
    let detail = watching.first_gap();
    for part in parts {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    wait_until("the gap has ended", || watching.gaps().len() == 2);
}

#[test]
fn a_proxy_without_its_server_is_tried_again() {
    goes_on("502 Bad Gateway", &[], &["502 Bad Gateway", "behind its proxy is down"]);
    goes_on("521 Web Server Is Down", &[], &["521", "behind its proxy is down"]);
}

#[test]
fn a_redirect_is_shown_escaped() {
    let headers = &["Location: wss://elsewhere.example/"];
    goes_on("302 Found", headers, &["302 Found", "has moved to wss://elsewhere.example/"]);
}

#[test]
fn a_web_page_is_no_stream() {
    goes_on("200 OK", &[], &["200 OK", "no WebSocket is offered there"]);
}

#[test]
fn retry_after_is_honoured() {
    let server = Server::start(Tls::Off, |visit| match visit.number {
        0 => visit.refuse("429 Too Many Requests", &["Retry-After: 1"]),
        _ => visit.upgrade()?.serve(),
    });
    let started = Instant::now();
    let watching = Watching::start(Watching::settings(&server, "/"));
    assert!(watching.first_gap().contains("429 Too Many Requests"));
    wait_until("the gap has ended", || watching.gaps().len() == 2);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

/// Lets the first visit in and turns the next `times` away with `status`.
fn restarting(status: &'static str, times: usize) -> Server {
    Server::start(Tls::Off, move |visit| match visit.number {
        0 => visit.upgrade().map(drop),
        number if number <= times => visit.refuse(status, &[]),
        _ => visit.upgrade()?.serve(),
    })
}

#[test]
fn a_server_that_starts_again_may_turn_us_away_for_a_while() {
    for status in ["403 Forbidden", "404 Not Found"] {
        let server = restarting(status, 3);
        let watching = Watching::start(Watching::settings(&server, "/"));
        wait_until("it is back", || server.connections() == 5);
        wait_until("the gap has ended", || watching.gaps().len() == 2);
        let (_, outcome) = watching.stop();
        outcome.unwrap();
    }
}

#[test]
fn a_server_that_goes_on_turning_us_away_ends_the_feed() {
    let server = restarting("404 Not Found", usize::MAX);
    let mut settings = Watching::settings(&server, "/");
    settings.timings.refused = Duration::from_millis(100);
    let watching = Watching::start(settings);
    let (outcome, gaps) = watching.end();
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("404 Not Found") && text.contains("remedy: "), "{text}");
    assert!(matches!(gaps[..], [GapEvent::Opened { .. }]), "{gaps:?}");
    assert!(server.connections() > 2, "{}", server.connections());
}

#[test]
fn a_token_that_is_no_longer_accepted_ends_the_feed_at_once() {
    let server = restarting("401 Unauthorized", usize::MAX);
    let (outcome, _) = Watching::start(Watching::settings(&server, "/")).end();
    assert!(outcome.unwrap_err().to_string().contains("401"));
    assert_eq!(server.connections(), 2);
}
