//! Lines that are not ASCII: what rules need there beside their byte-mode programs.
//!
//! Owns the Unicode-mode program of a pattern, made when its first candidate comes, and the way to
//! the candidates among such lines where the literals of byte mode do not show them. They are one
//! line in a hundred, so a program of its own for every rule would be waste: most rules are plain
//! text, whose literals and verdict are the same in both modes.

use std::sync::OnceLock;

use regex_automata::meta;
use regex_syntax::hir::Hir;

use super::engine::domain_at;
use super::literal::Literals;
use super::prefilter::{Candidate, Prefilter, Walk};
use super::verify::{Cache, Verdict, Verifier};
use crate::error::Result;
use crate::rule::{Pattern, RuleIndex, Syntax};

/// Bytes a pattern's NFA may take in Unicode mode, where `\w` alone takes a hundred thousand.
const MAX_NFA: usize = 16 * 1024 * 1024;
/// Bytes of the states that its lazy DFA keeps, for each thread.
const LAZY_CACHE: usize = 256 * 1024;

/// One pattern's two programs: in byte mode for ASCII, in Unicode mode for the rest.
#[derive(Debug)]
pub struct Programs {
    bytes: Verifier,
    /// None inside where byte mode must do: the pattern is one in byte mode only, or too large in
    /// Unicode mode.
    unicode: OnceLock<Option<Box<meta::Regex>>>,
}

impl Programs {
    /// The programs for a pattern that [`verify::check`](super::verify::check) accepted.
    pub fn new(pattern: &Pattern) -> Self {
        Self { bytes: Verifier::new(pattern.syntax.clone()), unicode: OnceLock::new() }
    }

    /// Whether `line`, a form of a domain, matches `pattern`, which these programs are made of.
    pub fn verify(&self, pattern: &Pattern, line: &str, cache: &mut Cache) -> Verdict {
        // The backtracking engine is always in Unicode mode.
        if !line.is_ascii()
            && matches!(pattern.syntax, Syntax::Regular(_))
            && let Some(regex) = self.unicode.get_or_init(|| program(pattern).map(Box::new))
        {
            return if regex.is_match(line) { Verdict::Match } else { Verdict::NoMatch };
        }
        self.bytes.verify(line, cache)
    }
}

/// The Unicode-mode program of a pattern without look-around; none where it has none.
pub fn program(pattern: &Pattern) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(MAX_NFA))
        .hybrid_cache_capacity(LAZY_CACHE)
        .dfa(false)
        .onepass(false);
    let built = meta::Builder::new().configure(config).build_from_hir(&pattern.unicode()?);
    built
        .map_err(|error| {
            log::warn!(
                "the regex `{}` is tried on Unicode forms byte by byte: {error}",
                crate::record::escape(&pattern.written)
            );
        })
        .ok()
}

/// The candidates that byte-mode literals do not show.
#[derive(Debug)]
pub struct UnicodeCandidates {
    /// Over the Unicode-mode literals of the rules whose literals those of byte mode are not.
    prefilter: Prefilter,
    /// The rules without a literal in Unicode mode: candidates on every line that is not ASCII and
    /// has as many bytes as the shortest text they match.
    always: Vec<(RuleIndex, usize)>,
}

impl UnicodeCandidates {
    /// Gathers the rules, in order, each with its literals in byte mode.
    ///
    /// # Errors
    /// When there are more literals than the prefilter can number.
    pub fn new<'r>(rules: impl Iterator<Item = (&'r Pattern, &'r Literals)>) -> Result<Self> {
        let mut own = Vec::new();
        let mut always = Vec::new();
        for ((pattern, literals), rule) in rules.zip(0..) {
            match other_literals(pattern, literals) {
                Some(Literals::Required(set) | Literals::Exact(set)) => own.push((rule, set)),
                Some(Literals::None { .. }) => always.push((rule, shortest(pattern))),
                None if set(literals).is_none() => always.push((rule, shortest(pattern))),
                None => {}
            }
        }
        Ok(Self { prefilter: Prefilter::build(own.into_iter(), None)?, always })
    }

    /// Whether the literals of byte mode show all candidates.
    pub fn is_empty(&self) -> bool {
        self.always.is_empty() && self.prefilter.literals().len() == 0
    }

    /// Adds the candidates on those lines of `block` that are not ASCII; `ends` holds where each
    /// line ends. A pair may be added more than once.
    pub fn add(&self, block: &str, ends: &[u32], walk: &mut Walk, found: &mut Vec<Candidate>) {
        let is_unicode = |line: u32| !domain_at(block, ends, line as usize).is_ascii();
        if self.prefilter.literals().len() > 0 {
            let before = found.len();
            self.prefilter.candidates(block.as_bytes(), ends, walk, found);
            // On an ASCII line a rule needs the literals that byte mode knows.
            let added = found.split_off(before);
            found.extend(added.into_iter().filter(|(line, _)| is_unicode(*line)));
        }
        if !self.always.is_empty() {
            for line in (0..ends.len() as u32).filter(|line| is_unicode(*line)) {
                let length = domain_at(block, ends, line as usize).len();
                let long_enough = self.always.iter().filter(|(_, shortest)| *shortest <= length);
                found.extend(long_enough.map(|(rule, _)| (line, *rule)));
            }
        }
    }

    /// The prefilter over the literals that byte mode does not know; for explanations.
    pub fn prefilter(&self) -> &Prefilter {
        &self.prefilter
    }
}

/// Bytes of the shortest text that a pattern matches in whichever mode.
fn shortest(pattern: &Pattern) -> usize {
    let Syntax::Regular(hir) = &pattern.syntax else { return 0 };
    let shortest = |hir: &Hir| hir.properties().minimum_len().unwrap_or(0);
    pattern.unicode().map_or(shortest(hir), |unicode| shortest(hir).min(shortest(&unicode)))
}

/// The literals of a pattern in Unicode mode, where they differ from those in byte mode.
fn other_literals(pattern: &Pattern, literals: &Literals) -> Option<Literals> {
    if !pattern.may_have_other_literals() {
        return None;
    }
    let other = Literals::of(&pattern.unicode()?);
    (set(&other) != set(literals)).then_some(other)
}

fn set(literals: &Literals) -> Option<&[Vec<u8>]> {
    match literals {
        Literals::Required(set) | Literals::Exact(set) => Some(set),
        Literals::None { .. } => None,
    }
}
