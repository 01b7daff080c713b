//! The sieve: which spots of a block may begin a gram, by one bit each.
//!
//! Owns the bitmap, the notes of the spots, and the portable way to look; the vectors' way stands
//! in `sieve_avx2`.

/// Bytes that are looked at together: eight lanes of four, with two spots in each.
pub const CHUNK: usize = 32;
/// Bytes that have to be there to look at a chunk: the key of its last spot reaches beyond it.
pub const REACH: usize = CHUNK + 2;
/// Bits of a bitmap for each member: so few are set that a text without any of them seldom meets
/// one by chance.
const BITS_EACH: usize = 16;
/// A bitmap at its largest, as a power of two in bits: half a MiB, so that it stays in the L2
/// cache beside the block.
const MAX_BITS: u32 = 22;
const MIN_BITS: u32 = 12;
const HIGHEST: u32 = 1 << 31;

/// Odd, so that no two keys have one hash; without a pattern in its bits.
pub const FACTOR: u32 = 0x9E37_79B1;

/// The hash of the four bytes at a spot.
#[inline(always)]
pub const fn key_hash(key: u32) -> u32 {
    key.wrapping_mul(FACTOR)
}

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

/// Positions in the block noted and not yet looked at.
pub struct Spots {
    filled: usize,
    noted: [u32; Self::CAPACITY],
}

impl Default for Spots {
    fn default() -> Self {
        Self { filled: 0, noted: [0; Self::CAPACITY] }
    }
}

impl Spots {
    /// The most that are ever noted.
    pub const CAPACITY: usize = 256;

    /// Notes the hits of the chunk at `at`: a bit for each lane's first spot, then for each
    /// lane's second. Returns whether there is space for those of another chunk.
    #[inline(always)]
    pub fn note(&mut self, at: usize, mut hits: u32) -> bool {
        while hits != 0 {
            let bit = hits.trailing_zeros();
            self.noted[self.filled % Self::CAPACITY] = at as u32 + (bit & 7) * 4 + (bit >> 3) * 2;
            self.filled += 1;
            hits &= hits - 1;
        }
        self.filled <= Self::CAPACITY - CHUNK / 2
    }

    /// What was noted.
    #[inline]
    pub fn noted(&self) -> &[u32] {
        &self.noted[..self.filled]
    }

    /// Forgets everything.
    #[inline]
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}

/// Notes the spots of `block` from `at` on, which is a multiple of [`CHUNK`]; returns where it
/// stopped, for want of bytes or of space.
pub fn sift(keys: &Bitmap, block: &[u8], mut at: usize, spots: &mut Spots) -> usize {
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let mut hits = 0;
        for lane in 0..8 {
            hits |= spot_hit(keys, window, 4 * lane) << lane;
            hits |= spot_hit(keys, window, 4 * lane + 2) << (8 + lane);
        }
        let space = hits == 0 || spots.note(at, hits);
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
}

#[inline(always)]
fn spot_hit(keys: &Bitmap, window: &[u8; REACH], at: usize) -> u32 {
    let key = window[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    u32::from(keys.has(key_hash(key)))
}
