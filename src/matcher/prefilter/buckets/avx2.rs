//! The buckets in vectors of 32 bytes: a table is looked up by the lower half of a byte.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8,
};

use super::{Alphabet, Group, Spots, WIDTH};

/// Bytes of a vector.
const VECTOR: usize = 32;
/// Bytes that are looked at together: two vectors, for one look whether there is a spot at all.
const CHUNK: usize = 2 * VECTOR;
/// Bytes that have to be there for that.
pub const REACH: usize = CHUNK + WIDTH - 1;
/// Values of half a byte.
const HALF: usize = Alphabet::LowHalves.size();

/// Notes the spots of `block` from `at` on; returns where it stopped, for want of bytes or of
/// space.
#[target_feature(enable = "avx2")]
pub fn sift<const GROUPS: usize>(
    groups: &[Group<HALF>],
    block: &[u8],
    mut at: usize,
    spots: &mut Spots,
) -> usize {
    let tables: [[__m256i; WIDTH]; GROUPS] =
        std::array::from_fn(|group| groups[group].each_ref().map(|table| twice(table)));
    while let Some(window) = block[at..].first_chunk::<REACH>() {
        let all = _mm256_or_si256(
            _mm256_or_si256(bytes(window, 0), bytes(window, VECTOR)),
            bytes(window, REACH - VECTOR),
        );
        let hits = if _mm256_movemask_epi8(all) == 0 {
            passing::<GROUPS, true>(&tables, window)
        } else {
            passing_beyond_ascii(&tables, window)
        };
        let space = hits == 0 || spots.note_each(at, hits);
        at += CHUNK;
        if !space {
            break;
        }
    }
    at
}

/// A bit for each of the first bytes of a window at which a fragment may begin.
#[inline]
#[target_feature(enable = "avx2")]
fn passing<const GROUPS: usize, const ASCII: bool>(
    tables: &[[__m256i; WIDTH]; GROUPS],
    window: &[u8; REACH],
) -> u64 {
    let [low, high] = [0, VECTOR].map(|from| {
        let bytes: [__m256i; WIDTH] = std::array::from_fn(|place| {
            let bytes = bytes(window, from + place);
            // A look-up takes the lower half of a byte as long as its highest bit is not set.
            if ASCII { bytes } else { _mm256_and_si256(bytes, _mm256_set1_epi8(15)) }
        });
        let any = tables.iter().fold(_mm256_setzero_si256(), |any, places| {
            let passed =
                places.iter().zip(bytes).fold(_mm256_set1_epi8(-1), |passed, (table, bytes)| {
                    _mm256_and_si256(passed, _mm256_shuffle_epi8(*table, bytes))
                });
            _mm256_or_si256(any, passed)
        });
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(any, _mm256_setzero_si256())) as u32
    });
    u64::from(low) | u64::from(high) << VECTOR
}

/// The same where not all bytes are ASCII; apart, so that the others wait for nothing of it.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx2")]
fn passing_beyond_ascii<const GROUPS: usize>(
    tables: &[[__m256i; WIDTH]; GROUPS],
    window: &[u8; REACH],
) -> u64 {
    passing::<GROUPS, false>(tables, window)
}

/// The bytes of a window from `from` on.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(window: &[u8; REACH], from: usize) -> __m256i {
    let vector = &window[from..from + VECTOR];
    // SAFETY: the slice has the 32 bytes that are loaded; the load asks for no alignment.
    unsafe { _mm256_loadu_si256(vector.as_ptr().cast()) }
}

/// The same sixteen bytes in both halves of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(half: &[u8; HALF]) -> __m256i {
    // SAFETY: the load takes sixteen bytes, as many as there are, and asks for no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(half.as_ptr().cast()) })
}
