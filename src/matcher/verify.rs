//! Verify: whether a domain matches one pattern.
//!
//! Owns the choice of an engine for each pattern and its lazy making: a dense DFA where it stays
//! small, else a lazy DFA, and the backtracking engine for look-around. Programs are made when
//! their first candidate comes: of thousands of rules, few ever have one.

use std::sync::OnceLock;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::hybrid::dfa as lazy;
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Class, Dot, Hir, HirKind, Repetition};

use crate::rule::{self, Syntax};

/// Bytes a dense DFA may take. Most rules need 2–10 KiB; beyond this the lazy DFA, which keeps
/// only the states that real names reach, is nearly as fast.
const MAX_DENSE: usize = 64 * 1024;
/// Bytes a rule's NFA may take: what `(a{1000}){1000}` runs into, at the start, with its line.
const MAX_NFA: usize = 1024 * 1024;
/// States of an NFA, by [`states`], that surely stay within [`MAX_NFA`]: each takes at most 64
/// bytes, its transition included.
const SURELY_FEW: u64 = 4096;
/// Bytes of a lazy DFA's cache, one a matcher thread and rule that ever had a candidate.
const LAZY_CACHE: usize = 64 * 1024;

/// Whether a pattern was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It matches.
    Match,
    /// It does not.
    NoMatch,
    /// The engine reached its step limit: nobody knows.
    GaveUp,
}

/// One pattern and, once it was needed, the engine for it. Shared by all matchers.
#[derive(Debug)]
pub struct Verifier {
    syntax: Syntax,
    program: OnceLock<Program>,
}

#[derive(Debug)]
enum Program {
    /// One that matches at the end of a domain, with the state in which every domain begins:
    /// nothing stands before it.
    Dense(dense::DFA<Vec<u32>>, StateID),
    Lazy(lazy::DFA),
    Backtracking(fancy_regex::Regex),
    /// No engine could be made, although the pattern was checked at the start.
    Unmade,
}

/// What a matcher thread keeps for a verifier: the lazy DFA's states, if it has one.
#[derive(Debug, Default)]
pub struct Cache(Option<Box<lazy::Cache>>);

impl Verifier {
    /// A verifier for a pattern that [`check`] accepted.
    #[must_use]
    pub fn new(syntax: Syntax) -> Self {
        Self { syntax, program: OnceLock::new() }
    }

    /// Whether `domain` matches.
    pub fn verify(&self, domain: &str, cache: &mut Cache) -> Verdict {
        let found = match self.program.get_or_init(|| Program::make(&self.syntax)) {
            Program::Dense(dfa, first) => return walked(dfa, *first, domain),
            // The DFA has no bytes to quit at, so it cannot fail.
            Program::Lazy(dfa) => {
                let states = cache.0.get_or_insert_with(|| Box::new(dfa.create_cache()));
                dfa.try_search_fwd(states, &earliest(domain)).ok()
            }
            Program::Backtracking(regex) => {
                return match regex.is_match(domain) {
                    Ok(true) => Verdict::Match,
                    Ok(false) => Verdict::NoMatch,
                    Err(_) => Verdict::GaveUp,
                };
            }
            Program::Unmade => None,
        };
        match found {
            Some(Some(_)) => Verdict::Match,
            Some(None) => Verdict::NoMatch,
            None => Verdict::GaveUp,
        }
    }
}

/// Walks a whole domain, without a look at any state before the last: in half the time of the
/// crate's search, which looks at each.
fn walked(dfa: &dense::DFA<Vec<u32>>, first: StateID, domain: &str) -> Verdict {
    let last = domain.bytes().fold(first, |state, byte| dfa.next_state(state, byte));
    let matched = dfa.is_match_state(dfa.next_eoi_state(last));
    if matched { Verdict::Match } else { Verdict::NoMatch }
}

/// Stops at the first byte that decides: whether matters, not where.
fn earliest(domain: &str) -> Input<'_> {
    Input::new(domain).earliest(true)
}

impl Program {
    fn make(syntax: &Syntax) -> Self {
        match syntax {
            Syntax::Regular(hir) => Self::automaton(hir).unwrap_or(Self::Unmade),
            Syntax::Backtracking { pattern, .. } => {
                rule::fancy(pattern).map_or(Self::Unmade, Self::Backtracking)
            }
            // Judges for itself.
            Syntax::Brand(_) => Self::Unmade,
        }
    }

    fn automaton(hir: &Hir) -> Option<Self> {
        if let Some(dfa) = any_of(&[hir], MAX_DENSE)
            && let Ok(first) = dfa.start_state(&start::Config::new().anchored(Anchored::No))
        {
            return Some(Self::Dense(dfa, first));
        }
        let nfa = compile(&[hir]).ok()?;
        let config = lazy::Config::new().cache_capacity(LAZY_CACHE).skip_cache_capacity_check(true);
        lazy::Builder::new().configure(config).build_from_nfa(nfa).ok().map(Self::Lazy)
    }
}

/// A dense DFA of at most `limit` bytes, or none.
pub fn dense_dfa(nfa: &NFA, kind: MatchKind, limit: usize) -> Option<dense::DFA<Vec<u32>>> {
    let config = dense::Config::new()
        .start_kind(StartKind::Unanchored)
        .match_kind(kind)
        .dfa_size_limit(Some(limit))
        .determinize_size_limit(Some(4 * limit));
    dense::Builder::new().configure(config).build_from_nfa(nfa).ok()
}

/// A DFA of at most `limit` bytes that matches at the end of a domain if any pattern matched
/// anywhere in it, or none.
pub fn any_of(patterns: &[&Hir], limit: usize) -> Option<dense::DFA<Vec<u32>>> {
    let any = Hir::alternation(patterns.iter().map(|hir| (*hir).clone()).collect());
    let rest = Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: Box::new(Hir::dot(Dot::AnyByte)),
    });
    let nfa = compile(&[&Hir::concat(vec![any, rest])]).ok()?;
    // Leftmost: whatever began behind a match is dropped, and the states with it.
    dense_dfa(&nfa, MatchKind::LeftmostFirst, limit)
}

/// The NFA of patterns; the error says why there is none.
pub fn compile(patterns: &[&Hir]) -> Result<NFA, String> {
    let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_NFA));
    let built = thompson::Compiler::new().configure(config).build_many_from_hir(patterns);
    built.map_err(|error| match error.size_limit() {
        Some(_) => format!(
            "it needs more than {} KiB: it is too long, or its repetitions multiply",
            MAX_NFA / 1024
        ),
        None => error.to_string(),
    })
}

/// Checks that an engine can be made for a pattern, without keeping it. Nearly all patterns are
/// so small that nobody has to try.
///
/// # Errors
/// Why not, for the user.
pub fn check(syntax: &Syntax) -> Result<(), String> {
    match syntax {
        Syntax::Regular(hir) if states(hir) <= SURELY_FEW => Ok(()),
        Syntax::Regular(hir) => compile(&[hir]).map(drop),
        // Compiled when it was parsed.
        Syntax::Backtracking { .. } | Syntax::Brand(_) => Ok(()),
    }
}

/// At least as many states and transitions as the NFA of a pattern has.
fn states(hir: &Hir) -> u64 {
    let parts = |parts: &[Hir]| parts.iter().map(states).fold(2, u64::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 2,
        HirKind::Literal(literal) => 2 + literal.0.len() as u64,
        HirKind::Class(Class::Bytes(bytes)) => 2 + bytes.ranges().len() as u64,
        // Of UTF-8 sequences nobody knows how many there are, before they are made.
        HirKind::Class(Class::Unicode(_)) => u64::MAX,
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(4),
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(repetition.min.saturating_add(1));
            let each = states(&repetition.sub).saturating_add(2);
            each.saturating_mul(u64::from(copies)).saturating_add(2)
        }
        HirKind::Concat(members) | HirKind::Alternation(members) => parts(members),
    }
}
