//! The Merkle tree of RFC 6962, section 2.1, written after its definitions: the oracle for what
//! the program computes. Knows hashes alone, no entries and no paths.

use sha2::{Digest, Sha256};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The SHA-256 of some pieces, one after the other.
pub fn sha256(pieces: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// A tree that grows; gives the root and proofs of every size it has had.
#[derive(Clone, Default)]
pub struct Tree {
    /// `levels[k][i]` is the hash of the complete subtree over the leaves from `i << k` on.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, Vec::len) as u64
    }

    /// Appends the leaf that `content` (a `MerkleTreeLeaf`) is.
    pub fn append(&mut self, content: &[u8]) {
        let mut hash = sha256(&[&[0], content]);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if hashes.len() % 2 == 1 {
                break;
            }
            hash = node(&hashes[hashes.len() - 2], &hash);
        }
    }

    /// Forgets all leaves from `size` on.
    pub fn truncate(&mut self, size: u64) {
        for (level, hashes) in self.levels.iter_mut().enumerate() {
            hashes.truncate(usize::try_from(size).unwrap() >> level);
        }
    }

    /// The root of the first `size` leaves.
    pub fn root(&self, size: u64) -> Hash {
        assert!(size <= self.size(), "the tree has no {size} leaves");
        if size == 0 { sha256(&[]) } else { self.subtree(0, size) }
    }

    /// The hash of the leaves from `begin` to `end`, where the subtree is one of those that the
    /// definition makes: it begins at a multiple of the largest power of two below its width.
    fn subtree(&self, begin: u64, end: u64) -> Hash {
        let width = end - begin;
        if width.is_power_of_two() {
            let level = width.trailing_zeros();
            return self.levels[level as usize][usize::try_from(begin >> level).unwrap()];
        }
        let middle = begin + split(width);
        node(&self.subtree(begin, middle), &self.subtree(middle, end))
    }

    /// The audit path of a leaf in the tree of `size` leaves: PATH(m, D[n]).
    pub fn audit_path(&self, leaf: u64, size: u64) -> Vec<Hash> {
        let mut path = Vec::new();
        let (mut begin, mut end) = (0, size);
        while end - begin > 1 {
            let middle = begin + split(end - begin);
            if leaf < middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(begin, middle));
                begin = middle;
            }
        }
        path.reverse();
        path
    }

    /// The consistency proof between two sizes: PROOF(m, D[n]); empty for equal ones and for 0.
    pub fn consistency(&self, first: u64, second: u64) -> Vec<Hash> {
        if first == 0 {
            return Vec::new();
        }
        let mut proof = Vec::new();
        let (mut begin, mut end) = (0, second);
        // The subtree from `begin` to `end` always contains the end of the first tree; whether
        // the verifier knows its hash is whether it still begins at 0.
        while first != end {
            let middle = begin + split(end - begin);
            if first <= middle {
                proof.push(self.subtree(middle, end));
                end = middle;
            } else {
                proof.push(self.subtree(begin, middle));
                begin = middle;
            }
        }
        if begin != 0 {
            proof.push(self.subtree(begin, end));
        }
        proof.reverse();
        proof
    }

    /// The hash tile of a level: `width` hashes from the one numbered `tile * 256` on.
    pub fn tile(&self, level: u32, tile: u64, width: u64) -> Option<Vec<u8>> {
        let hashes = self.levels.get(8 * level as usize)?;
        let begin = usize::try_from(tile.checked_mul(256)?).ok()?;
        let end = begin.checked_add(usize::try_from(width).ok()?)?;
        Some(hashes.get(begin..end)?.concat())
    }
}

/// The largest power of two below `width`.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}
