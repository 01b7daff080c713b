//! What can go wrong between a log and its reader, on request: which answers, how often, and how.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::http::Answer;
use super::listener::Visit;

/// One misbehaviour.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status instead of an answer.
    Refused { status: u16, retry_after: Option<RetryAfter> },
    /// 200 and this body, not packed.
    Body(Arc<[u8]>),
    /// The entry at this place of a data tile, a names tile or a page has a name of another
    /// spelling; the form is right.
    AlteredEntry(usize),
    /// The entries of a data tile without the extension that has their index.
    Unindexed,
    /// As much of the tile beside it; the log has at least two full ones.
    OtherTile,
    /// The lowest bit of this byte (counted round and round) is the other way, before packing.
    FlippedBit(usize),
    /// The first hash of a consistency proof is another one; the form is right.
    WrongHash,
    /// The answer stands elsewhere: at this URL.
    Moved(String),
    /// A small thing that unpacks to zeros without end.
    Bomb,
    /// Half of the body, as if it were all of it: of a packed one the beginning of a stream.
    Truncated,
    /// A byte of the body, then this pause, and so on.
    Slow(Duration),
    /// Half of the body, then a reset.
    Reset,
    /// The head, then nothing.
    Stalled,
    /// Noise, packed where the answer would be, in chunks, until the client leaves.
    Endless,
    /// Far more announced than sent; then the end of the connection.
    Oversized,
    /// The end of the connection behind the answer, announced or not.
    Closed { announced: bool },
}

/// The two forms of the header.
#[derive(Clone, Copy, Debug)]
pub enum RetryAfter {
    Seconds(u64),
    /// A date this far from now.
    Date(Duration),
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Next(usize),
    /// Until cleared.
    Always,
}

/// The faults that are asked for.
#[derive(Default)]
pub struct Faults(Mutex<Vec<(String, Times, Fault)>>);

impl Faults {
    pub fn add(&self, pattern: &str, times: Times, fault: Fault) {
        self.0.lock().unwrap().push((pattern.to_owned(), times, fault));
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// The fault that befalls this request: of all that fit the one asked for first.
    pub fn take(&self, target: &str) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        let at = faults.iter().position(|(pattern, _, _)| fits(pattern, target))?;
        let (_, times, fault) = &mut faults[at];
        let fault = fault.clone();
        match times {
            Times::Next(0 | 1) => drop(faults.remove(at)),
            Times::Next(left) => *left -= 1,
            Times::Always => {}
        }
        Some(fault)
    }
}

/// Whether a pattern, in which `*` is any text, describes all of `text`.
pub fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, behind)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().any(|(at, _)| fits(behind, &rest[at..])) || fits(behind, "")
        }),
    }
}

impl Fault {
    /// A refusal without a `Retry-After`.
    pub fn status(status: u16) -> Self {
        Self::Refused { status, retry_after: None }
    }

    /// The answer instead of the log's, where there is one.
    pub fn instead(&self) -> Option<Answer> {
        let (status, retry_after) = match self {
            Self::Refused { status, retry_after } => (status, retry_after),
            Self::Body(body) => return Some(Answer::new("application/octet-stream", &body[..])),
            Self::Moved(url) => {
                let mut answer = Answer::status(302);
                answer.headers.push(format!("Location: {url}"));
                return Some(answer);
            }
            _ => return None,
        };
        let mut answer = Answer::status(*status);
        if let Some(retry_after) = retry_after {
            let value = match retry_after {
                RetryAfter::Seconds(seconds) => seconds.to_string(),
                RetryAfter::Date(from_now) => {
                    let date = Timestamp::now() + *from_now;
                    date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
                }
            };
            answer.headers.push(format!("Retry-After: {value}"));
        }
        Some(answer)
    }

    /// Flips the bit that shall be flipped.
    pub fn flip(&self, body: &mut [u8]) {
        if let Self::FlippedBit(at) = self
            && !body.is_empty()
        {
            body[at % body.len()] ^= 1;
        }
    }
}

/// Writes zeros, packed, until there is an error.
fn zeros(chunks: Chunks) -> io::Result<bool> {
    let mut packing = GzEncoder::new(chunks, Compression::best());
    loop {
        packing.write_all(&[0; 1 << 16])?;
    }
}

/// Writes noise until there is an error.
fn noise(mut chunks: Chunks, packed: bool) -> io::Result<bool> {
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1 << 16).collect();
    if packed {
        let mut packing = GzEncoder::new(chunks, Compression::fast());
        loop {
            packing.write_all(&noise)?;
        }
    }
    loop {
        chunks.write_all(&noise)?;
    }
}

/// Makes a chunk of each write.
struct Chunks<'a, 'v>(&'a mut Visit<'v>);

impl Write for Chunks<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = format!("{:x}\r\n", bytes.len());
        self.0.write_all(&[size.as_bytes(), bytes, b"\r\n"].concat())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Delivers an answer, with what goes wrong on the way; whether the connection goes on.
pub fn deliver(visit: &mut Visit, mut answer: Answer, fault: Option<&Fault>) -> io::Result<bool> {
    let half = answer.body.len() / 2;
    if matches!(fault, Some(Fault::Truncated)) {
        answer.body.truncate(half);
    }
    let length = match fault {
        Some(Fault::Endless | Fault::Bomb) => "Transfer-Encoding: chunked".to_owned(),
        Some(Fault::Oversized) => format!("Content-Length: {}", 1_u64 << 50),
        _ => format!("Content-Length: {}", answer.body.len()),
    };
    if matches!(fault, Some(Fault::Closed { announced: true })) {
        answer.headers.push("Connection: close".to_owned());
    }
    if matches!(fault, Some(Fault::Bomb)) && !answer.packed {
        answer.headers.push("Content-Encoding: gzip".to_owned());
    }
    let head = answer.head(&length);
    match fault {
        Some(Fault::Slow(pause)) => {
            visit.write_all(head.as_bytes())?;
            for byte in answer.body {
                visit.write_all(&[byte])?;
                visit.pause(*pause)?;
            }
        }
        Some(Fault::Reset) => {
            visit.write_all(&[head.as_bytes(), &answer.body[..half]].concat())?;
            visit.reset_at_end()?;
        }
        Some(Fault::Stalled) => {
            visit.write_all(head.as_bytes())?;
            io::copy(visit, &mut io::sink())?;
        }
        Some(Fault::Endless) => {
            visit.write_all(head.as_bytes())?;
            return noise(Chunks(visit), answer.packed);
        }
        Some(Fault::Bomb) => {
            visit.write_all(head.as_bytes())?;
            return zeros(Chunks(visit));
        }
        _ => visit.write_all(&[head.as_bytes(), &answer.body].concat())?,
    }
    Ok(!matches!(
        fault,
        Some(Fault::Reset | Fault::Stalled | Fault::Oversized | Fault::Closed { .. })
    ))
}
