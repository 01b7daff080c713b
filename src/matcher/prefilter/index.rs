//! The index of literals: from a gram that stands in the block to the literals around it.
//!
//! Variants of one brand share their grams by the hundred. So a bucket is ordered by where the
//! gram stands in its literal and how long that is: for each such shape, the text that would be
//! the literal is hashed once and its fingerprint looked for among those of the shape.

use super::table::{LiteralIndex, Table};

/// The bits of a gram of so many bytes in the eight bytes that begin with it.
pub const fn mask(gram: usize) -> u64 {
    u64::MAX >> (64 - 8 * gram)
}

/// The hash of a gram, whose highest bits depend on all of it.
#[inline(always)]
pub const fn hash(gram: u64) -> u32 {
    (gram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

/// A literal, by one of its grams.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Of the gram.
    hash: u32,
    fingerprint: u32,
    literal: LiteralIndex,
    /// Where the gram stands in the literal.
    offset: u16,
    length: u16,
}

impl Entry {
    /// A literal by its gram of this hash at `offset`; none where it is longer than a domain can
    /// be.
    pub fn new(literal: &[u8], number: LiteralIndex, offset: usize, hash: u32) -> Option<Self> {
        let (length, offset) = (u16::try_from(literal.len()).ok()?, u16::try_from(offset).ok()?);
        Some(Self { hash, fingerprint: fingerprint(literal), literal: number, offset, length })
    }

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
    /// Sorts the entries into buckets.
    pub fn new(mut entries: Vec<Entry>) -> Self {
        let buckets = entries.len().max(256).next_power_of_two();
        let shift = 32 - buckets.ilog2();
        entries.sort_unstable_by_key(|entry| {
            (entry.hash >> shift, entry.shape(), entry.fingerprint, entry.literal)
        });
        let mut starts = vec![0; buckets + 1];
        for entry in &entries {
            starts[(entry.hash >> shift) as usize + 1] += 1;
        }
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        Self { shift, starts, entries }
    }

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

/// The bytes from `at` on, zeros where the block ends before the eighth.
#[inline]
pub fn eight_bytes(block: &[u8], at: usize) -> u64 {
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
    fn bytes_behind_the_block_are_zeros() {
        assert_eq!(eight_bytes(b"abcdefghi", 1), u64::from_le_bytes(*b"bcdefghi"));
        assert_eq!(eight_bytes(b"abc", 1), u64::from_le_bytes(*b"bc\0\0\0\0\0\0"));
        assert_eq!(eight_bytes(b"abc", 3), 0);
        assert_eq!(eight_bytes(b"abc", 9), 0);
    }
}
