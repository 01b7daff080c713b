//! Look-alikes in ASCII: characters and pairs that pass for one of a brand's.
//!
//! Owns the table and the comparison under it. Characters beyond ASCII reach this through the
//! look-alike view of a name.

/// What stands in a brand, and what passes for it.
type Glyph = (&'static str, &'static str);

/// What passes for a character when nobody looks closely: digits for letters, pairs that close
/// up. By the first byte of what stands in the brand.
const fn strict_glyphs(byte: u8) -> &'static [Glyph] {
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
const fn loose_glyphs(byte: u8) -> &'static [Glyph] {
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

/// By byte of a brand: whether a look-alike of it begins with itself, as `nn` does for `n`. With
/// all others, the same byte in a text stands for itself.
const BEGINS_AS_IT_IS: [bool; 256] = {
    const fn any_begins_with(glyphs: &[Glyph], byte: u8) -> bool {
        let mut at = 0;
        while at < glyphs.len() {
            if glyphs[at].1.as_bytes()[0] == byte {
                return true;
            }
            at += 1;
        }
        false
    }
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let known = [strict_glyphs(byte as u8), loose_glyphs(byte as u8)];
        bytes[byte] =
            any_begins_with(known[0], byte as u8) || any_begins_with(known[1], byte as u8);
        byte += 1;
    }
    bytes
};

/// Substitutions that a spelling may have.
const MAX_SUBSTITUTIONS: u8 = 4;

/// A look-alike by its place in the tables.
type GlyphId = (u8, u8);

/// The substitutions of a spelling so far. One that is repeated (`g00gle`) is one decision of
/// whoever made it up, and counts once.
#[derive(Clone, Copy, Default)]
struct Spelling {
    substitutions: u8,
    different: [Option<GlyphId>; 3],
    loose: bool,
}

impl Spelling {
    /// With one more; none where it would be too many. Two different ones of any kind are what
    /// the generators make; a third (`f4c3b00k`) must be of the kind that nobody writes by
    /// mistake.
    fn with(mut self, glyph: GlyphId, loose: bool) -> Option<Self> {
        self.substitutions += 1;
        self.loose |= loose;
        if !self.different.contains(&Some(glyph)) {
            let free = self.different.iter_mut().find(|place| place.is_none())?;
            *free = Some(glyph);
        }
        let too_different = self.loose && self.different[2].is_some();
        (self.substitutions <= MAX_SUBSTITUTIONS && !too_different).then_some(self)
    }
}

/// The substitutions for what `brand` begins with, and whether each is a loose one.
fn glyphs(brand: &[u8]) -> impl Iterator<Item = (Glyph, GlyphId, bool)> {
    let first = brand.first().copied().unwrap_or_default();
    let strict = strict_glyphs(first).iter().map(|glyph| (*glyph, false));
    let loose = loose_glyphs(first).iter().map(|glyph| (*glyph, true));
    let all = strict.chain(loose).zip(0..);
    all.map(move |((glyph, loose), place)| (glyph, (first, place), loose))
        .filter(|((from, _), _, _)| begins_with(brand, from))
}

/// Whether `text` begins with a look-alike, or what it stands for: a few bytes, of which the first
/// nearly always decides.
fn begins_with(text: &[u8], glyph: &str) -> bool {
    text.first() == glyph.as_bytes().first() && text.starts_with(glyph.as_bytes())
}

/// How many characters of `brand` look-alikes stand for in `text`; none where `text` is no such
/// spelling of it, or is the brand.
pub(super) fn distance(brand: &[u8], text: &[u8]) -> Option<u8> {
    least(brand, text, Spelling::default()).filter(|distance| *distance > 0)
}

/// Follows both from the front, and where a look-alike fits goes on behind it. The bound on
/// substitutions keeps that short.
fn least(brand: &[u8], text: &[u8], spelling: Spelling) -> Option<u8> {
    let is_plain = |(a, b): &(&u8, &u8)| a == b && !BEGINS_AS_IT_IS[usize::from(**a)];
    let plain = brand.iter().zip(text).take_while(is_plain).count();
    let (brand, text) = (&brand[plain..], &text[plain..]);
    let Some((byte, brand_rest)) = brand.split_first() else {
        return text.is_empty().then_some(spelling.substitutions);
    };
    let same = (text.first() == Some(byte)).then(|| least(brand_rest, &text[1..], spelling));
    let others = glyphs(brand).filter(|((_, to), ..)| begins_with(text, to)).filter_map(
        |((from, to), glyph, loose)| {
            least(&brand[from.len()..], &text[to.len()..], spelling.with(glyph, loose)?)
        },
    );
    others.chain(same.flatten()).min()
}

/// Calls `add` with every spelling of `brand` with look-alikes. A text may come more than once.
pub(super) fn each_variant(brand: &[u8], add: &mut impl FnMut(&[u8])) {
    spell(brand, &mut Vec::new(), Spelling::default(), add);
}

/// The spellings that begin with `text`, where `brand` is what remains to be spelled.
fn spell(brand: &[u8], text: &mut Vec<u8>, spelling: Spelling, add: &mut impl FnMut(&[u8])) {
    let Some((byte, brand_rest)) = brand.split_first() else {
        if spelling.substitutions > 0 {
            add(text);
        }
        return;
    };
    let length = text.len();
    for ((from, to), glyph, loose) in glyphs(brand) {
        let Some(spelling) = spelling.with(glyph, loose) else { continue };
        text.extend_from_slice(to.as_bytes());
        spell(&brand[from.len()..], text, spelling, add);
        text.truncate(length);
    }
    text.push(*byte);
    spell(brand_rest, text, spelling, add);
    text.truncate(length);
}

/// The longest text that passes for a brand of `length` characters, in bytes: look-alikes have at
/// most two bytes more than what they stand for.
pub(super) fn longest(length: usize) -> usize {
    length + usize::from(MAX_SUBSTITUTIONS)
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
            let mut count = 0;
            each_variant(brand.as_bytes(), &mut |variant| {
                count += 1;
                let text = String::from_utf8_lossy(variant);
                assert!(distance(brand.as_bytes(), variant).is_some() || text == brand, "{text}");
            });
            assert!(count > 0);
        }
    }
}
