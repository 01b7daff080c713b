//! Servers behind an HTTP proxy: reached through it, each of its refusals told apart, and never
//! waited for beyond the one deadline.

use std::time::{Duration, Instant};

use certstream::connect::Proxy as Way;
use certstream::error::ExitCode;
use certstream::feed::certstream::Settings;

use crate::testenv::log::Proxy;
use crate::testenv::{Folder, Server, Tls, Watching, wait_until};

/// A server as it should be.
fn server(tls: Tls) -> Server {
    Server::start(tls, |visit| visit.upgrade()?.serve())
}

/// The settings of a feed from `server` by way of what is at `proxy`.
fn through(server: &Server, proxy: &str, credentials: Option<&str>) -> Settings {
    let way = Way::new(&proxy.replace("ws://", "http://"), credentials).unwrap();
    Watching::settings(server, "/").through(Some(way)).unwrap()
}

fn url(proxy: &Proxy) -> String {
    format!("http://{}", proxy.address())
}

#[test]
fn plain_and_secured_connections_go_through_it() {
    for tls in [Tls::Off, Tls::Good] {
        let (server, proxy) = (server(tls), Proxy::start(Some("me:sesame")));
        let watching = Watching::start(through(&server, &url(&proxy), Some("me:sesame")));
        watching.wait_for_frames(1);
        let target = server.url("").rsplit('/').next().unwrap().to_owned();
        assert_eq!(proxy.targets(), [target]);
    }
}

#[test]
fn the_servers_certificate_is_verified_all_the_same() {
    for (tls, what) in [(Tls::WrongHost, "for another host"), (Tls::Stranger, "authority")] {
        let (server, proxy) = (server(tls), Proxy::start(None));
        let error = Watching::start(through(&server, &url(&proxy), None)).end().0.unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn credentials_that_are_missing_or_wrong_end_the_feed() {
    let cases = [
        (None, "the proxy wants credentials (407)", "`proxy_auth_env`"),
        (Some("me:sesam"), "does not accept the credentials (407)", "check USER:PASSWORD"),
    ];
    for (credentials, what, remedy) in cases {
        let (server, proxy) = (server(Tls::Good), Proxy::start(Some("me:sesame")));
        let watching = Watching::start(through(&server, &url(&proxy), credentials));
        let error = watching.end().0.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(remedy) && !text.contains("sesam"), "{text}");
        assert_eq!((error.exit(), server.connections()), (ExitCode::Usage, 0));
    }
}

/// The feed goes on trying, and its gap says `what`.
#[track_caller]
fn goes_on(proxy: &Server, what: &[&str]) {
    let server = server(Tls::Off);
    let watching = Watching::start(through(&server, &proxy.url(""), None));
    let detail = watching.first_gap();
    for part in what {
        assert!(detail.contains(part), "{part}: {detail}");
    }
    wait_until("it is tried again", || proxy.connections() >= 2);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_refusal_is_shown_and_tried_again() {
    let proxy = Server::start(Tls::Off, |visit| visit.refuse("403 Forbidden\u{1b}[2J", &[]));
    goes_on(&proxy, &["refuses the tunnel: 403 Forbidden\\u{1b}[2J", "allow port 443 alone"]);
    let proxy = Server::start(Tls::Off, |visit| visit.refuse("503 Service Unavailable", &[]));
    goes_on(&proxy, &["refuses the tunnel: 503 Service Unavailable"]);
}

#[test]
fn what_is_no_proxy_is_told() {
    let proxy = Server::start(Tls::Off, |visit| visit.say(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"));
    goes_on(&proxy, &["does not answer like one", "it answered SSH-2.0-OpenSSH_9.9"]);
    let proxy = Server::start(Tls::Off, |visit| visit.say(b""));
    goes_on(&proxy, &["does not answer like one", "closed the connection without an answer"]);
    let proxy = Server::start(Tls::Off, |visit| visit.trickle(Duration::ZERO));
    goes_on(&proxy, &["does not answer like one", "its answer does not end"]);
}

#[test]
fn one_that_cannot_be_reached_is_not_taken_for_the_server() {
    let (server, proxy) = (server(Tls::Off), Proxy::start(None));
    let gone = url(&proxy);
    drop(proxy);
    let detail = Watching::start(through(&server, &gone, None)).first_gap();
    let parts = ["no way to the proxy: the host cannot be reached", "`proxy`"];
    assert!(parts.iter().all(|part| detail.contains(part)), "{detail}");
}

#[test]
fn a_byte_at_a_time_does_not_defeat_the_deadline() {
    let deadline = Duration::from_millis(300);
    let proxy = Server::start(Tls::Off, |visit| visit.trickle(Duration::from_millis(10)));
    let silent = Server::start(Tls::Off, |visit| visit.stay_silent());
    for proxy in [proxy, silent] {
        let server = server(Tls::Off);
        let mut settings = through(&server, &proxy.url(""), None);
        settings.timings.connect = deadline;
        let started = Instant::now();
        let watching = Watching::start(settings);
        let detail = watching.first_gap();
        assert!(detail.contains("time ran out while waiting for the proxy's answer"), "{detail}");
        assert!(started.elapsed() >= deadline);
        wait_until("it is tried again", || proxy.connections() >= 2);
    }
}

#[test]
fn a_stop_is_noticed_while_it_is_waited_for() {
    let proxy = Server::start(Tls::Off, |visit| visit.stay_silent());
    let server = server(Tls::Off);
    let watching = Watching::start(through(&server, &proxy.url(""), None));
    wait_until("the client has come", || proxy.connections() == 1);
    watching.wait_until_asleep();
    let (took, outcome) = watching.stop();
    outcome.unwrap();
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[test]
fn the_config_names_it_and_its_secrets_come_from_variable_and_file() {
    let (server, proxy) = (server(Tls::Good), Proxy::start(Some("me:sesame")));
    let folder = Folder::new();
    folder.write("proxy.secret", "me:sesame\n");
    let keys = format!(
        "url: '{}', ca_file: '{}', proxy: '{}', token_env: THE_TOKEN",
        server.url("/"),
        server.ca_file().unwrap().display(),
        url(&proxy),
    );
    let config = |auth: &str| format!("certstream: {{server: {{{keys}, {auth}}}}}\nrules: [x]\n");
    for (auth, number) in [("proxy_auth_file: proxy.secret", 1), ("proxy_auth_env: WAY", 2)] {
        folder.write("config.yaml", config(auth));
        let variables = [("THE_TOKEN", "open"), ("WAY", "me:sesame")];
        let mut program = folder.start_among(&["watch", "-v"], &variables);
        wait_until("the upgrade is asked for", || server.requests().len() == number);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(server.requests()[number - 1].headers()["authorization"], "Bearer open");
        let said = folder.stderr();
        assert!(!said.contains("sesame") && !said.contains("bWU6"), "{said}");
    }
    assert_eq!(proxy.targets().len(), 2);
}

#[test]
fn the_environment_names_it_where_the_config_does_not() {
    let proxy = Proxy::start(Some("me:sesame"));
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    let way = format!("http://me:sesame@{}", proxy.address());
    let variables = [("HTTPS_PROXY", &*way), ("NO_PROXY", "*.direct.invalid")];
    let words = |server| ["--server", server, "--rules", "rules.txt", "--no-export"];
    let mut program = folder.start_among(&words("ws://far.invalid/"), &variables);
    wait_until("the proxy is asked", || !proxy.targets().is_empty());
    wait_until("its refusal is told", || folder.stderr().contains("refuses the tunnel: 502"));
    program.stop();
    assert_eq!(proxy.targets()[0], "far.invalid:80");
    assert!(!folder.stderr().contains("sesame"), "{}", folder.stderr());
    let asked = proxy.targets().len();
    let here = server(Tls::Off);
    let mut program = folder.start_among(&words(&here.url("/")), &variables);
    wait_until("the server is asked", || here.connections() == 1);
    program.stop();
    assert_eq!(proxy.targets().len(), asked, "this machine is reached directly");
}
