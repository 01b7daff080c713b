//! Names and evidence out of certificates, by both ways.

use super::*;
use crate::ctlog::{read_data_tile, read_frame, read_get_entries};
use crate::update::UpdateReader;

const TILE: &[u8] = include_bytes!("../../../tests/data/ct/data_tile");
const PAGE: &[u8] = include_bytes!("../../../tests/data/ct/get_entries.json");
const FRAMES: &str = include_str!("../../../tests/data/real_frames.jsonl");

/// A DER element around `parts`.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match content.len() {
        length @ 0..0x80 => element.push(length as u8),
        length => {
            element.push(0x82);
            element.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    element.extend_from_slice(&content);
    element
}

/// A subject of common names, each a string of the tag given.
fn subject(common_names: &[(u8, &[u8])]) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = common_names
        .iter()
        .map(|(tag, text)| {
            let attribute = der(0x30, &[&[0x06, 3, 0x55, 4, 3], &der(*tag, &[text])]);
            der(0x31, &[&attribute])
        })
        .collect();
    der(0x30, &[&sets.concat()])
}

/// A subjectAltName of these names, each a GeneralName of the tag given.
fn alternative(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names.iter().map(|(tag, name)| der(*tag, &[name])).collect();
    extension(&der(0x30, &[&names.concat()]))
}

fn extension(value: &[u8]) -> Vec<u8> {
    der(0x30, &[&[0x06, 3, 0x55, 0x1d, 0x11], &der(0x04, &[value])])
}

/// A TBSCertificate around `subject` and `extensions`.
fn tbs(subject: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let algorithm = der(0x30, &[&[0x06, 3, 0x2b, 0x65, 0x70]]);
    let time = der(0x17, &[b"260101000000Z"]);
    let public_key = der(0x30, &[&algorithm, &[0x03, 2, 0, 1]]);
    let extensions = der(0xa3, &[&der(0x30, &[&extensions.concat()])]);
    let version_and_serial = [0xa0, 3, 2, 1, 2, 2, 2, 0, 0x8a];
    let validity = der(0x30, &[&time, &time]);
    let issuer = der(0x30, &[]);
    der(
        0x30,
        &[&version_and_serial, &algorithm, &issuer, &validity, subject, &public_key, &extensions],
    )
}

fn precert(certificate: &[u8]) -> Entry<'_> {
    Entry {
        leaf: &[],
        timestamped: &[],
        timestamp: 0,
        kind: EntryKind::Precert,
        certificate,
        issuer_key_hash: None,
        submitted: None,
        leaf_index: None,
        fingerprints: &[],
    }
}

type Names = (Vec<String>, Result<(), CertificateFault>);

fn names_of(entry: &Entry<'_>) -> Names {
    let mut found = Vec::new();
    let read = names(entry, |name| found.push(name.to_owned()));
    (found, read)
}

fn parsed_names_of(entry: &Entry<'_>) -> Names {
    let mut found = Vec::new();
    let read = parsed_names(entry, |name| found.push(name.to_owned()));
    (found, read)
}

const DNS: u8 = 0x82;
const UTF8: u8 = 0x0c;

#[test]
fn which_names_count_and_in_what_order() {
    let fast = true;
    for (common_names, alternatives, expected, walked) in [
        // The common name comes last, once, and only where it is a host name.
        (&[(UTF8, &b"c.com"[..])][..], &[(DNS, &b"a.com"[..])][..], &["a.com", "c.com"][..], fast),
        (&[(UTF8, b"A.com")], &[(DNS, b"b.com"), (DNS, b"a.com")], &["b.com", "a.com"], fast),
        (&[(UTF8, b"Some Body")], &[(DNS, b"a.com")], &["a.com"], fast),
        (&[(0x13, b"*.c.com")], &[], &["*.c.com"], fast),
        (&[], &[(DNS, b"a.com"), (DNS, b"a.com")], &["a.com", "a.com"], fast),
        // Other kinds of names are none of ours.
        (&[], &[(0x81, b"x@a.com"), (0x87, &[1, 2, 3, 4]), (DNS, b"a.com")], &["a.com"], fast),
        (&[], &[(DNS, b""), (DNS, b"nul\0.com")], &["", "nul\0.com"], fast),
        (&[], &[(DNS, "m\u{fc}ller.de".as_bytes())], &["m\u{fc}ller.de"], fast),
        // What is no text keeps its bytes, and loses no neighbour.
        (
            &[],
            &[(DNS, b"a.com"), (DNS, b"m\xfc.de"), (DNS, b"b.com")],
            &["a.com", r"m\xfc.de", "b.com"],
            !fast,
        ),
        // Several common names, one in UTF-16, one in Latin-1.
        (&[(UTF8, b"c.com"), (UTF8, b"d.com")], &[(DNS, b"d.com")], &["d.com", "c.com"], !fast),
        (&[(0x1e, b"\0c\0.\0c\0o\0m")], &[], &["c.com"], !fast),
        (&[(0x14, b"m\xfcller.de")], &[(DNS, b"a.com")], &["a.com"], !fast),
    ] {
        let bytes = tbs(&subject(common_names), &[alternative(alternatives)]);
        let entry = precert(&bytes);
        let expected = (expected.iter().map(|name| (*name).to_owned()).collect(), Ok(()));
        assert_eq!(names_of(&entry), expected);
        assert_eq!(parsed_names_of(&entry), expected);
        assert_eq!(der_names(entry.kind, entry.certificate).is_ok(), walked, "{expected:?}");
    }
}

#[test]
fn names_that_do_not_hold_together_are_a_fault_beside_those_that_do() {
    let subject = subject(&[(UTF8, b"c.com")]);
    let cut = extension(&[0x30, 9, DNS, 5, b'a', b'.', b'c', b'o', b'm', DNS, 9]);
    let fault = Err(CertificateFault::MalformedNames);
    let bytes = tbs(&subject, &[cut]);
    assert_eq!(names_of(&precert(&bytes)), (vec!["a.com".into(), "c.com".into()], fault));
    let bytes = tbs(&subject, &[extension(b"no sequence"), alternative(&[(DNS, b"a.com")])]);
    assert_eq!(names_of(&precert(&bytes)), (vec!["a.com".into(), "c.com".into()], fault));
    // Two subjectAltNames: both count.
    let both = [alternative(&[(DNS, b"a.com")]), alternative(&[(DNS, b"b.com")])];
    let bytes = tbs(&subject, &both);
    let all = ["a.com", "b.com", "c.com"].map(str::to_owned).to_vec();
    assert_eq!(names_of(&precert(&bytes)), (all, Ok(())));
    assert_eq!(
        names_of(&precert(b"no certificate")),
        (Vec::new(), Err(CertificateFault::Malformed))
    );
}

#[test]
fn both_ways_read_the_same_names_from_real_entries() {
    for entry in read_data_tile(TILE, 3).expect("three entries") {
        let (found, read) = names_of(&entry);
        assert!(read.is_ok() && !found.is_empty());
        assert!(der_names(entry.kind, entry.certificate).is_ok(), "a usual certificate");
        assert_eq!(parsed_names_of(&entry), (found, read));
    }
}

#[test]
fn damage_never_makes_the_two_ways_differ() {
    let entries = read_data_tile(TILE, 3).expect("three entries");
    let whole = entries[1].certificate;
    let mut damaged = whole.to_vec();
    for at in 0..whole.len() {
        for bit in 0..8 {
            damaged[at] ^= 1 << bit;
            let entry = precert(&damaged);
            let parsed = parsed_names_of(&entry);
            if let (Ok(_), (_, Ok(()))) = (der_names(entry.kind, entry.certificate), &parsed) {
                assert_eq!(names_of(&entry), parsed, "bit {bit} of byte {at}");
            }
            damaged[at] ^= 1 << bit;
        }
        let cut = names_of(&precert(&whole[..at]));
        assert_eq!(cut, (Vec::new(), Err(CertificateFault::Malformed)), "{at} bytes");
    }
}

/// The evidence of a real entry equals that of the frames a certstream server made of it.
#[test]
fn evidence_is_that_of_a_certstream_server() {
    let mut frames = FRAMES.lines().step_by(3);
    let url = "https://ct.googleapis.com/logs/us1/argon2026h2/";
    let log = LogName { name: "Google 'Argon2026h2'", url };
    let read = read_get_entries(&mut PAGE.to_vec(), 1_111_014_090, |index, frame| {
        let (_, entry) = read_frame(frame.expect("a real entry")).expect("a frame");
        let link = format!("{url}ct/v1/get-entries?start={index}&end={index}");
        let ours = evidence(&entry, index, &log, &link);
        let full = frames.next().expect("a full frame").as_bytes();
        let mut theirs = UpdateReader::default().evidence(full).expect("an update");
        // Ours is the log's time, theirs that of their receipt.
        assert_eq!(ours.seen, Some(entry.timestamp as i64 * 1000));
        theirs.seen = ours.seen;
        theirs.fingerprint = None;
        assert_eq!(ours, theirs);
    });
    assert_eq!(read, Ok(4));
}

#[test]
fn evidence_without_a_certificate_is_what_the_log_says() {
    let log = LogName { name: "A log", url: "" };
    let entry = Entry { submitted: Some(b"abc"), timestamp: u64::MAX, ..precert(b"broken") };
    assert_eq!(
        evidence(&entry, u64::MAX, &log, "https://log.example/tile/data/000"),
        Evidence {
            update_type: Some("PrecertLogEntry".into()),
            sha256: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()),
            log_name: Some("A log".into()),
            cert_link: Some("https://log.example/tile/data/000".into()),
            ..Evidence::default()
        }
    );
}

#[test]
fn what_evidence_holds_is_bounded() {
    let long = vec![b'a'; MAX_TEXT + 1];
    let bytes = tbs(&subject(&[(UTF8, &long)]), &[]);
    let found = evidence(&precert(&bytes), 0, &LogName { name: "", url: "" }, "");
    assert_eq!((found.subject_cn, found.issuer, found.sha256), (None, None, None));
    // The serial's leading zeros are none of it.
    assert_eq!(found.serial.as_deref(), Some("8A"));
    assert_eq!((found.not_before, found.not_after), (Some(1_767_225_600), Some(1_767_225_600)));
    for (bytes, expected) in [(&[0, 0][..], Some("0")), (&[0xab, 0], Some("AB00")), (&[], None)] {
        assert_eq!(serial(bytes).as_deref(), expected);
    }
    assert_eq!(serial(&[1; 65]), None);
    for (millis, expected) in [
        (0, None),
        (1_746_292_457_102, Some(1_746_292_457_102_000)),
        (253_402_300_799_999, Some(253_402_300_799_999_000)),
        (253_402_300_800_000, None),
        (i64::MAX as u64, None),
        (u64::MAX, None),
    ] {
        assert_eq!(micros(millis), expected, "{millis}");
    }
}
