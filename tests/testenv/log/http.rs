//! HTTP/1.1 as far as a log needs it: reading the head of a request, and what an answer is.

use std::io::{self, BufRead};

/// The head of a request; requests here have no body.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: String,
    /// With the query.
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Reads one; none when the client has left instead.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Ok(None);
        };
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Some(Self { method, target, headers }))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(here, _)| here.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// An answer, before anything goes wrong with its delivery.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// Whether the body is gzip.
    pub packed: bool,
}

impl Answer {
    /// 200 with a body of this type.
    pub fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![format!("Content-Type: {content_type}")];
        Self { status: 200, headers, body: body.into(), packed: false }
    }

    /// Another status, and nothing but its number to read.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::new("text/plain", format!("{status}\n")) }
    }

    /// JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::new("application/json", value.to_string())
    }

    /// The head of the answer; `length` is a header's line.
    pub fn head(&self, length: &str) -> String {
        let reason = match self.status {
            200 => "OK",
            404 => "Not Found",
            429 => "Too Many Requests",
            _ => "No Reason",
        };
        let mut head = format!("HTTP/1.1 {} {reason}\r\n{length}\r\n", self.status);
        for header in &self.headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head + "\r\n"
    }
}
