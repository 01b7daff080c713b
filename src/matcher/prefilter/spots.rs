//! The spots of a block that a first look let through, noted for a second.

/// Grams that are looked up at a spot, at most: one of each length, and two of the short ones.
pub const MAX_PROBES: usize = 8;

/// What a walk over a block keeps. Two looks at what it noted: the first decides nothing, so its
/// misses of the cache do not wait for each other, as they would with comparisons in between. It
/// is reused from block to block: to empty it takes as long as to look for a handful of literals.
#[derive(Debug)]
pub struct Walk {
    pub spots: Spots,
    /// Grams that stand in the block: where each begins, and its hash.
    pub likely: [(u32, u32); Spots::CAPACITY * MAX_PROBES],
}

impl Default for Walk {
    fn default() -> Self {
        Self { spots: Spots::default(), likely: [(0, 0); Spots::CAPACITY * MAX_PROBES] }
    }
}

/// Positions in the block noted and not yet looked at.
#[derive(Debug)]
pub struct Spots {
    filled: usize,
    noted: [u32; Self::CAPACITY],
}

impl Default for Spots {
    fn default() -> Self {
        Self { filled: 0, noted: [0; Self::CAPACITY] }
    }
}

/// Hits that are noted without a look whether there are so many: what is noted behind the last is
/// overwritten by the next, and a processor guesses wrong less often.
const STRIDE: usize = 4;

impl Spots {
    /// The most that are ever noted.
    pub const CAPACITY: usize = 256;

    /// Notes the hits at and behind `at`: a bit for each byte. Returns whether there is space for
    /// as many again.
    #[inline(always)]
    pub fn note_each(&mut self, at: usize, mut hits: u64) -> bool {
        let filled = self.filled + hits.count_ones() as usize;
        while self.filled < filled {
            for slot in 0..STRIDE {
                let slot = (self.filled + slot) % Self::CAPACITY;
                self.noted[slot] = at as u32 + hits.trailing_zeros();
                hits &= hits.wrapping_sub(1);
            }
            self.filled += STRIDE;
        }
        self.filled = filled;
        self.filled <= Self::CAPACITY - u64::BITS as usize
    }

    /// Notes the hits of the chunk at `at`: a bit for each lane's first spot, then for each
    /// lane's second. Returns whether there is space for those of another chunk.
    #[inline(always)]
    pub fn note(&mut self, at: usize, mut hits: u32) -> bool {
        let filled = self.filled + hits.count_ones() as usize;
        while self.filled < filled {
            for slot in 0..STRIDE {
                let slot = (self.filled + slot) % Self::CAPACITY;
                let bit = hits.trailing_zeros();
                self.noted[slot] = at as u32 + (bit & 7) * 4 + (bit >> 3) * 2;
                hits &= hits.wrapping_sub(1);
            }
            self.filled += STRIDE;
        }
        self.filled = filled;
        self.filled <= Self::CAPACITY - u64::BITS as usize
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
