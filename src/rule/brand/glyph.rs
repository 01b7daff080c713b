//! Look-alikes in ASCII: characters and pairs that pass for one of a brand's.
//!
//! Owns the table and the comparison under it. Characters beyond ASCII reach this through the
//! look-alike view of a name.

/// Substitutions that one name may have. Two of any kind make what the generators make; more
/// (`f4c3b00k`) must be of the kind that nobody writes by mistake.
const MAX_LOOSE: usize = 2;
/// See [`MAX_LOOSE`].
const MAX_STRICT: usize = 4;

/// What passes for a character when nobody looks closely: digits for letters, pairs that close up.
fn strict(byte: u8) -> &'static [&'static [u8]] {
    match byte {
        b'a' => &[b"4"],
        b'b' => &[b"8"],
        b'e' => &[b"3"],
        b'g' => &[b"9"],
        b'i' => &[b"1", b"l"],
        b'l' => &[b"1", b"i"],
        b'm' => &[b"rn"],
        b'o' => &[b"0"],
        b's' => &[b"5"],
        b't' => &[b"7"],
        b'w' => &[b"vv"],
        b'z' => &[b"2"],
        b'0' => &[b"o"],
        b'1' => &[b"l", b"i"],
        _ => &[],
    }
}

/// What passes for a character in some type faces.
fn loose(byte: u8) -> &'static [&'static [u8]] {
    match byte {
        b'b' => &[b"d", b"lb", b"6"],
        b'c' => &[b"e"],
        b'd' => &[b"b", b"cl", b"dl", b"di"],
        b'e' => &[b"c"],
        b'g' => &[b"q"],
        b'h' => &[b"lh"],
        b'i' => &[b"j"],
        b'j' => &[b"i"],
        b'k' => &[b"lk", b"ik", b"lc"],
        b'm' => &[b"n", b"nn", b"rr"],
        b'n' => &[b"m", b"r"],
        b'q' => &[b"g", b"9"],
        b'u' => &[b"v"],
        b'v' => &[b"u"],
        b'w' => &[b"v", b"uu"],
        b'y' => &[b"v"],
        _ => &[],
    }
}

/// How many characters of `brand` look-alikes stand for in `text`; none where `text` is no such
/// spelling of it, or is the brand.
pub(super) fn distance(brand: &[u8], text: &[u8]) -> Option<u8> {
    least(brand, text, 0, 0).filter(|distance| *distance > 0)
}

/// Follows both from the front, and where a look-alike fits goes on behind it. The bound on
/// substitutions keeps that short.
fn least(brand: &[u8], text: &[u8], strict_so_far: usize, loose_so_far: usize) -> Option<u8> {
    if !is_within(strict_so_far, loose_so_far) {
        return None;
    }
    let Some((&byte, brand_rest)) = brand.split_first() else {
        return text.is_empty().then_some(0);
    };
    let same = text
        .split_first()
        .filter(|(first, _)| **first == byte)
        .and_then(|(_, rest)| least(brand_rest, rest, strict_so_far, loose_so_far));
    let one_more = |glyphs: &[&[u8]], strict_more: usize, loose_more: usize| {
        let rests = glyphs.iter().filter_map(|glyph| text.strip_prefix(*glyph));
        rests
            .filter_map(|rest| {
                least(brand_rest, rest, strict_so_far + strict_more, loose_so_far + loose_more)
            })
            .min()
            .map(|further| further + 1)
    };
    [same, one_more(strict(byte), 1, 0), one_more(loose(byte), 0, 1)].into_iter().flatten().min()
}

fn is_within(strict: usize, loose: usize) -> bool {
    strict + loose <= MAX_LOOSE || (loose == 0 && strict <= MAX_STRICT)
}

/// Every spelling of `brand` with look-alikes.
pub(super) fn variants(brand: &[u8]) -> Vec<Vec<u8>> {
    let mut grown: Vec<(Vec<u8>, usize, usize)> = vec![(Vec::new(), 0, 0)];
    for byte in brand {
        let mut longer = Vec::with_capacity(grown.len() * 2);
        for (text, strict_so_far, loose_so_far) in grown {
            let kinds = [(strict(*byte), 1, 0), (loose(*byte), 0, 1)];
            for (glyphs, strict_more, loose_more) in kinds {
                let (strict, loose) = (strict_so_far + strict_more, loose_so_far + loose_more);
                if is_within(strict, loose) {
                    let with = |glyph: &&[u8]| ([&text, *glyph].concat(), strict, loose);
                    longer.extend(glyphs.iter().map(with));
                }
            }
            longer.push(([&text, &[*byte][..]].concat(), strict_so_far, loose_so_far));
        }
        grown = longer;
    }
    grown.into_iter().filter(|(_, s, l)| s + l > 0).map(|(text, _, _)| text).collect()
}

/// The longest text that passes for a brand of `length` characters, in bytes.
pub(super) fn longest(length: usize) -> usize {
    length + MAX_STRICT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_counted() {
        for (brand, text, expected) in [
            ("paypal", "paypa1", Some(1)),
            ("paypal", "p4yp41", Some(3)),
            ("microsoft", "rnicros0ft", Some(2)),
            ("facebook", "f4c3b00k", Some(4)),
            ("twitter", "tvvitter", Some(1)),
            ("ing", "1mq", None),
            ("ing", "1ng", Some(1)),
            ("ing", "imq", Some(2)),
            ("paypal", "paypal", None),
            ("paypal", "paypalx", None),
            ("paypal", "paypa", None),
        ] {
            assert_eq!(distance(brand.as_bytes(), text.as_bytes()), expected, "{brand}: {text}");
        }
    }

    #[test]
    fn every_spelling_is_recognised() {
        for brand in ["paypal", "microsoft", "kkll", "bankofamerica"] {
            let variants = variants(brand.as_bytes());
            assert!(!variants.is_empty());
            for variant in variants {
                let text = String::from_utf8_lossy(&variant).into_owned();
                assert!(distance(brand.as_bytes(), &variant).is_some() || text == brand, "{text}");
            }
        }
    }
}
