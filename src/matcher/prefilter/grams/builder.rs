//! Which grams of a literal are looked for, and the bitmaps and the index of them all.

use super::sieve::key_hash;
use super::{Grams, KEY, Kinds, Level, Probe, gram_length};
use crate::matcher::literal::frequency;
use crate::matcher::prefilter::bitmap::Bitmap;
use crate::matcher::prefilter::index::{Entry, Index, eight_bytes, hash, mask};
use crate::matcher::prefilter::table::{LiteralIndex, Table};

/// What a further gram in the bitmap lets through, against sharing one that is there: a shared
/// one costs a fingerprint, a new one a look at every text that holds it.
const SHARED_WEIGHT: f64 = 0.25;

/// What may stand beside a short literal: the bytes of a domain, a newline, and the zeros behind
/// the last one.
const NEIGHBOURS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-_.\n\0";

/// Makes the bitmaps and the index, literal by literal.
pub struct Builder {
    keys: Bitmap,
    kinds: Kinds,
    grams: Bitmap,
    probes: Vec<Probe>,
    entries: Vec<Entry>,
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
            kinds: Kinds::new(keys),
            grams: Bitmap::new(grams),
            probes: Vec::new(),
            entries: Vec::with_capacity(grams),
        }
    }

    /// Adds a literal. One that is longer than a domain can be is left out.
    pub fn add(&mut self, literal: &[u8], number: LiteralIndex) {
        let size = gram_length(literal.len());
        let kind = self.kind(Probe { byte: 0, mask: mask(size) });
        let first = self.best_offset(literal, size);
        let offsets = if size < KEY { first..first + 1 } else { first..first + 2 };
        for offset in offsets {
            let bytes = eight_bytes(literal, offset);
            if size < KEY {
                let behind = self.kind(Probe { byte: 1, mask: mask(size) });
                self.add_short_keys(bytes & mask(size), size, [kind, behind]);
            } else {
                self.add_key(bytes as u32, kind);
            }
            let hash = hash(bytes & mask(size));
            self.grams.set(hash);
            self.entries.extend(Entry::new(literal, number, offset, hash));
        }
    }

    /// The number of a probe.
    fn kind(&mut self, probe: Probe) -> usize {
        let known = self.probes.iter().position(|known| *known == probe);
        known.unwrap_or_else(|| {
            self.probes.push(probe);
            self.probes.len() - 1
        })
    }

    /// Adds a key, behind which the gram of a probe may stand.
    fn add_key(&mut self, key: u32, kind: usize) {
        let hash = key_hash(key);
        self.keys.set(hash);
        self.kinds.add(hash, kind);
    }

    /// Adds the keys of which a gram of two or three bytes is a part: of one probe at their
    /// beginning, of the other one byte behind.
    fn add_short_keys(&mut self, gram: u64, size: usize, [at, behind]: [usize; 2]) {
        let gram = gram as u32;
        for one in NEIGHBOURS {
            let one = u32::from(*one);
            if size == 3 {
                self.add_key(gram | one << 24, at);
                self.add_key(one | gram << 8, behind);
                continue;
            }
            for other in NEIGHBOURS {
                let other = u32::from(*other);
                self.add_key(gram | one << 16 | other << 24, at);
                self.add_key(one | gram << 8 | other << 24, behind);
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
    pub fn finish(self, level: Level) -> Grams {
        let Self { keys, kinds, grams, probes, entries } = self;
        Grams { level, keys, kinds, grams, probes, index: Index::new(entries), short: None }
    }
}
