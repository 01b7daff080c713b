//! The plain regex of a rule: one engine, one rule, one domain, nothing in front of it.
//!
//! Owns what the fast way must agree with, in every view. Too slow for a stream; `explain` takes the place of a
//! match from it, and the differential test and the fuzz target hold the [`Engine`] against it.
//!
//! [`Engine`]: super::Engine

use std::ops::Range;

use regex_automata::meta;

use super::unicode;
use crate::rule::{self, Pattern, Syntax};

/// A pattern that is searched without prefilter.
#[derive(Debug)]
pub struct Plain(Kind);

#[derive(Debug)]
enum Kind {
    Regular(Box<meta::Regex>),
    Backtracking(Box<fancy_regex::Regex>),
}

/// The step limit was reached: nobody knows whether the pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaveUp;

impl Plain {
    /// Compiles a pattern; none where it grows beyond its engine's limits.
    #[must_use]
    pub fn new(syntax: &Syntax) -> Option<Self> {
        let kind = match syntax {
            Syntax::Regular(hir) => {
                // The syntax tree is in byte mode: an empty match may stand anywhere.
                let config = meta::Config::new().utf8_empty(false);
                let built = meta::Builder::new().configure(config).build_from_hir(hir);
                Kind::Regular(Box::new(built.ok()?))
            }
            Syntax::Backtracking { pattern, .. } => {
                Kind::Backtracking(Box::new(rule::fancy(pattern).ok()?))
            }
        };
        Some(Self(kind))
    }

    /// Compiles a pattern to be searched in `form`: in Unicode mode where that is not ASCII, unless
    /// it is a pattern in byte mode only.
    #[must_use]
    pub fn of_form(pattern: &Pattern, form: &str) -> Option<Self> {
        let unicode = match pattern.syntax {
            Syntax::Regular(_) if !form.is_ascii() => unicode::program(pattern),
            _ => None,
        };
        match unicode {
            Some(regex) => Some(Self(Kind::Regular(Box::new(regex)))),
            None => Self::new(&pattern.syntax),
        }
    }

    /// Where in `domain` the pattern matches first, in bytes.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit.
    pub fn find(&self, domain: &str) -> Result<Option<Range<usize>>, GaveUp> {
        match &self.0 {
            Kind::Regular(regex) => Ok(regex.find(domain).map(|found| found.range())),
            Kind::Backtracking(regex) => match regex.find(domain) {
                Ok(found) => Ok(found.map(|found| found.start()..found.end())),
                Err(_) => Err(GaveUp),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Anchor, Pattern};

    fn find(written: &str, anchor: Anchor) -> Result<Option<Range<usize>>, GaveUp> {
        let pattern = Pattern::parse(written, anchor).expect(written);
        Plain::new(&pattern.syntax).expect(written).find("login.paypal.com")
    }

    #[test]
    fn it_says_where() {
        assert_eq!(find("PAY.al", Anchor::Search), Ok(Some(6..12)));
        assert_eq!(find("PAY.al", Anchor::Start), Ok(None));
        assert_eq!(find(r"(?<=\.)pay", Anchor::Search), Ok(Some(6..9)));
    }

    #[test]
    fn it_says_that_it_gave_up() {
        assert_eq!(find(r"(.*)(.*)(.*)(.*)(.*)(.*)(?:\1\2\3\4\5\6)x", Anchor::Search), Err(GaveUp));
    }
}
