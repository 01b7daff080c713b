//! The spots of a block that a first look let through, noted for a second.

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

    /// Notes the hits at and behind `at`: a bit for each byte. Returns whether there is space for
    /// as many again.
    #[inline(always)]
    pub fn note_each(&mut self, at: usize, mut hits: u64) -> bool {
        while hits != 0 {
            self.noted[self.filled % Self::CAPACITY] = at as u32 + hits.trailing_zeros();
            self.filled += 1;
            hits &= hits - 1;
        }
        self.filled <= Self::CAPACITY - u64::BITS as usize
    }

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
