//! Frames made to hurt a reader: each must lead to its outcome and leave exactly its domains.

use std::collections::BTreeSet;
use std::path::Path;

use certstream::domain::{MAX_DOMAIN, sanitise};
use certstream::update::{FrameFault, Message, UpdateReader};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hostile {
    id: String,
    class: String,
    note: String,
    frame: Option<String>,
    frame_b64: Option<String>,
    bytes: usize,
    outcome: String,
    domains: Option<BTreeSet<String>>,
}

impl Hostile {
    fn frame(&self) -> Vec<u8> {
        let frame = match (&self.frame, &self.frame_b64) {
            (Some(frame), None) => frame.clone().into_bytes(),
            (None, Some(packed)) => base64(packed),
            _ => panic!("{}: neither text nor bytes, or both", self.id),
        };
        assert_eq!(frame.len(), self.bytes, "{}: its length", self.id);
        frame
    }
}

fn base64(packed: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for char in packed.chars().take_while(|char| *char != '=') {
        bits = bits << 6 | digits.find(char).expect("a base64 digit") as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

/// What a frame came to.
struct Outcome {
    read: Result<Kind, FrameFault>,
    domains: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Update,
    Heartbeat,
    Unknown,
    Blank,
}

fn run(reader: &mut UpdateReader, frame: &[u8]) -> Outcome {
    let mut domains = BTreeSet::new();
    let read = reader.read(frame, |message| match message {
        Message::Update(names) => {
            let mut domain = Vec::new();
            for name in names.iter() {
                domain.clear();
                if sanitise(name, &mut domain).is_ok() {
                    domains.insert(String::from_utf8(domain.clone()).expect("domains are ASCII"));
                }
            }
            Kind::Update
        }
        Message::Heartbeat => Kind::Heartbeat,
        Message::Unknown => Kind::Unknown,
        Message::Blank => Kind::Blank,
    });
    Outcome { read, domains }
}

/// Runs every frame of `lines` through one reader, as a feed does, and returns how many.
fn check(lines: &str) -> usize {
    let good = br#"{"message_type":"dns_entries","data":["good.example.com"]}"#;
    let mut reader = UpdateReader::default();
    let mut count = 0;
    for line in lines.lines() {
        let hostile: Hostile = serde_json::from_str(line).expect("the table is JSON");
        let place = format!("{} ({}: {})", hostile.id, hostile.class, hostile.note);
        let frame = hostile.frame();
        let Outcome { read, domains } = run(&mut reader, &frame);
        match hostile.outcome.as_str() {
            "accept" => assert_eq!(read, Ok(Kind::Update), "{place}"),
            "reject" => assert!(read.is_err(), "{place}: {read:?}"),
            "ignore" if hostile.note.contains("rejecting is fine") => {}
            "ignore" => assert!(read.is_ok() && domains.is_empty(), "{place}: {read:?}"),
            "either" => {}
            other => panic!("{place}: an outcome of its own: {other}"),
        }
        if let (Some(expected), true) = (&hostile.domains, read.is_ok()) {
            assert_eq!(&domains, expected, "{place}");
        }
        if hostile.note.contains("good.example.com must be found") {
            assert!(domains.contains("good.example.com"), "{place}: {domains:?}");
        }
        for domain in &domains {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
            assert!(domain.bytes().all(plain), "{place}: {domain:?}");
            assert!(domain.len() <= MAX_DOMAIN && domain.contains('.'), "{place}: {domain:?}");
        }
        // Evidence is read of whatever matched, so it must bear the same frames.
        let evidence = reader.evidence(&frame);
        assert!(evidence.is_none() || read == Ok(Kind::Update), "{place}");

        let after = run(&mut reader, good);
        assert_eq!(after.read, Ok(Kind::Update), "{place}: the frame after it");
        assert_eq!(after.domains.len(), 1, "{place}: the frame after it");
        count += 1;
    }
    count
}

#[test]
fn every_hostile_frame_leads_to_its_outcome() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile.jsonl");
    let lines = std::fs::read_to_string(table).expect("the table is readable");
    assert_eq!(check(&lines), 532);
}

#[test]
fn so_does_every_big_one() {
    let table =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/hostile_big.jsonl.zst"));
    let Ok(packed) = std::fs::read(table) else {
        eprintln!("skipped: {} is absent", table.display());
        return;
    };
    let lines = zstd::decode_all(&packed[..]).expect("the table unpacks");
    assert_eq!(check(std::str::from_utf8(&lines).expect("the table is text")), 14);
}
