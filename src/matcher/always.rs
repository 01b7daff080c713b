//! Rules without a literal: tried on every domain.
//!
//! Owns their DFAs, as few as stay small, and the walk of several domains at once. Whether a
//! candidate matches is `verify`'s business.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::{PatternID, StateID};
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind, PatternSet};
use regex_syntax::hir::{Hir, Look};

use super::engine::domain_at;
use super::verify::{any_of, compile, dense_dfa};

/// Bytes of the DFA that several rules without a literal share: it must stay inside the L2 cache,
/// and to find out that it does not takes the longer the larger it may be.
const MAX_SHARED: usize = 1024 * 1024;
/// Bytes that a group is asked to stay within, however often rules were parted before: smaller
/// ones are not worth a walk of their own.
const MIN_SHARED: usize = 32 * 1024;
/// How much larger than the one that walks all domains the DFA may be that says which rules match.
const WHICH: usize = 4;
/// Bytes of DFAs that are begun at most for all rules, those that grow too large included. A
/// thousand rules of which hardly two go together would take half a minute to find that out.
const MAX_BEGUN: usize = 48 * 1024 * 1024;
/// Domains walked at once. Each step waits for the one before it, so one domain alone would leave
/// the processor idle most of the time.
const LANES: usize = 4;
/// Bytes that a domain is walked by itself before it gets a lane. Rules that begin with `^` have
/// seen enough of nearly all domains by then, and without a branch until then the processor walks
/// several at once.
const HEAD: usize = 4;
/// Bytes that rules have to ask for at least to be in a group of their own: so few domains are as
/// long that the others of such rules cost next to nothing.
const LONG: usize = 24;

/// The rules, as few groups as stay small.
#[derive(Debug)]
pub struct AlwaysTried {
    groups: Vec<Group>,
    /// Those no small DFA can be made for: candidates everywhere.
    alone: Vec<u32>,
    /// Bytes of DFAs that were begun so far, at most.
    begun: usize,
}

/// Rules whose patterns share their DFAs.
#[derive(Debug)]
struct Group {
    /// Bytes of the shortest text that any of them matches.
    shortest: usize,
    /// Whether all of them begin at the start of a domain, so that most are soon done with.
    anchored: bool,
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
        let mut gathered = Self { groups: Vec::new(), alone: Vec::new(), begun: 0 };
        let mut regular = Vec::new();
        for (rule, hir) in rules {
            match hir {
                Some(hir) => regular.push((*rule, *hir)),
                None => gathered.alone.push(*rule),
            }
        }
        // Apart, each kind is spared most of the work.
        for anchored in [true, false] {
            for long in [true, false] {
                let is_kind =
                    |hir: &Hir| (is_anchored(hir), shortest(hir) >= LONG) == (anchored, long);
                let kind: Vec<_> =
                    regular.iter().copied().filter(|(_, hir)| is_kind(hir)).collect();
                gathered.share(&kind, MAX_SHARED);
            }
        }
        gathered
    }

    /// One DFA of at most `limit` bytes for all, or for each half: states multiply when anchored
    /// rules come together. The halves share the limit, so that what all groups together take
    /// stays in the cache, and what is begun in vain does not grow with the rules.
    fn share(&mut self, rules: &[(u32, &Hir)], limit: usize) {
        if rules.is_empty() {
            return;
        }
        let patterns: Vec<&Hir> = rules.iter().map(|(_, hir)| *hir).collect();
        match (self.begin(limit, |limit| any_of(&patterns, limit)), rules) {
            (Some(any), _) => {
                // Asked of the few domains that match, so it need not stay in the cache.
                let which = self.begin(MAX_SHARED.min(WHICH * limit), |limit| {
                    dense_dfa(&compile(&patterns).ok()?, MatchKind::All, limit)
                });
                self.groups.push(Group {
                    shortest: patterns.iter().map(|hir| shortest(hir)).min().unwrap_or(0),
                    anchored: patterns.iter().all(|hir| is_anchored(hir)),
                    any,
                    which,
                    rules: rules.iter().map(|(rule, _)| *rule).collect(),
                });
            }
            (None, [(rule, _)]) => self.alone.push(*rule),
            (None, _) => {
                let (one, other) = rules.split_at(rules.len() / 2);
                let half = (limit / 2).max(MIN_SHARED);
                self.share(one, half);
                self.share(other, half);
            }
        }
    }

    /// Builds a DFA of at most `limit` bytes; none where it grows beyond, or where enough were
    /// begun.
    fn begin(
        &mut self,
        limit: usize,
        build: impl FnOnce(usize) -> Option<dense::DFA<Vec<u32>>>,
    ) -> Option<dense::DFA<Vec<u32>>> {
        if self.begun + limit > MAX_BEGUN {
            return None;
        }
        let built = build(limit);
        self.begun += built.as_ref().map_or(limit, dense::DFA::memory_usage);
        built
    }

    /// Whether there are no such rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.alone.is_empty()
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
            group.each_matched(block.as_bytes(), ends, |index| {
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

/// Whether a pattern matches at the start of a domain only.
fn is_anchored(hir: &Hir) -> bool {
    hir.properties().look_set_prefix().contains(Look::Start)
}

/// Bytes of the shortest text that a pattern matches; none where it matches nothing.
fn shortest(hir: &Hir) -> usize {
    hir.properties().minimum_len().unwrap_or(0)
}

/// A domain on its way through the DFA.
#[derive(Clone, Copy, Default)]
struct Lane {
    state: StateID,
    at: usize,
    end: usize,
    index: usize,
}

impl Group {
    /// Calls `found` with the index of every domain at whose end the DFA matches.
    fn each_matched(&self, block: &[u8], ends: &[u32], mut found: impl FnMut(usize)) {
        let dfa = &self.any;
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
        let lanes = ends.iter().enumerate().map(|(index, end)| {
            let lane = Lane { state: first, at: begin, end: *end as usize, index };
            begin = lane.end + 1;
            lane
        });
        let mut waiting =
            lanes.filter(|lane| lane.end - lane.at >= self.shortest).filter_map(|lane| {
                if self.anchored { walk_head(dfa, block, lane) } else { Some(lane) }
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
}

/// The lane some bytes further; none where nothing can match any more.
#[inline(always)]
fn walk_head(dfa: &dense::DFA<Vec<u32>>, block: &[u8], mut lane: Lane) -> Option<Lane> {
    if let Some(head) = block[lane.at..lane.end].first_chunk::<HEAD>() {
        for byte in head {
            lane.state = dfa.next_state(lane.state, *byte);
        }
        lane.at += HEAD;
    }
    (!dfa.is_dead_state(lane.state)).then_some(lane)
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

    /// Rules of each kind, and domains as long as the shortest text they match, shorter and longer.
    #[test]
    fn a_rule_is_tried_on_every_domain_that_is_long_enough() {
        let hirs =
            ["^[a-z]{25,}", "[a-z0-9]{30,}", "^[0-9]{2,}\\.", "[0-9]{5}", "^[a-z]{3}\\.(?:c|x)"];
        let hirs = hirs.map(parsed);
        let rules: Vec<_> = hirs.iter().zip(0..).map(|(hir, rule)| (rule, Some(hir))).collect();
        let tried = AlwaysTried::new(&rules);
        assert_eq!(tried.groups.len(), 4);
        let (mut domains, mut expected) = (Vec::new(), Vec::new());
        for length in [0, 1, 2, 3, 4, 5, 6, 24, 25, 29, 30, 31, 60] {
            let (letters, digits) = ("q".repeat(length), "7".repeat(length));
            for domain in
                [format!("{letters}.c"), format!("{digits}.c"), format!("-{letters}{digits}")]
            {
                let regexes = [
                    length >= 25 && domain.starts_with('q'),
                    2 * length >= 30 && domain.starts_with('-') || length >= 30,
                    length >= 2 && domain.starts_with('7'),
                    length >= 5 && domain.contains('7'),
                    domain == "qqq.c",
                ];
                let index = domains.len() as u32;
                expected.extend(
                    (0..).zip(regexes).filter(|(_, hit)| *hit).map(|(rule, _)| (index, rule)),
                );
                domains.push(domain);
            }
        }
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        assert_eq!(candidates(&tried, &domains), expected);
    }

    /// Anchored rules with gaps multiply each other's states.
    #[test]
    fn rules_that_multiply_are_gathered_all_the_same() {
        let hirs: Vec<Hir> = (b'a'..=b'z')
            .chain(b'0'..=b'3')
            .map(|byte| format!(r"^(?:[^.]+\.)*[^.]*{}[^.]*\.(?:[a-c]k|m[x-z])$", byte as char))
            .map(|pattern| parsed(&pattern))
            .collect();
        let rules: Vec<_> = hirs.iter().zip(0..).map(|(hir, rule)| (rule, Some(hir))).collect();
        let tried = AlwaysTried::new(&rules);
        assert!(tried.begun <= MAX_BEGUN && tried.alone.is_empty(), "{tried:?}");
        assert_eq!(candidates(&tried, &["q.x.bk", "b.q"]), [(0, 23)]);
    }

    /// Whatever the rules, so many bytes of DFAs are begun and no more; those left over are
    /// candidates.
    #[test]
    fn what_is_begun_in_vain_is_bounded() {
        for (what, count, pattern) in [
            ("lengths", 1000, (|n| format!(".{{{n}}}")) as fn(usize) -> String),
            ("gaps", 200, |n| format!("[a-f].{{{}}}[0-9]", n % 40)),
            ("anchored", 200, |n| format!("^.*[a-f].{{{}}}[0-9]$", n % 40)),
        ] {
            let hirs: Vec<Hir> = (1..=count).map(|n| parsed(&pattern(n))).collect();
            let rules: Vec<_> = hirs.iter().zip(0..).map(|(hir, rule)| (rule, Some(hir))).collect();
            let tried = AlwaysTried::new(&rules);
            assert!(tried.begun <= MAX_BEGUN, "{what}: {}", tried.begun);
            let gathered = tried.groups.iter().flat_map(|group| &group.rules).chain(&tried.alone);
            let mut gathered: Vec<u32> = gathered.copied().collect();
            gathered.sort_unstable();
            assert_eq!(gathered, (0..count as u32).collect::<Vec<u32>>(), "{what}");
            println!("{what}: {} groups, {} alone", tried.groups.len(), tried.alone.len());
        }
    }
}
