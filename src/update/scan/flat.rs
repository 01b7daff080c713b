//! Whether a stretch of an object is whole members, by looking at 64 bytes at once.
//!
//! Owns the look, which takes 3 ns for 64 bytes where the walk takes 15: CaliDog's frames have 850
//! bytes between `leaf_cert` and its names. The way to tell what stands in strings, a running
//! exclusive or over the quotes, is from Langdale and Lemire, "Parsing gigabytes of JSON per
//! second" (2019).

use std::arch::x86_64::{
    __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_set1_epi8,
};

/// Bytes looked at together: one for each bit of a mask.
const BLOCK: usize = 64;

/// Whether `stretch`, which begins behind the `{` of an object, ends in that same object, outside
/// of all strings and of what is nested. False where it holds an escape.
#[target_feature(enable = "avx2")]
pub fn is_member_boundary(stretch: &[u8]) -> bool {
    let (blocks, rest) = stretch.as_chunks::<BLOCK>();
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);

    let mut depth = 0_i64;
    // All ones while a block begins within a string.
    let mut within = 0_u64;
    for block in blocks.iter().chain([&last]) {
        let Masks { quotes, escapes, opening, closing } = masks(block);
        if escapes != 0 {
            return false;
        }
        let strings = running_xor(quotes) ^ within;
        within = 0_u64.wrapping_sub(strings >> 63);
        let mut brackets = (opening | closing) & !strings;
        while brackets != 0 {
            let lowest = brackets & brackets.wrapping_neg();
            depth += if opening & lowest != 0 { 1 } else { -1 };
            if depth < 0 {
                return false;
            }
            brackets ^= lowest;
        }
    }
    depth == 0 && within == 0
}

/// Each bit: whether the ones up to it are an odd number. From a quote up to the next one.
fn running_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Where which bytes stand in a block, the first byte's bit lowest.
#[derive(Default)]
struct Masks {
    quotes: u64,
    escapes: u64,
    opening: u64,
    closing: u64,
}

#[inline]
#[target_feature(enable = "avx2")]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    for (half, bytes) in block.as_chunks::<32>().0.iter().enumerate() {
        // SAFETY: 32 bytes stand there; the load asks for no alignment.
        let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
        // Of all ASCII, this bit alone tells brackets from braces.
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        masks.quotes |= places(bytes, b'"', half);
        masks.escapes |= places(bytes, b'\\', half);
        masks.opening |= places(folded, b'{', half);
        masks.closing |= places(folded, b'}', half);
    }
    masks
}

/// A bit for each of `bytes` that is `byte`, where that half of the block has its bits.
#[inline]
#[target_feature(enable = "avx2")]
fn places(bytes: __m256i, byte: u8, half: usize) -> u64 {
    let equal = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
    u64::from(_mm256_movemask_epi8(equal) as u32) << (32 * half)
}
