//! Any bytes as a names tile: no panic, a value or a fault for each line, the same by both ways of
//! reading one, and what serde_json reads as an object is no fault.

#![no_main]

use certstream::ctlog::{EntryFault, NamesTileReader};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What a line says: when, and which names.
type Line = Result<(Option<u64>, Vec<String>), EntryFault>;

fn read(reader: &mut NamesTileReader, tile: &[u8], width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let read = reader.read(tile, width, |line| {
        lines.push(line.map(|entry| {
            let mut names = Vec::new();
            entry.names(|name| names.push(name.to_owned()));
            (entry.timestamp(), names)
        }));
    });
    assert_eq!(read, Ok(()));
    assert_eq!(lines.len(), width);
    lines
}

fuzz_target!(|tile: &[u8]| {
    let lines: Vec<&[u8]> = match tile.strip_suffix(b"\n").unwrap_or(tile) {
        [] => Vec::new(),
        lines => lines.split(|byte| *byte == b'\n').collect(),
    };
    let mut reader = NamesTileReader::default();
    let found = read(&mut reader, tile, lines.len());
    // With a blank behind it, a line is not of the form that is read without a JSON parser.
    let blank: Vec<u8> = lines.iter().flat_map(|line| [line, &b" \n"[..]].concat()).collect();
    assert_eq!(found, read(&mut reader, &blank, lines.len()));
    for (line, found) in lines.iter().zip(&found) {
        // Deep nesting is refused here earlier than by serde_json, and so is an integer beyond 64
        // bits, which serde_json rounds.
        let nests = line.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
        let huge = line.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() >= 19);
        if let (Ok(Value::Object(_)), 0..16, false) = (serde_json::from_slice(line), nests, huge) {
            assert!(found.is_ok(), "refused {}", String::from_utf8_lossy(line));
        }
    }
    assert!(reader.read(tile, lines.len() + 1, |_| panic!("a line too few")).is_err());
});
