//! The index of grams: from a gram that the sieve let through to the literals around it.
//!
//! Variants of one brand share their grams by the hundred. So a bucket is ordered by where the
//! gram stands in its literal and how long that is: for each such shape, the text that would be
//! the literal is hashed once and its fingerprint looked for among those of the shape.

use super::sieve::{Bitmap, key_hash};
use super::{Grams, KEY, Level, Probe, eight_bytes, gram_length, hash, mask};
use crate::matcher::literal::frequency;
use crate::matcher::prefilter::table::{LiteralIndex, Table};

/// What a further gram in the bitmap lets through, against sharing one that is there: a shared
/// one costs a fingerprint, a new one a look at every text that holds it.
const SHARED_WEIGHT: f64 = 0.25;

/// A literal, by one of its grams.
#[derive(Clone, Copy, Debug)]
struct Entry {
    fingerprint: u32,
    literal: LiteralIndex,
    /// Where the gram stands in the literal.
    offset: u16,
    length: u16,
}

impl Entry {
    fn shape(&self) -> (u16, u16) {
        (self.offset, self.length)
    }
}

/// All literals by their grams.
#[derive(Debug)]
pub struct Index {
    /// How far a hash is shifted to become the number of a bucket.
    shift: u32,
    /// By bucket: where its entries begin; one more for the end of the last.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

impl Index {
    /// Calls `found` with each literal that stands in `block` around a gram of this hash at `at`,
    /// and where it begins.
    #[inline]
    pub fn literals_at(
        &self,
        block: &[u8],
        at: usize,
        hash: u32,
        table: &Table,
        found: &mut impl FnMut(LiteralIndex, usize),
    ) {
        let bucket = (hash >> self.shift) as usize;
        let bounds = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        let mut rest = &self.entries[bounds];
        while let Some(first) = rest.first() {
            let alike = rest.partition_point(|entry| entry.shape() == first.shape());
            let (entries, others) = rest.split_at(alike);
            rest = others;
            let Some(start) = at.checked_sub(usize::from(first.offset)) else { continue };
            let Some(text) = block.get(start..start + usize::from(first.length)) else { continue };
            let wanted = fingerprint(text);
            let from = entries.partition_point(|entry| entry.fingerprint < wanted);
            let likely = entries[from..].iter().take_while(|entry| entry.fingerprint == wanted);
            for entry in likely {
                if table.literal(entry.literal) == text {
                    found(entry.literal, start);
                }
            }
        }
    }
}

/// The fingerprint of a text: of its length, and of as many as its first and last eight bytes.
#[inline]
fn fingerprint(text: &[u8]) -> u32 {
    let (head, tail) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (eight_bytes(text, 0), 0),
    };
    let mixed = (head ^ tail.rotate_left(29)).wrapping_add(text.len() as u64);
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// What may stand beside a short literal: the bytes of a domain, a newline, and the zeros behind
/// the last one.
const NEIGHBOURS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_.\n\0";

/// Makes the bitmaps and the index, literal by literal.
pub struct Builder {
    keys: Bitmap,
    grams: Bitmap,
    probes: Vec<Probe>,
    entries: Vec<(u32, Entry)>,
}

impl Builder {
    /// Prepares for the literals of `table`.
    pub fn new(table: &Table) -> Self {
        let (mut keys, mut grams) = (0, 0);
        for literal in table.literals() {
            let short = gram_length(literal.len()) < KEY;
            keys += if short { 2 * NEIGHBOURS.len() } else { 2 };
            grams += if short { 1 } else { 2 };
        }
        Self {
            keys: Bitmap::new(keys),
            grams: Bitmap::new(grams),
            probes: Vec::new(),
            entries: Vec::with_capacity(grams),
        }
    }

    /// Adds a literal. One that is longer than a domain can be is left out.
    pub fn add(&mut self, literal: &[u8], number: LiteralIndex) {
        let Ok(length) = u16::try_from(literal.len()) else { return };
        let size = gram_length(literal.len());
        let probe = Probe { byte: 0, mask: mask(size) };
        if !self.probes.contains(&probe) {
            self.probes.push(probe);
            if size < KEY {
                self.probes.push(Probe { byte: 1, ..probe });
            }
        }
        let fingerprint = fingerprint(literal);
        let first = self.best_offset(literal, size);
        let offsets = if size < KEY { first..first + 1 } else { first..first + 2 };
        for offset in offsets {
            let bytes = eight_bytes(literal, offset);
            if size < KEY {
                self.add_short_keys(bytes & mask(size), size);
            } else {
                self.keys.set(key_hash(bytes as u32));
            }
            let hash = hash(bytes & mask(size));
            self.grams.set(hash);
            let entry = Entry { fingerprint, literal: number, offset: offset as u16, length };
            self.entries.push((hash, entry));
        }
    }

    /// Adds the keys of which a gram of two or three bytes is a part, wherever it begins.
    fn add_short_keys(&mut self, gram: u64, size: usize) {
        let gram = gram as u32;
        for one in NEIGHBOURS {
            let one = u32::from(*one);
            if size == 3 {
                self.keys.set(key_hash(gram | one << 24));
                self.keys.set(key_hash(one | gram << 8));
                continue;
            }
            for other in NEIGHBOURS {
                let other = u32::from(*other);
                self.keys.set(key_hash(gram | one << 16 | other << 24));
                self.keys.set(key_hash(one | gram << 8 | other << 24));
            }
        }
    }

    /// The offset at which grams of `size` bytes let the least text through.
    fn best_offset(&self, literal: &[u8], size: usize) -> usize {
        // Of a gram that is looked for at two offsets, one byte more is needed, and the key counts.
        let (needed, key) = if size < KEY { (size, size) } else { (size + 1, KEY) };
        let cost = |offset: usize| {
            let share: f64 =
                literal[offset..offset + key].iter().map(|byte| frequency(*byte)).product();
            let there = key == KEY && self.keys.has(key_hash(eight_bytes(literal, offset) as u32));
            if there { share * SHARED_WEIGHT } else { share }
        };
        let costs = (0..=literal.len() - needed)
            .map(|first| (first, (first..=first + needed - size).map(cost).sum::<f64>()));
        costs.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |(first, _)| first)
    }

    /// The bitmaps and the index of all that was added.
    pub fn finish(mut self, level: Level) -> Grams {
        let buckets = self.entries.len().max(256).next_power_of_two();
        let shift = 32 - buckets.ilog2();
        self.entries.sort_unstable_by_key(|(hash, entry)| {
            (hash >> shift, entry.shape(), entry.fingerprint, entry.literal)
        });
        let mut starts = vec![0; buckets + 1];
        for (hash, _) in &self.entries {
            starts[(hash >> shift) as usize + 1] += 1;
        }
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let entries =
            std::mem::take(&mut self.entries).into_iter().map(|(_, entry)| entry).collect();
        let index = Index { shift, starts, entries };
        let Self { keys, grams, probes, .. } = self;
        Grams { level, keys, grams, probes, index, short: None }
    }
}
