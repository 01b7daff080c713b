//! The literals of a brand: what every domain that passes for it contains.
//!
//! Owns their choice. Fewer and longer ones make a faster prefilter: where an edit leaves a long
//! enough piece of the brand untouched, that piece stands for all the edits elsewhere.

use memchr::memmem::Finder;

use super::keywords::is_word;
use super::{Brand, edit, glyph};

/// Bytes of the pieces at either end of a brand that stand for its edits, at least. Shorter ones
/// let through too many names (of five bytes twice as many, of four five times), and with longer
/// ones more of the edits have to be written out one by one.
const PIECE: usize = 6;
/// Bytes up to which a variant is written out with what follows it, since it stands within many a
/// longer word: `stor`.
const BRIEF: usize = 5;

impl Brand {
    /// The literals, without repeats: each domain that passes for the brand contains one of them.
    #[must_use]
    pub fn literals(&self) -> Vec<Vec<u8>> {
        let mut variants = edit::variants(&self.name);
        variants.extend(glyph::variants(&self.name));
        let mut literals =
            if self.is_short() { self.short_literals(variants) } else { self.pieces(variants) };
        literals.sort_unstable();
        literals.dedup();
        literals
    }

    /// The brand, or its two ends where it is long enough, and what of the variants contains
    /// neither.
    fn pieces(&self, mut variants: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        // Two halves stand for every single edit.
        let length = PIECE.max(self.name.len() / 2).min(self.name.len());
        let (head, tail) = (&self.name[..length], &self.name[self.name.len() - length..]);
        for piece in [head, tail] {
            let finder = Finder::new(piece);
            variants.retain(|variant| finder.find(variant).is_none());
        }
        let mut literals = vec![head.to_vec(), tail.to_vec()];
        for variant in variants {
            if is_word(&variant) {
                literals.extend(self.before_own_suffixes(&variant));
            } else if variant.len() <= BRIEF {
                literals.extend([b".", b"-"].map(|edge| [&variant[..], edge].concat()));
            } else {
                literals.push(variant);
            }
        }
        literals
    }

    fn before_own_suffixes(&self, text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        self.suffixes.iter().map(move |suffix| [text, b".", suffix.as_bytes()].concat())
    }

    /// A short brand with what may follow it, and its variants with the suffixes that have to.
    fn short_literals(&self, mut variants: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let with = |text: &[u8], behind: &[u8]| [text, behind].concat();
        for byte in (b'a'..=b'z').chain(b'0'..=b'9') {
            variants.push(with(&self.name, &[byte]));
            variants.push(with(&[byte], &self.name));
        }
        let before_suffixes =
            |variant: &Vec<u8>| self.before_own_suffixes(variant).collect::<Vec<_>>();
        let mut literals: Vec<Vec<u8>> = variants.iter().flat_map(before_suffixes).collect();
        literals.extend(b".-_0123456789".iter().map(|byte| with(&self.name, &[*byte])));
        literals.extend(self.keywords.iter().map(|keyword| with(&self.name, keyword)));
        literals
    }
}
