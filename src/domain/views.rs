//! The views of a domain: the forms in which a rule is tried on it.
//!
//! Owns the set of views, the Unicode form of a domain with labels `xn--…`, and whether one of
//! those labels mixes scripts. How a form comes to look like ASCII is `look_alike`'s business.

use unicode_security::MixedScript;

use super::look_alike;
use super::punycode::{self, Insertions};
use shown::Shown;

mod shown;

/// What an internationalised label begins with.
pub(crate) const PREFIX: &str = "xn--";
const PREFIX_BYTES: &[u8; 4] = b"xn--";
/// A character that is taken for an `e` as well as for an `a`.
pub(super) const EITHER: char = 'ə';

/// The forms of a domain that a rule is tried on, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Views(u8);

impl Views {
    /// The form in which the domain is stored: ASCII, internationalised labels as `xn--`.
    pub const A_LABEL: Self = Self(1);
    /// Internationalised labels decoded, in lower case.
    pub const UNICODE: Self = Self(2);
    /// The Unicode form as it looks to a reader: without marks, each character as the plain one
    /// that it is easily taken for.
    pub const LOOK_ALIKE: Self = Self(4);

    /// The set as the database stores it: one bit a view.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set whose bits the database holds; unknown bits are kept.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The views in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of the views in the set, as records show them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(Self::A_LABEL, "a-label"), (Self::UNICODE, "unicode"), (Self::LOOK_ALIKE, "look-alike")]
            .into_iter()
            .filter(move |(view, _)| self.0 & view.0 != 0)
            .map(|(_, name)| name)
    }
}

/// The forms of one domain beside its A-label form. Made anew for the next domain in the same
/// memory.
#[derive(Clone, Debug, Default)]
pub struct Forms {
    /// Empty where no label decodes.
    unicode: String,
    look_alike: String,
    /// The look-alike form with `a` for [`EITHER`]; empty where there is none.
    other: String,
    invalid_labels: usize,
    /// Of the label that is being decoded.
    insertions: Insertions,
    shown: Shown,
}

/// They are what they say, whatever they remember of other domains.
impl PartialEq for Forms {
    fn eq(&self, other: &Self) -> bool {
        self.unicode == other.unicode
            && self.look_alike == other.look_alike
            && self.other == other.other
            && self.invalid_labels == other.invalid_labels
    }
}

impl Eq for Forms {}

impl Forms {
    /// The forms of `domain`.
    #[must_use]
    pub fn of(domain: &str) -> Self {
        let mut forms = Self::default();
        forms.make(domain);
        forms
    }

    /// Makes these the forms of `domain`.
    pub fn make(&mut self, domain: &str) {
        self.unicode.clear();
        self.look_alike.clear();
        self.other.clear();
        self.invalid_labels = 0;
        let mut decodes = false;
        let mut rest = domain;
        // Labels that are what they say are copied with all that stands before the next other.
        while let Some(at) = next_encoded(rest) {
            let (plain, label) = rest.split_at(at);
            let end = label.bytes().position(|byte| byte == b'.').unwrap_or(label.len());
            self.push(plain);
            if self.decode(&label[..end]) {
                decodes = true;
            } else {
                self.invalid_labels += 1;
                self.push(&label[..end]);
            }
            rest = &label[end..];
        }
        if decodes {
            self.push(rest);
            if self.look_alike.contains(EITHER) {
                self.other = self.look_alike.replace(EITHER, "a");
                self.look_alike = self.look_alike.replace(EITHER, "e");
            }
        } else {
            self.unicode.clear();
            self.look_alike.clear();
        }
    }

    fn push(&mut self, plain: &str) {
        self.unicode.push_str(plain);
        self.look_alike.push_str(plain);
    }

    /// Appends what a label `xn--…` stands for; false where it is nothing beyond ASCII. That
    /// registries would not have it (an upper-case letter, a control character, a dot of another
    /// script) is no reason not to look at it: certificates name it all the same.
    fn decode(&mut self, label: &str) -> bool {
        let Some(base) = punycode::decode(&label[PREFIX.len()..], &mut self.insertions) else {
            return false;
        };
        if self.insertions.is_empty() {
            return false;
        }
        let starts = (self.unicode.len(), self.look_alike.len());
        // What is not ASCII comes in the case of its form.
        let is_lower = !base.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut rest = base;
        let mut place = 0;
        for (at, c) in &self.insertions {
            // Between two insertions stands what is ASCII.
            let (plain, behind) = rest.split_at((at - place) as usize);
            if !plain.is_empty() {
                self.unicode.push_str(plain);
                self.look_alike.push_str(plain);
            }
            self.shown.push(*c, &mut self.unicode, &mut self.look_alike);
            rest = behind;
            place = at + 1;
        }
        self.push(rest);
        if !is_lower {
            self.unicode[starts.0..].make_ascii_lowercase();
            self.look_alike[starts.1..].make_ascii_lowercase();
        }
        true
    }

    /// The Unicode form; none where it is the A-label form again, since no label decodes.
    #[must_use]
    pub fn unicode(&self) -> Option<&str> {
        (!self.unicode.is_empty()).then_some(&self.unicode)
    }

    /// The look-alike form; none where it is the Unicode form again. With `e` for `ə`, which passes
    /// for an `a`, too: where it stands there is another such form ([`Self::iter`]).
    #[must_use]
    pub fn look_alike(&self) -> Option<&str> {
        (self.look_alike != self.unicode).then_some(&self.look_alike)
    }

    /// Labels that begin `xn--` and are no Punycode of anything beyond ASCII. They stand in every
    /// form as they are.
    #[must_use]
    pub fn invalid_labels(&self) -> usize {
        self.invalid_labels
    }

    /// The forms there are, each with its view: the Unicode form first. The look-alike view may
    /// have two.
    pub fn iter(&self) -> impl Iterator<Item = (Views, &str)> {
        let unicode = self.unicode().map(|form| (Views::UNICODE, form));
        let look_alike = self.look_alike().map(|form| (Views::LOOK_ALIKE, form));
        let other = (!self.other.is_empty()).then_some((Views::LOOK_ALIKE, &*self.other));
        unicode.into_iter().chain(look_alike).chain(other)
    }
}

/// Where the first label begins that `xn--` begins.
fn next_encoded(domain: &str) -> Option<usize> {
    let bytes = domain.as_bytes();
    let mut at = 0;
    while !bytes[at..].starts_with(PREFIX_BYTES) {
        at += bytes[at..].iter().position(|byte| *byte == b'.')? + 1;
    }
    Some(at)
}

/// A character as it stands in a Unicode form, as UTS 46 would have it.
fn lower_case(c: char) -> impl Iterator<Item = char> {
    let (alone, lower) = match c {
        // The long s is an s: then no character but an ASCII letter equals an ASCII letter when
        // case is ignored.
        '\u{17f}' => (Some('s'), None),
        // Cherokee is written in capitals, which are what looks like Latin letters.
        '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => (c.to_uppercase().next(), None),
        _ => (None, Some(c.to_lowercase())),
    };
    alone.into_iter().chain(lower.into_iter().flatten())
}

/// Whether a character may stand in a Unicode form.
#[must_use]
pub fn is_lower_case(c: char) -> bool {
    lower_case(c).eq([c])
}

/// Whether some label of `domain` is written in more scripts than one language needs: its
/// characters have no script in common (UTS 39, resolved script set), as Latin and Cyrillic in
/// `xn--pypal-4ve` do not.
#[must_use]
pub fn is_mixed_script(domain: &str) -> bool {
    domain.split('.').filter_map(|label| label.strip_prefix(PREFIX)).any(|encoded| {
        let decoded = idna::punycode::decode_to_string(encoded);
        decoded.is_some_and(|label| !label.is_ascii() && !label.is_single_script())
    })
}

#[cfg(test)]
mod tests;
