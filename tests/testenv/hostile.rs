//! The frames of `tests/data/hostile.jsonl`: made to hurt a reader, with what each should lead to.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Deserialize;

/// What a frame should come to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Promise {
    Accept,
    Reject,
    Ignore,
    /// Sound readers differ.
    Either,
}

/// A frame.
#[derive(Clone)]
pub struct Hostile {
    pub class: String,
    pub note: String,
    pub bytes: Vec<u8>,
    pub binary: bool,
    pub promise: Promise,
    /// The domains it holds; none where that is open.
    pub domains: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Line {
    class: String,
    note: String,
    opcode: String,
    frame: Option<String>,
    frame_b64: Option<String>,
    outcome: Promise,
    domains: Option<BTreeSet<String>>,
}

impl Hostile {
    /// All of them, by class.
    pub fn all() -> Vec<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile.jsonl");
        Self::read(&std::fs::read_to_string(file).unwrap())
    }

    /// Those in `text`, in its form.
    pub fn read(text: &str) -> Vec<Self> {
        let frame = |line: &str| {
            let line: Line = serde_json::from_str(line).unwrap();
            let packed = |packed| BASE64.decode(packed).unwrap();
            Self {
                class: line.class,
                note: line.note,
                bytes: line.frame.map_or_else(
                    || line.frame_b64.map(packed).unwrap_or_default(),
                    String::into_bytes,
                ),
                binary: line.opcode == "binary",
                promise: line.outcome,
                domains: line.domains,
            }
        };
        text.lines().map(frame).collect()
    }

    /// Whether it ends its connection: a text frame that is no UTF-8 (RFC 6455).
    pub fn ends_connection(&self) -> bool {
        !self.binary && std::str::from_utf8(&self.bytes).is_err()
    }

    /// Whether it can stand on one line of a capture.
    pub fn fits_a_line(&self) -> bool {
        !self.bytes.contains(&b'\n')
    }
}

/// Fails where `text` holds anything that acts on a terminal, or reorders or hides what is read.
#[track_caller]
pub fn assert_harmless(what: &str, text: &str) {
    let acts = |c: char| {
        (c.is_control() && !"\n\t".contains(c))
            || "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{feff}".contains(c)
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    if let Some(at) = text.find(acts) {
        let around: String =
            text[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
        let bad = text[at..].chars().next();
        panic!("{what} shows {bad:?} raw, behind {around:?}");
    }
}
