//! The gram regime: an index of a few bytes of each literal.
//!
//! A gram is a run of bytes inside a literal. Where a literal stands in the block, so do its
//! grams; so it is enough to look at every `stride`-th position of the block for a gram, if of
//! each literal the grams at `stride` consecutive offsets are known: one of them falls on such a
//! position, wherever the literal begins. Literals of eight bytes and more are looked for at
//! every fourth byte, which no automaton can do.
//!
//! Looking up a gram is a hash and a bit of a bitmap that stays in the L2 cache ([`sieve`]). The
//! few spots that pass are looked up in buckets of fingerprints ([`index`]); what passes there is
//! compared with the literal itself.

mod index;
mod sieve;
#[cfg(target_arch = "x86_64")]
mod sieve_avx2;

use super::table::{LiteralIndex, Table};
use index::{Builder, Index};
use sieve::{Bitmap, CHUNK, REACH, Spots};

/// Bytes of the shortest literal it takes.
pub const MIN_LENGTH: usize = 2;

/// Instructions that the sieve is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Those of every processor.
    Portable,
    /// Eight look-ups at once.
    Avx2,
}

impl Level {
    /// The levels that this processor has, from the slowest to the fastest.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        [Self::Portable, Self::Avx2].into_iter().filter(|level| level.is_available())
    }

    /// The fastest level that this processor has.
    pub fn best() -> Self {
        Self::all().next_back().unwrap_or(Self::Portable)
    }

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }
}

/// The literals of some lengths: how many bytes their grams have, and how far apart the
/// positions are at which the block is looked at for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    gram: usize,
    stride: usize,
}

/// Literals of eight bytes and more: their grams say most, and cost least to look for.
const LONG: Tier = Tier { gram: 5, stride: 4 };
/// Literals of five to seven bytes.
const MEDIUM: Tier = Tier { gram: 4, stride: 2 };
/// Literals of three and four bytes.
const SHORT: Tier = Tier { gram: 3, stride: 1 };
/// Literals of two bytes.
const PAIR: Tier = Tier { gram: 2, stride: 1 };

impl Tier {
    /// The tier of a literal: the first whose grams fit into it at `stride` offsets.
    fn of(length: usize) -> Self {
        match length {
            8.. => LONG,
            5.. => MEDIUM,
            3.. => SHORT,
            _ => PAIR,
        }
    }

    /// The bits of a gram in the eight bytes that begin with it.
    const fn mask(self) -> u64 {
        (1 << (8 * self.gram)) - 1
    }
}

/// The hash of a gram. Its highest bits say where it stands in the bitmap and in the index, so
/// these are what depends on all of the gram. Half the width of the gram: the vector
/// instructions multiply no more.
#[inline(always)]
const fn hash(gram: u64) -> u32 {
    let low = (gram as u32).wrapping_mul(LOW_FACTOR);
    low.wrapping_add(((gram >> 32) as u32).wrapping_mul(HIGH_FACTOR))
}

/// Odd, so that no two grams of four bytes have one hash; without a pattern in its bits.
const LOW_FACTOR: u32 = 0x9E37_79B1;
const HIGH_FACTOR: u32 = 0x85EB_CA77;

/// The index, and the sieve in front of it.
#[derive(Debug)]
pub struct Grams {
    level: Level,
    bitmap: Bitmap,
    index: Index,
}

impl Grams {
    /// Indexes the literals, of which none is shorter than [`MIN_LENGTH`]. A level that this
    /// processor does not have gives way to the portable one.
    pub fn new(table: &Table, level: Level) -> Self {
        let level = if level.is_available() { level } else { Level::Portable };
        let mut builder = Builder::new(table);
        for (literal, number) in table.literals().zip(0..) {
            builder.add(literal, number);
        }
        let (bitmap, index) = builder.finish();
        Self { level, bitmap, index }
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
        while block.len() - at >= REACH {
            at = self.sift(block, at, &mut spots);
            self.confirm(block, 0, table, &mut spots, &mut found);
        }
        // The last chunks, with nothing behind them: a gram that would reach beyond the block
        // has a zero in it, which no literal has.
        let mut last = [0; 2 * CHUNK + REACH];
        last[..block.len() - at].copy_from_slice(&block[at..]);
        self.sift(&last, 0, &mut spots);
        self.confirm(block, at, table, &mut spots, &mut found);
    }

    /// Notes the spots that may begin a gram, from `at` on; returns how far it came before there
    /// was no more space for them, or less than [`REACH`] left to look at.
    #[inline]
    fn sift(&self, block: &[u8], at: usize, spots: &mut Spots) -> usize {
        match self.level {
            Level::Portable => sieve::sift(&self.bitmap, block, at, spots),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `new` lets no level through that this processor does not have.
            Level::Avx2 => unsafe { sieve_avx2::sift(&self.bitmap, block, at, spots) },
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 => sieve::sift(&self.bitmap, block, at, spots),
        }
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
            let at = base + spot.position();
            let bytes = eight_bytes(block, at);
            self.index.literals_at(block, at, bytes & spot.tier().mask(), table, found);
            if spot.tier() == SHORT && self.bitmap.holds_pairs() {
                self.index.literals_at(block, at, bytes & PAIR.mask(), table, found);
            }
        }
        spots.clear();
    }
}

/// The bytes from `at` on, zeros where the block ends before the eighth.
#[inline]
fn eight_bytes(block: &[u8], at: usize) -> u64 {
    let rest = block.get(at..).unwrap_or_default();
    rest.first_chunk().map_or_else(
        || rest.iter().rev().fold(0, |bytes, byte| bytes << 8 | u64::from(*byte)),
        |bytes| u64::from_le_bytes(*bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grams_of_a_tier_fit_into_its_literals() {
        for length in MIN_LENGTH..300 {
            let tier = Tier::of(length);
            assert!(tier.gram + tier.stride - 1 <= length, "{length}");
        }
    }

    #[test]
    fn bytes_behind_the_block_are_zeros() {
        assert_eq!(eight_bytes(b"abcdefghi", 1), u64::from_le_bytes(*b"bcdefghi"));
        assert_eq!(eight_bytes(b"abc", 1), u64::from_le_bytes(*b"bc\0\0\0\0\0\0"));
        assert_eq!(eight_bytes(b"abc", 3), 0);
        assert_eq!(eight_bytes(b"abc", 9), 0);
    }
}
