//! What the harness's CT logs and their server do wrong on request, seen by a plain client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::testenv::log::{
    Entry, Fault, Key, LogServer, Proxy, Reader, RetryAfter, Synthetic, TestLog, Times, alpha,
    most_at_once, most_within,
};
use crate::testenv::{Tls, wait_until};

const DATA: &str = "/alpha/tile/data/000";

/// Asks by hand and reads what comes until the connection ends, or `enough` has come.
fn raw(server: &LogServer, path: &str, enough: usize) -> (std::io::Result<()>, Vec<u8>) {
    let mut tcp = connection(server);
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while answer.len() < enough {
        match tcp.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) => return (Err(error), answer),
        }
    }
    (Ok(()), answer)
}

fn connection(server: &LogServer) -> TcpStream {
    let tcp = TcpStream::connect(server.url("").strip_prefix("http://").unwrap()).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    tcp
}

/// The header's line, and where the body begins.
fn header<'a>(answer: &'a [u8], name: &str) -> (&'a str, usize) {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    (head.lines().find(|line| line.starts_with(name)).unwrap_or_default(), end + 4)
}

#[test]
fn refusals_come_as_often_as_asked_with_both_forms_of_retry_after() {
    let (_log, server, reader) = alpha(600);
    let refused = |retry_after| Fault::Refused { status: 429, retry_after: Some(retry_after) };
    server.misbehave("*/tile/data/*", Times::Next(2), refused(RetryAfter::Seconds(7)));
    let date = RetryAfter::Date(Duration::from_secs(3600));
    server.misbehave("*/tile/data/*", Times::Next(1), refused(date));
    for status in [500, 502, 503] {
        server.misbehave("*/tile/data/*", Times::Next(1), Fault::status(status));
    }
    let ask = || reader.ask(DATA, "retry-after").unwrap();
    for _ in 0..2 {
        let (status, retry_after, _) = ask();
        assert_eq!((status, retry_after.as_str()), (429, "7"));
        assert_eq!(reader.status("/alpha/checkpoint"), 200);
    }
    let (status, retry_after, _) = ask();
    assert_eq!(status, 429);
    let date = jiff::fmt::rfc2822::parse(&retry_after).unwrap().timestamp();
    let ahead = date.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((3590..=3600).contains(&ahead), "{retry_after}");
    assert!(retry_after.ends_with(" GMT") && retry_after.len() == 29, "{retry_after}");
    let statuses: Vec<u16> = (0..4).map(|_| ask().0).collect();
    assert_eq!(statuses, [500, 502, 503, 200]);
}

#[test]
fn faults_last_until_cleared() {
    let (_log, server, reader) = alpha(600);
    // As a vanished partial: only those are gone.
    server.misbehave("*.p/*", Times::Always, Fault::status(404));
    for _ in 0..3 {
        assert_eq!(reader.status("/alpha/tile/data/002.p/88"), 404);
        assert_eq!(reader.status("/alpha/tile/0/002.p/88"), 404);
        assert_eq!(reader.status(DATA), 200);
    }
    server.behave();
    assert_eq!(reader.status("/alpha/tile/data/002.p/88"), 200);
}

#[test]
fn a_truncated_tile_does_not_unpack() {
    let (_log, server, reader) = alpha(600);
    server.misbehave(DATA, Times::Next(1), Fault::Truncated);
    let error = reader.ask(DATA, "").unwrap_err();
    assert!(matches!(error, ureq::Error::Io(_) | ureq::Error::Decompress(..)), "{error:?}");
    assert_eq!(reader.entries("000").len(), 256);
}

#[test]
fn an_altered_entry_differs_in_its_names_alone() {
    let (log, server, reader) = alpha(600);
    let good = reader.entries("000");
    server.misbehave("*/tile/*", Times::Always, Fault::AlteredEntry(5));
    let bad = reader.entries("000");
    for (index, (good, bad)) in (0..).zip(good.iter().zip(&bad)) {
        let served = |entry: &Entry| (entry.tile_leaf(Some(index)), entry.names.clone());
        assert!(served(good) == served(&log.entry(index)));
        assert_eq!(served(good) != served(bad), index == 5);
    }
    assert_eq!(bad[5].names, ["qame-5.shop.example"]);
    assert_eq!(bad[5].common_name.as_deref(), Some("qame-5.shop.example"));
    let leaf = bad[5].leaf(Some(5));
    assert!(leaf.len() == good[5].leaf(Some(5)).len());
    assert!(leaf.windows(19).any(|window| window == b"qame-5.shop.example"));
    server.misbehave("*/get-entries*", Times::Next(1), Fault::AlteredEntry(2));
    let page = || reader.json("/alpha/ct/v1/get-entries?start=3&end=9");
    let (bad, good) = (page(), page());
    for place in 0..7 {
        let leaf = |page: &Value| page["entries"][place]["leaf_input"].clone();
        assert_eq!(leaf(&bad) != leaf(&good), place == 2);
    }
}

#[test]
fn wrong_tiles_and_hashes_are_served_when_asked() {
    let (_log, server, reader) = alpha(600);
    let paths = [DATA, "/alpha/tile/data/001", "/alpha/tile/names/000", "/alpha/tile/0/000"];
    let good = paths.map(|path| reader.body(path));
    server.misbehave("*/tile/*", Times::Always, Fault::OtherTile);
    assert!(reader.body(paths[0]) == good[1] && reader.body(paths[1]) == good[0]);
    let partial = reader.body("/alpha/tile/data/002.p/88");
    assert!(partial.len() < good[1].len() && good[1].starts_with(&partial));
    assert_ne!(reader.body(paths[2]), good[2]);
    assert_ne!(reader.body(paths[3]), good[3]);
    server.behave();
    for (path, good) in paths.iter().zip(good) {
        server.misbehave(path, Times::Next(1), Fault::FlippedBit(40));
        let bad = reader.body(path);
        let differing: Vec<usize> = (0..good.len()).filter(|at| bad[*at] != good[*at]).collect();
        assert_eq!(differing, [40]);
        assert_eq!(reader.body(path), good);
    }
    server.misbehave("*/checkpoint", Times::Next(1), Fault::FlippedBit(1));
    assert!(reader.body("/alpha/checkpoint").starts_with(b"amph"));
}

#[test]
fn slow_bytes_come_one_by_one() {
    let (_log, server, reader) = alpha(600);
    server.misbehave("*/checkpoint", Times::Always, Fault::Slow(Duration::from_millis(2)));
    let began = Instant::now();
    let length = reader.body("/alpha/checkpoint").len();
    assert!(began.elapsed() >= Duration::from_millis(2) * u32::try_from(length).unwrap());
    // The server can close at any moment.
    server.behave();
    server.misbehave("*/checkpoint", Times::Always, Fault::Slow(Duration::from_hours(1)));
    let mut tcp = connection(&server);
    write!(tcp, "GET /alpha/checkpoint HTTP/1.1\r\n\r\n").unwrap();
    server.wait_for_requests("*/checkpoint", 2);
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_reset_comes_amid_the_body() {
    let (_log, server, _reader) = alpha(600);
    server.misbehave(DATA, Times::Next(1), Fault::Reset);
    let (outcome, answer) = raw(&server, DATA, usize::MAX);
    assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let (length, body) = header(&answer, "Content-Length");
    let length: usize = length[16..].parse().unwrap();
    assert!(answer.len() < body + length);
}

#[test]
fn a_stalled_body_never_begins() {
    let (_log, server, _reader) = alpha(600);
    server.misbehave(DATA, Times::Next(1), Fault::Stalled);
    let mut tcp = connection(&server);
    write!(tcp, "GET {DATA} HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    tcp.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = tcp.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(server.requests(DATA)[0].ended.is_none());
}

#[test]
fn endless_and_oversized_bodies_announce_too_much() {
    let (_log, server, reader) = alpha(600);
    server.misbehave(DATA, Times::Next(1), Fault::Endless);
    let (_, answer) = raw(&server, DATA, 20_000_000);
    assert!(answer.len() >= 20_000_000);
    assert_eq!(header(&answer, "Transfer-Encoding").0, "Transfer-Encoding: chunked");
    for path in [DATA, "/alpha/checkpoint"] {
        server.misbehave(path, Times::Next(1), Fault::Endless);
        let error = reader.ask(path, "").unwrap_err();
        assert!(matches!(error, ureq::Error::BodyExceedsLimit(_)), "{path}: {error:?}");
    }
    server.misbehave(DATA, Times::Next(1), Fault::Oversized);
    let (outcome, answer) = raw(&server, DATA, usize::MAX);
    outcome.unwrap();
    assert_eq!(header(&answer, "Content-Length").0, "Content-Length: 1125899906842624");
    assert!(answer.len() < 1_000_000);
}

#[test]
fn connections_are_kept_unless_the_server_closes_them() {
    let (_log, server, reader) = alpha(600);
    for _ in 0..3 {
        reader.body("/alpha/checkpoint");
    }
    let connections = |pattern: &str| -> Vec<usize> {
        server.requests(pattern).iter().map(|request| request.connection).collect()
    };
    assert_eq!(connections("*/checkpoint"), [0, 0, 0]);
    server.misbehave("*", Times::Always, Fault::Closed { announced: true });
    for _ in 0..3 {
        reader.body(DATA);
    }
    assert_eq!(connections(DATA), [0, 1, 2]);
    server.behave();
    server.misbehave("*", Times::Next(1), Fault::Closed { announced: false });
    let (outcome, answer) = raw(&server, "/alpha/checkpoint", usize::MAX);
    outcome.unwrap();
    assert_eq!(header(&answer, "Connection").0, "");
}

#[test]
fn requests_are_counted_with_their_manners() {
    let (_log, server, reader) = alpha(600);
    server.misbehave("*/checkpoint", Times::Always, Fault::Stalled);
    let stalled: Vec<TcpStream> = (1..=4)
        .map(|count| {
            let mut tcp = connection(&server);
            write!(tcp, "GET /alpha/checkpoint HTTP/1.1\r\n\r\n").unwrap();
            server.wait_for_requests("*/checkpoint", count);
            tcp
        })
        .collect();
    let requests = server.requests("*/checkpoint");
    assert_eq!((requests.len(), most_at_once(&requests)), (4, 4));
    assert_eq!(most_within(&requests, Duration::from_secs(60)), 4);
    assert_eq!(most_within(&requests, Duration::from_nanos(1)), 1);
    drop(stalled);
    let ended = || server.requests("*/checkpoint").iter().all(|request| request.ended.is_some());
    wait_until("the clients' leaving is seen", ended);

    for tile in ["000", "001"] {
        reader.body(&format!("/alpha/tile/data/{tile}"));
    }
    let tiles = server.requests("*/tile/*");
    assert_eq!((tiles.len(), most_at_once(&tiles)), (2, 1));
    assert_eq!(tiles[0].head.header("user-agent"), Some("reader (tests@log.example)"));
    assert_eq!((server.count("*/tile/*/001"), server.count("*/names/*")), (1, 0));
}

#[test]
fn the_proxy_tunnels_counts_and_refuses() {
    let log = TestLog::new("alpha", Key::Ecdsa);
    log.append(Synthetic::new(1).entries(0..10));
    let server = LogServer::start(Tls::Good, &[&log]);
    let address = server.url("").replace("https://", "");
    let open = Proxy::start(None);
    let reader = Reader::through(&server, Some(&format!("http://{}", open.address())));
    assert_eq!(reader.status("/alpha/checkpoint"), 200);
    assert_eq!(open.targets(), [address.as_str()]);
    let guarded = Proxy::start(Some("me:secret"));
    let through = |credentials: &str| {
        let proxy = format!("http://{credentials}{}", guarded.address());
        Reader::through(&server, Some(&proxy)).ask("/alpha/checkpoint", "")
    };
    assert!(through("").is_err());
    assert!(through("me:wrong@").is_err());
    assert_eq!(server.requests("*").len(), 1);
    assert_eq!(through("me:secret@").unwrap().0, 200);
    assert_eq!(guarded.targets(), vec![address; 3]);
    // Ends while a tunnel is open.
    drop(open);
    assert!(reader.ask("/alpha/checkpoint", "").is_err());
}
