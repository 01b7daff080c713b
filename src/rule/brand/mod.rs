//! Brands: a rule that is a name to protect, and finds what passes for it.
//!
//! Owns what the user says of a brand. Which names pass for it is `judge`'s business, the
//! literals of all of them `literals`'.

mod edit;
mod glyph;
mod judge;
mod keywords;
mod literals;
mod technique;

use std::collections::HashSet;
use std::ops::Range;

use memchr::memmem::Finder;

pub use judge::Found;
pub use technique::{Technique, Techniques, Typosquat};

/// Characters a brand may have. Two stand in nearly every name.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=32;
/// Characters up to which a brand is short: it stands inside many words, and many words are one
/// edit away from it. What passes for it must then stand in stricter places (see `judge`).
const SHORT: usize = 4;

/// A brand as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrandEntry {
    /// Its name, as it stands in domains.
    pub name: String,
    /// Its own domains, as [`allowed_domain`](super::allowed_domain) gives them.
    pub own: Vec<String>,
    /// Further words that phishing puts beside it.
    pub keywords: Vec<String>,
    /// The techniques looked for.
    pub techniques: Techniques,
}

/// A brand, checked.
#[derive(Clone, Debug)]
pub struct Brand {
    written: BrandEntry,
    /// Its name in lower case.
    name: Vec<u8>,
    finder: Finder<'static>,
    /// The public suffixes of its own domains; `com` where it has none.
    suffixes: Vec<String>,
    keywords: HashSet<Vec<u8>>,
    /// The ordinary words that would pass for it.
    words: Vec<&'static [u8]>,
}

impl Brand {
    /// Checks a brand.
    ///
    /// # Errors
    /// What is wrong with its name, and what to write instead.
    pub fn new(entry: &BrandEntry) -> Result<Self, (String, &'static str)> {
        let name = entry.name.to_ascii_lowercase().into_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_label = name.iter().all(|byte| plain(byte) || *byte == b'-')
            && name.first().is_some_and(plain)
            && name.last().is_some_and(plain);
        if !is_label {
            return Err((
                format!("`{}` is no brand: letters a to z, digits and hyphens within", entry.name),
                "write it as it stands in its domain, without the suffix: `brand: paypal`",
            ));
        }
        if !LENGTHS.contains(&name.len()) {
            let (least, most) = (LENGTHS.start(), LENGTHS.end());
            return Err((
                format!(
                    "`{}` is no brand: it has to have {least} to {most} characters",
                    entry.name
                ),
                "write a regex for it: `pattern: '(^|[.-])hp[.-]'`",
            ));
        }
        let mut suffixes: Vec<String> =
            entry.own.iter().filter_map(|own| psl::suffix_str(own)).map(str::to_owned).collect();
        if suffixes.is_empty() {
            suffixes.push("com".to_owned());
        }
        suffixes.sort_unstable();
        suffixes.dedup();
        let words = keywords::KEYWORDS.iter().copied().map(str::to_owned);
        // `paypalcom.example`, `ingnl.com`.
        let of_suffixes = suffixes.iter().flat_map(|suffix| suffix.split('.')).map(str::to_owned);
        let keywords = words
            .chain(of_suffixes)
            .chain(entry.keywords.iter().map(|word| word.to_ascii_lowercase()))
            .filter(|word| !word.is_empty());
        Ok(Self {
            finder: Finder::new(&name).into_owned(),
            words: keywords::words().filter(|word| passes(&name, word)).collect(),
            name,
            written: entry.clone(),
            keywords: keywords.map(String::into_bytes).collect(),
            suffixes,
        })
    }

    /// Whether the domain is the brand's own, or below one that is.
    #[must_use]
    pub fn owns(&self, domain: &str) -> bool {
        self.written.own.iter().any(|own| {
            domain
                .strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Whether both were written alike.
    #[must_use]
    pub fn is_written_as(&self, other: &Self) -> bool {
        self.written == other.written
    }

    /// Whether a text that is an edit away is a word of its own.
    fn is_word(&self, text: &[u8]) -> bool {
        self.words.contains(&text)
    }

    /// Whether the brand stands inside many words.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.name.len() <= SHORT
    }
}

/// How long whole tokens have to be, in bytes, to be compared with a brand.
fn windows(brand: &[u8]) -> Range<usize> {
    brand.len() - 1..glyph::longest(brand.len()) + 1
}

/// Whether `text` is an edit away from a brand, or spells it in look-alikes.
fn passes(brand: &[u8], text: &[u8]) -> bool {
    if !windows(brand).contains(&text.len()) {
        return false;
    }
    edit::technique(brand, text).is_some() || glyph::distance(brand, text).is_some()
}

#[cfg(test)]
mod tests;
