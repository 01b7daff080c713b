//! The table of literals: each once, with the rules it makes a candidate.
//!
//! Flat, because brands bring a million literals: a vector of their own would cost each of them
//! more than its bytes do.

use crate::error::{Error, Result};
use crate::rule::RuleIndex;

/// Index of a literal in the table.
pub type LiteralIndex = u32;

/// All literals in ascending order.
#[derive(Debug)]
pub struct Table {
    bytes: Vec<u8>,
    /// By literal: where its bytes begin; one more for the end of the last.
    starts: Vec<u32>,
    rules: Vec<RuleIndex>,
    /// By literal: where its rules begin; one more for the end of the last.
    rule_starts: Vec<u32>,
}

impl Table {
    /// Gathers the literals of each rule.
    ///
    /// # Errors
    /// When there are more literals than can be numbered.
    pub fn new(literals: impl Iterator<Item = (RuleIndex, Vec<Vec<u8>>)>) -> Result<Self> {
        let mut written: Vec<u8> = Vec::new();
        let mut entries: Vec<(u32, u32, RuleIndex)> = Vec::new();
        for (rule, set) in literals {
            for literal in set {
                let start = numbered(written.len())?;
                written.extend_from_slice(&literal);
                entries.push((start, numbered(written.len())?, rule));
            }
        }
        let text = |entry: &(u32, u32, RuleIndex)| &written[entry.0 as usize..entry.1 as usize];
        entries.sort_unstable_by(|one, other| {
            text(one).cmp(text(other)).then_with(|| one.2.cmp(&other.2))
        });
        let mut table = Self {
            bytes: Vec::with_capacity(written.len()),
            starts: vec![0],
            rules: Vec::with_capacity(entries.len()),
            rule_starts: vec![0],
        };
        for same in entries.chunk_by(|one, other| text(one) == text(other)) {
            table.bytes.extend_from_slice(text(&same[0]));
            table.starts.push(numbered(table.bytes.len())?);
            let first = table.rules.len();
            for (_, _, rule) in same {
                if table.rules[first..].last() != Some(rule) {
                    table.rules.push(*rule);
                }
            }
            table.rule_starts.push(numbered(table.rules.len())?);
        }
        table.bytes.shrink_to_fit();
        table.rules.shrink_to_fit();
        Ok(table)
    }

    /// Literals in it.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of all literals together.
    pub fn total_length(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the shortest literal; as many as can be where there is none.
    pub fn shortest(&self) -> usize {
        self.literals().map(<[u8]>::len).min().unwrap_or(usize::MAX)
    }

    /// One literal.
    #[inline]
    pub fn literal(&self, literal: LiteralIndex) -> &[u8] {
        let at = literal as usize;
        &self.bytes[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// The rules that a literal makes candidates, ascending.
    #[inline]
    pub fn rules(&self, literal: LiteralIndex) -> &[RuleIndex] {
        let at = literal as usize;
        &self.rules[self.rule_starts[at] as usize..self.rule_starts[at + 1] as usize]
    }

    /// All literals, ascending.
    pub fn literals(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.starts.windows(2).map(|ends| &self.bytes[ends[0] as usize..ends[1] as usize])
    }
}

fn numbered(count: usize) -> Result<u32> {
    u32::try_from(count).map_err(|_| {
        Error::usage("the literals of the rules take more than 4 GiB".to_owned())
            .remedy("use fewer rules, or split them over several instances")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_literal_stands_once_with_all_its_rules() {
        let sets = [
            (4, vec![b"pay".to_vec(), b"bank".to_vec()]),
            (1, vec![b"pay".to_vec(), b"pay".to_vec()]),
        ];
        let table = Table::new(sets.into_iter()).expect("few");
        assert_eq!(table.literals().collect::<Vec<_>>(), [&b"bank"[..], b"pay"]);
        assert_eq!((table.rules(0), table.rules(1)), (&[4][..], &[1, 4][..]));
        assert_eq!((table.literal(1), table.len(), table.shortest()), (&b"pay"[..], 2, 3));
        assert_eq!(table.total_length(), 7);
    }
}
