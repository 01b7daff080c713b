//! The keys of a text: its first and its last half, hashed.
//!
//! Owns where a text is halved, and by which half a text is known that may stand for a brand.

use std::ops::Range;

/// Bytes of a half, at least: shorter ones say little. Where the two overlap, a text with its edit
/// there is known by a half of its own.
const HALF: usize = 5;

/// The bits of a key in its word of the filter.
#[inline(always)]
pub fn bits(key: u32) -> u64 {
    1 << (key & 63) | 1 << (key >> 6 & 63)
}

/// Texts that are longer have halves of the same size.
const LENGTHS: usize = 32;

/// The bytes of the first and the last half of a text; a short one is its own first half.
const fn half_lengths(length: usize) -> (usize, usize) {
    match length {
        ..=HALF => (length, 0),
        // Together they leave a byte out: when two neighbours change places, one half has both.
        _ if length / 2 > HALF => (at_most_eight(length / 2), at_most_eight((length - 1) / 2)),
        _ => (HALF, HALF),
    }
}

const fn at_most_eight(count: usize) -> usize {
    if count < 8 { count } else { 8 }
}

/// By length of a text: which of its first eight bytes, and which of its last, make its halves.
const HALVES: [[u64; 2]; LENGTHS] = {
    let mut halves = [[0; 2]; LENGTHS];
    let mut length = 1;
    while length < LENGTHS {
        let (first, last) = half_lengths(length);
        halves[length] = [first_bytes(first), !first_bytes(8 - last)];
        length += 1;
    }
    halves
};

/// So many bytes, at most eight, from the first.
const fn first_bytes(count: usize) -> u64 {
    match count {
        0 => 0,
        1..8 => u64::MAX >> (64 - 8 * count),
        _ => u64::MAX,
    }
}

/// The halves of the text at `at`.
#[inline(always)]
fn halves_at(block: &[u8], at: Range<usize>) -> [u64; 2] {
    let first = block[at.start..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let last = block[..at.end].last_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let (first, last) = match (first, last) {
        (Some(first), Some(last)) => (first, last),
        _ => at_an_end(&block[at.clone()]),
    };
    let [in_first, in_last] = HALVES[at.len().min(LENGTHS - 1)];
    [first & in_first, last & in_last]
}

/// The first and last eight bytes of a text at an end of the block.
#[cold]
fn at_an_end(text: &[u8]) -> (u64, u64) {
    let first = text.iter().take(8).rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let last = text.iter().fold(0, |all, byte| all >> 8 | u64::from(*byte) << 56);
    (first, last)
}

/// The keys of the text at `at`: those of its halves, or of a short one that of the whole and
/// another that nothing has.
#[inline(always)]
pub fn keys_at(block: &[u8], at: Range<usize>) -> [u32; 2] {
    let length = at.len() as u64;
    let [first, last] = halves_at(block, at);
    let key = |half: u64, factor: u64| {
        (half.wrapping_add(length.wrapping_mul(LENGTH_FACTOR)).wrapping_mul(factor) >> 32) as u32
    };
    [key(first, FIRST_FACTOR), key(last, LAST_FACTOR)]
}

/// Odd numbers without a pattern in their bits.
const LENGTH_FACTOR: u64 = 0x94D0_49BB_1331_11EB;
const FIRST_FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const LAST_FACTOR: u64 = 0xD1B5_4A32_D192_ED03;

/// The key by which a text is known that may stand for the brand: of the half that is the
/// brand's own; of what changes both halves, the first as it is in the text.
pub fn key_of(text: &[u8], brand: &[u8]) -> u32 {
    let [first_key, last_key] = keys_at(text, 0..text.len());
    let (first, last) = half_lengths(text.len());
    let has_last = last > 0 && brand.ends_with(&text[text.len() - last..]);
    if has_last && !brand.starts_with(&text[..first]) { last_key } else { first_key }
}
