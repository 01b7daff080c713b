//! The frames of a connection: whole data frames in the place where they were received, all else by
//! tungstenite.
//!
//! Owns the buffer between the two. A server sends little but whole, unmasked text frames; those are
//! found by their heads and taken as they stand, since a copy of each, and of the buffer's zeroes, was
//! the larger part of receiving it. tungstenite made the connection and stays the judge of whatever is
//! not so plain: control frames, fragments, frames larger than the buffer, and all that breaks the
//! protocol. It gets the bytes of exactly those frames, one after another.

use std::io::{self, Read, Write};
use std::ops::Range;

use tungstenite::{Error, Message, WebSocket};

/// Bytes that are received at once, at most (64 KiB: no faster), and those that a frame may have to be
/// taken in place. Larger ones go through tungstenite.
const CAPACITY: usize = 256 * 1024;
/// Bytes that are received at once before the upgrade: its answer is short.
const HEAD: usize = 4096;

/// What stands between a connection and tungstenite.
#[derive(Debug)]
pub(super) struct Tap<S> {
    stream: S,
    buffer: Box<[u8]>,
    /// Where what has been received begins and ends.
    start: usize,
    end: usize,
    gate: Gate,
    /// Nothing follows what has been received.
    ended: bool,
}

/// What tungstenite may read.
#[derive(Debug)]
enum Gate {
    /// The answer to the upgrade, up to an empty line: so it gets nothing of what follows.
    Head {
        /// Whether only a carriage return has come since the last end of a line.
        line_is_empty: bool,
    },
    /// So many bytes.
    Owed(u64),
}

/// What has arrived.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The payload of a whole data frame, text or not; see [`Wire::frame`].
    Frame(Range<usize>),
    /// What tungstenite has made of other frames.
    Message(Message),
}

/// An open WebSocket connection.
#[derive(Debug)]
pub(super) struct Wire<S> {
    socket: WebSocket<Tap<S>>,
    /// A message has begun of which further fragments must come.
    in_fragments: bool,
    /// The server has said goodbye: whatever it still sends is wrong.
    is_closed: bool,
}

impl<S> Tap<S> {
    /// A tap on `stream`, before the upgrade.
    pub fn new(stream: S) -> Self {
        let buffer = vec![0; CAPACITY].into_boxed_slice();
        let gate = Gate::Head { line_is_empty: false };
        Self { stream, buffer, start: 0, end: 0, gate, ended: false }
    }

    fn received(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl<S: Read> Tap<S> {
    /// Receives up to `most` bytes behind what is there; 0 at the end.
    fn receive(&mut self, most: usize) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 && self.end > self.buffer.len() / 2 {
            // Less than a frame, mostly.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = (self.buffer.len() - self.end).min(most);
        let count = self.stream.read(&mut self.buffer[self.end..self.end + room])?;
        self.end += count;
        Ok(count)
    }
}

impl<S: Read> Read for Tap<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if matches!(self.gate, Gate::Head { .. }) && self.start == self.end {
            self.receive(HEAD)?;
        }
        let received = &self.buffer[self.start..self.end];
        let count = match &mut self.gate {
            Gate::Head { line_is_empty } => {
                let given = &received[..received.len().min(out.len())];
                let end = given.iter().position(|byte| {
                    let ends = *byte == b'\n' && *line_is_empty;
                    *line_is_empty = *byte == b'\n' || (*byte == b'\r' && *line_is_empty);
                    ends
                });
                end.map_or(given.len(), |end| end + 1)
            }
            Gate::Owed(owed) => {
                let owed_here = usize::try_from(*owed).unwrap_or(usize::MAX);
                let count = received.len().min(out.len()).min(owed_here);
                if count == 0 && !self.ended {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                *owed -= count as u64;
                count
            }
        };
        out[..count].copy_from_slice(&received[..count]);
        self.start += count;
        Ok(count)
    }
}

impl<S: Write> Write for Tap<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Read + Write> Wire<S> {
    /// Takes over `socket` after the upgrade.
    pub fn new(mut socket: WebSocket<Tap<S>>) -> Self {
        socket.get_mut().gate = Gate::Owed(0);
        Self { socket, in_fragments: false, is_closed: false }
    }

    /// The connection.
    pub fn stream(&mut self) -> &mut S {
        &mut self.socket.get_mut().stream
    }

    /// tungstenite, to send with.
    pub fn sender(&mut self) -> &mut WebSocket<Tap<S>> {
        &mut self.socket
    }

    /// Receives what has come by now.
    ///
    /// # Errors
    /// Those of the connection; [`io::ErrorKind::WouldBlock`] where nothing has come.
    pub fn receive(&mut self) -> Result<(), Error> {
        let tap = self.socket.get_mut();
        tap.ended = tap.ended || tap.receive(CAPACITY)? == 0;
        Ok(())
    }

    /// The next of what has been received; none: more must be received first.
    ///
    /// # Errors
    /// When the server breaks the protocol, or the connection has ended.
    pub fn next(&mut self) -> Result<Option<Arrival>, Error> {
        loop {
            let tap = self.socket.get_mut();
            if matches!(tap.gate, Gate::Owed(0)) {
                let Some(head) = Head::of(tap.received()) else { return self.more() };
                if !self.in_fragments
                    && !self.is_closed
                    && let Some(total) = head.plain_total()
                {
                    let Some(frame) = tap.received().get(..total) else { return self.more() };
                    let payload = &frame[head.length..];
                    if !head.is_text() || simdutf8::basic::from_utf8(payload).is_ok() {
                        let begin = tap.start + head.length;
                        tap.start += total;
                        return Ok(Some(Arrival::Frame(begin..tap.start)));
                    }
                }
                if head.is_data() {
                    self.in_fragments = !head.is_final();
                }
                tap.gate = Gate::Owed(head.total());
            }
            if tap.start == tap.end {
                return self.more();
            }
            if let Some(message) = self.by_tungstenite()? {
                return Ok(Some(Arrival::Message(message)));
            }
        }
    }

    /// The payload of a frame that [`next`](Self::next) has just told of.
    pub fn frame(&self, place: Range<usize>) -> &[u8] {
        &self.socket.get_ref().buffer[place]
    }

    /// Nothing is left but part of a frame: at the end, tungstenite says what that means.
    fn more(&mut self) -> Result<Option<Arrival>, Error> {
        if !self.socket.get_ref().ended {
            return Ok(None);
        }
        self.by_tungstenite().map(|message| message.map(Arrival::Message))
    }

    /// What tungstenite makes of the bytes it may read; none where that is no message yet.
    fn by_tungstenite(&mut self) -> Result<Option<Message>, Error> {
        match self.socket.read() {
            Ok(message) => {
                self.is_closed |= message.is_close();
                Ok(Some(message))
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
struct Head {
    first: u8,
    is_masked: bool,
    /// Its own bytes.
    length: usize,
    /// Those of the payload.
    payload: u64,
}

impl Head {
    /// Reads a head; none where `bytes` do not hold all of it.
    fn of(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (length, payload) = match second & 0x7f {
            126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
            127 => (10, u64::from_be_bytes(*rest.first_chunk()?)),
            short => (2, short.into()),
        };
        let is_masked = second & 0x80 != 0;
        let length = if is_masked { length + 4 } else { length };
        Some(Self { first: *first, is_masked, length, payload })
    }

    fn total(&self) -> u64 {
        self.payload.saturating_add(self.length as u64)
    }

    fn is_text(&self) -> bool {
        self.first & 0x0f == 1
    }

    fn is_final(&self) -> bool {
        self.first & 0x80 != 0
    }

    /// Whether it is a data frame, or a fragment of one.
    fn is_data(&self) -> bool {
        self.first & 0x0f < 8
    }

    /// The bytes of the frame, where it is a whole text or binary frame, not masked, with nothing
    /// reserved set, and fits into the buffer.
    fn plain_total(&self) -> Option<usize> {
        let is_plain = matches!(self.first, 0x81 | 0x82) && !self.is_masked;
        usize::try_from(self.total()).ok().filter(|total| is_plain && *total <= CAPACITY)
    }
}

#[cfg(test)]
mod tests;
