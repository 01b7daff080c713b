//! Metrics and health of the real binary over HTTP, and strangers who connect and do not ask.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::Message;

use crate::testenv::{Folder, LONG, Observed, Program, Server, Tls, wait_until};

/// Certificates that the server sends.
const SENT: u64 = 500;

/// Sends its certificates, then keeps the connection open.
fn server() -> Server {
    Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send((0..SENT).map(|n| {
            Message::text(format!(
                r#"{{"message_type":"certificate_update","data":{{"update_type":"X509LogEntry","leaf_cert":{{"all_domains":["n{n}.example.com","no dot"],"serial_number":"{n:X}","issuer":{{"CN":"Test"}}}},"seen":{n}.5}}}}"#,
            ))
        }))?;
        peer.send([Message::text("{broken")])?;
        peer.keep_open()
    })
}

/// A watch of `server`, and where it is observed.
fn watch(folder: &Folder, server: &Server) -> (Program, SocketAddr) {
    let url = server.url("/");
    folder.write("rules.txt", "example\n^n1\\.\n");
    let config = format!(
        "certstream: {{server: '{url}', input: rules.txt}}\nobserve: {{listen: '127.0.0.1:0'}}\n"
    );
    folder.write("config.yaml", config);
    let program = folder.start(&[]);
    (program, Observed::of(folder).0)
}

fn ask(address: SocketAddr, request: &str) -> (String, String, String) {
    Observed(address).ask(request)
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    Observed(address).get(path)
}

/// The value of the one sample that begins with `series`.
fn sample(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in {metrics}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn counters_and_health_are_those_of_the_run() {
    let folder = Folder::new();
    let server = server();
    let (mut program, address) = watch(&folder, &server);
    let mut metrics = String::new();
    wait_until("all is counted", || {
        let (status, text) = get(address, "/metrics");
        assert_eq!(status, "HTTP/1.1 200 OK");
        metrics = text;
        metrics.contains(&format!("certstream_new_domains_total {SENT}\n"))
            && metrics.contains("certstream_backlog_bytes 0.0\n")
            && metrics.contains("reason=\"not JSON\"")
    });
    let feed = format!(r#"{{feed="{}"}}"#, server.url("/"));
    let expected = [
        (format!("certstream_frames_total{feed}"), SENT + 1),
        (format!("certstream_certificates_total{feed}"), SENT),
        (format!("certstream_names_total{feed}"), 2 * SENT),
        (format!("certstream_feed_live{feed}"), 1),
        ("certstream_domains_total".to_owned(), SENT),
        ("certstream_matches_total".to_owned(), SENT + 1),
        (r#"certstream_rule_matches_total{rule="example"}"#.to_owned(), SENT),
        (r#"certstream_rule_matches_total{rule="^n1\\."}"#.to_owned(), 1),
        (r#"certstream_dropped_names_total{reason="space inside"}"#.to_owned(), SENT),
        ("certstream_new_domains_total".to_owned(), SENT),
        ("certstream_backlog_bytes".to_owned(), 0),
    ];
    for (series, value) in expected {
        assert!((sample(&metrics, &series) - value as f64).abs() < 1e-9, "{series} in {metrics}");
    }
    let refused: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("certstream_refused_frames_total"))
        .map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<f64>().expect("a number"))
        .sum();
    assert!((refused - 1.0).abs() < 1e-9, "{metrics}");
    // Delays are counted by batch with rows, commits by transaction.
    assert!(sample(&metrics, "certstream_delay_seconds_count") >= 1.0);
    assert!(sample(&metrics, "certstream_commit_seconds_count") >= 1.0);
    assert!(metrics.contains("certstream_commit_seconds_bucket{le=\"+Inf\"}"), "{metrics}");
    assert!(metrics.contains("# TYPE certstream_delay_seconds histogram"), "{metrics}");
    assert!(metrics.contains("certstream_build_info{version="), "{metrics}");

    assert_eq!(get(address, "/healthz"), ("HTTP/1.1 200 OK".into(), "{\"alive\":true}\n".into()));
    let (status, ready) = get(address, "/readyz");
    let ready: Value = serde_json::from_str(&ready).expect("is JSON");
    assert_eq!(status, "HTTP/1.1 200 OK", "{ready}");
    assert_eq!((&ready["ready"], &ready["checks"]["feeds"]["live"]), (&true.into(), &1.into()));
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}

#[test]
fn a_feed_that_is_down_is_not_ready_and_named() {
    let folder = Folder::new();
    let server = Server::start(Tls::Off, |visit| visit.refuse("502 Bad Gateway", &[]));
    let (mut program, address) = watch(&folder, &server);
    wait_until("the server is asked", || server.connections() > 0);
    let (status, ready) = get(address, "/readyz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    let ready: Value = serde_json::from_str(&ready).expect("is JSON");
    assert_eq!(ready["checks"]["feeds"]["down"][0], server.url("/"));
    assert_eq!(get(address, "/healthz").0, "HTTP/1.1 200 OK");
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}

#[test]
fn other_requests_are_refused_and_a_head_has_no_body() {
    let folder = Folder::new();
    let server = server();
    let (mut program, address) = watch(&folder, &server);
    let answer = |request: &str| ask(address, request).0;
    assert_eq!(get(address, "/").0, "HTTP/1.1 404 Not Found");
    assert_eq!(answer("POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(answer("hello there\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    let (status, headers, body) = ask(address, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""));
    assert!(headers.contains("Content-Type: text/plain; version=0.0.4"), "{headers}");
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}

#[test]
fn strangers_who_say_nothing_lose_their_place_and_hold_up_no_end() {
    let folder = Folder::new();
    let server = server();
    let (mut program, address) = watch(&folder, &server);
    let connect = || TcpStream::connect(address).expect("connects");
    let idle: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    // All places are taken: the next one is closed without a word, by a reset or an end.
    let turned_away = || {
        let mut stream = connect();
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.is_empty()
    };
    wait_until("all places are taken", turned_away);
    // Each stranger's time runs out by itself.
    wait_until("a place is free again", || !turned_away());
    drop(idle);
    let _again: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    let stopped = Instant::now();
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    // The promise of the product, not a timing of the machine.
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
}

#[test]
fn a_port_that_is_taken_is_a_start_error() {
    let folder = Folder::new();
    let server = server();
    let (_program, address) = watch(&folder, &server);
    let config = format!(
        "certstream: {{server: '{}', input: rules.txt}}\nobserve: {{listen: '{address}'}}\n",
        server.url("/")
    );
    folder.write("other.yaml", config);
    let mut other = folder.start_logged(&["--config", "other.yaml"], "other");
    assert_eq!(other.end().code(), Some(2));
    let shown = folder.read("other");
    assert!(shown.contains(&format!("observe.listen: cannot listen at {address}: ")), "{shown}");
    assert!(shown.contains("remedy: name a free port"), "{shown}");
}
