//! The names of a frame, found without reading the rest of it.
//!
//! Owns the scan: from the known beginning of a frame straight to `leaf_cert`, over its keys to
//! `all_domains`, and no further. Nine tenths of a frame are for nobody unless a name matches, and
//! simd-json reads them all: it takes 13 times as long (PERFORMANCE.md). The scan is no judge. It
//! answers only where it has understood all that it looked at, and whoever stores anything lets
//! simd-json read the frame: see [`UpdateReader::judge`](super::UpdateReader::judge).
//!
//! **What it may claim.** On well-formed JSON without repeated keys, in which `leaf_cert` is a key
//! once, written without escapes, within `data`, it finds the names that simd-json finds, or none
//! at all. What stands behind the names it has not seen, so it takes for an update what a judge
//! might refuse.

#[cfg(target_arch = "x86_64")]
mod flat;
mod place;
mod walk;

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::{MAX_FRAME, Place};

/// A key, searched for: the machine code for it is chosen once.
static LEAF: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"leaf_cert\":{"));
static SEEN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"seen\":"));

/// How a frame begins and ends: a certificate update by CaliDog's server and those written after
/// it, one by the servers in Go. Another spelling is left to the judge.
const CERTIFICATE: [(&[u8], &[u8]); 2] = [
    (b"{\"data\":{", b"},\"message_type\":\"certificate_update\"}"),
    (b"{\"message_type\":\"certificate_update\",\"data\":{", b"}}"),
];
/// The same of a domains-only message, whose beginning ends in the list's.
const DOMAINS: [(&[u8], &[u8]); 2] = [
    (b"{\"data\":[", b"],\"message_type\":\"dns_entries\"}"),
    (b"{\"message_type\":\"dns_entries\",\"data\":[", b"]}"),
];
/// Names of a frame up to which the buffer is kept for the next one.
const KEPT_NAMES: usize = 8 * 1024;
/// Bytes at the end of a frame among which `seen` stands, where it is not further ahead.
const TAIL: usize = 512;

/// Scans frames into a buffer that it keeps from one to the next.
#[derive(Debug, Default)]
pub struct Scanner {
    /// Where each name begins and ends, from the beginning of the list.
    names: Vec<(u32, u32)>,
}

/// What the scan has found in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'f> {
    frame: &'f [u8],
    /// Between the brackets.
    list: &'f str,
    names: &'f [(u32, u32)],
    /// What stands in its data; none of a domains-only message.
    data: Option<&'f [u8]>,
}

impl Scanner {
    /// The names of `frame`; nothing where it is not understood, whatever it is.
    #[must_use]
    pub fn scan<'f>(&'f mut self, frame: &'f [u8]) -> Option<Scanned<'f>> {
        if frame.len() > MAX_FRAME {
            return None;
        }
        let data = between(frame, CERTIFICATE);
        let list = match data {
            Some(_) => all_domains(frame)?,
            None => between(frame, DOMAINS)?,
        };
        if self.names.capacity() > KEPT_NAMES {
            // After a blown-up frame.
            self.names = Vec::new();
        }
        let length = names(list, &mut self.names)?;
        // Of a domains-only message the list is all there is.
        if data.is_none() && length != list.len() {
            return None;
        }
        let list = plain_text(&list[..length])?;
        Some(Scanned { frame, list, names: &self.names, data })
    }
}

impl<'f> Scanned<'f> {
    /// The names, in the order of the frame, with repeats.
    pub fn iter(&self) -> impl Iterator<Item = &'f str> + use<'f> {
        let list = self.list;
        self.names.iter().map(move |(start, end)| &list[*start as usize..*end as usize])
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether it is no domains-only message.
    #[must_use]
    pub fn is_certificate(&self) -> bool {
        self.data.is_some()
    }

    /// Where the entry stands, if it is written where the known servers write it.
    #[must_use]
    pub fn place(&self) -> Option<Place<'f>> {
        self.data.and_then(place::of)
    }

    /// When the server saw the entry, in microseconds since the Unix epoch, if it says so at the
    /// end of the frame, as all known servers do.
    #[must_use]
    pub fn seen(&self) -> Option<i64> {
        self.data?;
        let tail = &self.frame[self.frame.len().saturating_sub(TAIL)..];
        let number = &tail[SEEN.find(tail)? + SEEN.needle().len()..];
        let end = number.iter().position(|byte| matches!(byte, b',' | b'}'))?;
        let seconds: f64 = std::str::from_utf8(&number[..end]).ok()?.parse().ok()?;
        super::evidence::showable_micros(seconds)
    }
}

/// What stands between the beginning and the end that `frame` has in common with one of `shapes`.
fn between<'f>(frame: &'f [u8], shapes: [(&[u8], &[u8]); 2]) -> Option<&'f [u8]> {
    shapes.iter().find_map(|(head, tail)| frame.strip_prefix(*head)?.strip_suffix(*tail))
}

/// What stands behind the `[` of `data.leaf_cert.all_domains`.
fn all_domains(frame: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b"\"all_domains\":[";
    let at = LEAF.find(frame)?;
    // Not the end of a longer key that has a quote in it.
    if frame[..at].ends_with(b"\\") {
        return None;
    }
    let leaf = &frame[at + LEAF.needle().len()..];
    // First in `leaf_cert`, as the servers in Go have it.
    if let Some(list) = leaf.strip_prefix(KEY) {
        return Some(list);
    }
    walk::to_key(leaf, KEY)
}

/// Notes where the names of a list are, and returns its length. `list` begins behind its `[`, and
/// ends before its `]` or anywhere behind it.
fn names(list: &[u8], names: &mut Vec<(u32, u32)>) -> Option<usize> {
    names.clear();
    if list.first().is_none_or(|byte| *byte == b']') {
        return Some(0);
    }
    let mut at = 0;
    loop {
        if *list.get(at)? != b'"' {
            return None;
        }
        let start = at + 1;
        let end = start + memchr(b'"', &list[start..])?;
        // No list is longer than the largest frame.
        names.push((start as u32, end as u32));
        at = end + 1;
        match list.get(at) {
            Some(b',') => at += 1,
            Some(b']') | None => return Some(at),
            Some(_) => return None,
        }
    }
}

/// `list` as text, if it is ASCII without control characters and escapes.
fn plain_text(list: &[u8]) -> Option<&str> {
    /// A word of eight times this.
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The highest bit of each byte that is not plain.
    let odd = |word: u64| {
        let low = word & !HIGH;
        let control = !(low + (0x80 - 0x20) * EACH);
        let escape = !((low ^ (u64::from(b'\\') * EACH)) + 0x7f * EACH);
        (word | control | escape) & HIGH
    };
    let (words, rest) = list.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let all = words.iter().chain([&last]).fold(0, |all, word| all | odd(u64::from_le_bytes(*word)));
    if all != 0 {
        return None;
    }
    std::str::from_utf8(list).ok()
}

#[cfg(test)]
mod tests;
