//! Where the entry of a scanned frame stands: its index and its log.
//!
//! Owns the search for both, at the two places where the known servers write them: the index first in
//! the data or near the end, the source near the end. Where anything is written otherwise, nothing
//! is told.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::memrchr;

use super::super::Place;
use super::{TAIL, plain};

/// A key, searched for.
static SOURCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"source\":{"));
static INDEX: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(INDEX_KEY));
const INDEX_KEY: &[u8] = b"\"cert_index\":";

/// The place that stands in `data`, behind its `{` and before its `}`.
pub(super) fn of(data: &[u8]) -> Option<Place<'_>> {
    let tail = &data[data.len().saturating_sub(TAIL)..];
    let (log_url, log_name) = log(source(tail)?)?;
    let index = index(data.strip_prefix(INDEX_KEY).or_else(|| behind(&INDEX, tail))?)?;
    Some(Place { log_url, log_name, index })
}

/// What stands behind the `{` of the source.
fn source(tail: &[u8]) -> Option<&[u8]> {
    // With the known servers it is the last object in the frame, which is found in a moment.
    let last = memrchr(b'{', tail)?;
    if tail[..last].ends_with(b",\"source\":") {
        return Some(&tail[last + 1..]);
    }
    behind(&SOURCE, tail)
}

/// What stands behind a key, unless that is the end of a longer one with a quote in it.
fn behind<'f>(key: &Finder<'_>, text: &'f [u8]) -> Option<&'f [u8]> {
    let at = key.find(text)?;
    let is_whole = at > 0 && matches!(text[at - 1], b',' | b'{');
    is_whole.then(|| &text[at + key.needle().len()..])
}

/// The number that `text` begins with.
fn index(text: &[u8]) -> Option<u64> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    // What is no whole number, or begins with a zero that JSON does not know, is for the judge.
    let is_whole = matches!(text.get(length), None | Some(b',' | b'}'));
    let digits = std::str::from_utf8(&text[..length]).ok().filter(|_| is_whole)?;
    digits.parse().ok().filter(|index| *index <= i64::MAX as u64)
}

/// URL and name of the source whose members stand in `text`.
fn log(mut text: &[u8]) -> Option<(&str, &str)> {
    let (mut url, mut name) = ("", "");
    loop {
        let (key, rest) = string(text)?;
        let rest = rest.strip_prefix(b":")?;
        text = match key {
            "url" | "name" => {
                let (value, rest) = string(rest)?;
                *(if key == "url" { &mut url } else { &mut name }) = value;
                rest
            }
            _ => match rest.first()? {
                b'"' => string(rest)?.1,
                // A number, or a word, of some servers.
                b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => {
                    &rest[rest.iter().position(|byte| matches!(byte, b',' | b'}'))?..]
                }
                // What is nested has commas and braces of its own, and may begin behind a space.
                _ => return None,
            },
        };
        match text.split_first()? {
            (b',', rest) => text = rest,
            (b'}', _) if (url, name) != ("", "") => return Some((url, name)),
            _ => return None,
        }
    }
}

/// The string that `text` begins with, if it is plain ASCII, and what follows it.
#[inline]
fn string(text: &[u8]) -> Option<(&str, &[u8])> {
    if *text.first()? != b'"' {
        return None;
    }
    let value = plain::string(text, 1)?;
    Some((std::str::from_utf8(value).ok()?, &text[value.len() + 2..]))
}
