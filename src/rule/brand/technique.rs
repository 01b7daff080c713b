//! Techniques: the ways in which a name passes for a brand, by the words the field has for them.
//!
//! Owns the words and their order. What each means is `judge`'s business.

use std::fmt;

/// A way to make a name that passes for a brand's, the most telling first: of several at the same
/// distance the first is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Technique {
    /// The brand under another public suffix: `paypal.zip`.
    TldSwap,
    /// The brand as a label further left, or parted by a dot: `paypal.com.evil.example`,
    /// `pay.pal.com`.
    Subdomain,
    /// The brand beside a word that phishing uses: `paypal-login`.
    Combosquat,
    /// The brand with anything else around it.
    Contains,
    /// Characters that look like the brand's: `paypa1`, `rnicrosoft`.
    Homoglyph,
    /// A hyphen inside: `pay-pal`.
    Hyphenation,
    /// A character twice: `payppal`.
    Repetition,
    /// Two neighbours in the other order: `payapl`.
    Transposition,
    /// Another vowel: `paypol`.
    VowelSwap,
    /// A character less: `paypl`.
    Omission,
    /// A character whose byte differs in one bit: `paypam`.
    Bitsquatting,
    /// Another character: `paxpal`.
    Replacement,
    /// A character more: `payxpal`.
    Insertion,
}

impl Technique {
    /// Every technique with the word for it, in their order.
    pub const WORDS: [(&'static str, Self); 13] = [
        ("tld-swap", Self::TldSwap),
        ("subdomain", Self::Subdomain),
        ("combosquat", Self::Combosquat),
        ("contains", Self::Contains),
        ("homoglyph", Self::Homoglyph),
        ("hyphenation", Self::Hyphenation),
        ("repetition", Self::Repetition),
        ("transposition", Self::Transposition),
        ("vowel-swap", Self::VowelSwap),
        ("omission", Self::Omission),
        ("bitsquatting", Self::Bitsquatting),
        ("replacement", Self::Replacement),
        ("insertion", Self::Insertion),
    ];

    /// The word for it, as rules, records and the database have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

impl fmt::Display for Technique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a name passes for a brand: the technique, and how far the name is from the brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Typosquat {
    /// Edits between the brand and what stands for it (Damerau-Levenshtein; a pair that looks
    /// like one character counts as one edit). 0 where the brand itself stands there.
    pub distance: u8,
    /// The technique.
    pub technique: Technique,
}

impl Typosquat {
    /// The same, where the brand only looks as if it stood there: in other characters.
    #[must_use]
    pub fn by_looks(self) -> Self {
        Self { distance: self.distance.max(1), technique: Technique::Homoglyph }
    }
}

/// Techniques as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Techniques(u16);

impl Techniques {
    /// All of them.
    pub const ALL: Self = Self((1 << Technique::WORDS.len()) - 1);

    /// Whether it is in the set.
    #[must_use]
    pub fn contains(self, technique: Technique) -> bool {
        self.0 & (1 << technique as u16) != 0
    }
}

impl FromIterator<Technique> for Techniques {
    fn from_iter<T: IntoIterator<Item = Technique>>(techniques: T) -> Self {
        Self(techniques.into_iter().fold(0, |bits, technique| bits | 1 << technique as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_technique_has_its_word_and_place_in_the_set() {
        for (word, technique) in Technique::WORDS {
            assert_eq!(technique.word(), word);
            assert!(Techniques::ALL.contains(technique));
            let alone: Techniques = [technique].into_iter().collect();
            let of = Technique::WORDS.iter().filter(|(_, other)| alone.contains(*other));
            assert_eq!(of.count(), 1, "{word}");
        }
    }
}
