//! The packed regime: a vector search (Teddy) for the first literal of a domain.
//!
//! Nearly no domain holds one of few literals, so nearly all the time goes into the vector
//! search, which tells the first literal and no more. Where it finds one, an automaton finds all
//! of that domain, and the search goes on behind it.

use aho_corasick::Span;
use aho_corasick::packed::{self, MatchKind, Searcher};

use super::dense::Dense;
use super::table::{LiteralIndex, Table};
use crate::error::Result;

/// The search for the first literal, and for all of a domain.
#[derive(Debug)]
pub struct Packed {
    first: Searcher,
    all: Dense,
}

impl Packed {
    /// Prepares the search; `None` where the processor has no suitable instructions, or for more
    /// literals than it takes.
    ///
    /// # Errors
    /// When there are more literals than the automaton can number.
    pub fn new(table: &Table) -> Result<Option<Self>> {
        let mut builder = packed::Config::new().match_kind(MatchKind::LeftmostFirst).builder();
        builder.extend(table.literals());
        let Some(first) = builder.build() else { return Ok(None) };
        Ok(Some(Self { first, all: Dense::new(table)? }))
    }

    /// Calls `found` with every literal of `block` and where it begins.
    #[inline]
    pub fn each(&self, block: &[u8], mut found: impl FnMut(LiteralIndex, usize)) {
        let mut from = 0;
        while let Some(hit) = self.first.find_in(block, Span { start: from, end: block.len() }) {
            // A literal may hold the newline that ends its domain, never one before.
            let head = &block[from..hit.start()];
            let start = memchr::memrchr(b'\n', head).map_or(from, |newline| from + newline + 1);
            let rest = &block[hit.start()..];
            let end = memchr::memchr(b'\n', rest)
                .map_or(block.len(), |newline| hit.start() + newline + 1);
            self.all.each(&block[start..end], |literal, at| found(literal, start + at));
            from = end;
        }
    }
}
