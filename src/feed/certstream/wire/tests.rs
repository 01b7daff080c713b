//! The wire beside tungstenite alone, over the same bytes cut at the same places.

use std::collections::VecDeque;

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig};

use super::*;

const LARGEST: usize = 1024 * 1024;

/// A connection over which these pieces come, one a read, with nothing in between; what is sent is
/// dropped.
#[derive(Debug)]
struct Pieces(VecDeque<Vec<u8>>, bool);

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(mut piece) = self.0.pop_front() else { return Ok(0) };
        let count = piece.len().min(out.len());
        out[..count].copy_from_slice(&piece[..count]);
        if count < piece.len() {
            self.0.push_front(piece.split_off(count));
        }
        Ok(count)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pieces(bytes: &[u8], chance: &mut fastrand::Rng) -> Pieces {
    let mut pieces = VecDeque::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = [1, 3, 200, 5_000, 400_000][chance.usize(..5)];
        let (piece, after) = rest.split_at(chance.usize(1..=most).min(rest.len()));
        pieces.push_back(piece.to_vec());
        rest = after;
    }
    Pieces(pieces, false)
}

fn socket<S: Read + Write>(stream: S) -> WebSocket<S> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        .read_buffer_size(4 * 1024);
    WebSocket::from_raw_socket(stream, Role::Client, Some(config))
}

/// What comes over `pieces`, and how it ends, by tungstenite alone.
fn alone(pieces: Pieces) -> (Vec<Message>, String) {
    let mut socket = socket(pieces);
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(message) => messages.push(message),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return (messages, error.to_string()),
        }
    }
}

/// The same by the wire.
fn by_wire(pieces: Pieces) -> (Vec<Message>, String) {
    let mut wire = Wire::new(socket(Tap::new(pieces)));
    let mut messages = Vec::new();
    loop {
        match wire.next() {
            Ok(Some(Arrival::Frame(place))) => {
                let frame = wire.frame(place.clone());
                // Which kind it was the wire does not say; its first byte still stands before it.
                let head = if frame.len() < 126 {
                    2
                } else if frame.len() < 0x1_0000 {
                    4
                } else {
                    10
                };
                let first = wire.frame(place.start - head..place.start)[0];
                messages.push(match first {
                    0x81 => Message::text(std::str::from_utf8(frame).expect("checked")),
                    _ => Message::binary(frame.to_vec()),
                });
            }
            Ok(Some(Arrival::Message(message))) => messages.push(message),
            Ok(None) => match wire.receive() {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return (messages, error.to_string()),
            },
            Err(error) => return (messages, error.to_string()),
        }
    }
}

fn payload(chance: &mut fastrand::Rng) -> Vec<u8> {
    let most = [0, 1, 125, 126, 127, 2_000, 65_535, 65_536, 300_000][chance.usize(..9)];
    let length = if chance.bool() { most } else { chance.usize(..=most) };
    std::iter::repeat_with(|| chance.alphanumeric() as u8).take(length).collect()
}

fn push(out: &mut Vec<u8>, frame: Frame) {
    frame.format(out).expect("memory");
}

/// Adds some message, mostly a good one.
fn add(out: &mut Vec<u8>, chance: &mut fastrand::Rng) {
    let data = |kind, is_final, payload| Frame::message(payload, OpCode::Data(kind), is_final);
    match chance.u8(..40) {
        0..20 => push(out, data(Data::Text, true, payload(chance))),
        20..24 => push(out, data(Data::Binary, true, payload(chance))),
        24..27 => push(out, Frame::ping(b"ping".to_vec())),
        27..29 => push(out, Frame::pong(b"pong".to_vec())),
        29..35 => {
            push(out, data(Data::Text, false, payload(chance)));
            for _ in 0..chance.usize(..3) {
                push(out, Frame::ping(Vec::new()));
                push(out, data(Data::Continue, false, payload(chance)));
            }
            // Now and then somebody else's message comes in between.
            let kind = if chance.u8(..8) == 0 { Data::Text } else { Data::Continue };
            push(out, data(kind, true, payload(chance)));
        }
        35 => push(out, data(Data::Text, true, "é".as_bytes()[..1 + chance.usize(..2)].to_vec())),
        36 => push(out, Frame::close(None)),
        37 => {
            let header = FrameHeader { mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
            push(out, Frame::from_payload(header, b"masked".to_vec().into()));
        }
        38 => {
            let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
            let length = [LARGEST as u64 + 1, u64::MAX, 1 << 40][chance.usize(..3)];
            header.format(length, out).expect("memory");
        }
        _ => {
            let at = out.len();
            push(out, data(Data::Text, true, payload(chance)));
            // Reserved bits, unknown kinds, other lengths.
            out[at + chance.usize(..2)] ^= 1 << chance.u8(..8);
        }
    }
}

#[test]
fn what_comes_and_how_it_ends_is_as_tungstenite_alone_has_it() {
    for seed in 0..400 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut bytes = Vec::new();
        for _ in 0..chance.usize(1..40) {
            add(&mut bytes, &mut chance);
        }
        if chance.bool() {
            bytes.truncate(chance.usize(..=bytes.len()));
        }
        let cut = chance.clone();
        let expected = alone(pieces(&bytes, &mut cut.clone()));
        let found = by_wire(pieces(&bytes, &mut cut.clone()));
        assert!(expected == found, "seed {seed}: {} and {}", expected.1, found.1);
    }
}

#[test]
fn the_answer_to_the_upgrade_is_told_from_what_follows() {
    for head in ["HTTP/1.1 101 x\r\na: b\r\n\r\n", "HTTP/1.1 101 x\na: b\n\r\n", "A\n\n", "a\r\n\n"]
    {
        for cut in 0..head.len() {
            let bytes = [head.as_bytes(), b"\x81\x02hi"].concat();
            let pieces = Pieces([bytes[..cut].to_vec(), bytes[cut..].to_vec()].into(), false);
            let mut tap = Tap::new(pieces);
            let mut read = Vec::new();
            while read.len() < head.len() {
                let mut part = [0; 1024];
                if let Ok(count) = tap.read(&mut part) {
                    read.extend_from_slice(&part[..count]);
                }
            }
            assert_eq!(read, head.as_bytes(), "cut at {cut}");
            // Whatever has come with it is a frame already.
            let mut wire = Wire::new(socket(tap));
            let Ok(Some(Arrival::Frame(place))) = wire.next() else { panic!("cut at {cut}") };
            assert_eq!(wire.frame(place), b"hi");
        }
    }
}
