//! The sieve in vectors of eight lanes: the same look-ups as in `sieve`, a kind at a time.

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_ps,
    _mm256_i32gather_epi32, _mm256_loadu_si256, _mm256_movemask_ps, _mm256_mullo_epi32,
    _mm256_or_si256, _mm256_set1_epi32, _mm256_sllv_epi32, _mm256_srl_epi32, _mm256_srli_epi32,
};

use super::sieve::{Bitmap, CHUNK, REACH, Spots};
use super::{HIGH_FACTOR, LONG, LOW_FACTOR, PAIR, SHORT};

/// Notes the spots of `block` from `at` on, which is a multiple of [`CHUNK`]; returns where it
/// stopped, for want of bytes or of space.
#[target_feature(enable = "avx2")]
pub fn sift(bitmap: &Bitmap, block: &[u8], mut at: usize, spots: &mut Spots) -> usize {
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let hits = hits(bitmap, window);
        let space = hits == 0 || spots.note(at, hits);
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
}

/// The hits of a chunk: eight bits for each kind, one for each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn hits(bitmap: &Bitmap, window: &[u8; REACH]) -> u64 {
    let low = lanes::<0>(window);
    let mut hits = 0;
    if bitmap.long {
        let high = _mm256_and_si256(lanes::<4>(window), mask(LONG.mask() >> 32));
        let high = _mm256_mullo_epi32(high, _mm256_set1_epi32(HIGH_FACTOR as i32));
        hits |= signs(bits(bitmap, _mm256_add_epi32(low_hash(low), high)));
    }
    if bitmap.medium {
        hits |= signs(bits(bitmap, low_hash(low))) << 8;
        hits |= signs(bits(bitmap, low_hash(lanes::<2>(window)))) << 16;
    }
    if bitmap.short || bitmap.holds_pairs() {
        hits |= short_hits(bitmap, low) << 24;
        hits |= short_hits(bitmap, lanes::<1>(window)) << 32;
        hits |= short_hits(bitmap, lanes::<2>(window)) << 40;
        hits |= short_hits(bitmap, lanes::<3>(window)) << 48;
    }
    hits
}

/// The lanes in which a gram of two or three bytes begins.
#[inline]
#[target_feature(enable = "avx2")]
fn short_hits(bitmap: &Bitmap, lanes: __m256i) -> u64 {
    let mut found = bits(bitmap, low_hash(_mm256_and_si256(lanes, mask(SHORT.mask()))));
    if bitmap.holds_pairs() {
        let pairs = bits(bitmap, low_hash(_mm256_and_si256(lanes, mask(PAIR.mask()))));
        found = _mm256_or_si256(found, pairs);
    }
    signs(found)
}

/// Four bytes for each lane, from the byte `FROM` of it on.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes<const FROM: usize>(window: &[u8; REACH]) -> __m256i {
    const { assert!(FROM + CHUNK <= REACH) };
    // SAFETY: the 32 bytes from `FROM` on lie inside the window, as asserted; the load asks for
    // no alignment.
    unsafe { _mm256_loadu_si256(window.as_ptr().add(FROM).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn mask(bits: u64) -> __m256i {
    _mm256_set1_epi32(bits as u32 as i32)
}

/// The hash of the four bytes of each lane, as `super::hash`.
#[inline]
#[target_feature(enable = "avx2")]
fn low_hash(lanes: __m256i) -> __m256i {
    _mm256_mullo_epi32(lanes, _mm256_set1_epi32(LOW_FACTOR as i32))
}

/// The bit of each lane's hash in the bitmap, as the lane's sign.
#[inline]
#[target_feature(enable = "avx2")]
fn bits(bitmap: &Bitmap, hashes: __m256i) -> __m256i {
    let (words, shift) = bitmap.words();
    let bit = _mm256_srl_epi32(hashes, _mm_cvtsi32_si128(shift as i32));
    let word = _mm256_srli_epi32::<5>(bit);
    // SAFETY: a bitmap has `1 << (32 - shift)` bits, which `Bitmap::new` makes 32 a word; a hash
    // of 32 bits shifted by `shift` numbers one of them, and by five more the word it is in. So
    // every lane's index lies inside `words`, and is no negative number: `shift` is at least 10.
    let found = unsafe { _mm256_i32gather_epi32::<4>(words.as_ptr().cast(), word) };
    _mm256_sllv_epi32(found, _mm256_and_si256(bit, mask(31)))
}

/// The signs of the lanes, as bits.
#[inline]
#[target_feature(enable = "avx2")]
fn signs(lanes: __m256i) -> u64 {
    u64::from(_mm256_movemask_ps(_mm256_castsi256_ps(lanes)) as u32)
}
