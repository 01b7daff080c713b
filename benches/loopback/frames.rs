//! The frames that are sent, each with its WebSocket header, one after another in memory.

use std::io::{BufRead, BufReader};
use std::ops::Range;

use super::inputs::corpus;
use super::synthetic;

/// What a server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Full,
    Lite,
    Domains,
}

impl Stream {
    pub const ALL: [Self; 3] = [Self::Full, Self::Lite, Self::Domains];

    /// Its name, here and in the names of the corpus's files.
    pub fn name(self) -> &'static str {
        ["full", "lite", "domains"][self as usize]
    }

    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|stream| stream.name() == name).expect("full, lite or domains")
    }
}

/// Frames as a server writes them to its socket.
#[derive(Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Frames {
    /// Those of the corpus, or generated ones where it is not beside the checkout.
    pub fn of(stream: Stream) -> Self {
        let mut frames = Self::default();
        lines(stream, |line| frames.push(line));
        frames
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds a text frame of `payload`.
    pub fn push(&mut self, payload: &[u8]) {
        const FINAL_TEXT: u8 = 0x81;
        self.bytes.push(FINAL_TEXT);
        // Servers do not mask, so what follows is the length in one of its three forms.
        match payload.len() {
            length @ ..126 => self.bytes.push(length as u8),
            length @ ..0x1_0000 => {
                self.bytes.push(126);
                self.bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                self.bytes.push(127);
                self.bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(payload);
        self.ends.push(self.bytes.len());
    }

    /// The bytes of these frames.
    pub fn range(&self, frames: Range<usize>) -> &[u8] {
        let end = |count: usize| if count == 0 { 0 } else { self.ends[count - 1] };
        &self.bytes[end(frames.start)..end(frames.end)]
    }
}

/// Gives each frame of a stream to `each`, without headers.
pub fn lines(stream: Stream, mut each: impl FnMut(&[u8])) {
    let file = corpus().map(|corpus| corpus.join(format!("frames_{}.jsonl.zst", stream.name())));
    let Some(file) = file.filter(|file| file.exists()) else {
        return synthetic::frames(stream, each);
    };
    let packed = std::fs::File::open(&file).expect("a readable file");
    let mut text = BufReader::new(zstd::Decoder::new(packed).expect("packed with zstd"));
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line).expect("it unpacks") > 0 {
        each(line.trim_ascii_end());
        line.clear();
    }
}
