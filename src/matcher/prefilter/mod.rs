//! The prefilter: which domains of a block might match which rules.
//!
//! Owns the search for the literals of all rules, run once over the whole newline-joined block,
//! and the choice of how. Contract: false positives allowed, false negatives never. Which literals
//! a rule needs is `literal`'s business; whether a candidate matches is `verify`'s.
//!
//! There are four ways to search, each called a regime. They find the same; [`Regime::choose`]
//! is the one place that says which set of literals gets which, and why.

mod bitmap;
mod buckets;
mod dense;
mod grams;
mod index;
mod level;
mod packed;
mod spots;
mod table;

#[cfg(test)]
mod equality;

use crate::error::Result;
use crate::rule::RuleIndex;

use buckets::Buckets;
use dense::Dense;
use grams::Grams;
pub use level::Level;
use packed::Packed;
pub use spots::Walk;
use table::{LiteralIndex, Table};

/// A domain of the block (by its index) and a rule that it may match.
pub type Candidate = (u32, RuleIndex);

/// Literals up to which [`Regime::Packed`] is faster than [`Regime::Grams`].
const MAX_PACKED: usize = 32;

/// A way to find all literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// A vector search that stops at the first literal of a domain, and an automaton for that
    /// domain. As fast as memory with a handful of literals; each further one slows it down.
    Packed,
    /// One Aho-Corasick automaton over everything. A table look-up a byte, whatever the literals:
    /// what the others are compared with, and what they fall back to.
    Dense,
    /// A vector search for a fragment of each literal, sorted into a few buckets.
    Buckets(Level),
    /// An index of a few bytes of each literal, looked up at every second or fourth byte.
    Grams(Level),
}

impl Regime {
    /// The regime for a set of literals, from the measurements in PERFORMANCE.md.
    fn choose(table: &Table) -> Self {
        if table.shortest() < grams::MIN_LENGTH {
            return Self::Dense;
        }
        match Level::best() {
            level if table.len() <= Buckets::most(level) => Self::Buckets(level),
            Level::Portable if table.len() <= MAX_PACKED => Self::Packed,
            // Gathering into a larger vector brings nothing.
            level => Self::Grams(level.min(Level::Avx2)),
        }
    }

    /// Every regime that this processor can run.
    pub fn all() -> impl Iterator<Item = Self> {
        let buckets = Level::all().filter(|l| *l > Level::Portable).map(Self::Buckets);
        let grams = Level::all().filter(|l| *l < Level::Avx512).map(Self::Grams);
        [Self::Packed, Self::Dense].into_iter().chain(buckets).chain(grams)
    }
}

/// Finds the literals of all rules in one pass.
#[derive(Debug)]
pub struct Prefilter {
    table: Table,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Packed(Packed),
    Buckets(Box<Buckets>),
    Dense(Dense),
    Grams(Grams),
}

impl Prefilter {
    /// Prepares the search for the literals of each rule, in the regime that suits them or one of
    /// the caller's choice. A regime that cannot take these literals, or that this processor
    /// cannot run, gives way to the next.
    ///
    /// # Errors
    /// When there are more literals than can be numbered.
    pub fn build(
        literals: impl Iterator<Item = (RuleIndex, Vec<Vec<u8>>)>,
        regime: Option<Regime>,
    ) -> Result<Self> {
        let table = Table::new(literals)?;
        let short = table.shortest() < grams::MIN_LENGTH;
        let search = match regime.unwrap_or_else(|| Regime::choose(&table)) {
            Regime::Packed => Packed::new(&table)?.map(Search::Packed),
            Regime::Buckets(level) if !short => {
                Buckets::new(&table, level).map(Box::new).map(Search::Buckets)
            }
            Regime::Grams(level) if !short => Some(Search::Grams(Grams::new(&table, level)?)),
            Regime::Dense | Regime::Buckets(_) | Regime::Grams(_) => None,
        };
        let search = match search {
            Some(search) => search,
            None => Search::Dense(Dense::new(&table)?),
        };
        Ok(Self { table, search })
    }

    /// The regime it runs in.
    pub fn regime(&self) -> Regime {
        match &self.search {
            Search::Packed(_) => Regime::Packed,
            Search::Dense(_) => Regime::Dense,
            Search::Buckets(buckets) => Regime::Buckets(buckets.level()),
            Search::Grams(grams) => Regime::Grams(grams.level()),
        }
    }

    /// Adds a candidate for every literal in the block; a pair may be added more than once.
    /// `ends` holds where each domain ends in `block`, ascending; a newline follows each. What
    /// `walk` holds is no matter.
    pub fn candidates(
        &self,
        block: &[u8],
        ends: &[u32],
        walk: &mut Walk,
        found: &mut Vec<Candidate>,
    ) {
        let mut domain = 0;
        self.each(block, walk, |literal, at| {
            // Nearly ascending: a search may go back within the few bytes it looks at together.
            while domain > 0 && ends[domain - 1] as usize >= at {
                domain -= 1;
            }
            domain += gallop(&ends[domain..], at);
            let index = domain as u32;
            found.extend(self.table.rules(literal).iter().map(|rule| (index, *rule)));
        });
    }

    /// The literals of `rule` that stand in `domain`, with where each begins; for explanations.
    pub fn literals_in<'p>(
        &'p self,
        domain: &str,
        rule: RuleIndex,
    ) -> impl Iterator<Item = (usize, &'p [u8])> + 'p {
        let mut all = Vec::new();
        self.each(domain.as_bytes(), &mut Walk::default(), |literal, at| {
            if self.table.rules(literal).contains(&rule) {
                all.push((at, self.table.literal(literal)));
            }
        });
        all.sort_unstable_by_key(|(at, literal)| (at + literal.len(), *at));
        all.dedup();
        all.into_iter()
    }

    /// All literals, each once, in order.
    pub fn literals(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.table.literals()
    }

    /// The same without those that `rule` alone looks for.
    pub fn literals_but_of(&self, rule: RuleIndex) -> impl Iterator<Item = &[u8]> {
        let is_others = move |literal| self.table.rules(literal) != [rule];
        self.literals().zip(0..).filter(move |(_, at)| is_others(*at)).map(|(literal, _)| literal)
    }

    /// Calls `found` with every literal of the block and where it begins.
    #[inline]
    fn each(&self, block: &[u8], walk: &mut Walk, found: impl FnMut(LiteralIndex, usize)) {
        match &self.search {
            Search::Packed(packed) => packed.each(block, found),
            Search::Dense(dense) => dense.each(block, found),
            Search::Buckets(buckets) => buckets.each(block, &self.table, walk, found),
            Search::Grams(grams) => grams.each(block, &self.table, walk, found),
        }
    }
}

/// How many of the ascending `ends` lie before `at`; fast where they are few.
fn gallop(ends: &[u32], at: usize) -> usize {
    let before = |end: &u32| (*end as usize) < at;
    if !ends.first().is_some_and(before) {
        return 0;
    }
    let mut reach = 1;
    while ends.get(reach).is_some_and(before) {
        reach *= 2;
    }
    let known = reach / 2;
    known + ends[known..ends.len().min(reach)].partition_point(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_of_every_domain_is_found() {
        let sets = [(0, vec![b"pay".to_vec()]), (1, vec![b"paypal".to_vec(), b"pal".to_vec()])];
        for regime in Regime::all() {
            let prefilter =
                Prefilter::build(sets.clone().into_iter(), Some(regime)).expect("builds");
            let block = b"paypal.com\nx.org\npal\n";
            let mut found = Vec::new();
            prefilter.candidates(block, &[10, 16, 20], &mut Walk::default(), &mut found);
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, [(0, 0), (0, 1), (2, 1)], "{regime:?}");
            let explained: Vec<_> = prefilter.literals_in("paypal.com", 1).collect();
            assert_eq!(explained, [(0, &b"paypal"[..]), (3, &b"pal"[..])], "{regime:?}");
        }
    }

    #[test]
    fn no_literal_spans_two_domains_and_none_is_fine() {
        let prefilter =
            Prefilter::build([(0, vec![b"ab".to_vec()])].into_iter(), None).expect("builds");
        let mut found = Vec::new();
        prefilter.candidates(b"a\nb\n", &[1, 3], &mut Walk::default(), &mut found);
        assert!(found.is_empty());
        let empty = Prefilter::build(std::iter::empty(), None).expect("builds");
        empty.candidates(b"a\nb\n", &[1, 3], &mut Walk::default(), &mut found);
        assert!(found.is_empty() && empty.literals().len() == 0);
    }

    #[test]
    fn galloping_counts_what_lies_before() {
        let ends: Vec<u32> = (1..100).map(|n| n * 3).collect();
        for at in 0..=300 {
            let expected = ends.iter().filter(|end| (**end as usize) < at).count();
            assert_eq!(gallop(&ends, at), expected, "{at}");
        }
    }
}
