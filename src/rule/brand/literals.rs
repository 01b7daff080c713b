//! The literals of a brand: what every domain that passes for it contains.
//!
//! Owns their choice. Fewer and longer ones make a faster prefilter: where an edit leaves a long
//! enough piece of the brand untouched, that piece stands for all the edits elsewhere.

use memchr::memmem;

use super::{Brand, edit, glyph};

/// Bytes of the pieces at either end of a brand that stand for its edits. Shorter ones let through
/// too many names, and with longer ones more of the edits have to be written out one by one.
const PIECE: usize = 6;

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

    /// The brand, its two ends where it is long enough, and the variants that contain neither.
    fn pieces(&self, mut variants: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let length = self.name.len();
        let pieces = if length > PIECE {
            vec![self.name[..PIECE].to_vec(), self.name[length - PIECE..].to_vec()]
        } else {
            vec![self.name.clone()]
        };
        for piece in &pieces {
            let finder = memmem::Finder::new(piece);
            variants.retain(|variant| finder.find(variant).is_none());
        }
        variants.extend(pieces);
        variants
    }

    /// A short brand with what may follow it, and its variants with the suffixes that have to.
    fn short_literals(&self, mut variants: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let with = |text: &[u8], behind: &[u8]| [text, behind].concat();
        for byte in (b'a'..=b'z').chain(b'0'..=b'9') {
            variants.push(with(&self.name, &[byte]));
            variants.push(with(&[byte], &self.name));
        }
        let mut literals: Vec<Vec<u8>> = Vec::new();
        for suffix in &self.suffixes {
            let suffix = format!(".{suffix}");
            literals.extend(variants.iter().map(|variant| with(variant, suffix.as_bytes())));
        }
        literals.extend(b".-_0123456789".iter().map(|byte| with(&self.name, &[*byte])));
        literals.extend(self.keywords.iter().map(|keyword| with(&self.name, keyword)));
        literals
    }
}
