//! Look-alikes in ASCII: characters and pairs that pass for one of a brand's.
//!
//! Owns the table and the comparison under it. Characters beyond ASCII reach this through the
//! look-alike view of a name.

/// What stands in a brand, and what passes for it.
type Glyph = (&'static str, &'static str);

/// What passes for a character when nobody looks closely: digits for letters, pairs that close
/// up. By the first byte of what stands in the brand.
fn strict_glyphs(byte: u8) -> &'static [Glyph] {
    match byte {
        b'0' => &[("0", "o")],
        b'1' => &[("1", "l"), ("1", "i")],
        b'a' => &[("a", "4")],
        b'b' => &[("b", "8")],
        b'e' => &[("e", "3")],
        b'g' => &[("g", "9")],
        b'i' => &[("i", "1"), ("i", "l")],
        b'l' => &[("l", "1"), ("l", "i")],
        b'm' => &[("m", "rn")],
        b'o' => &[("o", "0")],
        b'r' => &[("rn", "m")],
        b's' => &[("s", "5")],
        b't' => &[("t", "7")],
        b'v' => &[("vv", "w")],
        b'w' => &[("w", "vv")],
        b'z' => &[("z", "2")],
        _ => &[],
    }
}

/// What passes for a character in some type faces, or for what passes for it.
fn loose_glyphs(byte: u8) -> &'static [Glyph] {
    match byte {
        b'3' => &[("3", "8")],
        b'6' => &[("6", "9")],
        b'b' => &[
            ("b", "d"),
            ("b", "lb"),
            ("b", "6"),
            ("b", "cl"),
            ("b", "dl"),
            ("b", "ld"),
            ("b", "llb"),
        ],
        b'c' => &[("c", "e"), ("cl", "d"), ("cl", "b"), ("ck", "dc")],
        b'd' => &[
            ("d", "b"),
            ("d", "cl"),
            ("d", "dl"),
            ("d", "di"),
            ("d", "bl"),
            ("d", "lb"),
            ("d", "c1"),
            ("d", "ci"),
            ("d", "el"),
            ("d", "cll"),
            ("d", "dll"),
        ],
        b'e' => &[("e", "c"), ("el", "d")],
        b'g' => &[("g", "q")],
        b'h' => &[("h", "lh"), ("h", "llh")],
        b'i' => &[("i", "j")],
        b'j' => &[("j", "i")],
        b'k' => &[("k", "lk"), ("k", "ik"), ("k", "lc"), ("k", "1c"), ("k", "ic"), ("k", "le")],
        b'm' => &[("m", "n"), ("m", "nn"), ("m", "nr"), ("m", "rr"), ("m", "nnn")],
        b'n' => &[("n", "m"), ("n", "r"), ("n", "rn"), ("n", "nn"), ("nn", "m")],
        b'q' => &[("q", "g"), ("q", "9")],
        b'u' => &[("u", "v")],
        b'v' => &[("v", "u")],
        b'w' => &[("w", "v"), ("w", "uu"), ("w", "uv"), ("w", "vu")],
        b'y' => &[("y", "v")],
        _ => &[],
    }
}

/// How many substitutions of each kind a spelling has.
#[derive(Clone, Copy, Default)]
struct Count {
    strict: u8,
    loose: u8,
}

impl Count {
    /// Whether a spelling may have so many. Two of any kind are what the generators make; more
    /// (`f4c3b00k`) must be of the kind that nobody writes by mistake.
    fn is_too_many(self) -> bool {
        self.strict + self.loose > 2
            && (self.loose > 0 || self.strict > MAX_STRICT)
            && (self.loose > 1 || self.strict > 2)
    }

    /// The substitutions for what `brand` begins with, each with the count it leads to.
    fn next(self, brand: &[u8]) -> impl Iterator<Item = (Glyph, Self)> {
        let first = brand.first().copied().unwrap_or_default();
        let strict = Self { strict: self.strict + 1, ..self };
        let loose = Self { loose: self.loose + 1, ..self };
        let strict = strict_glyphs(first).iter().map(move |glyph| (*glyph, strict));
        let loose = loose_glyphs(first).iter().map(move |glyph| (*glyph, loose));
        strict.chain(loose).filter(move |((from, _), count)| {
            !count.is_too_many() && brand.starts_with(from.as_bytes())
        })
    }
}

/// Substitutions that a spelling in digits and pairs may have.
const MAX_STRICT: u8 = 4;

/// How many characters of `brand` look-alikes stand for in `text`; none where `text` is no such
/// spelling of it, or is the brand.
pub(super) fn distance(brand: &[u8], text: &[u8]) -> Option<u8> {
    least(brand, text, Count::default()).filter(|distance| *distance > 0)
}

/// Follows both from the front, and where a look-alike fits goes on behind it. The bound on
/// substitutions keeps that short.
fn least(brand: &[u8], text: &[u8], so_far: Count) -> Option<u8> {
    let Some((byte, brand_rest)) = brand.split_first() else {
        return text.is_empty().then_some(so_far.strict + so_far.loose);
    };
    let same = text.strip_prefix(&[*byte]).and_then(|rest| least(brand_rest, rest, so_far));
    let others = so_far.next(brand).filter_map(|((from, to), count)| {
        least(&brand[from.len()..], text.strip_prefix(to.as_bytes())?, count)
    });
    others.chain(same).min()
}

/// Every spelling of `brand` with look-alikes.
pub(super) fn variants(brand: &[u8]) -> Vec<Vec<u8>> {
    let mut variants = Vec::new();
    let mut unfinished = vec![(Vec::new(), brand, Count::default())];
    while let Some((text, brand, count)) = unfinished.pop() {
        let Some((byte, brand_rest)) = brand.split_first() else {
            if count.strict + count.loose > 0 {
                variants.push(text);
            }
            continue;
        };
        unfinished.extend(count.next(brand).map(|((from, to), count)| {
            ([&text, to.as_bytes()].concat(), &brand[from.len()..], count)
        }));
        unfinished.push(([&text, &[*byte][..]].concat(), brand_rest, count));
    }
    variants
}

/// The longest text that passes for a brand of `length` characters, in bytes: look-alikes have at
/// most two bytes more than what they stand for.
pub(super) fn longest(length: usize) -> usize {
    length + usize::from(MAX_STRICT)
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
