//! Rules without a literal: tried on every domain.
//!
//! Owns their DFAs, as few as stay small, and the walk of several domains at once. Whether a
//! candidate matches is `verify`'s business.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::{PatternID, StateID};
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind, PatternSet};
use regex_syntax::hir::{Dot, Hir, Repetition};

use super::engine::domain_at;
use super::verify::{compile, dense_dfa};

/// Bytes of the DFA that several rules without a literal share: it must stay inside the L2 cache,
/// and to find out that it does not takes the longer the larger it may be.
const MAX_SHARED: usize = 1024 * 1024;
/// Domains walked at once. Each step waits for the one before it, so one domain alone would leave
/// the processor idle most of the time.
const LANES: usize = 4;

/// The rules, as few groups as stay small.
#[derive(Debug)]
pub struct AlwaysTried {
    groups: Vec<Group>,
    /// Those no small DFA can be made for: candidates everywhere.
    alone: Vec<u32>,
}

/// Rules whose patterns share their DFAs.
#[derive(Debug)]
struct Group {
    /// Whether any pattern matches. Behind a match it accepts whatever follows, so its last state
    /// decides, and none on the way has to be looked at.
    any: dense::DFA<Vec<u32>>,
    /// Which patterns match, if that stays small; else all may.
    which: Option<dense::DFA<Vec<u32>>>,
    /// By pattern of `which`: the rule.
    rules: Vec<u32>,
}

impl AlwaysTried {
    /// Gathers the rules; `None` for a rule whose pattern is no regular expression.
    #[must_use]
    pub fn new(rules: &[(u32, Option<&Hir>)]) -> Self {
        let mut gathered = Self { groups: Vec::new(), alone: Vec::new() };
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
        match (any_of(&patterns), rules) {
            (Some(any), _) => {
                let which = compile(&patterns).ok();
                self.groups.push(Group {
                    any,
                    which: which.and_then(|nfa| dense_dfa(&nfa, MatchKind::All, MAX_SHARED)),
                    rules: rules.iter().map(|(rule, _)| *rule).collect(),
                });
            }
            (None, [(rule, _)]) => self.alone.push(*rule),
            (None, _) => {
                let (one, other) = rules.split_at(rules.len() / 2);
                self.share(one);
                self.share(other);
            }
        }
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
        for group in &self.groups {
            each_matched(&group.any, block.as_bytes(), ends, |index| {
                matched.clear();
                let domain = Input::new(domain_at(block, ends, index));
                let told = group.which.as_ref().is_some_and(|which| {
                    which.try_which_overlapping_matches(&domain, matched).is_ok()
                });
                for (rule, pattern) in group.rules.iter().zip(0..) {
                    if !told || matched.contains(PatternID::must(pattern)) {
                        found(index as u32, *rule);
                    }
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
        PatternSet::new(self.groups.iter().map(|group| group.rules.len()).max().unwrap_or(0))
    }
}

/// A small DFA that matches at the end of a domain if any pattern matched anywhere in it.
fn any_of(patterns: &[&Hir]) -> Option<dense::DFA<Vec<u32>>> {
    let any = Hir::alternation(patterns.iter().map(|hir| (*hir).clone()).collect());
    let rest = Hir::repetition(Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: Box::new(Hir::dot(Dot::AnyByte)),
    });
    let nfa = compile(&[&Hir::concat(vec![any, rest])]).ok()?;
    // Leftmost: whatever began behind a match is dropped, and the states with it.
    dense_dfa(&nfa, MatchKind::LeftmostFirst, MAX_SHARED)
}

/// A domain on its way through the DFA.
#[derive(Clone, Copy, Default)]
struct Lane {
    state: StateID,
    at: usize,
    end: usize,
    index: usize,
}

/// Calls `found` with the index of every domain at whose end the DFA matches.
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
    let mut finish = |lane: &Lane| {
        if dfa.is_match_state(dfa.next_eoi_state(lane.state)) {
            found(lane.index);
        }
    };
    let mut begin = 0;
    let mut waiting = ends.iter().enumerate().map(|(index, end)| {
        let lane = Lane { state: first, at: begin, end: *end as usize, index };
        begin = lane.end + 1;
        lane
    });
    let mut lanes = [Lane::default(); LANES];
    let mut filled = 0;
    for (lane, next) in lanes.iter_mut().zip(waiting.by_ref().take(LANES)) {
        *lane = next;
        filled += 1;
    }
    while filled == LANES {
        let steps = lanes.iter().map(|lane| lane.end - lane.at).min().unwrap_or(0);
        walk(dfa, block, &mut lanes, steps);
        for at in (0..LANES).rev() {
            if lanes[at].at < lanes[at].end {
                continue;
            }
            finish(&lanes[at]);
            if let Some(next) = waiting.next() {
                lanes[at] = next;
            } else {
                filled -= 1;
                lanes.swap(at, filled);
            }
        }
    }
    for lane in &mut lanes[..filled] {
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
    let mut texts = lanes.each_ref().map(|lane| block[lane.at..lane.at + steps].iter());
    let mut states = lanes.each_ref().map(|lane| lane.state);
    for _ in 0..steps {
        for (text, state) in texts.iter_mut().zip(&mut states) {
            let Some(byte) = text.next() else { continue };
            *state = dfa.next_state(*state, *byte);
        }
    }
    for (lane, state) in lanes.iter_mut().zip(states) {
        lane.state = state;
        lane.at += steps;
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
