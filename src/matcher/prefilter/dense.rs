//! The dense regime: one Aho-Corasick automaton, a look-up a byte.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use super::table::{LiteralIndex, Table};
use crate::error::{Error, Result};

/// States up to which the automaton is a DFA. The crate's own choice falls to an automaton four
/// times slower beyond 100 literals; a state of the DFA takes some 256 bytes, so this bounds it
/// at 32 MiB. Above it memory counts more than speed.
const MAX_DFA_STATES: usize = 128 * 1024;

/// The automaton over all literals.
#[derive(Debug)]
pub struct Dense(AhoCorasick);

impl Dense {
    /// Builds the automaton.
    ///
    /// # Errors
    /// When there are more literals than it can number.
    pub fn new(table: &Table) -> Result<Self> {
        Self::of(table.literals(), table.total_length())
    }

    /// Builds the automaton over some literals of so many bytes in all, which it numbers in their
    /// order.
    ///
    /// # Errors
    /// When there are more literals than it can number.
    pub fn of<'l>(literals: impl Iterator<Item = &'l [u8]>, total_length: usize) -> Result<Self> {
        let kind = if total_length <= MAX_DFA_STATES {
            AhoCorasickKind::DFA
        } else {
            AhoCorasickKind::ContiguousNFA
        };
        AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .build(literals)
            .map(Self)
            .map_err(|error| {
                Error::usage(format!("the literals of the rules make no automaton: {error}"))
                    .remedy("use fewer rules, or split them over several instances")
            })
    }

    /// Calls `found` with every literal of `block` and where it begins.
    #[inline]
    pub fn each(&self, block: &[u8], mut found: impl FnMut(LiteralIndex, usize)) {
        // Overlapping: every literal counts, also one inside another.
        for hit in self.0.find_overlapping_iter(Input::new(block)) {
            found(hit.pattern().as_u32(), hit.start());
        }
    }
}
