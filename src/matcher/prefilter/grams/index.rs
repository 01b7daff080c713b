//! The index of grams: from a gram that the sieve let through to the literals around it.
//!
//! Variants of one brand share their grams by the hundred. So a bucket is ordered by where the
//! gram stands in its literal and how long that is: for each such shape, the text that would be
//! the literal is hashed once and its fingerprint looked for among those of the shape.

use super::sieve::Bitmap;
use super::{Tier, eight_bytes, hash};
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
    /// Calls `found` with each literal of `block` whose gram at `at` is `gram`, and where it
    /// begins.
    #[inline]
    pub fn literals_at(
        &self,
        block: &[u8],
        at: usize,
        gram: u64,
        table: &Table,
        found: &mut impl FnMut(LiteralIndex, usize),
    ) {
        let bucket = (hash(gram) >> self.shift) as usize;
        let mut rest =
            &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
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

/// Makes the bitmap and the index, literal by literal.
pub struct Builder {
    bitmap: Bitmap,
    entries: Vec<(u32, Entry)>,
}

impl Builder {
    /// Prepares for the literals of `table`.
    pub fn new(table: &Table) -> Self {
        let grams = table.literals().map(|literal| Tier::of(literal.len()).stride).sum();
        Self { bitmap: Bitmap::new(grams), entries: Vec::with_capacity(grams) }
    }

    /// Adds a literal. One that is longer than a domain can be is left out.
    pub fn add(&mut self, literal: &[u8], number: LiteralIndex) {
        let Ok(length) = u16::try_from(literal.len()) else { return };
        let tier = Tier::of(literal.len());
        let fingerprint = fingerprint(literal);
        let first = self.best_offset(literal, tier);
        for offset in first..first + tier.stride {
            let gram = eight_bytes(literal, offset) & tier.mask();
            self.bitmap.add(tier, gram);
            let entry = Entry { fingerprint, literal: number, offset: offset as u16, length };
            self.entries.push((hash(gram), entry));
        }
    }

    /// The offset from which `tier.stride` consecutive grams let the least text through.
    fn best_offset(&self, literal: &[u8], tier: Tier) -> usize {
        let cost = |offset: usize| {
            let gram = eight_bytes(literal, offset) & tier.mask();
            let share: f64 =
                literal[offset..offset + tier.gram].iter().map(|byte| frequency(*byte)).product();
            if self.bitmap.has(gram) { share * SHARED_WEIGHT } else { share }
        };
        let places = literal.len() - (tier.gram + tier.stride - 1);
        let costs =
            (0..=places).map(|first| (first, (first..first + tier.stride).map(cost).sum::<f64>()));
        costs.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |(first, _)| first)
    }

    /// The bitmap and the index of all that was added.
    pub fn finish(mut self) -> (Bitmap, Index) {
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
        let entries = self.entries.into_iter().map(|(_, entry)| entry).collect();
        (self.bitmap, Index { shift, starts, entries })
    }
}
