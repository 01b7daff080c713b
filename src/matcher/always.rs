//! Rules without a literal: tried on every domain.
//!
//! Owns their DFAs, as few as stay small, and the walk of several domains at once. Whether a
//! candidate matches is `verify`'s business.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, PatternSet};
use regex_syntax::hir::Hir;

use super::engine::domain_at;
use super::verify::{compile, dense_dfa};

/// Bytes of the DFA that several rules without a literal share: it must stay inside the L2 cache,
/// and to find out that it does not takes the longer the larger it may be.
const MAX_SHARED: usize = 1024 * 1024;
/// Domains walked at once. Each step waits for the one before it, so one domain alone would leave
/// the processor idle most of the time.
const LANES: usize = 4;

/// The rules, in DFAs of which each tells in one walk over a domain which of its rules match.
#[derive(Debug)]
pub struct AlwaysTried {
    shared: Vec<Shared>,
    /// Those no small DFA can be made for: candidates everywhere.
    alone: Vec<u32>,
}

#[derive(Debug)]
struct Shared {
    dfa: dense::DFA<Vec<u32>>,
    /// By pattern of the DFA: the rule.
    rules: Vec<u32>,
}

impl AlwaysTried {
    /// Gathers the rules; `None` for a rule whose pattern is no regular expression.
    #[must_use]
    pub fn new(rules: &[(u32, Option<&Hir>)]) -> Self {
        let mut gathered = Self { shared: Vec::new(), alone: Vec::new() };
        let mut regular = Vec::new();
        for (rule, hir) in rules {
            match hir {
                Some(hir) => regular.push((*rule, *hir)),
                None => gathered.alone.push(*rule),
            }
        }
        gathered.share(&regular);
        gathered
    }

    /// One DFA for all, or for each half: states multiply when anchored rules come together.
    fn share(&mut self, rules: &[(u32, &Hir)]) {
        if rules.is_empty() {
            return;
        }
        let patterns: Vec<&Hir> = rules.iter().map(|(_, hir)| *hir).collect();
        let dfa = compile(&patterns).ok().and_then(|nfa| dense_dfa(&nfa, MAX_SHARED));
        match (dfa, rules) {
            (Some(dfa), _) => {
                self.shared
                    .push(Shared { dfa, rules: rules.iter().map(|(rule, _)| *rule).collect() });
            }
            (None, [(rule, _)]) => self.alone.push(*rule),
            (None, _) => {
                let (one, other) = rules.split_at(rules.len() / 2);
                self.share(one);
                self.share(other);
            }
        }
    }

    /// Whether there is nothing to try.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.alone.is_empty()
    }

    /// Calls `found` with every domain of a block, by its index, and every rule that it may
    /// match; never leaves one out. `ends` holds where each domain ends; a newline follows each.
    pub fn candidates(
        &self,
        block: &str,
        ends: &[u32],
        matched: &mut PatternSet,
        mut found: impl FnMut(u32, u32),
    ) {
        for shared in &self.shared {
            each_matched(&shared.dfa, block.as_bytes(), ends, |index| {
                matched.clear();
                let domain = Input::new(domain_at(block, ends, index));
                match shared.dfa.try_which_overlapping_matches(&domain, matched) {
                    Ok(()) => matched
                        .iter()
                        .for_each(|pattern| found(index as u32, shared.rules[pattern.as_usize()])),
                    Err(_) => shared.rules.iter().for_each(|rule| found(index as u32, *rule)),
                }
            });
        }
        for rule in &self.alone {
            (0..ends.len() as u32).for_each(|index| found(index, *rule));
        }
    }

    /// A set large enough for the rules of any of the DFAs.
    #[must_use]
    pub fn pattern_set(&self) -> PatternSet {
        PatternSet::new(self.shared.iter().map(|shared| shared.rules.len()).max().unwrap_or(0))
    }
}

/// A domain on its way through the DFA.
#[derive(Clone, Copy, Default)]
struct Lane {
    state: StateID,
    at: usize,
    end: usize,
    index: usize,
    matched: bool,
}

/// Calls `found` with the index of every domain in which some pattern of the DFA matches.
fn each_matched(
    dfa: &dense::DFA<Vec<u32>>,
    block: &[u8],
    ends: &[u32],
    mut found: impl FnMut(usize),
) {
    // Every domain begins alike: nothing stands before it.
    let Ok(first) = dfa.start_state(&start::Config::new().anchored(Anchored::No)) else {
        // No such DFA is built; were there one, every domain would be a candidate.
        (0..ends.len()).for_each(found);
        return;
    };
    let mut next = 0;
    let mut begin = || {
        let index = next;
        let end = *ends.get(index)? as usize;
        let at = if index == 0 { 0 } else { ends[index - 1] as usize + 1 };
        next += 1;
        Some(Lane { state: first, at, end, index, matched: dfa.is_match_state(first) })
    };
    let mut finish = |lane: &Lane| {
        if lane.matched || dfa.is_match_state(dfa.next_eoi_state(lane.state)) {
            found(lane.index);
        }
    };
    let mut lanes: Vec<Lane> = Vec::with_capacity(LANES);
    lanes.extend(std::iter::from_fn(&mut begin).take(LANES));
    while let Ok(full) = <&mut [Lane; LANES]>::try_from(lanes.as_mut_slice()) {
        let steps = full.iter().map(|lane| lane.end - lane.at).min().unwrap_or(0);
        walk(dfa, block, full, steps);
        lanes.retain_mut(|lane| {
            if lane.at < lane.end {
                return true;
            }
            finish(lane);
            begin().map(|other| *lane = other).is_some()
        });
    }
    for lane in &mut lanes {
        let steps = lane.end - lane.at;
        walk(dfa, block, std::array::from_mut(lane), steps);
        finish(lane);
    }
}

/// Takes each lane so many bytes further.
#[inline(always)]
fn walk<const N: usize>(
    dfa: &dense::DFA<Vec<u32>>,
    block: &[u8],
    lanes: &mut [Lane; N],
    steps: usize,
) {
    let texts = lanes.each_ref().map(|lane| &block[lane.at..lane.at + steps]);
    let mut states = lanes.each_ref().map(|lane| lane.state);
    let mut matched = lanes.each_ref().map(|lane| lane.matched);
    for step in 0..steps {
        for lane in 0..N {
            states[lane] = dfa.next_state(states[lane], texts[lane][step]);
            matched[lane] |= dfa.is_match_state(states[lane]);
        }
    }
    for (lane, walked) in lanes.iter_mut().enumerate() {
        (walked.state, walked.matched) = (states[lane], matched[lane]);
        walked.at += steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn parsed(pattern: &str) -> Hir {
        let mut parser = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build();
        parser.parse(pattern).expect(pattern)
    }

    fn candidates(tried: &AlwaysTried, domains: &[&str]) -> Vec<(u32, u32)> {
        let (mut block, mut ends) = (String::new(), Vec::new());
        for domain in domains {
            block.push_str(domain);
            ends.push(block.len() as u32);
            block.push('\n');
        }
        let mut found = Vec::new();
        let mut matched = tried.pattern_set();
        tried.candidates(&block, &ends, &mut matched, |index, rule| found.push((index, rule)));
        found.sort_unstable();
        found
    }

    #[test]
    fn each_domain_is_told_with_its_rules_however_many_there_are() {
        let hirs = ["^[0-9]{3}", "[0-9]$", "^$", "^[^.]{9,}\\."].map(parsed);
        let rules: Vec<_> = hirs.iter().zip(0..).map(|(hir, rule)| (rule, Some(hir))).collect();
        let tried = AlwaysTried::new(&rules);
        let domains = ["123.de", "x1", "", "abcdefghi.org", "a", "999", "ab.cd", "1.abcdefghijk.1"];
        let each = [&[0][..], &[1], &[2], &[3], &[], &[0, 1], &[], &[1]];
        for count in 0..=domains.len() {
            let expected: Vec<(u32, u32)> = (0..count as u32)
                .flat_map(|at| each[at as usize].iter().map(move |rule| (at, *rule)))
                .collect();
            assert_eq!(candidates(&tried, &domains[..count]), expected, "{count} domains");
        }
    }

    /// Anchored rules with gaps multiply each other's states.
    #[test]
    fn rules_that_multiply_are_gathered_within_seconds() {
        let hirs: Vec<Hir> = (b'a'..=b'z')
            .chain(b'0'..=b'3')
            .map(|byte| format!(r"^(?:[^.]+\.)*[^.]*{}[^.]*\.(?:[a-c]k|m[x-z])$", byte as char))
            .map(|pattern| parsed(&pattern))
            .collect();
        let rules: Vec<_> = hirs.iter().zip(0..).map(|(hir, rule)| (rule, Some(hir))).collect();
        let start = Instant::now();
        let tried = AlwaysTried::new(&rules);
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        assert!(tried.alone.is_empty());
        assert_eq!(candidates(&tried, &["q.x.bk", "b.q"]), [(0, 23)]);
    }
}
