//! Names tiles: real lines, tolerated ones, and bad ones among good ones.

use super::*;

const TILE: &[u8] = include_bytes!("../../../tests/data/ct/names_tile.jsonl");

type Line = Result<(Option<u64>, Vec<String>), EntryFault>;

fn lines(tile: &[u8], width: usize) -> Result<Vec<Line>, TileFault> {
    let mut lines = Vec::new();
    NamesTileReader::default().read(tile, width, |line| {
        lines.push(line.map(|entry| {
            let mut names = Vec::new();
            entry.names(|name| names.push(name.to_owned()));
            (entry.timestamp(), names)
        }));
    })?;
    Ok(lines)
}

fn line(line: &str) -> Line {
    lines(line.as_bytes(), 1).expect("one line").remove(0)
}

fn named(names: &[&str]) -> Line {
    Ok((None, names.iter().map(|name| (*name).to_owned()).collect()))
}

#[test]
fn real_lines_are_read() {
    let lines = lines(TILE, 3).expect("three lines");
    let host = "chat.basketblogin.secure.blog.cr.suoadappwi-proxy.ezbricks-dev.codetools.in";
    assert_eq!(lines[0], Ok((Some(1_746_292_406_102), vec![host.to_owned()])));
    assert_eq!(lines[1], Ok((Some(1_746_292_457_102), vec!["monks.co".to_owned()])));
    assert_eq!(lines[2].as_ref().map(|(_, names)| names.len()), Ok(24));
}

#[test]
fn whatever_is_missing_or_unknown_is_tolerated() {
    for (json, expected) in [
        ("{}", &[][..]),
        (r#"{"IP":["192.0.2.1"],"Later":{"a":[1]}}"#, &[]),
        (r#"{"DNS":null,"Subject":null}"#, &[]),
        (r#"{"DNS":["a.com",null,5,"b\u0026c.com"]}"#, &["a.com", "b&c.com"]),
        (r#"{"Subject":{"CommonName":"c.com","Organization":["O"]}}"#, &["c.com"]),
        (r#"{"DNS":["a.com"],"Subject":{"CommonName":"c.com"}}"#, &["a.com", "c.com"]),
        (r#"{"Subject":{"CommonName":"C.com"},"DNS":["a.com","c.com"]}"#, &["a.com", "c.com"]),
        (r#"{"Subject":{"CommonName":"Some Body"},"DNS":["a.com"]}"#, &["a.com"]),
        (r#"{"Subject":"MBQxEjAQBgNVBAMMCWxvY2FsaG9zdA==","DNS":["a.com"]}"#, &["a.com"]),
        (r#"{"DNS":["a.com","a.com"]}"#, &["a.com", "a.com"]),
    ] {
        assert_eq!(line(json), named(expected), "{json}");
    }
    assert_eq!(line(r#"{"Timestamp":5}"#), Ok((Some(5), Vec::new())));
    assert_eq!(line(r#"{"Timestamp":-5,"DNS":["a.com"]}"#), named(&["a.com"]));
}

#[test]
fn a_bad_line_is_a_fault_of_its_entry_alone() {
    let good = r#"{"DNS":["a.com"]}"#;
    let deep = "[".repeat(100_000);
    for (bad, fault) in [
        ("", EntryFault::NotJson),
        ("{", EntryFault::NotJson),
        (r#"{"DNS":["a.com"]} {}"#, EntryFault::NotJson),
        (&deep, EntryFault::NotJson),
        ("[]", EntryFault::WrongShape),
        ("5", EntryFault::WrongShape),
    ] {
        let read = lines(format!("{good}\n{bad}\n{good}\n").as_bytes(), 3).expect("three lines");
        assert_eq!(read, [named(&["a.com"]), Err(fault), named(&["a.com"])], "{bad}");
    }
    let read = lines(b"{\"DNS\":[\"\xff.com\"]}\n{}", 2).expect("two lines");
    assert_eq!(read, [Err(EntryFault::NotJson), named(&[])]);
}

/// A line with a blank behind it is JSON as much as it was without, and not of the usual form.
#[test]
fn the_usual_form_is_read_as_the_json_parser_reads_it() {
    let mut seen = 0;
    let real = std::str::from_utf8(TILE).expect("text").lines();
    for text in real.chain([r#"{"Timestamp":5}"#, r#"{"Timestamp":5,"DNS":["",""]}"#]) {
        assert_eq!(line(text), line(&format!("{text} ")), "{text}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn a_tile_holds_exactly_what_was_asked_for() {
    let fault = |place, fault| Err(TileFault { place, fault });
    assert_eq!(lines(TILE, 2), fault(2, EntryFault::TooManyEntries));
    assert_eq!(lines(TILE, 4), fault(3, EntryFault::TooFewEntries));
    assert_eq!(lines(b"", 1), fault(0, EntryFault::TooFewEntries));
    assert_eq!(lines(b"", 0), Ok(Vec::new()));
}

#[test]
fn a_tile_cut_or_damaged_anywhere_never_does_worse_than_a_fault() {
    for length in 0..TILE.len() {
        let _ = lines(&TILE[..length], 3);
        let mut damaged = TILE.to_vec();
        damaged[length] ^= 1 << (length % 8);
        let _ = lines(&damaged, 3);
    }
    // Only the last line's end may go unnoticed.
    assert!(lines(&TILE[..TILE.len() - 2], 3).expect("three lines")[2].is_err());
}
