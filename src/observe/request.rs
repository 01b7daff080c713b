//! One HTTP request, read before a deadline and within a bound.
//!
//! Owns what is understood of it: the method and the path. Everything else is skipped.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Instant;

use super::left;

/// Bytes a request's head may have. A scrape's has some 300.
const MAX_HEAD: usize = 8 * 1024;
/// Header lines it may have.
const MAX_HEADERS: usize = 64;

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A path, without its query.
    Path {
        /// From the first slash on.
        path: String,
        /// Whether the body is wanted, too: not so for HEAD.
        body: bool,
    },
    /// Nothing that is answered here.
    Refused {
        /// The status to answer with.
        status: &'static str,
        /// Why, for a person.
        why: &'static str,
    },
}

/// Reads a request's head.
///
/// # Errors
/// When the other side leaves or takes too long.
pub(super) fn ask(stream: &mut TcpStream, deadline: Instant) -> io::Result<Asked> {
    let mut head = Vec::with_capacity(1024);
    let mut part = [0; 1024];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = match stream.read(&mut part) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        head.extend_from_slice(&part[..read]);
        if let Some(asked) = understand(&head) {
            return Ok(asked);
        }
        if head.len() >= MAX_HEAD {
            return Ok(Asked::Refused {
                status: "431 Request Header Fields Too Large",
                why: "the head of a request may have 8 KiB",
            });
        }
    }
}

/// What the bytes so far ask; none while they are not a whole head.
fn understand(head: &[u8]) -> Option<Asked> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let refused = |status, why| Some(Asked::Refused { status, why });
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return refused("400 Bad Request", "this is no HTTP/1 request"),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return refused("400 Bad Request", "this is no HTTP/1 request");
    };
    if !matches!(method, "GET" | "HEAD") {
        return refused("405 Method Not Allowed", "only GET and HEAD are answered");
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Some(Asked::Path { path, body: method == "GET" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_understood_once_the_head_is_whole() {
        let whole = b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(understand(&whole[..end]), None, "{end} bytes");
        }
        let path = "/metrics".to_owned();
        assert_eq!(understand(whole), Some(Asked::Path { path, body: true }));
        let head = understand(b"HEAD / HTTP/1.0\r\n\r\n");
        assert_eq!(head, Some(Asked::Path { path: "/".to_owned(), body: false }));
    }

    #[test]
    fn what_is_not_answered_is_refused() {
        let table: [(&[u8], &str); 3] = [
            (b"POST / HTTP/1.1\r\n\r\n", "405"),
            (b"\x16\x03\x01 hello", "400"),
            (b"GET / HTTP/9\r\n\r\n", "400"),
        ];
        for (head, expected) in table {
            match understand(head) {
                Some(Asked::Refused { status, .. }) => assert!(status.starts_with(expected)),
                other => panic!("{other:?}"),
            }
        }
    }
}
