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
mod plain;
mod walk;

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{MAX_FRAME, MAX_NAMES, NameList, Place};

/// A key, searched for: the machine code for it is chosen once.
static LEAF: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"leaf_cert\":{"));
static LIST: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"all_domains\":["));
static SEEN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"seen\":"));

/// Bytes at the end of a frame among which `seen` stands, where it is not further ahead.
const TAIL: usize = 512;

/// What the scan has found in a frame, beside its names.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'f> {
    frame: &'f [u8],
    /// What stands in its data; none of a domains-only message.
    data: Option<&'f [u8]>,
}

/// Appends the names of `frame` to `names`, in the order of the frame, with repeats. Nothing, and no
/// name, where it is not understood, whatever it is, or has more than [`MAX_NAMES`].
#[must_use]
pub fn scan<'f>(frame: &'f [u8], names: &mut NameList) -> Option<Scanned<'f>> {
    // Written as they are found, not noted first and copied then (PERFORMANCE.md, frame to names).
    let mark = names.mark();
    let before = names.len();
    let found = find(frame, names).filter(|_| names.len() - before <= MAX_NAMES);
    if found.is_none() {
        names.take_back(mark);
    }
    found
}

fn find<'f>(frame: &'f [u8], names: &mut NameList) -> Option<Scanned<'f>> {
    if frame.len() > MAX_FRAME {
        return None;
    }
    if let Some(data) = certificate(frame) {
        copy_names(all_domains(frame)?, names)?;
        return Some(Scanned { frame, data: Some(data) });
    }
    let (list, tail) = domains(frame)?;
    // The list is all there is.
    let length = copy_names(list, names)?;
    (list[length..] == *tail).then_some(Scanned { frame, data: None })
}

impl<'f> Scanned<'f> {
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

/// What stands in the data of a certificate update, as CaliDog's server and those written after it
/// begin and end one, or as the servers in Go do. Another spelling is left to the judge.
fn certificate(frame: &[u8]) -> Option<&[u8]> {
    if let Some(data) = frame.strip_prefix(b"{\"data\":{") {
        return data.strip_suffix(b"},\"message_type\":\"certificate_update\"}");
    }
    frame.strip_prefix(b"{\"message_type\":\"certificate_update\",\"data\":{")?.strip_suffix(b"}}")
}

/// What stands behind the `[` of a domains-only message, and what has to stand behind its `]`: of
/// both kinds, too.
fn domains(frame: &[u8]) -> Option<(&[u8], &'static [u8])> {
    if let Some(list) = frame.strip_prefix(b"{\"data\":[") {
        return Some((list, b",\"message_type\":\"dns_entries\"}"));
    }
    Some((frame.strip_prefix(b"{\"message_type\":\"dns_entries\",\"data\":[")?, b"}"))
}

/// What stands behind the `[` of `data.leaf_cert.all_domains`.
fn all_domains(frame: &[u8]) -> Option<&[u8]> {
    let at = LEAF.find(frame)?;
    // Not the end of a longer key that has a quote in it.
    if frame[..at].ends_with(b"\\") {
        return None;
    }
    let leaf = &frame[at + LEAF.needle().len()..];
    // First in `leaf_cert`, as the servers in Go have it.
    if let Some(list) = leaf.strip_prefix(b"\"all_domains\":[") {
        return Some(list);
    }
    walk::to_key(leaf, &LIST)
}

/// Appends the names of the list that `text` begins in, behind its `[`, and returns how far it goes,
/// with its `]`. Part of them may have been appended where that is nothing.
fn copy_names(text: &[u8], names: &mut NameList) -> Option<usize> {
    if *text.first()? == b']' {
        return Some(1);
    }
    let mut at = 0;
    loop {
        if *text.get(at)? != b'"' {
            return None;
        }
        at = plain::copy(text, at + 1, &mut names.bytes)?;
        // Text: it is ASCII.
        names.end();
        match text.get(at + 1)? {
            b',' => at += 2,
            b']' => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
