//! Answers to `get-entries`: real ones, and ones with a bad entry in their midst.

use sha2::{Digest, Sha256};

use super::*;
use crate::ctlog::{Entry, names, read_frame};

const PAGE: &[u8] = include_bytes!("../../../tests/data/ct/get_entries.json");

/// The frames of `page`, whose first index is 7.
fn frames(page: &str) -> Result<Vec<Result<Vec<u8>, LeafFault>>, EntryFault> {
    let (mut frames, mut next) = (Vec::new(), 7);
    let count = read_get_entries(&mut page.as_bytes().to_vec(), 7, |index, frame| {
        assert_eq!(index, next);
        next += 1;
        frames.push(frame.map(<[u8]>::to_vec));
    })?;
    assert_eq!(count, frames.len());
    Ok(frames)
}

fn leaf_input(bytes: &[u8]) -> String {
    format!(r#"{{"leaf_input":"{}"}}"#, STANDARD.encode(bytes))
}

/// A `MerkleTreeLeaf` of `kind` without extensions around a certificate of one byte.
fn leaf(version: u8, leaf_type: u8, kind: u8) -> Vec<u8> {
    let mut leaf = vec![version, leaf_type, 0, 0, 0, 0, 0, 0, 0, 5, 0, kind];
    leaf.extend_from_slice(if kind == 1 { &[0; 32] } else { &[] });
    leaf.extend_from_slice(b"\0\0\x01c\0\0");
    leaf
}

#[test]
fn a_real_answer_becomes_frames() {
    let mut found = Vec::new();
    let count = read_get_entries(&mut PAGE.to_vec(), 1_111_014_090, |index, frame| {
        let (framed, entry) = read_frame(frame.expect("a real entry")).expect("a frame");
        assert_eq!(framed, index);
        assert_eq!(entry.submitted.is_some(), entry.kind == EntryKind::Precert);
        names(&entry, |name| found.push(name.to_owned())).expect("names");
    });
    assert_eq!(count, Ok(4));
    assert_eq!(
        found,
        [
            "portal.dragonjar.org",
            "www.dallasmediaproductions.com",
            "*.ruralus.com",
            "ruralus.com",
            "s0qowhm.whm.fj0hfupdate.ff0dba877053619075503107210bznhccqbyj14eb72dc.nip.lfree.org"
        ]
    );
}

#[test]
fn the_signed_part_of_a_frame_is_that_of_the_leaf() {
    let frames = frames(&format!(r#"{{"entries":[{}]}}"#, leaf_input(&leaf(0, 0, 0))));
    let frame = frames.expect("a list").remove(0).expect("an entry");
    let (_, entry) = read_frame(&frame).expect("a frame");
    assert_eq!(entry.timestamped, &leaf(0, 0, 0)[2..]);
    assert_eq!(entry.leaf_hash(), *Sha256::digest([&[0][..], &leaf(0, 0, 0)].concat()));
}

#[test]
fn a_bad_entry_is_a_fault_of_its_own() {
    let good = leaf_input(&leaf(0, 0, 0));
    let mut long = leaf(0, 0, 0);
    long.push(0);
    // What was sent as a leaf has its hash in the tree, whatever it is.
    for (bad, fault) in [
        (&leaf(1, 0, 0)[..], EntryFault::UnknownLeaf),
        (&leaf(0, 1, 0), EntryFault::UnknownLeaf),
        (&leaf(0, 0, 2), EntryFault::UnknownType),
        (&long, EntryFault::TrailingBytes),
        (&leaf(0, 0, 0)[..14], EntryFault::CutShort),
        (b"\0", EntryFault::CutShort),
    ] {
        let entry = leaf_input(bad);
        let page = frames(&format!(r#"{{"entries":[{good},{entry},{good}]}}"#)).expect("a list");
        assert!(page[0].is_ok() && page[2].is_ok(), "{entry}");
        let hash = Sha256::digest([&[0], bad].concat()).into();
        assert_eq!(page[1], Err(LeafFault { fault, leaf_hash: Some(hash) }), "{entry}");
    }
    for (bad, fault) in [
        (r#"{"leaf_input":"AA*A"}"#.to_owned(), EntryFault::NotBase64),
        (r#"{"leaf_input":5}"#.to_owned(), EntryFault::WrongShape),
        ("{}".to_owned(), EntryFault::WrongShape),
        ("null".to_owned(), EntryFault::WrongShape),
    ] {
        let page = frames(&format!(r#"{{"entries":[{good},{bad},{good}]}}"#)).expect("a list");
        assert!(page[0].is_ok() && page[2].is_ok(), "{bad}");
        assert_eq!(page[1], Err(LeafFault { fault, leaf_hash: None }), "{bad}");
    }
}

#[test]
fn damaged_extra_data_loses_the_submitted_precertificate_alone() {
    let leaf = STANDARD.encode(leaf(0, 0, 1));
    let submitted = |extra: &str| {
        let page = format!(r#"{{"entries":[{{"leaf_input":"{leaf}","extra_data":{extra}}}]}}"#);
        let frame = frames(&page).expect("a list").remove(0).expect("an entry");
        let (_, entry): (_, Entry<'_>) = read_frame(&frame).expect("a frame");
        entry.submitted.map(<[u8]>::to_vec)
    };
    let extra = |bytes: &[u8]| format!("{:?}", STANDARD.encode(bytes));
    assert_eq!(submitted(&extra(b"\0\0\x03der\0\0\0")), Some(b"der".to_vec()));
    assert_eq!(submitted(&extra(b"\0\0\x04der")), None);
    assert_eq!(submitted(r#""*""#), None);
    assert_eq!(submitted("null"), None);
}

#[test]
fn what_holds_no_entries_is_refused() {
    for (page, fault) in [
        ("", EntryFault::NotJson),
        ("<html>", EntryFault::NotJson),
        (r#"{"entries":[{"leaf_input":"AA"#, EntryFault::NotJson),
        (r#"{"error_message":"try later"}"#, EntryFault::WrongShape),
        (r#"{"entries":{}}"#, EntryFault::WrongShape),
        ("[]", EntryFault::WrongShape),
    ] {
        assert_eq!(frames(page), Err(fault), "{page}");
    }
    assert_eq!(frames(r#"{"entries":[]}"#), Ok(Vec::new()));
    let deep = format!(r#"{{"entries":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(frames(&deep), Err(EntryFault::NotJson));
}
