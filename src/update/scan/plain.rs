//! Strings of plain ASCII, found and copied 16 bytes at a time.
//!
//! Owns what is plain: no control character, no escape, nothing beyond ASCII. Such a string is its
//! bytes, whoever reads it. Whatever is not plain is not read here.

/// Bytes looked at together. Names have some 25, so that two looks do for most.
const BLOCK: usize = 16;

/// Appends the string in `text` that begins at `at`, behind its opening quote, to `out`, and returns
/// where its closing quote stands. Where it is not plain, or not closed, there is none, and part of
/// it may have been appended.
#[inline]
pub(super) fn copy(text: &[u8], mut at: usize, out: &mut Vec<u8>) -> Option<usize> {
    while let Some(block) = text.get(at..)?.first_chunk() {
        let stop = stop(block);
        // All of it, which is a single store; what is too much is taken back.
        out.extend_from_slice(block);
        if let Some(length) = stop {
            out.truncate(out.len() - BLOCK + length);
            at += length;
            return (text[at] == b'"').then_some(at);
        }
        at += BLOCK;
    }
    let length = short(&text[at..])?;
    out.extend_from_slice(&text[at..at + length]);
    Some(at + length)
}

/// The plain string in `text` that begins at `at`, behind its opening quote; its closing quote stands
/// where it ends.
#[inline]
pub(super) fn string(text: &[u8], at: usize) -> Option<&[u8]> {
    let mut end = at;
    while let Some(block) = text.get(end..)?.first_chunk() {
        if let Some(length) = stop(block) {
            end += length;
            return (text[end] == b'"').then(|| &text[at..end]);
        }
        end += BLOCK;
    }
    let length = short(&text[end..])?;
    Some(&text[at..end + length])
}

/// The same of the few bytes at the end of a text: how long the string is.
fn short(text: &[u8]) -> Option<usize> {
    let length = text.iter().position(|byte| is_stop(*byte))?;
    (text[length] == b'"').then_some(length)
}

/// Whether a plain string cannot go on with `byte`.
fn is_stop(byte: u8) -> bool {
    !matches!(byte, b' '..=0x7f) || matches!(byte, b'"' | b'\\')
}

/// How far into `block` the first byte stands that a plain string cannot go on with.
#[cfg(target_arch = "x86_64")]
#[inline]
fn stop(block: &[u8; BLOCK]) -> Option<usize> {
    #[target_feature(enable = "sse2")]
    #[inline]
    fn stops(block: &[u8; BLOCK]) -> i32 {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
            _mm_set1_epi8,
        };
        // SAFETY: 16 bytes stand there; the load asks for no alignment.
        let bytes = unsafe { _mm_loadu_si128(block.as_ptr().cast()) };
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        // As signed numbers, what lies beyond ASCII is below zero, and so below the space, too.
        let odd = _mm_cmplt_epi8(bytes, _mm_set1_epi8(b' ' as i8));
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, escape), odd))
    }
    // SAFETY: every x86-64 has SSE2.
    let stops = unsafe { stops(block) };
    (stops != 0).then(|| stops.trailing_zeros() as usize)
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn stop(block: &[u8; BLOCK]) -> Option<usize> {
    block.iter().position(|byte| is_stop(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stops_or_not_wherever_it_stands() {
        for byte in 0..=255 {
            for at in 0..BLOCK {
                let mut block = [b'x'; BLOCK];
                block[at] = byte;
                assert_eq!(stop(&block), is_stop(byte).then_some(at), "{byte} at {at}");
                // The first one counts.
                block[BLOCK - 1] = b'"';
                let first = if is_stop(byte) { at } else { BLOCK - 1 };
                assert_eq!(stop(&block), Some(first), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn strings_of_every_length_end_at_their_quote() {
        for length in 0..80 {
            for behind in 0..40 {
                let text = format!("\"{}\"{}", "n".repeat(length), ",".repeat(behind));
                let mut out = b"before".to_vec();
                assert_eq!(copy(text.as_bytes(), 1, &mut out), Some(length + 1));
                assert_eq!(out, format!("before{}", "n".repeat(length)).as_bytes());
                assert_eq!(string(text.as_bytes(), 1), Some(&text.as_bytes()[1..=length]));
                for odd in ["\\", "\n", "\u{e9}", "\u{7f}"] {
                    let at = 1 + length / 2;
                    let text = format!("{}{odd}{}", &text[..at], &text[at..]);
                    let is_plain = odd == "\u{7f}";
                    assert_eq!(copy(text.as_bytes(), 1, &mut out).is_some(), is_plain, "{text}");
                    assert_eq!(string(text.as_bytes(), 1).is_some(), is_plain, "{text}");
                }
            }
            let open = format!("\"{}", "n".repeat(length));
            assert_eq!(copy(open.as_bytes(), 1, &mut Vec::new()), None);
            assert_eq!(string(open.as_bytes(), 1), None);
        }
    }
}
