//! The HTTP side of a running watch: what it counts, and whether it is ready.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::{Folder, LONG, wait_until};

/// Where a watch is observed.
#[derive(Clone, Copy)]
pub struct Observed(pub SocketAddr);

impl Observed {
    /// What the watch in `folder` that listens at port 0 says in its log.
    pub fn of(folder: &Folder) -> Self {
        let mut address = None;
        wait_until("the address is logged", || {
            address = folder.stderr().lines().find_map(|line| {
                let at = line.split_once("metrics and health at http://")?.1;
                at.split_once('/')?.0.parse().ok()
            });
            address.is_some()
        });
        Self(address.expect("logged"))
    }

    /// Asks and reads the answer to its end: status line, headers, body.
    pub fn ask(self, request: &str) -> (String, String, String) {
        let mut stream = TcpStream::connect(self.0).expect("connects");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        stream.write_all(request.as_bytes()).expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        (status.to_owned(), headers.to_owned(), body.to_owned())
    }

    /// Status line and body of `path`.
    pub fn get(self, path: &str) -> (String, String) {
        let (status, _, body) = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        (status, body)
    }

    /// The sum of all samples of the metric called `name`.
    pub fn sum(self, name: &str) -> u64 {
        let metrics = self.get("/metrics").1;
        let of_name =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
        metrics.lines().filter(of_name).filter_map(value).sum::<f64>() as u64
    }

    /// Whether the watch is ready, and what it says of one of its checks.
    pub fn ready(self, check: &str) -> (bool, Value) {
        let (status, body) = self.get("/readyz");
        let ready: Value = serde_json::from_str(&body).expect("is JSON");
        let says = ready["checks"][check].clone();
        assert_eq!(status.contains("200"), ready["ready"] == true, "{status}: {body}");
        (ready["ready"] == true, says)
    }
}
