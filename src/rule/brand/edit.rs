//! One edit: what was done to a brand to make a text of it.
//!
//! Owns the comparison of the two and the name of the edit. Where the text must stand in a domain
//! is `judge`'s business.

use super::technique::Technique;

/// The technique that makes `text` of `brand` in one edit; none where it takes none, or more.
pub(super) fn technique(brand: &[u8], text: &[u8]) -> Option<Technique> {
    let shorter = brand.len().min(text.len());
    let head = brand.iter().zip(text).take_while(|(a, b)| a == b).count();
    let tails = brand.iter().rev().zip(text.iter().rev());
    let tail = tails.take(shorter - head).take_while(|(a, b)| a == b).count();
    let (removed, added) = (&brand[head..brand.len() - tail], &text[head..text.len() - tail]);
    match (removed, added) {
        ([_], []) => Some(Technique::Omission),
        ([], [byte]) => inserted(*byte, head, brand),
        // A dot parts it into other labels, and no registered name has an underscore.
        ([from], [to]) if !matches!(to, b'.' | b'_') => Some(replaced(*from, *to)),
        ([a, b], [c, d]) if a == d && b == c => Some(Technique::Transposition),
        _ => None,
    }
}

fn inserted(byte: u8, at: usize, brand: &[u8]) -> Option<Technique> {
    let inside = at > 0 && at < brand.len();
    match byte {
        // Outside, they part the brand from its neighbours.
        b'.' => inside.then_some(Technique::Subdomain),
        b'_' => None,
        b'-' => inside.then_some(Technique::Hyphenation),
        // The common head swallows a repeated byte, so its twin stands before it.
        _ if at > 0 && brand[at - 1] == byte => Some(Technique::Repetition),
        _ => Some(Technique::Insertion),
    }
}

fn replaced(from: u8, to: u8) -> Technique {
    let is_vowel = |byte| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u');
    if is_vowel(from) && is_vowel(to) {
        Technique::VowelSwap
    } else if (from ^ to).is_power_of_two() {
        Technique::Bitsquatting
    } else {
        Technique::Replacement
    }
}

/// Calls `add` with every text that one edit makes of `brand`, those apart that have another byte
/// before or behind it and so contain it. A text may come more than once.
pub(super) fn each_variant(brand: &[u8], add: &mut impl FnMut(&[u8])) {
    const ALPHABET: &[u8; 38] = b"abcdefghijklmnopqrstuvwxyz0123456789-.";
    let parts = |byte: Option<&u8>| matches!(byte, None | Some(b'-' | b'.'));
    let mut text = Vec::new();
    let mut edited = |at: usize, removed: usize, added: &[u8]| {
        text.clear();
        text.extend_from_slice(&brand[..at]);
        text.extend_from_slice(added);
        text.extend_from_slice(&brand[at + removed..]);
        if text != brand && !parts(text.first()) && !parts(text.last()) {
            add(&text);
        }
    };
    for at in 0..brand.len() {
        edited(at, 1, b"");
        // A replaced byte is never a dot: that parts it into other labels.
        ALPHABET[..37].iter().for_each(|byte| edited(at, 1, &[*byte]));
        if at > 0 {
            ALPHABET.iter().for_each(|byte| edited(at, 0, &[*byte]));
            edited(at - 1, 2, &[brand[at], brand[at - 1]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edit_has_its_name() {
        for (text, expected) in [
            ("paypal", None),
            ("paypl", Some(Technique::Omission)),
            ("aypal", Some(Technique::Omission)),
            ("payppal", Some(Technique::Repetition)),
            ("paypall", Some(Technique::Repetition)),
            ("payapl", Some(Technique::Transposition)),
            ("paypol", Some(Technique::VowelSwap)),
            ("paypam", Some(Technique::Bitsquatting)),
            ("paxpal", Some(Technique::Bitsquatting)),
            ("payqal", Some(Technique::Bitsquatting)),
            ("payzal", Some(Technique::Replacement)),
            ("payxpal", Some(Technique::Insertion)),
            ("xpaypal", Some(Technique::Insertion)),
            ("pay-pal", Some(Technique::Hyphenation)),
            ("pay.pal", Some(Technique::Subdomain)),
            ("paypal-", None),
            (".paypal", None),
            ("yappal", None),
            ("pal", None),
            ("", None),
        ] {
            assert_eq!(technique(b"paypal", text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn every_variant_is_one_edit_away() {
        for brand in ["paypal", "ing", "google", "coca-cola"] {
            each_variant(brand.as_bytes(), &mut |variant| {
                let text = String::from_utf8_lossy(variant);
                assert!(technique(brand.as_bytes(), variant).is_some(), "{brand}: {text}");
            });
        }
    }
}
