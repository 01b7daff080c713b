//! That one tree of a log extends another: the answer to `get-sth-consistency`.
//!
//! Source: RFC 6962, sections 2.1.2 and 4.4. The proof is walked as the RFC's `SUBPROOF` makes it,
//! from the whole tree down to the end of the smaller one and up again.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Hash;
use super::merkle::{Frontier, node_hash};

/// Hashes a proof can have: two for each bit of a tree's size.
const MAX_HASHES: usize = 128;

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofFault {
    /// It is no answer to `get-sth-consistency`.
    Json(String),
    /// It has too few hashes, or too many.
    Length,
    /// Its hashes do not lead to the root of the larger tree.
    Root,
    /// The larger tree does not extend the smaller one.
    Inconsistent,
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(what) => write!(f, "no consistency proof: {what}"),
            Self::Length => f.write_str("the consistency proof is cut short or too long"),
            Self::Root => f.write_str("the consistency proof does not lead to the signed root"),
            Self::Inconsistent => f.write_str("the trees are not consistent"),
        }
    }
}

/// A proof that a tree extends a smaller one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    hashes: Vec<Hash>,
}

#[derive(Deserialize)]
struct Answer {
    consistency: Vec<String>,
}

/// What a proof leads to.
struct Ends {
    /// Root of the smaller tree.
    old: Hash,
    /// Root of the larger tree.
    new: Hash,
    /// Complete subtrees of the smaller tree, innermost first: levels and roots.
    complete: Vec<(u32, Hash)>,
}

/// What a walk over a proof has found so far.
#[derive(Default)]
struct Walk<'p> {
    hashes: std::slice::Iter<'p, Hash>,
    /// See [`Ends`].
    complete: Vec<(u32, Hash)>,
}

impl ConsistencyProof {
    /// Reads an answer to `get-sth-consistency`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(json: &[u8]) -> Result<Self, ProofFault> {
        let answer: Answer =
            serde_json::from_slice(json).map_err(|error| ProofFault::Json(error.to_string()))?;
        if answer.consistency.len() > MAX_HASHES {
            return Err(ProofFault::Length);
        }
        let hash = |text: &String| STANDARD.decode(text).ok()?.try_into().ok();
        let hashes: Option<Vec<Hash>> = answer.consistency.iter().map(hash).collect();
        let hashes = hashes.ok_or_else(|| ProofFault::Json("a hash is none".to_owned()))?;
        Ok(Self { hashes })
    }

    /// Proves that the tree of `size` entries with `root` extends the one of `smaller` entries
    /// with `smaller_root`.
    ///
    /// # Errors
    /// When it does not, or this does not prove it.
    pub fn verify(
        &self,
        smaller: u64,
        smaller_root: &Hash,
        size: u64,
        root: &Hash,
    ) -> Result<(), ProofFault> {
        let Ends { old, new, .. } = self.walk(smaller, smaller_root, size)?;
        if new != *root {
            return Err(ProofFault::Root);
        }
        if old == *smaller_root { Ok(()) } else { Err(ProofFault::Inconsistent) }
    }

    /// The tree of `smaller` entries that the one of `size` entries with `root` extends.
    ///
    /// A proof from a power of two leaves that tree's own root out: there is none for it.
    ///
    /// # Errors
    /// When this does not prove it.
    pub fn frontier(&self, smaller: u64, size: u64, root: &Hash) -> Result<Frontier, ProofFault> {
        if smaller.is_power_of_two() {
            return Err(ProofFault::Length);
        }
        let Ends { new, mut complete, .. } = self.walk(smaller, &[0; 32], size)?;
        if new != *root {
            return Err(ProofFault::Root);
        }
        complete.reverse();
        let mut frontier = Frontier::default();
        complete.iter().for_each(|(level, hash)| frontier.push_subtree(*level, *hash));
        Ok(frontier)
    }

    fn walk(&self, smaller: u64, smaller_root: &Hash, size: u64) -> Result<Ends, ProofFault> {
        if smaller == 0 || smaller >= size {
            return Err(ProofFault::Length);
        }
        let mut walk = Walk { hashes: self.hashes.iter(), complete: Vec::new() };
        let (old, new) =
            walk.subproof(smaller, size, Some(smaller_root)).ok_or(ProofFault::Length)?;
        match walk.hashes.next() {
            None => Ok(Ends { old, new, complete: walk.complete }),
            Some(_) => Err(ProofFault::Length),
        }
    }
}

impl Walk<'_> {
    /// `SUBPROOF` backwards: the roots of the first `smaller` and of all `size` leaves. `known` is
    /// the root of the smaller tree, for as long as its leaves are the first of all.
    fn subproof(&mut self, smaller: u64, size: u64, known: Option<&Hash>) -> Option<(Hash, Hash)> {
        if smaller == size {
            let root = match known {
                Some(known) => *known,
                None => *self.hashes.next()?,
            };
            self.complete.push((size.trailing_zeros(), root));
            return Some((root, root));
        }
        // The largest power of two below the size.
        let split = 1 << (u64::BITS - 1 - (size - 1).leading_zeros());
        if smaller <= split {
            let (old, new) = self.subproof(smaller, split, known)?;
            Some((old, node_hash(&new, self.hashes.next()?)))
        } else {
            let (old, new) = self.subproof(smaller - split, size - split, None)?;
            let left = self.hashes.next()?;
            self.complete.push((split.trailing_zeros(), *left));
            Some((node_hash(left, &old), node_hash(left, &new)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::merkle::tests::{defined, leaves};
    use super::*;

    /// `SUBPROOF` as RFC 6962 defines it.
    fn subproof(smaller: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if smaller == leaves.len() {
            return if whole { vec![] } else { vec![defined(leaves)] };
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        if smaller <= split {
            let mut proof = subproof(smaller, left, whole);
            proof.push(defined(right));
            proof
        } else {
            let mut proof = subproof(smaller - split, right, false);
            proof.push(defined(left));
            proof
        }
    }

    #[test]
    fn what_the_definition_makes_holds_and_nothing_else() {
        let leaves = leaves(65);
        for size in 2..=leaves.len() {
            let root = defined(&leaves[..size]);
            for smaller in 1..size {
                let smaller_root = defined(&leaves[..smaller]);
                let proof = ConsistencyProof { hashes: subproof(smaller, &leaves[..size], true) };
                let verify = |proof: &ConsistencyProof, smaller_root: &Hash, root: &Hash| {
                    proof.verify(smaller as u64, smaller_root, size as u64, root)
                };
                assert_eq!(verify(&proof, &smaller_root, &root), Ok(()), "{smaller} {size}");
                assert!(verify(&proof, &[5; 32], &root).is_err(), "{smaller} {size}");
                assert!(verify(&proof, &smaller_root, &[5; 32]).is_err(), "{smaller} {size}");
                for at in 0..proof.hashes.len() {
                    let mut damaged = proof.clone();
                    damaged.hashes[at][at] ^= 1;
                    assert!(verify(&damaged, &smaller_root, &root).is_err(), "{smaller} {size}");
                }
                let mut long = proof.clone();
                long.hashes.push([0; 32]);
                assert_eq!(verify(&long, &smaller_root, &root), Err(ProofFault::Length));
                if !smaller.is_power_of_two() {
                    let frontier = proof.frontier(smaller as u64, size as u64, &root);
                    let frontier = frontier.expect("proven");
                    assert_eq!((frontier.size(), frontier.root()), (smaller as u64, smaller_root));
                    // It can be grown.
                    let mut frontier = frontier;
                    leaves[smaller..size].iter().for_each(|leaf| frontier.push(*leaf));
                    assert_eq!(frontier.root(), root);
                }
            }
        }
    }

    #[test]
    fn answers_that_are_none_are_faults() {
        let read = |json: &str| ConsistencyProof::parse(json.as_bytes());
        let hash = STANDARD.encode([3; 32]);
        let proof = read(&format!("{{\"consistency\":[\"{hash}\"],\"x\":1}}")).expect("reads");
        assert_eq!(proof.hashes, [[3; 32]]);
        for json in ["", "{}", "{\"consistency\":[\"AAAA\"]}", "{\"consistency\":[\"*\"]}"] {
            assert!(matches!(read(json), Err(ProofFault::Json(_))), "{json}");
        }
        let many = vec![hash; MAX_HASHES + 1];
        let long = read(&serde_json::json!({ "consistency": many }).to_string());
        assert_eq!(long, Err(ProofFault::Length));
        let none = ConsistencyProof { hashes: vec![] };
        assert_eq!(none.verify(0, &[0; 32], 5, &[0; 32]), Err(ProofFault::Length));
        assert_eq!(none.verify(5, &[0; 32], 5, &[0; 32]), Err(ProofFault::Length));
    }
}
