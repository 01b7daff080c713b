//! Cuts chunks of bytes into lines, copying only those that chunks cut in two.

use std::ops::ControlFlow;

use memchr::memchr;

use crate::update::MAX_FRAME;

/// Bytes of a cut line up to which its buffer is kept.
const KEPT: usize = 256 * 1024;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'c> {
    /// A frame, or nothing.
    Frame(&'c [u8]),
    /// A line longer than any frame may be; it was not kept.
    TooLong,
}

/// Cuts lines, which end with a newline or a carriage return and a newline.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The begin of a line whose end has not come yet.
    begun: Vec<u8>,
    /// Whether that line is already too long, and passed over.
    too_long: bool,
}

impl Lines {
    /// Hands each line that ends in `chunk` to `take`; with `last`, what is left is a line too.
    pub(super) fn cut(
        &mut self,
        chunk: &[u8],
        last: bool,
        mut take: impl FnMut(Line<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut rest = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if self.begun.is_empty() && !self.too_long {
                take(as_line(line))?;
            } else {
                self.begin(line);
                self.end(&mut take)?;
            }
        }
        self.begin(rest);
        if last && (self.too_long || !self.begun.is_empty()) {
            self.end(&mut take)?;
        }
        ControlFlow::Continue(())
    }

    fn begin(&mut self, part: &[u8]) {
        // One byte more, because a carriage return is not the frame's.
        if self.too_long || self.begun.len() + part.len() > MAX_FRAME + 1 {
            self.too_long = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn end(&mut self, take: &mut impl FnMut(Line<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let line = if self.too_long { Line::TooLong } else { as_line(&self.begun) };
        let flow = take(line);
        self.too_long = false;
        self.begun.clear();
        self.begun.shrink_to(KEPT);
        flow
    }
}

fn as_line(line: &[u8]) -> Line<'_> {
    Line::Frame(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `text` in chunks of `size` bytes, with a too long line shown as `!`.
    fn cut(text: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut chunks = text.chunks(size).peekable();
        while let Some(chunk) = chunks.next() {
            let flow = lines.cut(chunk, chunks.peek().is_none(), |line| {
                found.push(match line {
                    Line::Frame(line) => line.to_vec(),
                    Line::TooLong => b"!".to_vec(),
                });
                ControlFlow::Continue(())
            });
            assert_eq!(flow, ControlFlow::Continue(()));
        }
        found
    }

    #[test]
    fn lines_are_the_same_wherever_chunks_cut_them() {
        let text = b"one\r\n\ntwo\rtwo\nthree three three\r\nlast";
        let expected: [&[u8]; 5] = [b"one", b"", b"two\rtwo", b"three three three", b"last"];
        for size in 1..=text.len() {
            assert_eq!(cut(text, size), expected, "chunks of {size}");
        }
        assert_eq!(cut(b"one\n", 2), [b"one"]);
    }

    #[test]
    fn a_line_too_long_is_passed_over_in_bounded_memory() {
        let mut text = b"before\n".to_vec();
        text.resize(text.len() + MAX_FRAME + 2, b'x');
        text.extend_from_slice(b"\nafter\n");
        assert_eq!(cut(&text, 64 * 1024), [&b"before"[..], b"!", b"after"]);

        let mut lines = Lines::default();
        for _ in 0..64 {
            let flow = lines.cut(&[b'x'; 1024 * 1024], false, |_| ControlFlow::Break(()));
            assert_eq!(flow, ControlFlow::Continue(()));
            assert!(lines.begun.capacity() <= 3 * MAX_FRAME);
        }
        assert_eq!(lines.begun.capacity(), 0);
    }

    #[test]
    fn cutting_ends_when_told() {
        let mut seen = 0;
        let flow = Lines::default().cut(b"a\nb\nc\n", true, |_| {
            seen += 1;
            ControlFlow::Break(())
        });
        assert_eq!((flow, seen), (ControlFlow::Break(()), 1));
    }
}
