//! One rule, compiled: its literals and its programs.
//!
//! Owns what becomes of a rule's syntax and scope; how rules are put together is the engine's business.

use super::super::literal::Literals;
use super::super::unicode::Programs;
use super::super::verify;
use crate::error::{Error, Result};
use crate::rule::{Rule, Scope, Syntax};

/// What the engine knows of one rule.
#[derive(Debug)]
pub(super) struct Compiled {
    pub literals: Literals,
    /// Whether its literals are good for ASCII alone.
    pub ascii_only: bool,
    pub programs: Programs,
    pub exclude: Vec<Programs>,
}

impl Compiled {
    /// Compiles a rule.
    ///
    /// # Errors
    /// When it grows beyond the limits of every engine; the error names its place.
    pub fn of(rule: &Rule) -> Result<Self> {
        let fault = |what: String| {
            Error::usage(format!("the rule does not compile: {what}"))
                .in_file(&rule.place.file)
                .at_line(rule.place.line)
                .remedy("shorten its repetitions, or take the rule out")
        };
        let literals = match &rule.pattern.syntax {
            Syntax::Regular(hir) => match (Literals::of(hir), rule.scope) {
                // It has to stand in the part that the rule is tried on.
                (Literals::Exact(set), scope) if scope != Scope::Domain => Literals::Required(set),
                (literals, _) => literals,
            },
            // The outline is wider than the pattern, so its literals prove nothing.
            Syntax::Backtracking { outline, .. } => match Literals::of(outline) {
                Literals::Exact(set) => Literals::Required(set),
                other => other,
            },
            Syntax::Brand(brand) => Literals::Required(brand.contained()),
        };
        if !matches!(literals, Literals::Exact(_)) {
            verify::check(&rule.pattern.syntax).map_err(fault)?;
        }
        for exclude in &rule.exclude {
            verify::check(&exclude.syntax).map_err(fault)?;
        }
        Ok(Self {
            literals,
            ascii_only: rule.pattern.may_have_other_literals(),
            programs: Programs::new(&rule.pattern),
            exclude: rule.exclude.iter().map(Programs::new).collect(),
        })
    }
}
