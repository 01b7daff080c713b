//! The engine: the compiled form of a rule set, shared by all matcher threads.
//!
//! Owns the way from a block of domains to hits: prefilter, verify, `exclude`, `allow`. Knows
//! nothing of certificates or channels.

use std::collections::HashSet;

use regex_automata::PatternSet;

use super::always::AlwaysTried;
use super::literal::Literals;
use super::prefilter::{Candidate, Prefilter, Regime};
use super::verify::{self, Cache, Verdict, Verifier};
use crate::domain::Views;
use crate::error::{Error, Result};
use crate::matched::Hit;
use crate::rule::{Rule, RuleIndex, RuleSet, Syntax};

/// Rules without a literal that are named in the log; the rest are counted.
const NAMED_IN_LOG: usize = 5;

/// A rule set, ready to match.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    compiled: Vec<Compiled>,
    prefilter: Prefilter,
    always: AlwaysTried,
    allow: HashSet<Box<str>>,
}

/// What the engine knows of one rule.
#[derive(Debug)]
struct Compiled {
    literals: Literals,
    verifier: Verifier,
    exclude: Vec<Verifier>,
}

/// What a matcher thread needs to use the engine; reused from block to block.
#[derive(Debug)]
pub struct Scratch {
    candidates: Vec<Candidate>,
    matched: PatternSet,
    /// By rule: the states of its lazy DFA, where it has one, then those of its excludes.
    caches: Vec<Vec<Cache>>,
}

/// Why a candidate is no hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The pattern does not match.
    Pattern,
    /// It matches, and so does the exclude at this index.
    Excluded(usize),
    /// It matches, and the domain is allowed.
    Allowed,
}

impl Engine {
    /// Compiles a rule set.
    ///
    /// # Errors
    /// When a rule grows beyond the limits of every engine; the error names its place.
    pub fn build(rules: RuleSet) -> Result<Self> {
        Self::build_in(rules, None)
    }

    /// The same with a prefilter of the caller's choice: for tests and benches.
    ///
    /// # Errors
    /// When a rule grows beyond the limits of every engine; the error names its place.
    #[doc(hidden)]
    pub fn build_in(rules: RuleSet, regime: Option<Regime>) -> Result<Self> {
        let compiled: Vec<Compiled> = rules.rules.iter().map(compile).collect::<Result<_>>()?;
        let literals =
            compiled.iter().zip(0..).filter_map(|(compiled, rule)| match &compiled.literals {
                Literals::Required(set) | Literals::Exact(set) => Some((rule, set.clone())),
                Literals::None { .. } => None,
            });
        let prefilter = Prefilter::build(literals, regime)?;
        let without: Vec<(RuleIndex, Option<&regex_syntax::hir::Hir>)> = compiled
            .iter()
            .zip(&rules.rules)
            .zip(0..)
            .filter(|((compiled, _), _)| matches!(compiled.literals, Literals::None { .. }))
            .map(|((_, rule), index)| match &rule.pattern.syntax {
                Syntax::Regular(hir) => (index, Some(hir)),
                // Wider than the pattern: a domain that does not match it need not be verified.
                Syntax::Backtracking { outline, .. } => (index, Some(outline)),
            })
            .collect();
        let always = AlwaysTried::new(&without);
        let allow = rules.allow.iter().map(|domain| domain.as_str().into()).collect();
        Ok(Self { compiled, prefilter, always, allow, rules })
    }

    /// The rules it was made of.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The rules without a literal, and why each has none.
    pub fn without_literal(&self) -> impl Iterator<Item = (&Rule, &str)> {
        self.rules.rules.iter().zip(&self.compiled).filter_map(|(rule, compiled)| {
            match &compiled.literals {
                Literals::None { reason } => Some((rule, reason.as_str())),
                Literals::Required(_) | Literals::Exact(_) => None,
            }
        })
    }

    /// The literals that the prefilter looks for, each once.
    pub fn literals(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.prefilter.literals()
    }

    /// How the literals are looked for.
    #[doc(hidden)]
    #[must_use]
    pub fn regime(&self) -> Regime {
        self.prefilter.regime()
    }

    /// Says once in the log which rules are tried on every domain.
    pub fn log_rules(&self) {
        let without: Vec<_> = self.without_literal().collect();
        log::info!(
            "{} rules, {} literals, {} rules without a literal",
            self.compiled.len(),
            self.prefilter.literals().len(),
            without.len()
        );
        for (rule, reason) in without.iter().take(NAMED_IN_LOG) {
            log::info!(
                "{}:{}: the rule `{}` is tried on every domain: {reason}",
                rule.place.file.display(),
                rule.place.line,
                rule.name
            );
        }
        if without.len() > NAMED_IN_LOG {
            log::info!("{} more such rules: `lint` lists them", without.len() - NAMED_IN_LOG);
        }
    }

    /// Scratch space for one thread.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch {
            candidates: Vec::new(),
            matched: self.always.pattern_set(),
            caches: std::iter::repeat_with(Vec::new).take(self.compiled.len()).collect(),
        }
    }

    /// Calls `found` with each hit, by ascending domain and rule, and with what gave up.
    ///
    /// `block` holds sanitised domains, a newline behind each; `ends` where each ends (before
    /// its newline), ascending. Returns how many candidates there were.
    pub fn hits(
        &self,
        block: &str,
        ends: &[u32],
        scratch: &mut Scratch,
        mut found: impl FnMut(usize, Hit),
    ) -> usize {
        let mut candidates = std::mem::take(&mut scratch.candidates);
        candidates.clear();
        self.prefilter.candidates(block.as_bytes(), ends, &mut candidates);
        if !self.always.is_empty() {
            self.always.candidates(block, ends, &mut scratch.matched, |index, rule| {
                candidates.push((index, rule));
            });
        }
        candidates.sort_unstable();
        candidates.dedup();
        for (index, rule) in candidates.iter().copied() {
            let domain = domain_at(block, ends, index as usize);
            if let Ok(gave_up) = self.judge(domain, rule, scratch) {
                found(index as usize, Hit { rule, views: Views::A_LABEL, gave_up });
            }
        }
        scratch.candidates = candidates;
        scratch.candidates.len()
    }

    /// The rules that the prefilter lets through for one domain, ascending.
    pub fn candidates(&self, domain: &str, scratch: &mut Scratch) -> Vec<RuleIndex> {
        let mut found = Vec::new();
        let block = format!("{domain}\n");
        let ends = [domain.len() as u32];
        self.prefilter.candidates(block.as_bytes(), &ends, &mut found);
        self.always.candidates(&block, &ends, &mut scratch.matched, |index, rule| {
            found.push((index, rule));
        });
        let mut rules: Vec<RuleIndex> = found.into_iter().map(|(_, rule)| rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Whether one rule hits one domain.
    pub fn hits_rule(&self, domain: &str, rule: RuleIndex, scratch: &mut Scratch) -> bool {
        self.candidates(domain, scratch).contains(&rule)
            && self.judge(domain, rule, scratch).is_ok()
    }

    /// Whether the pattern of one rule matches one domain, whatever `exclude` and `allow` say.
    pub fn hits_pattern(&self, domain: &str, rule: RuleIndex, scratch: &mut Scratch) -> bool {
        self.candidates(domain, scratch).contains(&rule)
            && !matches!(self.judge(domain, rule, scratch), Err(Miss::Pattern))
    }

    /// Whether a candidate is a hit; if so, whether its engine gave up on it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn judge(
        &self,
        domain: &str,
        rule: RuleIndex,
        scratch: &mut Scratch,
    ) -> Result<bool, Miss> {
        let compiled = &self.compiled[rule as usize];
        let caches = &mut scratch.caches[rule as usize];
        caches.resize_with(1 + compiled.exclude.len(), Cache::default);
        let verdict = match compiled.literals {
            Literals::Exact(_) => Verdict::Match,
            _ => compiled.verifier.verify(domain, &mut caches[0]),
        };
        if verdict == Verdict::NoMatch {
            return Err(Miss::Pattern);
        }
        let excluded =
            compiled.exclude.iter().zip(&mut caches[1..]).position(|(exclude, cache)| {
                // An exclude that gives up excludes nothing: better one look too many.
                exclude.verify(domain, cache) == Verdict::Match
            });
        match excluded {
            Some(index) => Err(Miss::Excluded(index)),
            None if self.is_allowed(domain) => Err(Miss::Allowed),
            None => Ok(verdict == Verdict::GaveUp),
        }
    }

    /// Whether the user's `allow` list names the domain or a suffix of it.
    #[must_use]
    pub fn is_allowed(&self, domain: &str) -> bool {
        if self.allow.is_empty() {
            return false;
        }
        let below = memchr::memchr_iter(b'.', domain.as_bytes()).map(|dot| &domain[dot + 1..]);
        std::iter::once(domain).chain(below).any(|suffix| self.allow.contains(suffix))
    }

    /// The literals of a rule that stand in `domain`, with where each begins; for explanations.
    pub fn literals_in<'e>(
        &'e self,
        domain: &'e str,
        rule: RuleIndex,
    ) -> impl Iterator<Item = (usize, &'e str)> + 'e {
        self.prefilter
            .literals_in(domain, rule)
            .filter_map(|(at, literal)| Some((at, std::str::from_utf8(literal).ok()?)))
    }
}

/// The domain at `index` of a block.
pub fn domain_at<'b>(block: &'b str, ends: &[u32], index: usize) -> &'b str {
    let start = if index == 0 { 0 } else { ends[index - 1] as usize + 1 };
    &block[start..ends[index] as usize]
}

fn compile(rule: &Rule) -> Result<Compiled> {
    let fault = |what: String| {
        Error::usage(format!("the rule does not compile: {what}"))
            .in_file(&rule.place.file)
            .at_line(rule.place.line)
            .remedy("shorten its repetitions, or take the rule out")
    };
    let literals = match &rule.pattern.syntax {
        Syntax::Regular(hir) => Literals::of(hir),
        // The outline is wider than the pattern, so its literals prove nothing.
        Syntax::Backtracking { outline, .. } => match Literals::of(outline) {
            Literals::Exact(set) => Literals::Required(set),
            other => other,
        },
    };
    if !matches!(literals, Literals::Exact(_)) {
        verify::check(&rule.pattern.syntax).map_err(fault)?;
    }
    for exclude in &rule.exclude {
        verify::check(&exclude.syntax).map_err(fault)?;
    }
    let verifier = Verifier::new(rule.pattern.syntax.clone());
    let exclude = rule.exclude.iter().map(|exclude| Verifier::new(exclude.syntax.clone()));
    Ok(Compiled { literals, verifier, exclude: exclude.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Anchor, Loader, RuleEntry};
    use std::path::Path;

    fn engine(entries: &[RuleEntry], allow: &[&str], anchor: Anchor) -> Engine {
        let mut loader = Loader::new(anchor);
        loader.entries(entries, Path::new("test")).expect("rules compile");
        let allow: Vec<String> = allow.iter().map(|domain| (*domain).to_owned()).collect();
        loader.allow(&allow);
        Engine::build(loader.finish().expect("rules")).expect("builds")
    }

    fn patterns(patterns: &[&str]) -> Vec<RuleEntry> {
        let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
        patterns.iter().map(entry).collect()
    }

    fn hits(engine: &Engine, domains: &[&str]) -> Vec<(usize, u32)> {
        let mut block = String::new();
        let mut ends = Vec::new();
        for domain in domains {
            block.push_str(domain);
            ends.push(u32::try_from(block.len()).expect("short"));
            block.push('\n');
        }
        let mut found = Vec::new();
        engine.hits(&block, &ends, &mut engine.scratch(), |domain, hit| {
            assert!(!hit.gave_up);
            found.push((domain, hit.rule));
        });
        found
    }

    #[test]
    fn each_hit_keeps_its_rule() {
        let engine = engine(
            &patterns(&["paypal", "(secure|login).*paypal", r"\.tk$", "^[0-9.]+x", "(?<!my)bank"]),
            &[],
            Anchor::Search,
        );
        let domains = ["paypal-login.tk", "login-paypal.com", "mybank.de", "thebank.de", "1.2x"];
        assert_eq!(hits(&engine, &domains), [(0, 0), (0, 2), (1, 0), (1, 1), (3, 4), (4, 3)]);
    }

    #[test]
    fn a_start_anchor_is_re_match() {
        let engine = engine(&patterns(&["pay|bank", "(?=pay)"]), &[], Anchor::Start);
        assert_eq!(hits(&engine, &["xpay.de", "bank.de", "pay.de"]), [(1, 0), (2, 0), (2, 1)]);
    }

    /// Names hold no upper case, so a pattern that minds case is one that does not.
    #[test]
    fn case_is_ignored_by_either_engine_whatever_a_pattern_says() {
        let written = ["(?-i:WHM)(?!x)", "(?-i:WHM)", "(?-i:[A-Z]{3})(?=1)", "(?-i:[A-Z]{3})1"];
        let engine = engine(&patterns(&written), &[], Anchor::Search);
        let expected = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1)];
        assert_eq!(hits(&engine, &["whm1.de", "whmx.de"]), expected);
    }

    #[test]
    fn excluded_and_allowed_domains_are_no_hits() {
        let mut rules = patterns(&["bank"]);
        rules[0].exclude = vec![r"\.bank\.com$".to_owned(), "mybank".to_owned()];
        let engine = engine(&rules, &["good.org"], Anchor::Search);
        let domains =
            ["a.bank.com", "mybank.de", "bank.de", "bank.good.org", "bankgood.org", "good.org"];
        assert_eq!(hits(&engine, &domains), [(2, 0), (4, 0)]);
    }

    #[test]
    fn a_rule_that_grows_too_large_is_refused_with_its_place() {
        let mut loader = Loader::new(Anchor::Search);
        let mut rules = patterns(&["(?:[a-z]{1000}){1000}x*"]);
        rules[0].line = 7;
        loader.entries(&rules, Path::new("r.txt")).expect("parses");
        let error = Engine::build(loader.finish().expect("rules")).expect_err("too large");
        assert!(error.to_string().starts_with("r.txt:7: the rule does not compile"), "{error}");
    }
}
