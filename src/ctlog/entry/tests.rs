//! Entries: what is read, what is refused, and that damage never does worse than that.

use super::*;
use crate::ctlog::read_data_tile;

const TILE: &[u8] = include_bytes!("../../../tests/data/ct/data_tile");

/// A `TimestampedEntry` of `kind` around `certificate`, with `extensions`.
fn signed(kind: u8, certificate: &[u8], extensions: &[u8]) -> Vec<u8> {
    let mut bytes = 1_700_000_000_000_u64.to_be_bytes().to_vec();
    bytes.extend_from_slice(&[0, kind]);
    if kind == 1 {
        bytes.extend_from_slice(&[7; HASH]);
    }
    bytes.extend_from_slice(&(certificate.len() as u32).to_be_bytes()[1..]);
    bytes.extend_from_slice(certificate);
    bytes.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    bytes.extend_from_slice(extensions);
    bytes
}

#[test]
fn real_entries_are_read_whole() {
    let entries = read_data_tile(TILE, 3).expect("three entries");
    for (entry, index) in entries.iter().zip([2, 77, 281]) {
        assert_eq!(entry.kind, EntryKind::Precert);
        assert_eq!(entry.leaf_index, Some(index));
        assert_eq!(entry.certificate[..2], [0x30, 0x82]);
        assert_eq!(entry.submitted.expect("a precertificate")[..2], [0x30, 0x82]);
        assert!(entry.issuer_key_hash.is_some());
        assert!(!entry.fingerprints.is_empty());
        assert_eq!(entry.leaf[..entry.timestamped.len()], *entry.timestamped);
    }
    assert_eq!(entries[0].timestamp, 1_746_292_406_102);
    assert_eq!(entries.iter().map(|entry| entry.leaf.len()).sum::<usize>(), TILE.len());
}

#[test]
fn the_parts_of_each_kind_are_told_apart() {
    let mut x509 = signed(0, b"certificate", &[]);
    let covered = x509.len();
    x509.extend_from_slice(&[0, 32]);
    x509.extend_from_slice(&[9; 32]);
    let entry = Entry::parse(&x509).expect("a certificate");
    assert_eq!((entry.kind, entry.certificate), (EntryKind::X509, &b"certificate"[..]));
    assert_eq!((entry.timestamped, entry.fingerprints), (&x509[..covered], &[9; 32][..]));
    assert_eq!((entry.submitted, entry.issuer_key_hash, entry.leaf_index), (None, None, None));

    let mut precert = signed(1, b"tbs", &[]);
    precert.extend_from_slice(b"\0\0\x09submitted\0\0");
    let entry = Entry::parse(&precert).expect("a precertificate");
    assert_eq!((entry.kind, entry.certificate), (EntryKind::Precert, &b"tbs"[..]));
    assert_eq!(entry.submitted, Some(&b"submitted"[..]));
    assert_eq!(entry.issuer_key_hash, Some(&[7; HASH]));

    let mut unknown = signed(1, b"tbs", &[]);
    unknown.extend_from_slice(&[0; 5]);
    assert_eq!(Entry::parse(&unknown).map(|entry| entry.submitted), Ok(None));
}

#[test]
fn what_is_no_entry_is_refused_with_its_reason() {
    let with = |mut bytes: Vec<u8>, tail: &[u8]| {
        bytes.extend_from_slice(tail);
        Entry::parse(&bytes).map(|_| ())
    };
    assert_eq!(with(signed(0, b"c", &[]), &[0, 0]), Ok(()));
    assert_eq!(with(signed(0, b"c", &[]), &[0]), Err(EntryFault::CutShort));
    assert_eq!(with(signed(2, b"c", &[]), &[0, 0]), Err(EntryFault::UnknownType));
    // Whether it holds a certificate is found out by whoever looks into it.
    assert_eq!(with(signed(0, b"", &[]), &[0, 0]), Ok(()));
}

#[test]
fn nothing_that_is_not_signed_is_a_fault_of_the_entry() {
    let mut precert = signed(1, b"tbs", &[]);
    let alone = [&precert[..], &[0; 5]].concat();
    precert.extend_from_slice(&[0xff; 3]);
    precert.resize(precert.len() + 0xff_ffff, 7);
    precert.extend_from_slice(b"\0\x01x");
    let entry = Entry::parse(&precert).expect("what is signed is whole");
    assert!(entry.leaf.len() == precert.len() && entry.leaf.len() > MAX_ENTRY);
    assert_eq!((entry.certificate, entry.fingerprints), (&b"tbs"[..], &[][..]));
    let small = entry.signed_alone();
    assert_eq!(small, alone);
    let small = Entry::parse(&small).expect("the same entry");
    assert_eq!((small.leaf_hash(), small.submitted), (entry.leaf_hash(), None));
}

#[test]
fn the_leaf_index_is_read_where_it_is_well_written() {
    for (extensions, expected) in [
        (&[][..], None),
        (b"\0\0\x05\x01\0\0\0\x02", Some(0x01_0000_0002)),
        (b"\x07\0\x01x\0\0\x05\0\0\0\0\x03", Some(3)),
        (b"\0\0\x04\0\0\0\x03", None),
        (b"\0\0\x06\0\0\0\0\0\x03", None),
        (b"\0\0\x05\0\0\0\0\x03\0\0\x05\0\0\0\0\x03", None),
        (b"\0\0\x05\0\0\0\0\x03\x09", None),
        (b"no list", None),
    ] {
        let mut bytes = signed(0, b"c", extensions);
        bytes.extend_from_slice(&[0, 0]);
        let index = Entry::parse(&bytes).map(|entry| entry.leaf_index);
        assert_eq!(index, Ok(expected), "{extensions:?}");
    }
}

#[test]
fn a_frame_comes_back_as_it_went_in() {
    let entry = read_data_tile(TILE, 3).expect("three entries")[1];
    let mut frame = Vec::new();
    write_frame(u64::MAX - 1, entry.leaf, &mut frame);
    assert_eq!(read_frame(&frame), Ok((u64::MAX - 1, entry)));
    for length in 0..frame.len() {
        assert_eq!(read_frame(&frame[..length]), Err(EntryFault::CutShort), "{length} bytes");
    }
    frame.push(0);
    assert_eq!(read_frame(&frame), Err(EntryFault::TrailingBytes));
}
