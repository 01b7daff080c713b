//! Tests over all the real material there is. Most of it lies outside the repository: where it is
//! absent, they say that they skip, and the pieces in `tests/data` have to do.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::*;
use crate::update::{Evidence, UpdateReader};

/// The file of the corpus at `path`, or nothing and a word about it.
fn corpus(path: &str) -> Option<PathBuf> {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(path);
    if !file.exists() {
        eprintln!("skipped: {} is not there", file.display());
        return None;
    }
    Some(file)
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).expect("the corpus is readable")
}

/// The JSON lines of a packed file.
fn packed_lines(file: &Path) -> impl Iterator<Item = Value> + use<> {
    let packed = std::fs::File::open(file).expect("the corpus is readable");
    let lines = BufReader::new(zstd::Decoder::new(packed).expect("a zstd decoder")).lines();
    lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
}

/// The certificates of a packed file: what is known of each, and its DER.
fn certificates(file: &Path) -> impl Iterator<Item = (Value, Vec<u8>)> + use<> {
    packed_lines(file).filter_map(|line| {
        let der = STANDARD.decode(line["der"].as_str()?).expect("base64");
        Some((line, der))
    })
}

fn collect(
    entry: &Entry<'_>,
    by: impl FnOnce(&Entry<'_>, &mut dyn FnMut(&str)) -> Result<(), CertificateFault>,
) -> (Vec<String>, Result<(), CertificateFault>) {
    let mut names = Vec::new();
    let read = by(entry, &mut |name| names.push(name.to_owned()));
    (names, read)
}

/// Whether the walk vouched for `entry`'s names; where both ways read it, they must agree.
fn ways_agree(entry: &Entry<'_>) -> bool {
    let parsed = collect(entry, |entry, visit| parsed_names(entry, visit));
    let walked = der_names(entry.kind, entry.certificate).is_ok();
    if walked && parsed.1.is_ok() {
        assert_eq!(collect(entry, |entry, visit| names(entry, visit)), parsed);
    }
    walked
}

/// A data tile, the hash tile and the names tile of the same entries.
struct Triple {
    data: Vec<u8>,
    hashes: Vec<u8>,
    names: Vec<u8>,
}

/// The first tiles of a real log, of which those of one triple are kept in the repository.
fn triples() -> Vec<Triple> {
    let kept = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ct/tile_000");
        let packed = std::fs::File::open(format!("{folder}/{name}.gz")).expect("a tile");
        let mut tile = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut tile).expect("a packed tile");
        tile
    };
    let mut triples =
        vec![Triple { data: kept("data"), hashes: kept("hashes"), names: kept("names") }];
    if let Some(log) = corpus("ct/log/tile") {
        let tile = |kind: &str| read(&log.join(kind).join("001"));
        triples.push(Triple { data: tile("data"), hashes: tile("0"), names: tile("names") });
    }
    triples
}

#[test]
fn data_tiles_names_tiles_and_hash_tiles_agree_entry_by_entry() {
    let mut position = 0;
    for Triple { data, hashes, names: lines } in triples() {
        let entries = read_data_tile(&data, 256).expect("a full tile");
        let leaves: Vec<Hash> = entries.iter().map(Entry::leaf_hash).collect();
        let (real, _) = hashes.as_chunks::<32>();
        assert_eq!(root_of(&leaves), root_of(real));
        let mut of_names_tile = Vec::new();
        NamesTileReader::default()
            .read(&lines, 256, |line| {
                let line = line.expect("a real line");
                let mut names = Vec::new();
                line.names(|name| names.push(name.to_owned()));
                of_names_tile.push((line.timestamp(), names));
            })
            .expect("a full tile");
        for (place, entry) in entries.iter().enumerate() {
            assert_eq!(entry.leaf_index, Some(position));
            assert_eq!(entry.leaf_hash(), hashes[32 * place..][..32], "entry {position}");
            let (found, read) = collect(entry, |entry, visit| names(entry, visit));
            assert_eq!(read, Ok(()));
            assert!(!found.is_empty());
            assert_eq!((Some(entry.timestamp), found), of_names_tile[place], "entry {position}");
            assert!(ways_agree(entry), "entry {position} is of the usual form");
            position += 1;
        }
    }
    assert!(position >= 256, "one triple is always there");
}

#[test]
fn answers_to_get_entries_give_what_a_certstream_server_made_of_them() {
    let Some(file) = corpus("ct_entries.jsonl.zst") else { return };
    let Some(frames) = corpus("real_frames.jsonl") else { return };
    let mut served: HashMap<i64, Evidence> = HashMap::new();
    for frame in read(&frames).split(|byte| *byte == b'\n').take(120) {
        let evidence = UpdateReader::default().evidence(frame);
        served.extend(evidence.and_then(|e| e.cert_index.map(|index| (index, e))));
    }
    let mut count = 0;
    for line in packed_lines(&file) {
        let index = line["cert_index"].as_u64().expect("an index");
        let log_name = line["log_name"].as_str().expect("a name");
        let log = LogName { name: log_name, url: line["log_url"].as_str().expect("a URL") };
        let mut page = serde_json::to_vec(&json!({"entries": [line]})).expect("JSON");
        let read = read_get_entries(&mut page, index, |index, frame| {
            let (_, entry) = read_frame(frame.expect("a real entry")).expect("a frame");
            let theirs = &served[&(index as i64)];
            let link = theirs.cert_link.as_deref().expect("a link");
            let mut ours = evidence(&entry, index, &log, link);
            // That server cuts an organisation at its first comma: `GoDaddy.com, Inc.`.
            if ours.issuer != theirs.issuer {
                let (ours, theirs) = (ours.issuer.as_deref(), theirs.issuer.as_deref());
                let cut = ours.map(|issuer| issuer.replace(", Inc.", "").replace(", LLC", ""));
                assert_eq!(cut.as_deref(), theirs);
            }
            ours.issuer.clone_from(&theirs.issuer);
            (ours.seen, ours.fingerprint) = (theirs.seen, theirs.fingerprint.clone());
            assert_eq!(&ours, theirs);
            assert!(ways_agree(&entry));
        });
        assert_eq!(read, Ok(1));
        count += 1;
    }
    assert_eq!(count, 40);
}

#[test]
fn certificates_of_every_kind_give_the_names_that_are_known_of_them() {
    let Some(file) = corpus("inputs/certs.jsonl.zst") else { return };
    let (mut count, mut declined) = (0, Vec::new());
    for (line, der) in certificates(&file) {
        let bytes = certificate_leaf(&der);
        let entry = Entry::parse(&bytes).expect("an entry");
        // What logs hold is of the usual form; old scans and lint tests need not be.
        let logged = matches!(line["class"].as_str(), Some("public" | "le_staging"));
        if !ways_agree(&entry) && logged {
            declined.push(line["cn"][0].clone());
        }
        let (mut found, _) = collect(&entry, |entry, visit| names(entry, visit));
        for name in line["dns"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let at = found.iter().position(|found| found == name);
            found.swap_remove(at.unwrap_or_else(|| panic!("{name} is missing: {}", line["id"])));
        }
        assert!(found.len() <= 1, "{found:?} is more than a common name: {}", line["id"]);
        count += 1;
    }
    assert_eq!(count, 3458);
    // It has several common names.
    assert_eq!(declined, ["planer.vetmed.uni-leipzig.de"]);
}

#[test]
fn damage_to_real_certificates_never_makes_the_two_ways_differ() {
    let Some(file) = corpus("inputs/certs.jsonl.zst") else { return };
    let mut random = fastrand::Rng::with_seed(1);
    let certificates: Vec<_> = certificates(&file).map(|(_, der)| der).collect();
    for round in 0..100_000 {
        let mut certificate = certificates[random.usize(..certificates.len())].clone();
        let at = random.usize(..certificate.len());
        match round % 3 {
            0 => certificate[at] ^= 1 << random.u8(..8),
            1 => certificate[at] = random.u8(..),
            _ => certificate.truncate(at),
        }
        if !certificate.is_empty() {
            let bytes = certificate_leaf(&certificate);
            ways_agree(&Entry::parse(&bytes).expect("an entry"));
        }
    }
}

/// A `TileLeaf` around a certificate.
fn certificate_leaf(certificate: &[u8]) -> Vec<u8> {
    let length = &(certificate.len() as u32).to_be_bytes()[1..];
    [&[0; 10][..], length, certificate, &[0; 4]].concat()
}
