//! The bucket regime: a vector search for a fragment of each literal, a few bytes wide.
//!
//! The fragments are sorted into a few buckets, a bit each. For each place in a fragment a table
//! says which buckets have which byte there; where one bit is left when the bytes that stand side
//! by side have all been looked up, a fragment may begin. A vector instruction looks up as many
//! bytes as a vector has. Of the few spots that pass, the fragment itself is looked up in a
//! bitmap, and then in the index, which compares the whole literal.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod sort;

use super::bitmap::Bitmap;
use super::index::{Entry, Index, eight_bytes, hash, mask};
use super::level::Level;
use super::spots::Spots;
use super::table::{LiteralIndex, Table};
use sort::{BYTES, Place, fragment, seven_bits};

/// Bytes of a fragment. With fewer, more texts pass by chance; with more, shorter literals, which
/// let everything pass behind their end, spoil more buckets.
const WIDTH: usize = 6;
/// Buckets of a group: the bits of a byte.
const GROUP: usize = 8;
/// Literals up to which one group is enough; more take two.
const MAX_OF_ONE_GROUP: usize = 96;
/// Bytes that are looked at together, at most.
const MAX_CHUNK: usize = 64;

/// By place in the fragment and byte: the buckets of a group that have it there.
type Group = [[u8; BYTES]; WIDTH];

/// The buckets, and the index behind them.
#[derive(Debug)]
pub struct Buckets {
    level: Level,
    groups: Vec<Group>,
    /// The fragments.
    fragments: Bitmap,
    /// The masks of the lengths that fragments have.
    masks: Vec<u64>,
    index: Index,
}

impl Buckets {
    /// Sorts the literals, of which none is empty; `None` where this processor does not have the
    /// level, or the level no vectors.
    pub fn new(table: &Table, level: Level) -> Option<Self> {
        if level == Level::Portable || !level.is_available() {
            return None;
        }
        let literals: Vec<&[u8]> = table.literals().collect();
        let count = if literals.len() <= MAX_OF_ONE_GROUP { 1 } else { 2 };
        let places = sort::sorted(&literals, count);
        let mut groups = vec![[[0; BYTES]; WIDTH]; count];
        let mut fragments = Bitmap::new(literals.len());
        let mut masks = Vec::new();
        let mut entries = Vec::new();
        for ((literal, place), number) in literals.iter().zip(&places).zip(0..) {
            let Place { bucket, offset } = *place;
            let fragment = fragment(literal, offset);
            let bit = 1 << (bucket % GROUP);
            for (table, at) in groups[bucket / GROUP].iter_mut().zip(0..) {
                match fragment.get(at) {
                    Some(byte) => table[seven_bits(*byte)] |= bit,
                    None => table.iter_mut().for_each(|buckets| *buckets |= bit),
                }
            }
            let mask = mask(fragment.len());
            if !masks.contains(&mask) {
                masks.push(mask);
            }
            let hash = hash(eight_bytes(literal, offset) & mask);
            fragments.set(hash);
            entries.extend(Entry::new(literal, number, offset, hash));
        }
        let index = Index::new(entries);
        Some(Self { level, groups, fragments, masks, index })
    }

    /// The instructions it uses.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Calls `found` with every literal of `block` and where it begins.
    #[inline]
    pub fn each(&self, block: &[u8], table: &Table, mut found: impl FnMut(LiteralIndex, usize)) {
        let mut spots = Spots::default();
        let mut at = 0;
        while block.len() - at >= self.reach() {
            at = self.sift(block, at, &mut spots);
            self.confirm(block, 0, table, &mut spots, &mut found);
        }
        // What is left, with zeros behind it, so that there is enough to look at.
        let rest = &block[at..];
        let mut last = [0; 3 * MAX_CHUNK + WIDTH];
        last[..rest.len()].copy_from_slice(rest);
        let mut from = 0;
        while from < rest.len() {
            from = self.sift(&last, from, &mut spots);
            self.confirm(block, at, table, &mut spots, &mut found);
        }
    }

    /// Bytes that have to be there to look at a chunk.
    fn reach(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        return if self.level == Level::Avx512 { avx512::REACH } else { avx2::REACH };
        #[cfg(not(target_arch = "x86_64"))]
        MAX_CHUNK
    }

    /// Notes the spots that may begin a fragment, from `at` on; returns how far it came before
    /// there was no more space for them, or too few bytes left to look at.
    #[inline]
    fn sift(&self, block: &[u8], at: usize, spots: &mut Spots) -> usize {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `new` lets no level through that this processor does not have.
        unsafe {
            match (self.level, &self.groups[..]) {
                (Level::Avx512, [one]) => avx512::sift([one], block, at, spots),
                (Level::Avx512, [one, other]) => avx512::sift([one, other], block, at, spots),
                (_, [one]) => avx2::sift([one], block, at, spots),
                (_, [one, other]) => avx2::sift([one, other], block, at, spots),
                _ => block.len(),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        block.len()
    }

    /// Calls `found` with the literals at the noted spots, which count from `base`.
    #[inline]
    fn confirm(
        &self,
        block: &[u8],
        base: usize,
        table: &Table,
        spots: &mut Spots,
        found: &mut impl FnMut(LiteralIndex, usize),
    ) {
        for spot in spots.noted() {
            let at = base + *spot as usize;
            let bytes = eight_bytes(block, at);
            for mask in &self.masks {
                let hash = hash(bytes & mask);
                if self.fragments.has(hash) {
                    self.index.literals_at(block, at, hash, table, found);
                }
            }
        }
        spots.clear();
    }
}
