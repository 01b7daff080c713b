//! A log entry and its encodings: `MerkleTreeLeaf` and `extra_data` (RFC 6962), the `TileLeaf` of
//! a data tile (static-ct-api) and the line of a names tile; and the real tiles, read back.

use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde_json::json;

use super::tree::{Hash, sha256};

/// One entry before it has a place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds since 1970.
    pub timestamp: u64,
    pub signed: Signed,
    /// The certificates above it, the issuer first.
    pub chain: Vec<Issuer>,
    /// The DNS names of the certificate.
    pub names: Vec<String>,
    /// The subject's common name.
    pub common_name: Option<String>,
}

/// What the log's signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    X509 {
        certificate: Vec<u8>,
    },
    Precert {
        issuer_key_hash: Hash,
        tbs: Vec<u8>,
        submitted: Vec<u8>,
    },
    /// Of a type that nobody knows.
    Unknown {
        signed: Vec<u8>,
    },
}

/// A certificate of a chain; of those in the real tiles only the fingerprint is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub fingerprint: Hash,
    pub der: Option<Arc<[u8]>>,
}

impl Issuer {
    pub fn new(der: Vec<u8>) -> Self {
        Self { fingerprint: sha256(&[&der]), der: Some(der.into()) }
    }
}

impl Entry {
    /// The `TimestampedEntry`; with `index`, the extension that static-ct-api demands.
    fn timestamped(&self, index: Option<u64>) -> Vec<u8> {
        let mut bytes = self.timestamp.to_be_bytes().to_vec();
        match &self.signed {
            Signed::X509 { certificate } => {
                bytes.extend([0, 0]);
                bytes.extend(counted::<3>(certificate));
            }
            Signed::Precert { issuer_key_hash, tbs, .. } => {
                bytes.extend([0, 1]);
                bytes.extend(issuer_key_hash);
                bytes.extend(counted::<3>(tbs));
            }
            Signed::Unknown { signed } => {
                bytes.extend([0, 7]);
                bytes.extend(signed);
            }
        }
        let extensions = match index {
            // Type 0, five bytes.
            Some(index) => [&[0], &counted::<2>(&index.to_be_bytes()[3..])[..]].concat(),
            None => Vec::new(),
        };
        bytes.extend(counted::<2>(&extensions));
        bytes
    }

    /// The `MerkleTreeLeaf`, whose hash the tree holds.
    pub fn leaf(&self, index: Option<u64>) -> Vec<u8> {
        [&[0, 0], &self.timestamped(index)[..]].concat()
    }

    /// Its part of a data tile.
    pub fn tile_leaf(&self, index: Option<u64>) -> Vec<u8> {
        let mut bytes = self.timestamped(index);
        if let Signed::Precert { submitted, .. } = &self.signed {
            bytes.extend(counted::<3>(submitted));
        }
        let chain: Vec<Hash> = self.chain.iter().map(|issuer| issuer.fingerprint).collect();
        bytes.extend(counted::<2>(&chain.concat()));
        bytes
    }

    /// What `get-entries` says beside the leaf; without certificates that are not known.
    pub fn extra(&self) -> Vec<u8> {
        let known = self.chain.iter().filter_map(|issuer| issuer.der.as_deref());
        let chain = counted::<3>(&known.flat_map(counted::<3>).collect::<Vec<u8>>());
        match &self.signed {
            Signed::X509 { .. } | Signed::Unknown { .. } => chain,
            Signed::Precert { submitted, .. } => [counted::<3>(submitted), chain].concat(),
        }
    }

    /// Its line of a names tile.
    pub fn names_line(&self) -> Vec<u8> {
        let mut line = json!({ "Timestamp": self.timestamp });
        if let Some(common_name) = &self.common_name {
            line["Subject"] = json!({ "CommonName": common_name });
        }
        if !self.names.is_empty() {
            line["DNS"] = json!(self.names);
        }
        format!("{line}\n").into_bytes()
    }

    /// Another entry of the same length: one letter of its names is changed, or its timestamp
    /// where it has no names.
    pub fn altered(&self) -> Self {
        let mut altered = self.clone();
        let letter = |name: &String| name.find(|letter: char| letter.is_ascii_alphabetic());
        let found = self.names.iter().find_map(|name| Some((name, letter(name)?)));
        let Some((name, at)) = found else {
            altered.timestamp ^= 1;
            return altered;
        };
        let mut other = name.clone();
        other.replace_range(at..=at, if name.as_bytes()[at] == b'q' { "z" } else { "q" });
        for text in altered.names.iter_mut().chain(altered.common_name.as_mut()) {
            *text = text.replace(name, &other);
        }
        match &mut altered.signed {
            Signed::X509 { certificate: bytes } | Signed::Unknown { signed: bytes } => {
                replace(bytes, name, &other);
            }
            Signed::Precert { tbs, submitted, .. } => {
                replace(tbs, name, &other);
                replace(submitted, name, &other);
            }
        }
        altered
    }
}

/// Replaces a text by one of the same length wherever it stands.
fn replace(bytes: &mut [u8], old: &str, new: &str) {
    for at in 0..=bytes.len() - old.len() {
        if bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
        }
    }
}

/// Bytes behind their length, which takes `N` bytes.
fn counted<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().to_be_bytes();
    let (above, length) = length.split_at(length.len() - N);
    assert!(above.iter().all(|byte| *byte == 0), "too long");
    [length, bytes].concat()
}

/// The tiles of a real log: `0/000`, `data/000`, `names/000` and so on.
const REAL_TILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/ct/log/tile");

/// A tile of a real log, such as `data/000`. The first one is kept in the repository; the others,
/// of which there is none without the corpus, are beside it.
pub fn real_tile(name: &str) -> Option<Vec<u8>> {
    let kept = match name {
        "0/000" => "hashes.gz",
        "data/000" => "data.gz",
        "names/000" => "names.gz",
        _ => return std::fs::read(format!("{REAL_TILES}/{name}")).ok(),
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ct/tile_000");
    let packed = std::fs::File::open(format!("{folder}/{kept}")).unwrap();
    let mut tile = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut tile).unwrap();
    Some(tile)
}

/// The entries of the real tiles: 256, and as many more, which is said on stdout, where the corpus
/// is. They keep their hashes where they keep their places: at the beginning of a log.
pub fn real_entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for tile in 0.. {
        let Some(data) = real_tile(&format!("data/{tile:03}")) else { break };
        let names = real_tile(&format!("names/{tile:03}")).unwrap();
        entries.extend(entries_of_tile(&data, &String::from_utf8(names).unwrap()));
    }
    println!("{} real entries", entries.len());
    entries
}

/// The entries of a data tile, with their names from the names tile beside it.
pub fn entries_of_tile(data: &[u8], names: &str) -> Vec<Entry> {
    let mut rest = data;
    let entries = names.lines().map(|line| tile_entry(&mut rest, line)).collect();
    assert!(rest.is_empty(), "the data tile has more entries than the names tile");
    entries
}

fn tile_entry(rest: &mut &[u8], line: &str) -> Entry {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let timestamp = number(take(rest, 8));
    let signed = match number(take(rest, 2)) {
        0 => {
            let certificate = take_counted::<3>(rest);
            take_counted::<2>(rest);
            Signed::X509 { certificate }
        }
        1 => {
            let issuer_key_hash = take(rest, 32).try_into().unwrap();
            let tbs = take_counted::<3>(rest);
            take_counted::<2>(rest);
            Signed::Precert { issuer_key_hash, tbs, submitted: take_counted::<3>(rest) }
        }
        kind => panic!("entries of type {kind} are unknown"),
    };
    let chain = take_counted::<2>(rest)
        .chunks(32)
        .map(|hash| Issuer { fingerprint: hash.try_into().unwrap(), der: None })
        .collect();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let names = line["DNS"].as_array().into_iter().flatten().filter_map(text).collect();
    Entry { timestamp, signed, chain, names, common_name: text(&line["Subject"]["CommonName"]) }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn take_counted<const N: usize>(rest: &mut &[u8]) -> Vec<u8> {
    let length = number(take(rest, N));
    take(rest, usize::try_from(length).unwrap()).to_vec()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
