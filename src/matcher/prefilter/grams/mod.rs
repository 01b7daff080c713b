//! The gram regime: an index of a few bytes of each literal.
//!
//! A gram is a run of bytes inside a literal. Where a literal stands in the block, so do its
//! grams; so it is enough to look at every second position of the block, if of each literal the
//! grams at two neighbouring offsets are known: one of them falls on such a position, wherever
//! the literal begins. What is looked up there is the first four bytes of the gram, a hash and a
//! bit of a bitmap that stays in the L2 cache ([`sieve`]); one look for all lengths of literals.
//! Of the few spots that pass, the whole gram is looked up in a second bitmap, then in buckets of
//! fingerprints ([`Index`]); what passes there is compared with the literal itself.

mod builder;
mod sieve;
#[cfg(target_arch = "x86_64")]
mod sieve_avx2;

use super::bitmap::Bitmap;
use super::dense::Dense;
use super::index::{Index, eight_bytes, hash};
use super::level::Level;
use super::spots::{MAX_PROBES, Spots, Walk};
use super::table::{LiteralIndex, Table};
use crate::error::Result;
use builder::Builder;
use sieve::{CHUNK, REACH, key_hash};

/// Bytes of the shortest literal it takes.
pub const MIN_LENGTH: usize = 2;

/// Bytes that are looked up at a spot.
const KEY: usize = 4;

/// Bytes of the grams of a literal: as many as leave a choice between several offsets, and room
/// for two neighbouring ones.
fn gram_length(literal: usize) -> usize {
    match literal {
        12.. => 8,
        8.. => 6,
        6.. => 5,
        5 => 4,
        3.. => 3,
        _ => 2,
    }
}

/// A gram that may begin at a spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    /// How many bytes behind the spot. A gram of fewer bytes than a key has no neighbour in its
    /// literal, so it is looked for on both sides.
    byte: u32,
    mask: u64,
}

/// The index, and the sieve in front of it.
#[derive(Debug)]
pub struct Grams {
    level: Level,
    /// The first bytes of all grams, as they may stand at a spot.
    keys: Bitmap,
    kinds: Kinds,
    /// All grams.
    grams: Bitmap,
    /// The lengths of grams there are.
    probes: Vec<Probe>,
    index: Index,
    /// For blocks that are not ASCII: the keys of a short gram know which bytes stand beside it in
    /// a domain, and beyond ASCII there are too many others to know them, too.
    short: Option<Short>,
}

/// By the hash of a key: the probes behind it, a bit each. Nearly every key has one, so that the
/// others need no look at every spot.
#[derive(Debug)]
struct Kinds {
    probes: Box<[u8]>,
    /// How far a hash is shifted to become a place among them.
    shift: u32,
}

impl Kinds {
    /// As many places as there are keys, or somewhat more, as far as they stay in the cache.
    fn new(keys: usize) -> Self {
        const { assert!(MAX_PROBES <= u8::BITS as usize) };
        let bits = (keys.max(1).ilog2() + 1).clamp(8, 16);
        Self { probes: vec![0; 1 << bits].into(), shift: u32::BITS - bits }
    }

    fn add(&mut self, hash: u32, kind: usize) {
        self.probes[(hash >> self.shift) as usize] |= 1 << kind;
    }

    #[inline(always)]
    fn of(&self, hash: u32) -> u8 {
        self.probes[(hash >> self.shift) as usize]
    }
}

/// The literals whose grams are shorter than a key.
#[derive(Debug)]
struct Short {
    search: Dense,
    /// By its number in the search: the literal.
    literals: Vec<LiteralIndex>,
}

impl Short {
    /// The short ones among the literals, if any.
    fn of(table: &Table) -> Result<Option<Self>> {
        let short = || table.literals().zip(0..).filter(|(l, _)| gram_length(l.len()) < KEY);
        let literals: Vec<LiteralIndex> = short().map(|(_, number)| number).collect();
        if literals.is_empty() {
            return Ok(None);
        }
        let bytes = short().map(|(literal, _)| literal.len()).sum();
        let search = Dense::of(short().map(|(literal, _)| literal), bytes)?;
        Ok(Some(Self { search, literals }))
    }
}

impl Grams {
    /// Indexes the literals, of which none is shorter than [`MIN_LENGTH`]. A level that this
    /// processor does not have gives way to the portable one.
    ///
    /// # Errors
    /// When there are more short literals than an automaton can number.
    pub fn new(table: &Table, level: Level) -> Result<Self> {
        // Gathering from a larger vector brings nothing.
        let level = level.min(Level::Avx2);
        let level = if level.is_available() { level } else { Level::Portable };
        let mut builder = Builder::new(table);
        for (literal, number) in table.literals().zip(0..) {
            builder.add(literal, number);
        }
        Ok(Self { short: Short::of(table)?, ..builder.finish(level) })
    }

    /// The instructions it uses.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Calls `found` with every literal of `block` and where it begins; with some short ones more
    /// than once, where the block is not ASCII.
    #[inline]
    pub fn each(
        &self,
        block: &[u8],
        table: &Table,
        walk: &mut Walk,
        mut found: impl FnMut(LiteralIndex, usize),
    ) {
        if let Some(short) = &self.short
            && !block.is_ascii()
        {
            short.search.each(block, |number, at| found(short.literals[number as usize], at));
        }
        walk.spots.clear();
        let mut at = 0;
        while block.len() - at >= REACH {
            at = self.sift(block, at, &mut walk.spots);
            self.confirm(block, 0, table, walk, &mut found);
        }
        // The last chunks, with nothing behind them: a gram that would reach beyond the block
        // has a zero in it, which no literal has.
        let mut last = [0; 2 * CHUNK + REACH];
        last[..block.len() - at].copy_from_slice(&block[at..]);
        self.sift(&last, 0, &mut walk.spots);
        self.confirm(block, at, table, walk, &mut found);
    }

    /// Notes the spots that may begin a gram, from `at` on; returns how far it came before there
    /// was no more space for them, or less than [`REACH`] left to look at.
    #[inline]
    fn sift(&self, block: &[u8], at: usize, spots: &mut Spots) -> usize {
        match self.level {
            Level::Portable => sieve::sift(&self.keys, block, at, spots),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `new` lets no level through that this processor does not have, and every
            // processor with the higher one has the lower.
            Level::Avx2 | Level::Avx512 => unsafe {
                sieve_avx2::sift(&self.keys, block, at, spots)
            },
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => sieve::sift(&self.keys, block, at, spots),
        }
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
            let at = base as u32 + spot;
            let bytes = eight_bytes(block, at as usize);
            let mut kinds = self.kinds.of(key_hash(bytes as u32));
            while kinds != 0 {
                let probe = &self.probes[kinds.trailing_zeros() as usize];
                kinds &= kinds - 1;
                let hash = hash(bytes >> (8 * probe.byte) & probe.mask);
                walk.likely[filled] = (at + probe.byte, hash);
                filled += usize::from(self.grams.has(hash));
            }
        }
        walk.spots.clear();
        for (at, hash) in &walk.likely[..filled] {
            self.index.literals_at(block, *at as usize, *hash, table, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grams_fit_into_their_literals_and_long_ones_twice() {
        for length in MIN_LENGTH..300 {
            let gram = gram_length(length);
            assert!(gram + usize::from(gram >= KEY) <= length, "{length}");
        }
    }
}
