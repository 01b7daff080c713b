//! The profile of a rule set: what each rule costs and brings on given domains.
//!
//! Owns the measured walk through the engine: the steps of [`Engine::hits`] with a look at the
//! clock behind each. Nothing of it is in the way of a run that does not measure.

use std::time::{Duration, Instant};

use super::{Candidate, Engine, Scratch};

/// Turns by which the clock's own cost is found out.
const CLOCK_TURNS: u32 = 1_000;

/// What the rules of an engine cost and bring.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// By rule.
    pub rules: Vec<RuleCost>,
    /// Domains looked at.
    pub domains: u64,
    /// The search for the literals of all rules, and of rules without one the DFAs that they share.
    pub prefilter: Duration,
    /// What a look at the clock takes.
    clock: Duration,
}

/// What one rule costs and brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCost {
    /// Forms of domains that were verified.
    pub candidates: u64,
    /// Domains that it hits, those apart that are excluded or allowed.
    pub hits: u64,
    /// Forms on which verifying gave up, which count as hits.
    pub gave_up: u64,
    /// How long verifying took.
    pub verifying: Duration,
}

impl Profile {
    /// A profile of so many rules that has seen nothing yet.
    #[must_use]
    pub fn new(rules: usize) -> Self {
        let start = Instant::now();
        let end = (0..CLOCK_TURNS).fold(start, |_, _| Instant::now());
        Self {
            rules: vec![RuleCost::default(); rules],
            clock: (end - start) / CLOCK_TURNS,
            ..Self::default()
        }
    }

    /// How long verifying took, of all rules together.
    #[must_use]
    pub fn verifying(&self) -> Duration {
        self.rules.iter().map(|rule| rule.verifying).sum()
    }
}

impl Engine {
    /// Adds to `profile` what the domains of a block cost and bring; `block` and `ends` as
    /// [`hits`](Self::hits) takes them.
    pub fn profile(&self, block: &str, ends: &[u32], scratch: &mut Scratch, profile: &mut Profile) {
        let mut side = std::mem::take(&mut scratch.side);
        let mut candidates = std::mem::take(&mut scratch.candidates);
        let mut hits: Vec<Candidate> = Vec::new();
        profile.domains += ends.len() as u64;

        let start = Instant::now();
        self.line_candidates(block, ends, scratch, &mut candidates);
        profile.prefilter += start.elapsed();
        side.fill(block, ends, &scratch.encoded);
        self.verified(&candidates, scratch, profile, |engine, (domain, rule), scratch| {
            let called = engine.called(block, ends, &side, domain, rule);
            let proof = engine.judge(called, called.domain, rule, scratch).ok()?;
            hits.push((domain, rule));
            Some(proof.gave_up)
        });
        let start = Instant::now();
        self.line_candidates(side.text(), side.ends(), scratch, &mut candidates);
        profile.prefilter += start.elapsed();
        self.verified(&candidates, scratch, profile, |engine, (line, rule), scratch| {
            let (form, domain, _) = side.line(line as usize);
            let called = engine.called(block, ends, &side, domain, rule);
            let proof = engine.judge(called, form, rule, scratch).ok()?;
            hits.push((domain, rule));
            Some(proof.gave_up)
        });

        // What hits in several views is one hit.
        hits.sort_unstable();
        hits.dedup();
        hits.iter().for_each(|(_, rule)| profile.rules[*rule as usize].hits += 1);
        scratch.candidates = candidates;
        scratch.side = side;
    }

    /// Verifies candidates, which are ascending, and notes how long each took. `verify` tells of a
    /// hit whether it gave up.
    fn verified(
        &self,
        candidates: &[Candidate],
        scratch: &mut Scratch,
        profile: &mut Profile,
        mut verify: impl FnMut(&Self, Candidate, &mut Scratch) -> Option<bool>,
    ) {
        let mut last = Instant::now();
        for candidate in candidates {
            let gave_up = verify(self, *candidate, scratch) == Some(true);
            let now = Instant::now();
            let cost = &mut profile.rules[candidate.1 as usize];
            cost.candidates += 1;
            cost.gave_up += u64::from(gave_up);
            cost.verifying += (now - last).saturating_sub(profile.clock);
            last = now;
        }
    }
}
