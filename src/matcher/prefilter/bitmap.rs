//! Bitmaps of hashes: whether something may be there, by one bit.

/// Bits of a bitmap for each member: so few are set that a text without any of them seldom meets
/// one by chance, which costs more than the larger bitmap.
const BITS_EACH: usize = 64;
/// A bitmap at its largest, as a power of two in bits: half a MiB, so that it stays in the L2
/// cache beside the block.
const MAX_BITS: u32 = 22;
const MIN_BITS: u32 = 12;
const HIGHEST: u32 = 1 << 31;

/// A set of hashes, by their highest bits: what is in it is found, what is not nearly never.
#[derive(Debug)]
pub struct Bitmap {
    words: Box<[u32]>,
    /// How far a hash is shifted to become the number of a bit.
    shift: u32,
}

impl Bitmap {
    /// A bitmap for so many members.
    pub fn new(members: usize) -> Self {
        let bits = members.saturating_mul(BITS_EACH).max(1).ilog2() + 1;
        let bits = bits.clamp(MIN_BITS, MAX_BITS);
        Self { words: vec![0; 1 << (bits - 5)].into(), shift: 32 - bits }
    }

    /// Adds a hash.
    pub fn set(&mut self, hash: u32) {
        let bit = hash >> self.shift;
        self.words[(bit >> 5) as usize] |= HIGHEST >> (bit & 31);
    }

    /// Whether a hash was added, or one of the same highest bits.
    #[inline(always)]
    pub fn has(&self, hash: u32) -> bool {
        let bit = hash >> self.shift;
        // A bit's place counts from the highest: shifted there, it is the sign.
        self.words[(bit >> 5) as usize] << (bit & 31) & HIGHEST != 0
    }

    /// The words, and how far a hash is shifted to number a bit of them.
    #[inline(always)]
    pub fn words(&self) -> (&[u32], u32) {
        (&self.words, self.shift)
    }
}
