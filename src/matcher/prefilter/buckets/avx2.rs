//! The buckets in vectors of 32 bytes: a table is looked up by either half of a byte.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use super::{BYTES, Group, Spots, WIDTH};

/// Bytes that are looked at together.
const CHUNK: usize = 32;
/// Bytes that have to be there for that.
pub const REACH: usize = CHUNK + WIDTH - 1;
/// Values of half a byte.
const HALF: usize = 16;

/// Notes the spots of `block` from `at` on; returns where it stopped, for want of bytes or of
/// space.
#[target_feature(enable = "avx2")]
pub fn sift<const GROUPS: usize>(
    groups: &[Group],
    block: &[u8],
    mut at: usize,
    spots: &mut Spots,
) -> usize {
    let tables: [_; GROUPS] =
        std::array::from_fn(|group| groups[group].each_ref().map(|table| halves(table)));
    let low_half = _mm256_set1_epi8(15);
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let bytes: [__m256i; WIDTH] = std::array::from_fn(|place| bytes(window, place));
        let mut any = _mm256_setzero_si256();
        for places in &tables {
            let mut passed = _mm256_set1_epi8(-1);
            for ((low, high), bytes) in places.iter().zip(bytes) {
                let highs = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_half);
                let lows = _mm256_and_si256(bytes, low_half);
                passed = _mm256_and_si256(passed, _mm256_shuffle_epi8(*low, lows));
                passed = _mm256_and_si256(passed, _mm256_shuffle_epi8(*high, highs));
            }
            any = _mm256_or_si256(any, passed);
        }
        let none = _mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256()));
        let hits = !none as u32;
        let space = hits == 0 || spots.note_each(at, u64::from(hits));
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
}

/// The bytes of a window from `from` on.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(window: &[u8; REACH], from: usize) -> __m256i {
    let chunk = &window[from..from + CHUNK];
    // SAFETY: the slice has the 32 bytes that are loaded; the load asks for no alignment.
    unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
}

/// The buckets that have a byte with this lower half, and those with this upper half. A byte
/// passes when both halves do: some that no fragment has, never fewer.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(table: &[u8; BYTES]) -> (__m256i, __m256i) {
    let (mut low, mut high) = ([0; HALF], [0; HALF]);
    for (buckets, byte) in table.iter().zip(0..) {
        low[byte % HALF] |= buckets;
        // A byte beyond ASCII passes as the one it differs from in the highest bit.
        high[byte / HALF] |= buckets;
        high[byte / HALF + HALF / 2] |= buckets;
    }
    (twice(&low), twice(&high))
}

/// The same sixteen bytes in both halves of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(half: &[u8; HALF]) -> __m256i {
    // SAFETY: the load takes sixteen bytes, as many as there are, and asks for no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(half.as_ptr().cast()) })
}
