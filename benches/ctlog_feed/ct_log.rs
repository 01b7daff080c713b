//! A log of the bench: entries repeated to any length, tiles packed ahead, heads signed when
//! asked for. How its answers travel is `server`'s business.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use certstream::batch::now_micros;
use certstream::ctlog::Entry;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::key::{Key, SigningKey};
use crate::server::{NOT_FOUND, answer};
use crate::tree::Tree;

/// Entries of a full tile.
pub const TILE: usize = 256;
/// What stands before the index at the end of an entry's extensions: their length, the type of
/// the one there is, its length.
const INDEX_EXTENSION: [u8; 5] = [0, 8, 0, 0, 5];

/// Entries that a log of any length is made of, in turn.
pub struct Pattern {
    /// Each as a `TileLeaf`, where its index stands in that, and where its signed part ends.
    leaves: Vec<(Vec<u8>, usize)>,
    /// Each as a line of a names tile, with its end.
    names: Vec<Vec<u8>>,
}

impl Pattern {
    /// The real entries beside the checkout, or the few in `tests/data`.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let corpus = root.join("../shared/corpus/ct/log/tile");
        let (data, names) = if corpus.exists() {
            let both = |kind: &str| {
                let tile = |name| std::fs::read(corpus.join(kind).join(name)).expect("a tile");
                [tile("000"), tile("001")].concat()
            };
            (both("data"), both("names"))
        } else {
            println!("the corpus is not beside this checkout: using three entries of it");
            let small = |name| std::fs::read(root.join("tests/data/ct").join(name)).expect("data");
            (small("data_tile"), small("names_tile.jsonl"))
        };
        let mut leaves = Vec::new();
        let mut rest = &data[..];
        while !rest.is_empty() {
            let entry = Entry::parse(rest).expect("a real entry");
            let end = entry.timestamped.len();
            let extension = &entry.timestamped[end - 10..end - 5];
            assert_eq!(extension, INDEX_EXTENSION, "the index is the one extension");
            leaves.push((entry.leaf.to_vec(), end));
            rest = &rest[entry.leaf.len()..];
        }
        let names: Vec<Vec<u8>> =
            names.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        assert_eq!(leaves.len(), names.len(), "a line for each entry");
        Self { leaves, names }
    }

    /// The entry at `index`, and where its signed part ends.
    fn leaf(&self, index: usize) -> (Vec<u8>, usize) {
        let (mut leaf, end) = self.leaves[index % self.leaves.len()].clone();
        leaf[end - 5..end].copy_from_slice(&(index as u64).to_be_bytes()[3..]);
        (leaf, end)
    }

    fn data_tile(&self, first: usize, width: usize) -> Vec<u8> {
        (first..first + width).flat_map(|index| self.leaf(index).0).collect()
    }

    fn names_tile(&self, first: usize, width: usize) -> Vec<u8> {
        (first..first + width)
            .flat_map(|index| &self.names[index % self.names.len()][..])
            .copied()
            .collect()
    }
}

/// What a log, or several, consist of.
pub struct Content {
    pattern: Pattern,
    tree: Tree,
    /// Answers to requests for full data tiles, by number; none in a log of names alone.
    data: Vec<Vec<u8>>,
    /// Answers to requests for full names tiles, which bear no index and so repeat themselves.
    names: Vec<Vec<u8>>,
}

impl Content {
    /// `tiles` full tiles of entries and names.
    pub fn whole(tiles: usize) -> Self {
        let mut content = Self::names_alone(0);
        let pattern = &content.pattern;
        for index in 0..tiles * TILE {
            let (leaf, end) = pattern.leaf(index);
            // Version 1, and the type of a `MerkleTreeLeaf`.
            content.tree.append(&[&[0, 0], &leaf[..end]].concat());
        }
        content.data = packed(tiles, |number| pattern.data_tile(number * TILE, TILE));
        content
    }

    /// `tiles` full tiles of names; its tree stands for entries that are never asked for.
    pub fn names_alone(tiles: usize) -> Self {
        let pattern = Pattern::read();
        let mut tree = Tree::default();
        (0..tiles * TILE).for_each(|index| tree.append(&index.to_le_bytes()));
        let period = pattern.names.len();
        let names = packed(period, |number| pattern.names_tile(number * TILE, TILE));
        Self { pattern, tree, data: Vec::new(), names }
    }
}

/// Answers with `count` tiles, packed on all cores.
fn packed(count: usize, tile: impl Fn(usize) -> Vec<u8> + Sync) -> Vec<Vec<u8>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = count.div_ceil(threads).max(1);
    thread::scope(|scope| {
        let tile = &tile;
        let work = |begin: usize| {
            let end = (begin + share).min(count);
            scope.spawn(move || (begin..end).map(|number| pack(&tile(number))).collect::<Vec<_>>())
        };
        let shares: Vec<_> = (0..count).step_by(share).map(work).collect();
        shares.into_iter().flat_map(|share| share.join().expect("packs")).collect()
    })
}

/// The answer that is `tile`, packed.
fn pack(tile: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(tile).expect("memory");
    answer("Content-Encoding: gzip\r\n", &encoder.finish().expect("memory"))
}

/// A log, which may grow.
pub struct Log {
    name: String,
    key: SigningKey,
    content: Arc<Content>,
    /// Entries it shows.
    size: AtomicU64,
}

impl Log {
    /// A log of `size` entries of `content`.
    pub fn new(name: &str, content: &Arc<Content>, size: usize) -> Self {
        let key = SigningKey::generate(Key::Ecdsa);
        let size = AtomicU64::new(size as u64);
        Self { name: name.to_owned(), key, content: Arc::clone(content), size }
    }

    /// Its name, which its path begins with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shows `entries` more, as far as there are any.
    pub fn grow(&self, entries: u64) {
        let size = self.size.load(Ordering::Relaxed) + entries;
        self.size.store(size.min(self.content.tree.size()), Ordering::Relaxed);
    }

    /// Its operator, as a log list has it, when it is served at `base`.
    pub fn listed(&self, base: &str) -> Value {
        json!({
            "name": format!("Operator of {}", self.name),
            "email": ["ct@bench.example"],
            "logs": [],
            "tiled_logs": [{
                "description": self.name,
                "log_id": BASE64.encode(self.key.log_id()),
                "key": BASE64.encode(self.key.public()),
                "mmd": 60,
                "submission_url": format!("https://{}/", self.origin()),
                "monitoring_url": format!("{base}/{}/", self.name),
                "state": { "usable": { "timestamp": "2026-01-01T00:00:00Z" } },
            }],
        })
    }

    fn origin(&self) -> String {
        format!("bench.example/{}", self.name)
    }

    /// Sends what stands at `path` below the log's to `send`.
    pub fn answer<T>(&self, path: &str, send: impl FnOnce(&[u8]) -> T) -> T {
        let size = self.size.load(Ordering::Relaxed);
        if path == "checkpoint" {
            let root = self.content.tree.root(size);
            let millis = u64::try_from(now_micros() / 1000).expect("behind 1970");
            let head = self.key.sign(size, root, millis);
            let note = head.checkpoint(&self.origin(), &self.key.log_id());
            return send(&answer("", note.as_bytes()));
        }
        match path.strip_prefix("tile/").and_then(Address::parse) {
            Some(address) if address.end() <= size => self.tile(&address, send),
            _ => send(NOT_FOUND),
        }
    }

    fn tile<T>(&self, address: &Address<'_>, send: impl FnOnce(&[u8]) -> T) -> T {
        let Content { pattern, tree, data, names } = &*self.content;
        let Address { kind, number, width } = *address;
        let first = number * TILE;
        match kind {
            "data" if width == TILE => send(data.get(number).map_or(NOT_FOUND, |tile| tile)),
            "data" => send(&pack(&pattern.data_tile(first, width))),
            "names" if width == TILE => send(&names[number % names.len()]),
            "names" => send(&pack(&pattern.names_tile(first, width))),
            _ => {
                let tile = tree.tile(address.level(), number as u64, width as u64);
                send(&tile.map_or_else(|| NOT_FOUND.to_vec(), |tile| answer("", &tile)))
            }
        }
    }
}

/// Where a tile stands.
struct Address<'p> {
    /// `data`, `names`, or the level of a hash tile.
    kind: &'p str,
    number: usize,
    width: usize,
}

impl<'p> Address<'p> {
    fn parse(path: &'p str) -> Option<Self> {
        let (kind, rest) = path.split_once('/')?;
        let (rest, width) = match rest.split_once(".p/") {
            Some((rest, width)) => (rest, width.parse().ok()?),
            None => (rest, TILE),
        };
        let number = rest.split('/').try_fold(0, |number, group| {
            let digits: usize = group.trim_start_matches('x').parse().ok()?;
            Some(number * 1000 + digits)
        })?;
        Some(Self { kind, number, width })
    }

    fn level(&self) -> u32 {
        self.kind.parse().unwrap_or_default()
    }

    /// Entries that the tree must have for it.
    fn end(&self) -> u64 {
        ((self.number * TILE + self.width) as u64) << (8 * self.level())
    }
}
