//! The Merkle tree of RFC 6962, section 2.1: hashes, roots, and a tree's right edge.
//!
//! Owns the arithmetic. Where hashes come from, and what they are compared with, is for
//! `hash_tiles`, `proof` and the feeds.

use sha2::{Digest, Sha256};

/// A node of a Merkle tree.
pub type Hash = [u8; 32];

/// The hash of a leaf, which is handed over in parts.
#[must_use]
pub fn leaf_hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new_with_prefix([0]);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The hash of the node above `left` and `right`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new_with_prefix([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// A tree as far as it matters for growing it: the roots of the complete subtrees that it falls
/// into, from left to right, one for each bit of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Leaves in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Appends a complete subtree of 2^`level` leaves. The size must be a multiple of that.
    pub fn push_subtree(&mut self, level: u32, root: Hash) {
        let leaves = 1_u64 << level;
        debug_assert_eq!(self.size % leaves, 0, "subtrees stand at multiples of their size");
        let mut root = root;
        let mut bit = leaves;
        while self.size & bit != 0
            && let Some(left) = self.roots.pop()
        {
            root = node_hash(&left, &root);
            bit <<= 1;
        }
        self.roots.push(root);
        self.size += leaves;
    }

    /// The root of the tree; of an empty one the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return Sha256::digest([]).into() };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root of the tree over `leaves`.
#[must_use]
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `MTH` as RFC 6962 defines it.
    pub fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&defined(&leaves[..split]), &defined(&leaves[split..]))
            }
        }
    }

    /// Leaf hashes that differ.
    pub fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&[&index.to_be_bytes()])).collect()
    }

    #[test]
    fn a_frontier_has_the_root_that_the_definition_gives() {
        let leaves = leaves(300);
        let mut frontier = Frontier::default();
        for size in 0..leaves.len() {
            assert_eq!(frontier.root(), defined(&leaves[..size]), "{size}");
            assert_eq!((frontier.size(), root_of(&leaves[..size])), (size as u64, frontier.root()));
            frontier.push(leaves[size]);
        }
    }

    #[test]
    fn subtrees_are_as_good_as_their_leaves() {
        let leaves = leaves(1000);
        let mut frontier = Frontier::default();
        for tile in leaves.chunks(256) {
            if tile.len() == 256 {
                frontier.push_subtree(8, defined(tile));
            } else {
                tile.iter().for_each(|leaf| frontier.push(*leaf));
            }
        }
        assert_eq!(frontier.root(), defined(&leaves));
    }

    /// The empty tree and the leaf of nothing, as other implementations give them.
    #[test]
    fn known_answers() {
        let hex = |hash: Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(Frontier::default().root()), empty);
        let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(hex(leaf_hash(&[])), leaf);
    }
}
