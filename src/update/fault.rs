//! Why a frame is refused, and the one fault that is repaired: a number too large for 64 bits.
//!
//! Everything here runs only after simd-json has refused a frame, so it may read it again.

use serde::de::IgnoredAny;
use simd_json::ErrorType;

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameFault {
    /// Not JSON: text, markup, or JSON with an error in it.
    NotJson,
    /// JSON that ends too early.
    Truncated,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A byte order mark in front.
    ByteOrderMark,
    /// Something follows the JSON value: a second message, or anything else.
    TrailingData,
    /// A `\u` escape that is no Unicode text: half a surrogate pair, or no hex digits.
    BadUnicodeEscape,
    /// Objects and arrays nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// Larger than [`MAX_FRAME`](super::MAX_FRAME).
    TooLarge,
}

impl FrameFault {
    /// Every fault, in the order of their counters.
    pub const ALL: [Self; 8] = [
        Self::NotJson,
        Self::Truncated,
        Self::NotUtf8,
        Self::ByteOrderMark,
        Self::TrailingData,
        Self::BadUnicodeEscape,
        Self::TooDeep,
        Self::TooLarge,
    ];

    /// The fault in a few words, as counters and reports show it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotJson => "not JSON",
            Self::Truncated => "cut short",
            Self::NotUtf8 => "not UTF-8",
            Self::ByteOrderMark => "byte order mark",
            Self::TrailingData => "data after the message",
            Self::BadUnicodeEscape => "escape that is no Unicode",
            Self::TooDeep => "nested too deep",
            Self::TooLarge => "too large",
        }
    }
}

/// Tells why simd-json refused `frame` with `error`.
pub(super) fn diagnose(frame: &[u8], error: &ErrorType) -> FrameFault {
    match error {
        ErrorType::DepthLimitExceeded => return FrameFault::TooDeep,
        ErrorType::InputTooLarge => return FrameFault::TooLarge,
        ErrorType::InvalidUnicodeCodepoint => return FrameFault::BadUnicodeEscape,
        _ => {}
    }
    if std::str::from_utf8(frame).is_err() {
        return FrameFault::NotUtf8;
    }
    if frame.starts_with(b"\xef\xbb\xbf") {
        return FrameFault::ByteOrderMark;
    }
    // simd-json looks at structure first and so reports many faults alike; serde_json reads
    // from left to right and knows the end of the input from an error in its midst.
    let mut values = serde_json::Deserializer::from_slice(frame).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => FrameFault::TrailingData,
        Some(Err(error)) if error.is_eof() => FrameFault::Truncated,
        _ => FrameFault::NotJson,
    }
}

/// Overwrites by `null` every number in `json` that is well formed but fits neither 64 bits nor a
/// finite double, which simd-json refuses. Numbers are evidence only; the names still count.
pub(super) fn drop_huge_numbers(json: &mut [u8]) {
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let length = match byte {
            b'"' => string_length(&json[at..]),
            b'-' | b'0'..=b'9' => number_length(&json[at..]),
            _ => 1,
        };
        let token = &mut json[at..at + length];
        if byte != b'"' && is_huge_number(token) {
            // The shortest huge number is `1e309`, so there is room.
            let (null, rest) = token.split_at_mut(4);
            null.copy_from_slice(b"null");
            rest.fill(b' ');
        }
        at += length;
    }
}

/// Bytes of the string that `json` begins with, its quotes included.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &json[at.min(json.len())..]) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

/// Bytes of the number that `json` begins with.
fn number_length(json: &[u8]) -> usize {
    let ends = |byte: &u8| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    json.iter().position(ends).unwrap_or(json.len())
}

fn is_huge_number(token: &[u8]) -> bool {
    // Reading and ignoring checks the grammar, not the range.
    if token.len() < 5 || serde_json::from_slice::<IgnoredAny>(token).is_err() {
        return false;
    }
    let text = std::str::from_utf8(token).unwrap_or_default();
    let is_integer = !text.contains(['.', 'e', 'E']);
    if is_integer {
        text.parse::<u64>().is_err() && text.parse::<i64>().is_err()
    } else {
        !text.parse::<f64>().is_ok_and(f64::is_finite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_numbers_become_null_and_nothing_else_changes() {
        for (json, expected) in [
            (r#"{"a":1e400,"b":1}"#, r#"{"a":null ,"b":1}"#),
            (r#"[-1E+999999999999]"#, r#"[null            ]"#),
            (
                r#"[18446744073709551616, 18446744073709551615]"#,
                r#"[null                , 18446744073709551615]"#,
            ),
            (
                r#"[-9223372036854775809,-9223372036854775808]"#,
                r#"[null                ,-9223372036854775808]"#,
            ),
            (r#"["1e400 \" 1e400", 1e-400, 1.5e308]"#, r#"["1e400 \" 1e400", 1e-400, 1.5e308]"#),
            // Not numbers by the grammar: left for the parser to refuse.
            ("[01e400, 1e400.5, --1e400]", "[01e400, 1e400.5, --1e400]"),
            ("1e400", "null "),
            (r#""1e400"#, r#""1e400"#),
            (r#""1e400\"#, r#""1e400\"#),
        ] {
            let mut bytes = json.as_bytes().to_vec();
            drop_huge_numbers(&mut bytes);
            assert_eq!(String::from_utf8(bytes).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn every_fault_has_its_counter() {
        for (index, fault) in FrameFault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
    }
}
