//! Over the members of an object to one of its keys.
//!
//! Owns the walk: strings, and what is nested, are passed over. No number or word is judged.

use memchr::memchr2;
use memchr::memmem::Finder;

/// What stands behind `key`, a quoted key with what follows it, among the members of the object
/// that `members` begins in, behind its `{`.
pub fn to_key<'f>(members: &'f [u8], key: &Finder<'_>) -> Option<&'f [u8]> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        let at = key.find(members)?;
        // SAFETY: this processor has AVX2.
        if unsafe { super::flat::is_member_boundary(&members[..at]) } {
            return Some(&members[at + key.needle().len()..]);
        }
    }
    walk_to_key(members, key.needle())
}

/// The same, value by value.
pub(super) fn walk_to_key<'f>(members: &'f [u8], key: &[u8]) -> Option<&'f [u8]> {
    let mut at = 0;
    loop {
        let rest = members.get(at..)?;
        if let Some(found) = rest.strip_prefix(key) {
            return Some(found);
        }
        at = string(members, expect(members, at, b'"')?)?;
        at = value(members, expect(members, at, b':')?)?;
        at = expect(members, at, b',')?;
    }
}

/// Behind `byte`, which has to stand at `at`.
fn expect(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (*text.get(at)? == byte).then_some(at + 1)
}

/// Behind the string whose opening quote stands before `at`.
fn string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        // The escape and what it escapes.
        at += 2;
    }
}

/// Behind the value that begins at `at`.
fn value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string(text, at + 1),
        b'{' | b'[' => nested(text, at),
        _ => {
            let end = text[at..].iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?;
            Some(at + end)
        }
    }
}

/// Behind the object or list that begins at `at`.
fn nested(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = string(text, at + 1)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}
