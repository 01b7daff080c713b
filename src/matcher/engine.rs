//! The engine: the compiled form of a rule set, shared by all matcher threads.
//!
//! Owns the way from a block of domains to hits: prefilter, verify, `exclude`, `allow`, in every
//! view of a domain. Knows nothing of certificates or channels.

mod compiled;
mod profile;

use std::collections::HashSet;

use regex_automata::PatternSet;

use super::always::AlwaysTried;
use super::literal::Literals;
use super::prefilter::{Candidate, Prefilter, Regime, Walk};
use super::proof::{Called, Miss, Proof};
use super::side::SideBlock;
use super::tokens::TokenTexts;
use super::unicode::UnicodeCandidates;
use super::verify::{Cache, Verdict};
use crate::domain::{PREFIX, Views};
use crate::error::Result;
use crate::matched::Hit;
use crate::rule::{Rule, RuleIndex, RuleSet, Scope, Syntax};
use compiled::Compiled;
pub use profile::{Profile, RuleCost};

/// The rule that a domain with `xn--` in it is a candidate of, as far as the prefilter knows: one
/// search finds what may match and what has other forms. No rule has this index: each takes more
/// than a byte of memory.
const ENCODED: RuleIndex = RuleIndex::MAX;

/// Rules without a literal that are named in the log; the rest are counted.
const NAMED_IN_LOG: usize = 5;

/// A rule set, ready to match.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    compiled: Vec<Compiled>,
    prefilter: Prefilter,
    always: AlwaysTried,
    /// What is an edit away from a brand.
    tokens: TokenTexts,
    /// What lines need that are not ASCII.
    unicode: UnicodeCandidates,
    allow: HashSet<Box<str>>,
}

/// What a matcher thread needs to use the engine; reused from block to block.
#[derive(Debug)]
pub struct Scratch {
    candidates: Vec<Candidate>,
    /// Those on the side block.
    side_candidates: Vec<Candidate>,
    /// The lines with `xn--` in them, ascending.
    encoded: Vec<u32>,
    walk: Box<Walk>,
    side: SideBlock,
    /// The hits on the side block.
    side_hits: Vec<(u32, Hit)>,
    matched: PatternSet,
    /// By rule: the states of its lazy DFA, where it has one, then those of its excludes.
    caches: Vec<Vec<Cache>>,
}

impl Scratch {
    /// Labels of the last block that begin `xn--` and do not decode.
    #[must_use]
    pub fn invalid_labels(&self) -> usize {
        self.side.invalid_labels()
    }
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
        let compiled: Vec<Compiled> =
            rules.rules.iter().map(Compiled::of).collect::<Result<_>>()?;
        let literals =
            compiled.iter().zip(0..).filter_map(|(compiled, rule)| match &compiled.literals {
                Literals::Required(set) | Literals::Exact(set) => Some((rule, set.clone())),
                Literals::None { .. } => None,
            });
        let encoded = (ENCODED, vec![PREFIX.as_bytes().to_vec()]);
        let prefilter = Prefilter::build(literals.chain([encoded]), regime)?;
        let without: Vec<(RuleIndex, Option<&regex_syntax::hir::Hir>)> = compiled
            .iter()
            .zip(&rules.rules)
            .zip(0..)
            .filter(|((compiled, _), _)| matches!(compiled.literals, Literals::None { .. }))
            .map(|((_, rule), index)| match &rule.pattern.syntax {
                // On a part of the domain `^` and `$` say something else than on all of it.
                _ if rule.scope != Scope::Domain => (index, None),
                Syntax::Regular(hir) => (index, Some(hir)),
                // Wider than the pattern: a domain that does not match it need not be verified.
                Syntax::Backtracking { outline, .. } => (index, Some(outline)),
                Syntax::Brand(_) => (index, None),
            })
            .collect();
        let always = AlwaysTried::new(&without);
        let patterns = rules.rules.iter().map(|rule| &rule.pattern);
        let unicode = UnicodeCandidates::new(
            patterns.zip(compiled.iter().map(|compiled| &compiled.literals)),
        )?;
        let brands = rules.rules.iter().zip(0..).filter_map(|(rule, index)| {
            let Syntax::Brand(brand) = &rule.pattern.syntax else { return None };
            Some((index, brand.clone()))
        });
        let tokens = TokenTexts::new(brands.collect())?;
        let allow = rules.allow.iter().map(|domain| domain.as_str().into()).collect();
        Ok(Self { compiled, prefilter, always, tokens, unicode, allow, rules })
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

    /// The literals of which every match of a rule contains one, in whichever view; none for a rule
    /// that is tried on every domain, for a brand, of which they are but some, or where Unicode
    /// forms may match without them.
    #[must_use]
    pub fn required(&self, rule: RuleIndex) -> Option<&[Vec<u8>]> {
        let compiled = &self.compiled[rule as usize];
        match &compiled.literals {
            _ if compiled.ascii_only => None,
            _ if matches!(self.rules.rules[rule as usize].pattern.syntax, Syntax::Brand(_)) => None,
            Literals::Required(set) | Literals::Exact(set) => Some(set),
            Literals::None { .. } => None,
        }
    }

    /// The literals of the rules that the prefilter looks for, each once.
    pub fn literals(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let literals: Vec<&[u8]> = self.prefilter.literals_but_of(ENCODED).collect();
        literals.into_iter()
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
            self.literals().len(),
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
            side_candidates: Vec::new(),
            encoded: Vec::new(),
            walk: Box::default(),
            side: SideBlock::default(),
            side_hits: Vec::new(),
            matched: self.always.pattern_set(),
            caches: std::iter::repeat_with(Vec::new).take(self.compiled.len()).collect(),
        }
    }

    /// Calls `found` with each hit, by ascending domain and rule, and with what gave up.
    ///
    /// `block` holds sanitised domains, a newline behind each; `ends` where each ends (before
    /// its newline), ascending. Returns how many candidates there were, in all views.
    pub fn hits(
        &self,
        block: &str,
        ends: &[u32],
        scratch: &mut Scratch,
        mut found: impl FnMut(usize, Hit),
    ) -> usize {
        let mut candidates = std::mem::take(&mut scratch.candidates);
        self.line_candidates(block, ends, scratch, &mut candidates);
        let mut side = std::mem::take(&mut scratch.side);
        side.fill(block, ends, &scratch.encoded);
        let mut side_hits = std::mem::take(&mut scratch.side_hits);
        let side_count = self.side_hits(block, ends, &side, scratch, &mut side_hits);
        let count = candidates.len() + side_count;
        let mut rest = side_hits.iter().copied().peekable();

        for (index, rule) in candidates.iter().copied() {
            while let Some((domain, hit)) =
                rest.next_if(|(domain, hit)| (*domain, hit.rule) < (index, rule))
            {
                found(domain as usize, hit);
            }
            let other = rest.next_if(|(domain, hit)| (*domain, hit.rule) == (index, rule));
            let called = self.called(block, ends, &side, index, rule);
            let hit = self.judge(called, called.domain, rule, scratch).ok();
            let hit = hit.map(|proof| proof.hit(rule, Views::A_LABEL));
            match (hit, other) {
                (Some(hit), Some((_, other))) => found(index as usize, hit.joined(other)),
                (Some(hit), None) | (None, Some((_, hit))) => found(index as usize, hit),
                (None, None) => {}
            }
        }
        rest.for_each(|(domain, hit)| found(domain as usize, hit));
        scratch.candidates = candidates;
        scratch.side_hits = side_hits;
        scratch.side = side;
        count
    }

    /// The hits on the side block of `block`, by ascending domain and rule, each once. Returns
    /// how many candidates there were.
    fn side_hits(
        &self,
        block: &str,
        ends: &[u32],
        side: &SideBlock,
        scratch: &mut Scratch,
        found: &mut Vec<(u32, Hit)>,
    ) -> usize {
        found.clear();
        if side.is_empty() {
            return 0;
        }
        let mut candidates = std::mem::take(&mut scratch.side_candidates);
        self.line_candidates(side.text(), side.ends(), scratch, &mut candidates);
        for (index, rule) in candidates.iter().copied() {
            let (line, domain, views) = side.line(index as usize);
            let called = self.called(block, ends, side, domain, rule);
            if let Ok(proof) = self.judge(called, line, rule, scratch) {
                found.push((domain, proof.hit(rule, views)));
            }
        }
        found.sort_unstable_by_key(|(domain, hit)| (*domain, hit.rule));
        found.dedup_by(|(domain, hit), (kept_domain, kept)| {
            let repeats = (*domain, hit.rule) == (*kept_domain, kept.rule);
            if repeats {
                *kept = kept.joined(*hit);
            }
            repeats
        });
        scratch.side_candidates = candidates;
        scratch.side_candidates.len()
    }

    /// What a domain of the block is called, as far as the rule's excludes ask.
    fn called<'d>(
        &self,
        block: &'d str,
        ends: &[u32],
        side: &'d SideBlock,
        domain: u32,
        rule: RuleIndex,
    ) -> Called<'d> {
        let is_asked = !self.compiled[rule as usize].exclude.is_empty();
        let unicode = if is_asked { side.unicode_form(domain) } else { None };
        Called { domain: domain_at(block, ends, domain as usize), unicode }
    }

    /// Makes `found` the candidates on the lines of a block, which are any forms of domains:
    /// ascending, each once. Leaves in the scratch which lines have `xn--` in them.
    fn line_candidates(
        &self,
        block: &str,
        ends: &[u32],
        scratch: &mut Scratch,
        found: &mut Vec<Candidate>,
    ) {
        found.clear();
        self.prefilter.candidates(block.as_bytes(), ends, &mut scratch.walk, found);
        self.tokens.candidates(block.as_bytes(), ends, found);
        let matched = &mut scratch.matched;
        if self.always.is_empty() && self.unicode.is_empty() {
            // No look at every byte whether it is ASCII.
        } else if block.is_ascii() {
            self.always.candidates(block, ends, matched, |line, rule| found.push((line, rule)));
        } else {
            // The shared programs of the rules without a literal are in byte mode.
            let ascii = lines(block, ends).zip(0..).filter(|(line, _)| line.is_ascii());
            for (line, index) in ascii {
                let end = [line.len() as u32];
                self.always.candidates(line, &end, matched, |_, rule| found.push((index, rule)));
            }
            self.unicode.add(block, ends, &mut scratch.walk, found);
        }
        found.sort_unstable();
        found.dedup();
        let encoded = &mut scratch.encoded;
        encoded.clear();
        found.retain(|(line, rule)| {
            if *rule == ENCODED {
                encoded.push(*line);
            }
            *rule != ENCODED
        });
    }

    /// The rules that the prefilter lets through for one form of a domain, ascending.
    pub fn candidates(&self, form: &str, scratch: &mut Scratch) -> Vec<RuleIndex> {
        let mut found = Vec::new();
        self.line_candidates(&format!("{form}\n"), &[form.len() as u32], scratch, &mut found);
        found.into_iter().map(|(_, rule)| rule).collect()
    }

    /// Whether one rule hits one domain as it is stored, whatever its other views.
    pub fn hits_rule(&self, domain: &str, rule: RuleIndex, scratch: &mut Scratch) -> bool {
        let called = Called { domain, unicode: None };
        self.candidates(domain, scratch).contains(&rule)
            && self.judge(called, domain, rule, scratch).is_ok()
    }

    /// Whether the pattern of one rule matches one domain as it is stored, whatever `exclude` and
    /// `allow` say.
    pub fn hits_pattern(&self, domain: &str, rule: RuleIndex, scratch: &mut Scratch) -> bool {
        let called = Called { domain, unicode: None };
        self.candidates(domain, scratch).contains(&rule)
            && !matches!(self.judge(called, domain, rule, scratch), Err(Miss::Pattern))
    }

    /// Whether a candidate is a hit on one form of a domain; if so, what speaks for it. `exclude`,
    /// `own` and `allow` speak of what the domain is called: a look-alike of an excluded domain is
    /// just what the rule is there for.
    ///
    /// # Errors
    /// Why it is none.
    pub fn judge(
        &self,
        called: Called<'_>,
        form: &str,
        rule: RuleIndex,
        scratch: &mut Scratch,
    ) -> Result<Proof, Miss> {
        let compiled = &self.compiled[rule as usize];
        let Rule { scope, pattern, exclude, .. } = &self.rules.rules[rule as usize];
        let caches = &mut scratch.caches[rule as usize];
        caches.resize_with(1 + exclude.len(), Cache::default);
        let (verdict, found) = match (&compiled.literals, &pattern.syntax) {
            (Literals::Exact(_), _) if !compiled.ascii_only || form.is_ascii() => {
                (Verdict::Match, None)
            }
            (_, Syntax::Brand(brand)) => {
                let mut found = brand.judge(form).ok_or(Miss::Pattern)?;
                if brand.owns(called.domain) {
                    return Err(Miss::Own);
                }
                // What is plain letters and not the domain is what the domain looks like.
                if form != called.domain && form.is_ascii() {
                    found.typosquat = found.typosquat.by_looks();
                }
                (Verdict::Match, Some(found))
            }
            _ => {
                let verify = |part: &str| compiled.programs.verify(pattern, part, &mut caches[0]);
                (verify_parts(*scope, form, verify), None)
            }
        };
        if verdict == Verdict::NoMatch {
            return Err(Miss::Pattern);
        }
        let mut excludes = compiled.exclude.iter().zip(exclude).zip(&mut caches[1..]);
        let excluded = excludes.position(|((programs, exclude), cache)| {
            // An exclude that gives up excludes nothing: better one look too many.
            let mut names = std::iter::once(called.domain).chain(called.unicode);
            names.any(|name| programs.verify(exclude, name, cache) == Verdict::Match)
        });
        match excluded {
            Some(index) => Err(Miss::Excluded(index)),
            None if self.is_allowed(called.domain) => Err(Miss::Allowed),
            None => Ok(Proof { gave_up: verdict == Verdict::GaveUp, found }),
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

    /// The literals of a rule that stand in a form of a domain, with where each begins; for
    /// explanations.
    pub fn literals_in<'e>(
        &'e self,
        form: &'e str,
        rule: RuleIndex,
    ) -> impl Iterator<Item = (usize, &'e str)> + 'e {
        let unicode = (!form.is_ascii()).then(|| self.unicode.prefilter());
        let others = unicode.map(|prefilter| prefilter.literals_in(form, rule));
        self.prefilter
            .literals_in(form, rule)
            .chain(others.into_iter().flatten())
            .filter_map(|(at, literal)| Some((at, std::str::from_utf8(literal).ok()?)))
            .chain(self.tokens.texts_in(form, rule))
    }
}

/// The lines of a block, in order.
fn lines<'b>(block: &'b str, ends: &'b [u32]) -> impl Iterator<Item = &'b str> {
    (0..ends.len()).map(|index| domain_at(block, ends, index))
}

/// The domain (or another line) at `index` of a block.
pub fn domain_at<'b>(block: &'b str, ends: &[u32], index: usize) -> &'b str {
    let start = if index == 0 { 0 } else { ends[index - 1] as usize + 1 };
    &block[start..ends[index] as usize]
}

/// Whether some part of a domain matches; if none does and one gave up, nobody knows.
fn verify_parts(scope: Scope, form: &str, mut verify: impl FnMut(&str) -> Verdict) -> Verdict {
    let mut gave_up = false;
    let matched = scope.find(form, |_, part| {
        let verdict = verify(part);
        gave_up |= verdict == Verdict::GaveUp;
        (verdict == Verdict::Match).then_some(Verdict::Match)
    });
    matched.unwrap_or(if gave_up { Verdict::GaveUp } else { Verdict::NoMatch })
}

#[cfg(test)]
mod tests;
