//! The sieve: which spots of a block may begin a gram, by one bit each.
//!
//! Owns the keys and the portable way to look; the vectors' way stands in `sieve_avx2`.

use crate::matcher::prefilter::bitmap::Bitmap;
use crate::matcher::prefilter::spots::Spots;

/// Bytes that are looked at together: eight lanes of four, with two spots in each.
pub const CHUNK: usize = 32;
/// Bytes that have to be there to look at a chunk: the key of its last spot reaches beyond it.
pub const REACH: usize = CHUNK + 2;
/// Odd, so that no two keys have one hash; without a pattern in its bits.
pub const FACTOR: u32 = 0x9E37_79B1;

/// The hash of the four bytes at a spot.
#[inline(always)]
pub const fn key_hash(key: u32) -> u32 {
    key.wrapping_mul(FACTOR)
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
