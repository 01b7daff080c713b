//! Names tiles, Sunlight's extension of static-ct-api: a JSON line of names for each entry.
//!
//! Owns what a tile must hold and how each line of it is read: directly where it has the usual form
//! (`names_line`), else by simd-json into reused buffers. Nothing in a names tile is covered by the
//! log's signature.

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::{Array, Value};
use simd_json::{Buffers, INPUT_PADDING, Tape};

use super::certificate::visit_names;
use super::names_line::{PlainLine, PlainNames, plain_line, plain_tile};
use super::{EntryFault, TileFault};

/// How deep a line's JSON may nest: lines reach 3.
const MAX_DEPTH: usize = 16;
/// Bytes of a line up to which the buffers are kept for the next tile.
const KEPT_BYTES: usize = 256 * 1024;

/// What a line says about its entry.
#[derive(Clone, Copy)]
pub struct NamedEntry<'t> {
    timestamp: Option<u64>,
    dns: Dns<'t>,
    common_name: Option<&'t str>,
}

/// The list of names, by the way the line was read.
#[derive(Clone, Copy)]
enum Dns<'t> {
    Plain(PlainNames<'t>),
    Json(Option<Array<'t, 't>>),
}

impl NamedEntry<'_> {
    /// When the log took the entry, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }

    /// Hands the names to `visit`, as [`names`](super::names) would those of the certificate. What
    /// is no text in the list is passed over.
    pub fn names(&self, visit: impl FnMut(&str)) {
        match self.dns {
            Dns::Plain(names) => visit_names(names, self.common_name, visit),
            Dns::Json(list) => {
                let names = list.into_iter().flat_map(|list| list.iter());
                visit_names(names.filter_map(|name| name.into_string()), self.common_name, visit);
            }
        }
    }
}

impl fmt::Debug for NamedEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        self.names(|name| {
            list.entry(&name);
        });
        list.finish()
    }
}

/// Reads names tiles into buffers that it keeps from one to the next.
pub struct NamesTileReader {
    /// The line as simd-json may edit it, followed by the padding it reads into.
    scratch: Vec<u8>,
    buffers: Buffers,
    /// Empty between two lines: only its memory is kept.
    tape: Tape<'static>,
}

impl Default for NamesTileReader {
    fn default() -> Self {
        Self {
            scratch: Vec::new(),
            buffers: Buffers::with_max_depth(0, MAX_DEPTH),
            tape: Tape(Vec::new()),
        }
    }
}

impl fmt::Debug for NamesTileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamesTileReader").finish_non_exhaustive()
    }
}

impl NamesTileReader {
    /// Reads the `width` lines of a names tile and hands each to `take`, in order: what it says, or
    /// why it cannot be read. Unknown keys are passed over; a missing one is no fault.
    ///
    /// # Errors
    /// A tile that has fewer or more lines; `take` has then not been called.
    pub fn read(
        &mut self,
        tile: &[u8],
        width: usize,
        mut take: impl FnMut(Result<NamedEntry<'_>, EntryFault>),
    ) -> Result<(), TileFault> {
        let tile = tile.strip_suffix(b"\n").unwrap_or(tile);
        let lines = if tile.is_empty() { 0 } else { memchr::memchr_iter(b'\n', tile).count() + 1 };
        if lines != width {
            let fault =
                if lines < width { EntryFault::TooFewEntries } else { EntryFault::TooManyEntries };
            return Err(TileFault { place: lines.min(width), fault });
        }
        // As a rule everything is plain: to look at it once is quicker than line by line.
        let text = plain_tile(tile);
        let mut begin = 0;
        let ends = memchr::memchr_iter(b'\n', tile).chain([tile.len()]);
        for end in ends.take(lines) {
            let bytes = &tile[begin..end];
            let line = match text {
                Some(text) => text.get(begin..end),
                None => plain_line(bytes),
            };
            match line.and_then(PlainLine::read) {
                Some(line) => take(Ok(line.into())),
                None => self.parse_line(bytes, &mut take),
            }
            begin = end + 1;
        }
        if self.scratch.capacity() > KEPT_BYTES {
            *self = Self::default();
        }
        Ok(())
    }

    fn parse_line(
        &mut self,
        line: &[u8],
        take: &mut impl FnMut(Result<NamedEntry<'_>, EntryFault>),
    ) {
        self.scratch.clear();
        self.scratch.reserve(line.len() + INPUT_PADDING);
        self.scratch.extend_from_slice(line);
        self.scratch.extend_from_slice(&[b' '; INPUT_PADDING]);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape_padded(
            &mut self.scratch,
            line.len(),
            &mut self.buffers,
            &mut tape,
        );
        take(match parsed {
            Ok(()) => named_entry(&tape.as_value()),
            Err(_) => Err(EntryFault::NotJson),
        });
        self.tape = tape.reset();
    }
}

impl<'t> From<PlainLine<'t>> for NamedEntry<'t> {
    fn from(line: PlainLine<'t>) -> Self {
        let PlainLine { timestamp, common_name, dns } = line;
        Self { timestamp: Some(timestamp), dns: Dns::Plain(dns), common_name }
    }
}

fn named_entry<'t>(line: &Value<'t, 't>) -> Result<NamedEntry<'t>, EntryFault> {
    let line = line.as_object().ok_or(EntryFault::WrongShape)?;
    let mut entry = NamedEntry { timestamp: None, dns: Dns::Json(None), common_name: None };
    for (key, value) in line.iter() {
        match key {
            "Timestamp" => entry.timestamp = value.as_u64(),
            "DNS" => entry.dns = Dns::Json(value.as_array()),
            // A log that writes it in another form than an object of texts names no host by it.
            "Subject" => entry.common_name = value.get("CommonName").and_then(|n| n.into_string()),
            _ => {}
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests;
