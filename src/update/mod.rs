//! A frame read as a certificate update: its names first, its evidence when something matched.
//!
//! Owns the reading of certstream messages (full, lite, domains-only) by simd-json into reused
//! buffers. Told apart by content, never by key order. Knows nothing of sockets or rules.

mod evidence;
mod fault;
mod list;
mod scan;

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::{Array, Value};
use simd_json::{Buffers, ErrorType, INPUT_PADDING, Tape};

use evidence::members;
pub use evidence::{Evidence, MAX_TEXT};
pub(crate) use evidence::{MAX_SERIAL, SHOWABLE, issuer_text};
pub use fault::FrameFault;
pub use list::{Mark, NameList};
pub use scan::{Scanned, scan};

/// Bytes a frame may have. The largest certificates make frames of some 100 KB; beyond this a
/// frame is refused, on a socket as in a capture, so that a hostile source cannot take memory.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Names of one certificate that are read. Real ones have a few hundred at most; the 700,000 that
/// fit into the largest frame would keep a matcher busy for seconds and cost 400 MB.
pub const MAX_NAMES: usize = 100_000;

/// How deep objects and arrays may nest. Real frames reach 6.
pub const MAX_DEPTH: usize = 128;

/// Bytes of a frame, and tokens in it, up to which the buffers are kept for the next frame.
const KEPT_BYTES: usize = 256 * 1024;
const KEPT_TOKENS: usize = 32 * 1024;

/// Who reads the names of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parse {
    /// The scan, where it understands the frame; simd-json all others, and each frame from which
    /// something is stored.
    #[default]
    Fast,
    /// simd-json, every frame.
    Strict,
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Message<'f> {
    /// A certificate update or a domains-only message.
    Update(Names<'f>),
    /// A sign of life.
    Heartbeat,
    /// Well-formed, of a type we do not know.
    Unknown,
    /// Nothing but white space, which some servers send while they close.
    Blank,
}

/// The names of a certificate update, as seen.
#[derive(Clone, Copy)]
pub struct Names<'f> {
    list: Option<Array<'f, 'f>>,
    seen: Option<i64>,
    place: Option<Place<'f>>,
}

/// Where an entry stands, by what the server says. At least one of the texts is not empty; both are
/// the server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'f> {
    /// URL of the log; empty where it is not given.
    pub log_url: &'f str,
    /// Name of the log; empty where it is not given.
    pub log_name: &'f str,
    /// Index of the entry in the log.
    pub index: u64,
}

impl<'f> Names<'f> {
    /// The names, in the order of the frame, with repeats. What is no text in the list is
    /// passed over.
    pub fn iter(&self) -> impl Iterator<Item = &'f str> + use<'f> {
        self.list.into_iter().flat_map(|list| list.iter()).filter_map(|name| name.into_string())
    }

    /// When the server saw the entry, in microseconds since the Unix epoch.
    #[must_use]
    pub fn seen(&self) -> Option<i64> {
        self.seen
    }

    /// Where the entry stands; none where the server does not say, as in domains-only streams.
    #[must_use]
    pub fn place(&self) -> Option<Place<'f>> {
        self.place
    }
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What simd-json makes of a frame whose names the scan has found.
#[derive(Debug)]
pub enum Judged {
    /// Its names are these; with its evidence, unless it is a domains-only message.
    Agreed(Option<Box<Evidence>>),
    /// Its names are others.
    Others(Vec<String>),
}

/// Reads frames into buffers that it keeps from one to the next.
pub struct UpdateReader {
    /// The frame as simd-json may edit it, followed by the padding it reads into.
    scratch: Vec<u8>,
    buffers: Buffers,
    /// Empty between two frames: only its memory is kept.
    tape: Tape<'static>,
}

impl Default for UpdateReader {
    fn default() -> Self {
        Self {
            scratch: Vec::new(),
            buffers: Buffers::with_max_depth(0, MAX_DEPTH),
            tape: Tape(Vec::new()),
        }
    }
}

impl fmt::Debug for UpdateReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateReader")
            .field("scratch", &self.scratch.capacity())
            .finish_non_exhaustive()
    }
}

impl UpdateReader {
    /// Reads `frame` and hands what it is to `take`.
    ///
    /// Names come only from `data.leaf_cert.all_domains` of a `certificate_update` and from
    /// `data` of `dns_entries`; missing or of another type, they are none. A repeated key counts
    /// as it stands last.
    ///
    /// # Errors
    /// Why the frame is refused.
    pub fn read<R>(
        &mut self,
        frame: &[u8],
        take: impl FnOnce(Message<'_>) -> R,
    ) -> Result<R, FrameFault> {
        if frame.len() <= MAX_FRAME && frame.trim_ascii_start().is_empty() {
            return Ok(take(Message::Blank));
        }
        self.parse(frame, |root| take(message(&root)))
    }

    /// Reads the evidence of a frame that [`read`](Self::read) accepted as an update; nothing
    /// for a domains-only message.
    pub fn evidence(&mut self, frame: &[u8]) -> Option<Evidence> {
        let read = |root: Value<'_, '_>| match message_parts(&root) {
            (Some("certificate_update"), Some(data)) => Some(Evidence::of(&data)),
            _ => None,
        };
        self.parse(frame, read).ok().flatten()
    }

    /// Reads a frame that passes for an update with these `names`, all of them or the first
    /// [`MAX_NAMES`].
    ///
    /// # Errors
    /// Why the frame is refused.
    pub fn judge<'n>(
        &mut self,
        frame: &[u8],
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Judged, FrameFault> {
        self.parse(frame, |root| {
            let found: Vec<&str> = match message(&root) {
                Message::Update(found) => found.iter().take(MAX_NAMES).collect(),
                Message::Heartbeat | Message::Unknown | Message::Blank => Vec::new(),
            };
            if !found.iter().copied().eq(names) {
                return Judged::Others(found.into_iter().map(str::to_owned).collect());
            }
            Judged::Agreed(match message_parts(&root) {
                (Some("certificate_update"), Some(data)) => Some(Box::new(Evidence::of(&data))),
                _ => None,
            })
        })
    }

    /// Parses `frame` and hands its value to `take`.
    fn parse<R>(
        &mut self,
        frame: &[u8],
        take: impl FnOnce(Value<'_, '_>) -> R,
    ) -> Result<R, FrameFault> {
        if frame.len() > MAX_FRAME {
            return Err(FrameFault::TooLarge);
        }
        self.load(frame);
        let parsed = match self.parse_scratch(frame.len(), take) {
            Err((error, take)) if matches!(error.error(), ErrorType::InvalidNumber) => {
                self.load(frame);
                fault::drop_huge_numbers(&mut self.scratch[..frame.len()]);
                self.parse_scratch(frame.len(), take)
            }
            parsed => parsed,
        };
        self.release_excess(frame.len());
        parsed.map_err(|(error, _)| fault::diagnose(frame, error.error()))
    }

    fn load(&mut self, frame: &[u8]) {
        self.scratch.clear();
        self.scratch.reserve(frame.len() + INPUT_PADDING);
        self.scratch.extend_from_slice(frame);
        self.scratch.extend_from_slice(&[b' '; INPUT_PADDING]);
    }

    /// Parses what was loaded; on an error `take` is handed back.
    fn parse_scratch<R, F: FnOnce(Value<'_, '_>) -> R>(
        &mut self,
        length: usize,
        take: F,
    ) -> Result<R, (simd_json::Error, F)> {
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed =
            simd_json::fill_tape_padded(&mut self.scratch, length, &mut self.buffers, &mut tape);
        let taken = match parsed {
            Ok(()) => Ok(take(tape.as_value())),
            Err(error) => Err((error, take)),
        };
        self.tape = tape.reset();
        taken
    }

    /// Gives memory back after a blown-up frame.
    fn release_excess(&mut self, length: usize) {
        if length > KEPT_BYTES || self.buffers.structural_indexes().len() > KEPT_TOKENS {
            *self = Self::default();
        }
    }
}

/// The type and the data of a message.
fn message_parts<'t, 'f>(root: &Value<'t, 'f>) -> (Option<&'f str>, Option<Value<'t, 'f>>) {
    let (mut kind, mut data) = (None, None);
    for (key, value) in members(root) {
        match key {
            "message_type" => kind = value.into_string(),
            "data" => data = Some(value),
            _ => {}
        }
    }
    (kind, data)
}

fn message<'t>(root: &Value<'t, 't>) -> Message<'t> {
    match message_parts(root) {
        (Some("certificate_update"), data) => Message::Update(certificate_names(data)),
        (Some("dns_entries"), data) => {
            let list = data.and_then(|data| data.as_array());
            Message::Update(Names { list, seen: None, place: None })
        }
        (Some("heartbeat"), _) => Message::Heartbeat,
        _ => Message::Unknown,
    }
}

fn certificate_names<'t>(data: Option<Value<'t, 't>>) -> Names<'t> {
    let mut names = Names { list: None, seen: None, place: None };
    let (mut index, mut log) = (None, ("", ""));
    for (key, value) in data.iter().flat_map(members) {
        match key {
            "leaf_cert" => names.list = all_domains(&value),
            "seen" => names.seen = evidence::micros(&value),
            "cert_index" => index = evidence::index(&value),
            "source" => log = evidence::log(&value),
            _ => {}
        }
    }
    let (log_url, log_name) = log;
    if log != ("", "") {
        names.place = index.map(|index| Place { log_url, log_name, index });
    }
    names
}

fn all_domains<'t>(leaf: &Value<'t, 't>) -> Option<Array<'t, 't>> {
    let mut list = None;
    for (key, value) in members(leaf) {
        if key == "all_domains" {
            list = value.as_array();
        }
    }
    list
}

#[cfg(test)]
mod tests;
