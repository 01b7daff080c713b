//! A pattern in Unicode mode: for the views of a domain that are not ASCII.
//!
//! Owns the second parse of a pattern, which is made when it is needed: `é` and `.` are one
//! character, `\w` knows every script. Like the first it expects a haystack in lower case, as
//! `domain` writes it.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::outline::{self, Mode};
use super::pattern::{anchored, parser};
use super::{Pattern, Syntax, python};
use crate::domain;

/// Members up to which a class is relieved of its upper case. Beyond, none is worth taking apart
/// for literals.
const MAX_CLASS: usize = 256;

impl Pattern {
    /// The regular expression that says in Unicode mode what the pattern says; the outline of one
    /// with look-around. None where the pattern is one in byte mode only, which then holds for
    /// every view.
    #[must_use]
    pub fn unicode(&self) -> Option<Hir> {
        let rewritten = python::rewrite(&self.written).ok()?;
        match self.syntax {
            Syntax::Regular(_) => {
                let hir = parser(true).parse(&rewritten.pattern).ok()?;
                Some(anchored(lowered(&hir), self.anchor))
            }
            Syntax::Backtracking { .. } => {
                Some(lowered(&outline::of(&rewritten.pattern, Mode::Unicode)))
            }
        }
    }

    /// Whether matches in Unicode mode may lack the literals that every match in byte mode holds.
    /// They cannot where the pattern names ASCII characters alone, and no class by what it leaves
    /// out or by a word: then both modes tell ASCII characters apart alike, and none beyond
    /// equals one of them.
    #[must_use]
    pub fn may_have_other_literals(&self) -> bool {
        let bytes = self.written.as_bytes();
        let pairs = bytes.iter().zip(bytes.iter().skip(1).chain([&b' ']));
        !self.written.is_ascii()
            || pairs.into_iter().any(|pair| match pair {
                (b'[' | b':', b'^') => true,
                // Escapes that name one ASCII character or a place; `\x`, `\d`, `\1` may say more.
                (b'\\', letter) if letter.is_ascii_alphanumeric() => {
                    !b"bBAZzafnrtv".contains(letter)
                }
                _ => false,
            })
    }
}

/// The same pattern for haystacks without upper case: as far as that yields literals, since no
/// match is lost by what cannot stand in a haystack.
fn lowered(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => lowered_class(class),
        // A letter is no literal but the class of its cases.
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.clone(),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(lowered(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => lowered(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(lowered).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(lowered).collect()),
    }
}

fn lowered_class(class: &ClassUnicode) -> Hir {
    if class.ranges().iter().map(ClassUnicodeRange::len).sum::<usize>() > MAX_CLASS {
        return Hir::class(Class::Unicode(class.clone()));
    }
    let members = class.ranges().iter().flat_map(|range| range.start()..=range.end());
    let lower: Vec<char> = members.filter(|c| domain::is_lower_case(*c)).collect();
    let ascii: Option<Vec<u8>> = lower.iter().map(|c| u8::try_from(*c).ok()).collect();
    Hir::class(match ascii.filter(|bytes| bytes.is_ascii()) {
        // As byte mode has it, so that the two can be compared.
        Some(bytes) => {
            Class::Bytes(ClassBytes::new(bytes.iter().map(|b| ClassBytesRange::new(*b, *b))))
        }
        None => {
            Class::Unicode(ClassUnicode::new(lower.iter().map(|c| ClassUnicodeRange::new(*c, *c))))
        }
    })
}
