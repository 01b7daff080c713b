//! The prefilter: which domains of a block might match which rules.
//!
//! Owns the Aho-Corasick automaton over the literals of all rules, run once over the whole
//! newline-joined block. Contract: false positives allowed, false negatives never. Which literals
//! a rule needs is `literal`'s business; whether a candidate matches is `verify`'s.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::rule::RuleIndex;

/// A domain of the block (by its index) and a rule that it may match.
pub type Candidate = (u32, RuleIndex);

/// States up to which the automaton is a DFA. The crate's own choice falls to an automaton four
/// times slower beyond 100 literals; a state of the DFA takes some 256 bytes, so this bounds it
/// at 32 MiB, which 10,000 rules stay within. Above it memory counts more than speed.
const MAX_DFA_STATES: usize = 128 * 1024;

/// Finds the literals of all rules in one pass.
#[derive(Debug)]
pub struct Prefilter {
    automaton: AhoCorasick,
    /// By literal: the rules that it makes a candidate.
    rules: Vec<Box<[RuleIndex]>>,
    literals: Vec<Vec<u8>>,
}

impl Prefilter {
    /// Builds the automaton over the literals of each rule.
    ///
    /// # Errors
    /// When there are more literals than the automaton can number.
    pub fn build(literals: impl Iterator<Item = (RuleIndex, Vec<Vec<u8>>)>) -> Result<Self> {
        let mut owners: HashMap<Vec<u8>, Vec<RuleIndex>> = HashMap::new();
        for (rule, set) in literals {
            for literal in set {
                owners.entry(literal).or_default().push(rule);
            }
        }
        let mut owners: Vec<(Vec<u8>, Vec<RuleIndex>)> = owners.into_iter().collect();
        // The same rules make the same automaton, whatever the order of the map.
        owners.sort_unstable();
        let (literals, rules): (Vec<_>, Vec<_>) =
            owners.into_iter().map(|(literal, rules)| (literal, rules.into_boxed_slice())).unzip();
        let states: usize = literals.iter().map(Vec::len).sum();
        let kind = if states <= MAX_DFA_STATES {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .build(&literals)
            .map_err(|error| {
                Error::usage(format!("the literals of the rules make no automaton: {error}"))
                    .remedy("use fewer rules, or split them over several instances")
            })?;
        Ok(Self { automaton, rules, literals })
    }

    /// Adds a candidate for every literal in the block; a pair may be added more than once.
    /// `ends` holds where each domain ends in `block`, ascending; a newline follows each.
    pub fn candidates(&self, block: &[u8], ends: &[u32], found: &mut Vec<Candidate>) {
        let mut domain = 0;
        // Overlapping: every literal counts, also one inside another.
        for hit in self.automaton.find_overlapping_iter(block) {
            // Hits come in the order of their ends, so the domain only ever moves on.
            while (ends[domain] as usize) < hit.end() {
                domain += 1;
            }
            let index = domain as u32;
            found.extend(self.rules[hit.pattern()].iter().map(|rule| (index, *rule)));
        }
    }

    /// The literals of `rule` that stand in `domain`, with where each begins; for explanations.
    pub fn literals_in<'p>(
        &'p self,
        domain: &'p str,
        rule: RuleIndex,
    ) -> impl Iterator<Item = (usize, &'p [u8])> + 'p {
        self.automaton
            .find_overlapping_iter(domain)
            .filter(move |hit| self.rules[hit.pattern()].contains(&rule))
            .map(|hit| (hit.start(), self.literals[hit.pattern()].as_slice()))
    }

    /// All literals, each once.
    pub fn literals(&self) -> &[Vec<u8>] {
        &self.literals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_of_every_domain_is_found() {
        let sets = [(0, vec![b"pay".to_vec()]), (1, vec![b"paypal".to_vec(), b"pal".to_vec()])];
        let prefilter = Prefilter::build(sets.into_iter()).expect("builds");
        let block = b"paypal.com\nx.org\npal\n";
        let mut found = Vec::new();
        prefilter.candidates(block, &[10, 16, 20], &mut found);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, [(0, 0), (0, 1), (2, 1)]);
    }

    #[test]
    fn no_literal_spans_two_domains_and_none_is_fine() {
        let prefilter = Prefilter::build([(0, vec![b"ab".to_vec()])].into_iter()).expect("builds");
        let mut found = Vec::new();
        prefilter.candidates(b"a\nb\n", &[1, 3], &mut found);
        assert!(found.is_empty());
        let empty = Prefilter::build(std::iter::empty()).expect("builds");
        empty.candidates(b"a\nb\n", &[1, 3], &mut found);
        assert!(found.is_empty() && empty.literals().is_empty());
    }
}
