//! What the user wants found: rules, each with its identity, read from files and YAML.
//!
//! Owns the rule, its pattern translated from Python's spelling and parsed, or the brand it
//! protects, and the rule set.
//! Knows no engine: how a pattern is searched is `matcher`'s business.

mod brand;
mod entry;
mod load;
mod lookalike;
mod outline;
mod pattern;
mod python;
mod scope;
mod unicode;

use std::path::PathBuf;
use std::sync::Arc;

use regex_syntax::hir::Hir;

pub use brand::{Brand, BrandEntry, Found, Technique, Techniques, Typosquat};
pub use entry::RuleEntry;
pub use load::{Loader, allowed_domain};
pub use pattern::fancy;
pub use python::Fault;
pub use scope::Scope;

/// Index of a rule within the run's [`RuleSet`].
pub type RuleIndex = u32;

/// Where a pattern may begin to match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// Anywhere in the domain.
    #[default]
    Search,
    /// At its first byte only, as Python's `re.match`.
    Start,
}

/// Where a rule was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
}

/// A pattern as an engine needs it. All forms expect a haystack without ASCII upper case.
#[derive(Clone, Debug)]
pub enum Syntax {
    /// A regular expression in the strict sense; the anchor is part of it.
    Regular(Hir),
    /// Look-around or back-references: needs the backtracking engine.
    Backtracking {
        /// The translated pattern, in `fancy-regex` syntax; the anchor is part of it.
        pattern: String,
        /// A regular expression that matches wherever `pattern` may: literals come from it.
        outline: Hir,
    },
    /// No regular expression at all: what passes for a brand.
    Brand(Arc<Brand>),
}

/// A translated and parsed pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As the user wrote it; of a brand, `brand:` and its name.
    pub written: String,
    /// Where it may begin to match.
    pub anchor: Anchor,
    /// Whether it also matches what looks like its characters: digits and pairs.
    pub widened: bool,
    /// As the engines take it, for domains and whatever else is ASCII.
    pub syntax: Syntax,
}

/// Identity of a rule: the first 16 bytes of SHA-256 over name and pattern, so it is stable
/// across reordering.
pub type RuleHash = [u8; 16];

/// One thing the user wants found.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is called; the pattern itself where none was given.
    pub name: String,
    /// What it searches for.
    pub pattern: Pattern,
    /// The part of a domain that the pattern is tried on; its excludes are tried on all of it.
    pub scope: Scope,
    /// Domains that match one of these are not matches of this rule.
    pub exclude: Vec<Pattern>,
    /// The user's labels.
    pub tags: Vec<String>,
    /// The user's severity, free text.
    pub severity: Option<String>,
    /// Identity across runs.
    pub hash: RuleHash,
    /// Where it was written.
    pub place: Place,
}

/// All rules of a run, and the domains that are never reported.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// The rules; a [`RuleIndex`] points here.
    pub rules: Vec<Rule>,
    /// The user's own domains and suffixes, lower case, without a leading dot.
    pub allow: Vec<String>,
    /// Rules left out because one of the same name and pattern stands before them.
    pub repeated: Vec<(String, Place)>,
}
