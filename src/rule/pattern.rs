//! A pattern, from the user's text to the syntax tree an engine needs.
//!
//! Owns the parse: Python's spelling rewritten, byte mode (domains are ASCII), upper case removed
//! (domains hold none), and for patterns with look-around an outline that matches wherever they
//! may. The parse in Unicode mode, for the other views of a domain, is `unicode`'s; which engine
//! runs any of it is `matcher`'s.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Dot, Hir, HirKind, Look, Repetition};
use regex_syntax::{Parser, ParserBuilder};

use super::lookalike;
use super::outline;
use super::python::{self, Fault, Rewritten};
use super::{Anchor, Pattern, Syntax};

/// Bytes a pattern may have. The longest real one in the public lists has some 2,000.
const MAX_PATTERN: usize = 64 * 1024;

impl Pattern {
    /// Parses `written`, to match from where `anchor` says.
    ///
    /// # Errors
    /// What keeps it from compiling, and at which column (in characters, from 1).
    pub fn parse(written: &str, anchor: Anchor) -> Result<Self, Fault> {
        if written.len() > MAX_PATTERN {
            let what = format!("the pattern has more than {MAX_PATTERN} bytes");
            return Err(Fault { column: 1, what });
        }
        let rewritten = python::rewrite(written)?;
        let syntax = if rewritten.backtracking {
            backtracking(&rewritten, anchor)?
        } else {
            Syntax::Regular(anchored(reduce(&parse(&rewritten)?), anchor))
        };
        Ok(Self { written: written.to_owned(), anchor, widened: false, syntax })
    }

    /// The pattern that digits and pairs that look like its characters match, too.
    ///
    /// # Errors
    /// When it has look-around or back-references: what these look for would have to be widened
    /// in one place and narrowed in the other.
    pub fn widened(self) -> Result<Self, Fault> {
        match self.syntax {
            Syntax::Regular(hir) => Ok(Self {
                syntax: Syntax::Regular(lookalike::widened(&hir)),
                widened: true,
                ..self
            }),
            Syntax::Backtracking { .. } | Syntax::Brand(_) => {
                let what = "`lookalikes` goes with neither look-around nor back-references: write \
                            out what looks alike, such as `[o0]`";
                Err(Fault { column: 1, what: what.to_owned() })
            }
        }
    }
}

/// `hir`, to match from where `anchor` says.
pub(super) fn anchored(hir: Hir, anchor: Anchor) -> Hir {
    match anchor {
        Anchor::Search => hir,
        Anchor::Start => Hir::concat(vec![Hir::look(Look::Start), hir]),
    }
}

fn backtracking(rewritten: &Rewritten, anchor: Anchor) -> Result<Syntax, Fault> {
    let pattern = match anchor {
        Anchor::Search => rewritten.pattern.clone(),
        Anchor::Start => format!(r"\A(?:{})", rewritten.pattern),
    };
    // As it was written, not as it is anchored: `a)(?=b` is no pattern, though `(?:a)(?=b)` is one,
    // and columns count from the user's first character.
    if let Err(error) = fancy(&rewritten.pattern) {
        // Without the engine's own words for the place, which count in the rewritten pattern.
        return Err(match &error {
            fancy_regex::Error::ParseError(at, why) => {
                Fault { column: rewritten.column(*at), what: first_line(&why.to_string()) }
            }
            fancy_regex::Error::CompileError(why) => {
                Fault { column: 1, what: told_by_the_compiler(why) }
            }
            error => Fault { column: 1, what: first_line(&error.to_string()) },
        });
    }
    let outline = reduce(&outline::of(&rewritten.pattern, outline::Mode::Bytes));
    Ok(Syntax::Backtracking { pattern, outline })
}

/// What keeps a pattern from compiling that is one. Of the parts that an automaton is made for, the
/// engine itself says no more than that there is none.
fn told_by_the_compiler(why: &fancy_regex::CompileError) -> String {
    match why {
        fancy_regex::CompileError::InnerError(_) => {
            format!("it needs more than {} KiB: its repetitions multiply", MAX_DELEGATE / 1024)
        }
        other => first_line(&other.to_string()),
    }
}

/// Bytes that what needs no look-around in a pattern may become.
const MAX_DELEGATE: usize = 1024 * 1024;

/// Steps a look-around rule may take on one name before it gives up. A name has at most 253
/// bytes; honest rules take some thousands.
const STEP_LIMIT: usize = 100_000;

/// The backtracking engine for a rewritten pattern: ignores ASCII case, bounded in steps.
///
/// # Errors
/// When the pattern does not compile or becomes too large.
pub fn fancy(pattern: &str) -> Result<fancy_regex::Regex, fancy_regex::Error> {
    fancy_regex::RegexBuilder::new(pattern)
        .case_insensitive(true)
        .backtrack_limit(STEP_LIMIT)
        .delegate_size_limit(MAX_DELEGATE)
        .delegate_dfa_size_limit(256 * 1024)
        .build()
}

/// Parses in byte mode, so that `\b` and `.` can be built as a DFA; patterns that need Unicode
/// (`\p{…}`, `[é]`) in Unicode mode, of which only what is ASCII is kept.
fn parse(rewritten: &Rewritten) -> Result<Hir, Fault> {
    match parser(false).parse(&rewritten.pattern) {
        Ok(hir) => Ok(hir),
        Err(error) => match parser(true).parse(&rewritten.pattern) {
            Ok(hir) => Ok(hir),
            Err(_) => Err(explain(&error, rewritten)),
        },
    }
}

/// A parser in byte or in Unicode mode, ignoring case.
pub(super) fn parser(unicode: bool) -> Parser {
    ParserBuilder::new().unicode(unicode).utf8(false).case_insensitive(true).build()
}

fn explain(error: &regex_syntax::Error, rewritten: &Rewritten) -> Fault {
    let (offset, what) = match error {
        regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
        regex_syntax::Error::Translate(error) => {
            (error.span().start.offset, error.kind().to_string())
        }
        error => (0, first_line(&error.to_string())),
    };
    Fault { column: rewritten.column(offset), what }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The same pattern for haystacks that hold ASCII without upper case: classes lose A–Z and what
/// is not ASCII, literals become lower case, groups vanish, `\b` becomes the ASCII one. So
/// `PayPal` under `(?i)` is the literal `paypal` again.
fn reduce(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0.to_ascii_lowercase()),
        HirKind::Class(class) => Hir::class(Class::Bytes(reduce_class(class))),
        HirKind::Look(look) => Hir::look(reduce_look(*look)),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(reduce(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => reduce(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(reduce).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(reduce).collect()),
    }
}

fn reduce_class(class: &Class) -> ClassBytes {
    let ascii = |c: char| u8::try_from(u32::from(c).min(0x7f)).unwrap_or(0x7f);
    let mut reduced = match class {
        Class::Bytes(bytes) => bytes.clone(),
        Class::Unicode(unicode) => ClassBytes::new(
            unicode
                .ranges()
                .iter()
                .filter(|range| range.start().is_ascii())
                .map(|range| ClassBytesRange::new(ascii(range.start()), ascii(range.end()))),
        ),
    };
    reduced.intersect(&ClassBytes::new([
        ClassBytesRange::new(0, b'A' - 1),
        ClassBytesRange::new(b'Z' + 1, 0x7f),
    ]));
    reduced
}

fn reduce_look(look: Look) -> Look {
    match look {
        Look::WordUnicode => Look::WordAscii,
        Look::WordUnicodeNegate => Look::WordAsciiNegate,
        Look::WordStartUnicode => Look::WordStartAscii,
        Look::WordEndUnicode => Look::WordEndAscii,
        Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
        Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
        look => look,
    }
}

/// A regular expression for anything at all: what an outline says of the parts it cannot follow.
pub(super) fn anything() -> Hir {
    Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: Box::new(Hir::dot(Dot::AnyByte)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regular(written: &str) -> Hir {
        match Pattern::parse(written, Anchor::Search).expect(written).syntax {
            Syntax::Regular(hir) => hir,
            _ => panic!("{written} needs no backtracking"),
        }
    }

    #[test]
    fn case_folds_away() {
        for written in ["PayPal", "(?i)PAYPAL", "(?-i:PayPal)", "[Pp]ay(?:[P])al", "(pay)pal"] {
            assert_eq!(*regular(written).kind(), *Hir::literal(*b"paypal").kind(), "{written}");
        }
    }

    #[test]
    fn word_boundaries_and_unicode_classes_stay_within_ascii() {
        for written in [r"\bpay\b", r"\p{Greek}|pay", "[éa]x", r"(?u:\w+)\d", "é"] {
            let hir = regular(written);
            assert!(!hir.properties().look_set().contains_word_unicode(), "{written}");
        }
        assert_eq!(*regular("[éa]").kind(), *Hir::literal(*b"a").kind());
    }

    #[test]
    fn errors_point_into_the_written_pattern() {
        let fault = |written| Pattern::parse(written, Anchor::Search).expect_err(written);
        assert_eq!(fault("pay(pal").column, 4);
        assert_eq!(fault("{x}pay)pal").column, 7);
        let unclosed = fault("{x}(?=a");
        assert_eq!(unclosed.column, 7);
        assert!(!unclosed.what.contains(char::is_numeric), "{}", unclosed.what);
        assert!(fault("a{1001}{1001}{1001}x(").what.contains("unclosed"));
    }

    #[test]
    fn an_anchor_mends_no_pattern_and_moves_no_column() {
        for written in ["a)(?=b", "pay(?=pal", "a).*(?<=n"] {
            let fault = |anchor| Pattern::parse(written, anchor).expect_err(written);
            assert_eq!(fault(Anchor::Start), fault(Anchor::Search));
        }
    }
}
