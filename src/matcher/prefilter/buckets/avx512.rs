//! The buckets in vectors of 64 bytes: a table of all ASCII is looked up at once.

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_or_si512, _mm512_permutex2var_epi8,
    _mm512_set1_epi8, _mm512_setzero_si512, _mm512_test_epi8_mask,
};

use super::{Alphabet, Group, Spots, WIDTH};

/// Bytes that a table tells from each other.
const BYTES: usize = Alphabet::SevenBits.size();

/// Bytes that are looked at together.
const CHUNK: usize = 64;
/// Bytes that have to be there for that.
pub const REACH: usize = CHUNK + WIDTH - 1;

/// Notes the spots of `block` from `at` on; returns where it stopped, for want of bytes or of
/// space.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub fn sift<const GROUPS: usize>(
    groups: &[Group<BYTES>],
    block: &[u8],
    mut at: usize,
    spots: &mut Spots,
) -> usize {
    let tables: [_; GROUPS] =
        std::array::from_fn(|group| groups[group].each_ref().map(|table| halves(table)));
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let bytes: [__m512i; WIDTH] = std::array::from_fn(|place| bytes(window, place));
        let mut any = _mm512_setzero_si512();
        for places in &tables {
            let mut passed = _mm512_set1_epi8(-1);
            for ((low, high), bytes) in places.iter().zip(bytes) {
                // The highest bit of a byte is left aside.
                let buckets = _mm512_permutex2var_epi8(*low, bytes, *high);
                passed = _mm512_and_si512(passed, buckets);
            }
            any = _mm512_or_si512(any, passed);
        }
        let hits = _mm512_test_epi8_mask(any, any);
        let space = hits == 0 || spots.note_each(at, hits);
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
}

/// The bytes of a window from `from` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn bytes(window: &[u8; REACH], from: usize) -> __m512i {
    let chunk = &window[from..from + CHUNK];
    // SAFETY: the slice has the 64 bytes that are loaded; the load asks for no alignment.
    unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
}

/// A table, in two vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn halves(table: &[u8; BYTES]) -> (__m512i, __m512i) {
    const { assert!(BYTES == 2 * CHUNK) };
    // SAFETY: both halves of 64 bytes lie inside the table, as asserted; the loads ask for no
    // alignment.
    unsafe {
        (
            _mm512_loadu_si512(table.as_ptr().cast()),
            _mm512_loadu_si512(table.as_ptr().add(CHUNK).cast()),
        )
    }
}
