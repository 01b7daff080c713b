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
use super::spots::{MAX_PROBES, Spots, Walk};
use super::table::{LiteralIndex, Table};
use sort::{Alphabet, Place, fragment};

/// Bytes of a fragment. With fewer, more texts pass by chance; with more, shorter literals, which
/// let everything pass behind their end, spoil more buckets.
const WIDTH: usize = 6;
const _: () = assert!(WIDTH <= MAX_PROBES);
/// Buckets of a group: the bits of a byte.
const GROUP: usize = 8;
const MAX_GROUPS: usize = 8;
/// Bytes that are looked at together, at most.
const MAX_CHUNK: usize = 64;

/// By place in the fragment and symbol: the buckets of a group that have it there.
type Group<const SYMBOLS: usize> = [[u8; SYMBOLS]; WIDTH];

/// The groups, as the instructions look them up.
#[derive(Debug)]
enum Groups {
    LowHalves(Vec<Group<{ Alphabet::LowHalves.size() }>>),
    SevenBits(Vec<Group<{ Alphabet::SevenBits.size() }>>),
}

/// The buckets, and the index behind them.
#[derive(Debug)]
pub struct Buckets {
    level: Level,
    groups: Groups,
    /// The fragments.
    fragments: Bitmap,
    /// The masks of the lengths that fragments have.
    masks: Vec<u64>,
    index: Index,
}

impl Buckets {
    /// Literals up to which this is the fastest search. A table for all of ASCII tells each byte
    /// from each other, and so many more literals apart than one for half of a byte.
    pub fn most(level: Level) -> usize {
        Self::sizes(level).last().map_or(0, |(most, _)| *most)
    }

    /// How many groups there are for up to so many literals. Each takes time, and saves some on
    /// what passes by chance.
    const fn sizes(level: Level) -> &'static [(usize, usize)] {
        match level {
            Level::Portable => &[],
            Level::Avx2 => &[(60, 1), (512, 2), (1024, 4)],
            Level::Avx512 => &[(96, 1), (640, 2), (1792, 4), (4096, MAX_GROUPS)],
        }
    }

    /// Sorts the literals, of which none is empty; `None` for more than [`Self::most`], and where
    /// this processor does not have the level.
    pub fn new(table: &Table, level: Level) -> Option<Self> {
        if table.len() > Self::most(level) || level == Level::Portable || !level.is_available() {
            return None;
        }
        let literals: Vec<&[u8]> = table.literals().collect();
        let enough = Self::sizes(level).iter().find(|(most, _)| literals.len() <= *most);
        let count = enough.map_or(MAX_GROUPS, |(_, groups)| *groups);
        let alphabet =
            if level == Level::Avx512 { Alphabet::SevenBits } else { Alphabet::LowHalves };
        let places = sort::sorted(&literals, count, alphabet);
        let groups = match alphabet {
            Alphabet::SevenBits => Groups::SevenBits(grouped(alphabet, &literals, &places, count)),
            Alphabet::LowHalves => Groups::LowHalves(grouped(alphabet, &literals, &places, count)),
        };
        let mut fragments = Bitmap::new(literals.len());
        let mut masks = Vec::new();
        let mut entries = Vec::new();
        for ((literal, place), number) in literals.iter().zip(&places).zip(0..) {
            let offset = place.offset;
            let fragment = fragment(literal, offset);
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
    pub fn each(
        &self,
        block: &[u8],
        table: &Table,
        walk: &mut Walk,
        mut found: impl FnMut(LiteralIndex, usize),
    ) {
        walk.spots.clear();
        let mut at = 0;
        while block.len() - at >= self.reach() {
            at = self.sift(block, at, &mut walk.spots);
            self.confirm(block, 0, table, walk, &mut found);
        }
        // What is left, with zeros behind it, so that there is enough to look at.
        let rest = &block[at..];
        let mut last = [0; 3 * MAX_CHUNK + WIDTH];
        last[..rest.len()].copy_from_slice(rest);
        let mut from = 0;
        while from < rest.len() {
            from = self.sift(&last, from, &mut walk.spots);
            self.confirm(block, at, table, walk, &mut found);
        }
    }

    /// Bytes that have to be there to look at a chunk.
    fn reach(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        return match self.groups {
            Groups::LowHalves(_) => avx2::REACH,
            Groups::SevenBits(_) => avx512::REACH,
        };
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
            match &self.groups {
                Groups::LowHalves(groups) => match groups.len() {
                    1 => avx2::sift::<1>(groups, block, at, spots),
                    2 => avx2::sift::<2>(groups, block, at, spots),
                    4 => avx2::sift::<4>(groups, block, at, spots),
                    _ => avx2::sift::<MAX_GROUPS>(groups, block, at, spots),
                },
                Groups::SevenBits(groups) => match groups.len() {
                    1 => avx512::sift::<1>(groups, block, at, spots),
                    2 => avx512::sift::<2>(groups, block, at, spots),
                    4 => avx512::sift::<4>(groups, block, at, spots),
                    _ => avx512::sift::<MAX_GROUPS>(groups, block, at, spots),
                },
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
        walk: &mut Walk,
        found: &mut impl FnMut(LiteralIndex, usize),
    ) {
        let mut filled = 0;
        for spot in walk.spots.noted() {
            let at = base as u32 + *spot;
            let bytes = eight_bytes(block, at as usize);
            for mask in &self.masks {
                let hash = hash(bytes & mask);
                walk.likely[filled] = (at, hash);
                filled += usize::from(self.fragments.has(hash));
            }
        }
        walk.spots.clear();
        for (at, hash) in &walk.likely[..filled] {
            self.index.literals_at(block, *at as usize, *hash, table, found);
        }
    }
}

/// The tables of so many groups.
fn grouped<const SYMBOLS: usize>(
    alphabet: Alphabet,
    literals: &[&[u8]],
    places: &[Place],
    count: usize,
) -> Vec<Group<SYMBOLS>> {
    let mut groups = vec![[[0; SYMBOLS]; WIDTH]; count];
    for (literal, Place { bucket, offset }) in literals.iter().zip(places) {
        let fragment = fragment(literal, *offset);
        let bit = 1 << (bucket % GROUP);
        for (table, at) in groups[bucket / GROUP].iter_mut().zip(0..) {
            match fragment.get(at) {
                Some(byte) => table[alphabet.symbol(*byte)] |= bit,
                None => table.iter_mut().for_each(|buckets| *buckets |= bit),
            }
        }
    }
    groups
}
