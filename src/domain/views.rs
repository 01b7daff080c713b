//! The views of a domain: the forms in which a rule is tried on it.
//!
//! Owns the set of views, the Unicode form of a domain with labels `xn--…`, and whether one of
//! those labels mixes scripts. How a form comes to look like ASCII is `look_alike`'s business.

use idna::punycode;
use unicode_security::MixedScript;

use super::look_alike;

/// What an internationalised label begins with.
pub(crate) const PREFIX: &str = "xn--";

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// Empty where no label decodes.
    unicode: String,
    look_alike: String,
    invalid_labels: usize,
}

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
        self.invalid_labels = 0;
        let mut decodes = false;
        for (index, label) in domain.split('.').enumerate() {
            if index > 0 {
                self.unicode.push('.');
            }
            match decoded(label) {
                Label::Plain => self.unicode.push_str(label),
                Label::Invalid => {
                    self.invalid_labels += 1;
                    self.unicode.push_str(label);
                }
                Label::Unicode(label) => {
                    decodes = true;
                    for c in label.chars() {
                        if c.is_ascii() {
                            self.unicode.push(c.to_ascii_lowercase());
                        } else {
                            self.unicode.extend(lower_case(c));
                        }
                    }
                }
            }
        }
        if decodes {
            look_alike::write(&self.unicode, &mut self.look_alike);
        } else {
            self.unicode.clear();
        }
    }

    /// The Unicode form; none where it is the A-label form again, since no label decodes.
    #[must_use]
    pub fn unicode(&self) -> Option<&str> {
        (!self.unicode.is_empty()).then_some(&self.unicode)
    }

    /// The look-alike form; none where it is the Unicode form again.
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

    /// The forms there are, each with its view: the Unicode form first.
    pub fn iter(&self) -> impl Iterator<Item = (Views, &str)> {
        let unicode = self.unicode().map(|form| (Views::UNICODE, form));
        let look_alike = self.look_alike().map(|form| (Views::LOOK_ALIKE, form));
        unicode.into_iter().chain(look_alike)
    }
}

/// A label of a domain, read.
enum Label {
    /// It is what it says.
    Plain,
    /// It begins `xn--`, and nothing beyond ASCII comes of it.
    Invalid,
    /// What an `xn--` label stands for. That registries would not have it (an upper-case letter,
    /// a control character, a dot of another script) is no reason not to look at it: certificates
    /// name it all the same.
    Unicode(String),
}

fn decoded(label: &str) -> Label {
    // Time grows with the square of the length, which is 63 bytes at most.
    match label.strip_prefix(PREFIX).map(punycode::decode_to_string) {
        None => Label::Plain,
        Some(Some(decoded)) if !decoded.is_ascii() => Label::Unicode(decoded),
        Some(_) => Label::Invalid,
    }
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
    domain.split('.').any(|label| match decoded(label) {
        Label::Unicode(label) => !label.is_single_script(),
        Label::Plain | Label::Invalid => false,
    })
}

#[cfg(test)]
mod tests;
