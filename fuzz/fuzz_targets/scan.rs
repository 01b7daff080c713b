//! The scan beside simd-json: on well-formed frames without repeated keys they find the same names,
//! and the same place of the entry where the scan finds one.
//!
//! The frame is made by a grammar that the bytes steer (members in any order, nested values,
//! escapes, white space, other spellings), and is then cut or changed where the bytes say so.

#![no_main]

use std::fmt::Write;

use certstream::update::{Message, NameList, Place, Scanned, UpdateReader, scan};
use libfuzzer_sys::fuzz_target;

/// Bytes that steer; zeros when they are used up.
struct Choices<'b>(&'b [u8]);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.next()) % of.len()]
    }
}

const TEXTS: [&str; 10] = [
    "a.example",
    "*.b.example",
    "",
    "\\\"",
    "\\\\",
    "\\u0061.example",
    "{[",
    "]}",
    "b\u{fc}cher.example",
    "\\\"leaf_cert\\\":{\\\"all_domains\\\":[\\\"x.example\\\"]",
];
const SPACES: [&str; 12] = ["", "", "", "", "", "", "", "", "", "", " ", "\n"];

fn value(choices: &mut Choices<'_>, depth: u32, out: &mut String) {
    match choices.next() % if depth < 4 { 9 } else { 6 } {
        0 => out.push_str("null"),
        1 => out.push_str("-1.5e3"),
        2 => out.push_str("true"),
        3..6 => {
            let _ = write!(out, "\"{}\"", choices.pick(&TEXTS));
        }
        6 => list(choices, depth, out),
        7 => names(choices, out),
        _ => object(choices, depth, out, &[]),
    }
}

fn list(choices: &mut Choices<'_>, depth: u32, out: &mut String) {
    out.push('[');
    for n in 0..choices.next() % 4 {
        if n > 0 {
            out.push(',');
        }
        out.push_str(choices.pick(&SPACES));
        value(choices, depth + 1, out);
    }
    out.push(']');
}

fn names(choices: &mut Choices<'_>, out: &mut String) {
    out.push('[');
    for n in 0..choices.next() % 5 {
        if n > 0 {
            out.push(',');
        }
        out.push_str(choices.pick(&SPACES));
        let _ = write!(out, "\"{}\"", choices.pick(&TEXTS));
    }
    out.push(']');
}

/// An object: its own keys, each once, and the `wanted` ones among them.
fn object(
    choices: &mut Choices<'_>,
    depth: u32,
    out: &mut String,
    wanted: &[(&str, fn(&mut Choices<'_>, u32, &mut String))],
) {
    // Numbered, so that none repeats; below the top `all_domains` may be a key anywhere.
    let others = choices.next() % 6;
    let first = usize::from(choices.next());
    out.push('{');
    let mut written = 0;
    let mut key = |out: &mut String, choices: &mut Choices<'_>, name: &str| {
        if written > 0 {
            out.push(',');
        }
        written += 1;
        let _ = write!(
            out,
            "{}\"{name}\"{}:{}",
            choices.pick(&SPACES),
            choices.pick(&SPACES),
            choices.pick(&SPACES)
        );
    };
    for n in 0..=usize::from(others) {
        if wanted.is_empty() && n == 0 && choices.next() % 4 == 0 {
            key(out, choices, "all_domains");
            names(choices, out);
        }
        for (index, (name, write)) in wanted.iter().enumerate() {
            if (first + index) % (usize::from(others) + 1) == n {
                key(out, choices, name);
                write(choices, depth + 1, out);
            }
        }
        if n < usize::from(others) {
            let name = [format!("k{n}"), format!("k{n}\\\""), format!("{{{n}")];
            let spelling = usize::from(choices.next()) % name.len();
            key(out, choices, &name[spelling]);
            value(choices, depth + 1, out);
        }
    }
    out.push('}');
}

fn leaf(choices: &mut Choices<'_>, depth: u32, out: &mut String) {
    object(choices, depth, out, &[("all_domains", |choices, _, out| names(choices, out))]);
}

fn index(choices: &mut Choices<'_>, _depth: u32, out: &mut String) {
    out.push_str(choices.pick(&["7", "0", "123456789012345678", "-7", "7.0", "7e2", "null"]));
}

fn text(choices: &mut Choices<'_>, _depth: u32, out: &mut String) {
    let _ = write!(out, "\"{}\"", choices.pick(&TEXTS));
}

fn source(choices: &mut Choices<'_>, depth: u32, out: &mut String) {
    match choices.next() % 8 {
        0 => value(choices, depth, out),
        1..4 => object(choices, depth, out, &[("url", text), ("name", text)]),
        // As servers write it.
        _ => {
            let _ = write!(out, "{{\"name\":\"{0}\",\"url\":\"{0}\"}}", choices.pick(&TEXTS));
        }
    }
}

fn frame(choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    let kind = choices.next() % 8;
    match kind {
        0 | 1 => {
            let mut list = String::new();
            names(choices, &mut list);
            out = if kind == 0 {
                format!("{{\"data\":{list},\"message_type\":\"dns_entries\"}}")
            } else {
                format!("{{\"message_type\":\"dns_entries\",\"data\":{list}}}")
            };
        }
        2 => object(
            choices,
            0,
            &mut out,
            &[("data", |c, d, o| object(c, d, o, &[("leaf_cert", leaf)]))],
        ),
        _ => {
            let mut data = String::new();
            let members: &[(&str, fn(&mut Choices<'_>, u32, &mut String))] =
                &[("leaf_cert", leaf), ("cert_index", index), ("source", source)];
            object(choices, 1, &mut data, members);
            out = if kind % 2 == 0 {
                format!("{{\"data\":{data},\"message_type\":\"certificate_update\"}}")
            } else {
                format!("{{\"message_type\":\"certificate_update\",\"data\":{data}}}")
            };
        }
    }
    out
}

/// Names, and where the entry stands.
type Read = (Vec<String>, Option<(String, String, u64)>);

fn owned(place: Place<'_>) -> (String, String, u64) {
    (place.log_url.to_owned(), place.log_name.to_owned(), place.index)
}

/// What the judge reads; none where it refuses the frame, or it is no update.
fn judged(reader: &mut UpdateReader, frame: &[u8]) -> Option<Read> {
    let read = reader.read(frame, |message| match message {
        Message::Update(names) => {
            Some((names.iter().map(str::to_owned).collect(), names.place().map(owned)))
        }
        _ => None,
    });
    read.ok().flatten()
}

/// What the scan reads; nothing else may be in the list then.
fn scanned(frame: &[u8]) -> Option<(Vec<String>, Scanned<'_>)> {
    let mut names = NameList::default();
    let Some(found) = scan(frame, &mut names) else {
        assert!(names.is_empty() && names.size() == 0, "{}", frame.escape_ascii());
        return None;
    };
    let text = |name: &[u8]| std::str::from_utf8(name).expect("names are text").to_owned();
    Some((names.iter().map(text).collect(), found))
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices(bytes);
    let mut frame = frame(&mut choices).into_bytes();
    let mut reader = UpdateReader::default();

    if let Some((found, entry)) = scanned(&frame) {
        let place = entry.place().map(owned);
        let Some((names, stands)) = judged(&mut reader, &frame) else {
            panic!("no update: {}", frame.escape_ascii());
        };
        assert_eq!(found, names, "{}", frame.escape_ascii());
        assert!(place.is_none() || place == stands, "{}", frame.escape_ascii());
    }

    // Broken anywhere: no panic; and what the judge accepts all the same, both read alike, unless
    // the change made a key repeat itself.
    let changes = choices.next() % 4;
    for _ in 0..changes {
        let at = usize::from(u16::from_le_bytes([choices.next(), choices.next()]));
        let by = choices.next();
        if by == 0 {
            frame.truncate(at);
        } else if let Some(byte) = frame.get_mut(at) {
            *byte = by;
        }
    }
    if let Some((found, _)) = scanned(&frame) {
        let text = String::from_utf8_lossy(&frame);
        let once = |key: &str| text.matches(key).count() == 1;
        if once("leaf_cert") && once("all_domains") && once("\"data\"") && once("message_type") {
            let judged = judged(&mut reader, &frame);
            assert!(judged.is_none_or(|(names, _)| names == found), "{}", frame.escape_ascii());
        }
    }
    // The bytes themselves, too.
    let _ = scanned(bytes);
});
