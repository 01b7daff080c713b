//! The sieve: which spots of a block may begin a gram, by one bit each.
//!
//! Owns the bitmap, the notes of the spots, and the portable way to look; the vectors' way stands
//! in `sieve_avx2`.

use super::{LONG, MEDIUM, PAIR, SHORT, Tier, hash};

/// Bytes that are looked at together: eight lanes of four.
pub const CHUNK: usize = 32;
/// Bytes that have to be there to look at a chunk: the grams of its last positions reach beyond
/// it.
pub const REACH: usize = CHUNK + 8;
/// Bits of the bitmap for each gram: so few are set that a text without any of the grams seldom
/// meets one by chance.
const BITS_A_GRAM: usize = 32;
/// The bitmap at its largest, as a power of two in bits: half a MiB, so that it stays in the L2
/// cache beside the block.
const MAX_BITS: u32 = 22;
const MIN_BITS: u32 = 12;

/// The grams that are looked for, by their hash.
#[derive(Debug)]
pub struct Bitmap {
    words: Box<[u32]>,
    /// How far a hash is shifted to become the number of a bit.
    shift: u32,
    pub long: bool,
    pub medium: bool,
    pub short: bool,
    pairs: bool,
}

impl Bitmap {
    /// A bitmap for so many grams.
    pub fn new(grams: usize) -> Self {
        let bits = grams.saturating_mul(BITS_A_GRAM).max(1).ilog2() + 1;
        let bits = bits.clamp(MIN_BITS, MAX_BITS);
        Self {
            words: vec![0; 1 << (bits - 5)].into(),
            shift: 32 - bits,
            long: false,
            medium: false,
            short: false,
            pairs: false,
        }
    }

    /// Adds a gram of a tier.
    pub fn add(&mut self, tier: Tier, gram: u64) {
        match tier {
            LONG => self.long = true,
            MEDIUM => self.medium = true,
            SHORT => self.short = true,
            _ => self.pairs = true,
        }
        let bit = hash(gram) >> self.shift;
        self.words[(bit >> 5) as usize] |= HIGHEST >> (bit & 31);
    }

    /// Whether a gram was added, or one of the same hash.
    #[inline(always)]
    pub fn has(&self, gram: u64) -> bool {
        let bit = hash(gram) >> self.shift;
        // A bit's place counts from the highest: shifted there, it is the sign.
        self.words[(bit >> 5) as usize] << (bit & 31) & HIGHEST != 0
    }

    /// Whether there are grams of two bytes, for which the spots of [`SHORT`] are noted too.
    pub fn holds_pairs(&self) -> bool {
        self.pairs
    }

    /// The words, and how far a hash is shifted to number a bit of them.
    pub fn words(&self) -> (&[u32], u32) {
        (&self.words, self.shift)
    }
}

const HIGHEST: u32 = 1 << 31;

/// What is looked for at each lane: a tier, and the byte of the lane it begins at. A chunk's hits
/// are eight bits for each of these, one for each lane.
const KINDS: [(Tier, usize); 8] = [
    (LONG, 0),
    (MEDIUM, 0),
    (MEDIUM, 2),
    (SHORT, 0),
    (SHORT, 1),
    (SHORT, 2),
    (SHORT, 3),
    // Never noted: it makes the number of kinds a power of two.
    (SHORT, 0),
];

/// A place where a gram may begin: the number of the chunk, of the kind and of the lane.
#[derive(Clone, Copy)]
pub struct Spot(u32);

impl Spot {
    /// Where in the block.
    #[inline]
    pub fn position(self) -> usize {
        let (_, byte) = KINDS[(self.0 >> 3 & 7) as usize];
        (self.0 >> 6) as usize * CHUNK + (self.0 & 7) as usize * 4 + byte
    }

    /// A gram of which tier.
    #[inline]
    pub fn tier(self) -> Tier {
        KINDS[(self.0 >> 3 & 7) as usize].0
    }
}

/// Spots noted and not yet looked at.
pub struct Spots {
    filled: usize,
    noted: [Spot; Self::CAPACITY],
}

impl Default for Spots {
    fn default() -> Self {
        Self { filled: 0, noted: [Spot(0); Self::CAPACITY] }
    }
}

impl Spots {
    const CAPACITY: usize = 512;

    /// Notes the hits of the chunk at `at`: a bit for each kind and lane. Returns whether there
    /// is space for those of another.
    #[inline(always)]
    pub fn note(&mut self, at: usize, mut hits: u64) -> bool {
        let chunk = (at / CHUNK << 6) as u32;
        while hits != 0 {
            self.noted[self.filled % Self::CAPACITY] = Spot(chunk | hits.trailing_zeros());
            self.filled += 1;
            hits &= hits - 1;
        }
        self.filled <= Self::CAPACITY - 64
    }

    /// What was noted.
    pub fn noted(&self) -> &[Spot] {
        &self.noted[..self.filled]
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}

/// Notes the spots of `block` from `at` on, which is a multiple of [`CHUNK`]; returns where it
/// stopped, for want of bytes or of space.
pub fn sift(bitmap: &Bitmap, block: &[u8], mut at: usize, spots: &mut Spots) -> usize {
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let mut hits = 0;
        for lane in 0..8 {
            hits |= lane_hits(bitmap, window, lane) << lane;
        }
        let space = hits == 0 || spots.note(at, hits);
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
}

/// The hits of one lane, at the lowest bit of each kind.
#[inline(always)]
fn lane_hits(bitmap: &Bitmap, window: &[u8; REACH], lane: usize) -> u64 {
    let bytes = window[4 * lane..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let look = |tier: Tier, byte: usize| u64::from(bitmap.has(bytes >> (8 * byte) & tier.mask()));
    let mut hits = 0;
    if bitmap.long {
        hits |= look(LONG, 0);
    }
    if bitmap.medium {
        hits |= look(MEDIUM, 0) << 8 | look(MEDIUM, 2) << 16;
    }
    if bitmap.short {
        hits |= look(SHORT, 0) << 24 | look(SHORT, 1) << 32;
        hits |= look(SHORT, 2) << 40 | look(SHORT, 3) << 48;
    }
    if bitmap.pairs {
        hits |= look(PAIR, 0) << 24 | look(PAIR, 1) << 32;
        hits |= look(PAIR, 2) << 40 | look(PAIR, 3) << 48;
    }
    hits
}
