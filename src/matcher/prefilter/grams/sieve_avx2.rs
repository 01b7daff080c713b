//! The sieve in vectors of eight lanes: the same look-ups as in `sieve`, eight at once.

use std::arch::x86_64::{
    __m256i, _mm_cvtsi32_si128, _mm256_and_si256, _mm256_castsi256_ps, _mm256_i32gather_epi32,
    _mm256_loadu_si256, _mm256_movemask_ps, _mm256_mullo_epi32, _mm256_set1_epi32,
    _mm256_sllv_epi32, _mm256_srl_epi32, _mm256_srli_epi32,
};

use super::sieve::{CHUNK, FACTOR, REACH};
use crate::matcher::prefilter::bitmap::Bitmap;
use crate::matcher::prefilter::spots::Spots;

/// Notes the spots of `block` from `at` on, which is a multiple of [`CHUNK`]; returns where it
/// stopped, for want of bytes or of space.
#[target_feature(enable = "avx2")]
pub fn sift(keys: &Bitmap, block: &[u8], mut at: usize, spots: &mut Spots) -> usize {
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let hits = hits(keys, lanes::<0>(window)) | hits(keys, lanes::<2>(window)) << 8;
        let space = hits == 0 || spots.note(at, hits);
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
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

/// A bit for each lane whose key may be among `keys`.
#[inline]
#[target_feature(enable = "avx2")]
fn hits(keys: &Bitmap, lanes: __m256i) -> u32 {
    let (words, shift) = keys.words();
    let hashes = _mm256_mullo_epi32(lanes, _mm256_set1_epi32(FACTOR as i32));
    let bit = _mm256_srl_epi32(hashes, _mm_cvtsi32_si128(shift as i32));
    let word = _mm256_srli_epi32::<5>(bit);
    // SAFETY: a bitmap has `1 << (32 - shift)` bits, which `Bitmap::new` makes 32 a word; a hash
    // of 32 bits shifted by `shift` numbers one of them, and by five more the word it is in. So
    // every lane's index lies inside `words`, and is no negative number: `shift` is at least 10.
    let found = unsafe { _mm256_i32gather_epi32::<4>(words.as_ptr().cast(), word) };
    let signs = _mm256_sllv_epi32(found, _mm256_and_si256(bit, _mm256_set1_epi32(31)));
    _mm256_movemask_ps(_mm256_castsi256_ps(signs)) as u32
}
