//! Hashes of a log's tree, read from its hash tiles and proven against its signed root.
//!
//! Owns which tiles prove which hash. The tiles at the right edge of the tree, one of each level,
//! have the root between them; a full tile's root stands in the tile above it. Nothing that was
//! not compared all the way up to the signed root leaves this module.

use std::fmt;

use super::merkle::{Frontier, Hash, root_of};
use super::tile_id::{Kind, TILE, TileId};

/// Levels of tiles that a tree of 2^64 entries can have.
const LEVELS: usize = 8;

/// A tile is not what the log has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashFault {
    /// It does not hold the number of hashes it was asked for.
    Length {
        /// The tile.
        tile: TileId,
        /// Bytes it has.
        bytes: usize,
    },
    /// The tiles at the right edge of the tree do not come to the signed root.
    Edge {
        /// Entries in the tree.
        size: u64,
    },
    /// The hashes of a full tile do not come to the hash that stands for it in the tile above.
    Tile(TileId),
}

impl fmt::Display for HashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { tile, bytes } => {
                write!(f, "{tile} has {bytes} bytes instead of {} hashes", tile.width)
            }
            Self::Edge { size } => {
                write!(f, "the hash tiles of the tree of {size} entries do not lead to its root")
            }
            Self::Tile(tile) => write!(f, "{tile} does not belong to the signed tree"),
        }
    }
}

/// Gets hash tiles, and says what keeps them from being got or trusted.
pub trait Tiles {
    /// Why there is no proof.
    type Fault: From<HashFault>;

    /// The bytes of `tile`; where it is a part that has been filled meanwhile, the full tile's.
    ///
    /// # Errors
    /// When it cannot be had.
    fn tile(&mut self, tile: TileId) -> Result<Vec<u8>, Self::Fault>;
}

/// The hashes of one signed tree.
#[derive(Debug)]
pub struct HashTiles {
    size: u64,
    root: Hash,
    /// By level: the tile at the right edge, proven; empty where the edge has none.
    edge: Option<Vec<Vec<Hash>>>,
    /// By level: the full tile that was used last, proven. Reading goes from left to right, so
    /// that one is enough.
    last: Vec<Option<(u64, Vec<Hash>)>>,
}

impl HashTiles {
    /// The hashes of the tree of `size` entries that has `root`.
    #[must_use]
    pub fn new(size: u64, root: Hash) -> Self {
        Self { size, root, edge: None, last: vec![None; LEVELS + 1] }
    }

    /// The root of the full data tile `number`.
    ///
    /// # Errors
    /// When it cannot be proven.
    pub fn tile_root<T: Tiles>(&mut self, number: u64, tiles: &mut T) -> Result<Hash, T::Fault> {
        let hashes = self.proven(1, number / TILE, tiles)?;
        let hash = hashes.get((number % TILE) as usize).copied();
        hash.ok_or_else(|| HashFault::Edge { size: self.size }.into())
    }

    /// The leaf hashes of the data tile `number`.
    ///
    /// # Errors
    /// When they cannot be proven.
    pub fn leaves<T: Tiles>(&mut self, number: u64, tiles: &mut T) -> Result<&[Hash], T::Fault> {
        self.proven(0, number, tiles)
    }

    /// The leaf hashes of the data tile at the right edge; none when all tiles are full.
    ///
    /// # Errors
    /// When they cannot be proven.
    pub fn edge_leaves<T: Tiles>(&mut self, tiles: &mut T) -> Result<&[Hash], T::Fault> {
        Ok(&self.edge(tiles)?[0])
    }

    /// The tree as it was when it had `size` entries.
    ///
    /// # Errors
    /// When it cannot be proven, or never had.
    pub fn frontier<T: Tiles>(&mut self, size: u64, tiles: &mut T) -> Result<Frontier, T::Fault> {
        if size > self.size {
            return Err(HashFault::Edge { size: self.size }.into());
        }
        let mut frontier = Frontier::default();
        for level in (0..LEVELS).rev() {
            let complete = size >> (8 * level);
            let count = (complete % TILE) as usize;
            if count > 0 {
                let hashes = self.proven(level, complete / TILE, tiles)?;
                for hash in &hashes[..count] {
                    frontier.push_subtree(8 * level as u32, *hash);
                }
            }
        }
        Ok(frontier)
    }

    /// The hashes of tile `number` of `level`, proven.
    fn proven<T: Tiles>(
        &mut self,
        level: usize,
        number: u64,
        tiles: &mut T,
    ) -> Result<&[Hash], T::Fault> {
        if number == edge_number(self.size, level) {
            return Ok(&self.edge(tiles)?[level]);
        }
        let known = self.last[level].as_ref().is_some_and(|(known, _)| *known == number);
        if !known {
            let above = self.proven(level + 1, number / TILE, tiles)?[(number % TILE) as usize];
            let tile = TileId { kind: Kind::Hashes(level as u8), number, width: TILE };
            let hashes = hashes(tile, &tiles.tile(tile)?)?;
            if root_of(&hashes) != above {
                return Err(HashFault::Tile(tile).into());
            }
            self.last[level] = Some((number, hashes));
        }
        Ok(self.last[level].as_ref().map_or(&[], |(_, hashes)| hashes))
    }

    /// The tiles at the right edge, by level.
    fn edge<T: Tiles>(&mut self, tiles: &mut T) -> Result<&[Vec<Hash>], T::Fault> {
        let edge = match self.edge.take() {
            Some(edge) => edge,
            None => self.fetch_edge(tiles)?,
        };
        Ok(self.edge.insert(edge))
    }

    fn fetch_edge<T: Tiles>(&self, tiles: &mut T) -> Result<Vec<Vec<Hash>>, T::Fault> {
        let mut edge = vec![Vec::new(); LEVELS + 1];
        let mut frontier = Frontier::default();
        for level in (0..LEVELS).rev() {
            let width = (self.size >> (8 * level)) % TILE;
            if width == 0 {
                continue;
            }
            let number = edge_number(self.size, level);
            let tile = TileId { kind: Kind::Hashes(level as u8), number, width };
            edge[level] = hashes(tile, &tiles.tile(tile)?)?;
            for hash in &edge[level] {
                frontier.push_subtree(8 * level as u32, *hash);
            }
        }
        if frontier.root() != self.root {
            return Err(HashFault::Edge { size: self.size }.into());
        }
        Ok(edge)
    }
}

/// The number of the tile of `level` that a tree of `size` entries is filling, or would begin.
fn edge_number(size: u64, level: usize) -> u64 {
    size.checked_shr(8 * (level as u32 + 1)).unwrap_or_default()
}

/// The hashes in the bytes of `tile`; a full tile serves where a part was asked for.
fn hashes(tile: TileId, bytes: &[u8]) -> Result<Vec<Hash>, HashFault> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    let full = hashes.len() as u64 == TILE;
    if !rest.is_empty() || (hashes.len() as u64 != tile.width && !full) {
        return Err(HashFault::Length { tile, bytes: bytes.len() });
    }
    Ok(hashes[..tile.width as usize].to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::merkle::tests::{defined, leaves};
    use super::*;
    use std::collections::HashMap;

    /// The tiles of a tree, as a log would serve them, and how often each was asked for.
    struct Served {
        tiles: HashMap<(u8, u64), Vec<Hash>>,
        asked: Vec<TileId>,
        /// Whether parts have vanished.
        full_only: bool,
        spoil: Option<(TileId, usize)>,
    }

    impl Served {
        fn of(leaves: &[Hash]) -> Self {
            let mut tiles = HashMap::new();
            let mut row = leaves.to_vec();
            for level in 0.. {
                for (number, tile) in row.chunks(256).enumerate() {
                    tiles.insert((level, number as u64), tile.to_vec());
                }
                row = row.chunks_exact(256).map(defined).collect();
                if row.is_empty() {
                    break;
                }
            }
            Self { tiles, asked: Vec::new(), full_only: false, spoil: None }
        }
    }

    impl Tiles for Served {
        type Fault = HashFault;

        fn tile(&mut self, tile: TileId) -> Result<Vec<u8>, HashFault> {
            self.asked.push(tile);
            let Kind::Hashes(level) = tile.kind else { panic!("asks for {tile}") };
            let hashes = &self.tiles[&(level, tile.number)];
            let full = self.full_only && hashes.len() == 256;
            let width = if full { 256 } else { hashes.len().min(tile.width as usize) };
            let mut bytes = hashes[..width].as_flattened().to_vec();
            if let Some((spoilt, bit)) = self.spoil
                && spoilt == tile
            {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            Ok(bytes)
        }
    }

    #[test]
    fn every_hash_is_the_one_the_definition_gives() {
        let leaves = leaves(66_000);
        let mut served = Served::of(&leaves);
        for size in [1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000] {
            let root = defined(&leaves[..size]);
            let mut tree = HashTiles::new(size as u64, root);
            for number in [0, size / 512, (size / 256).saturating_sub(1)] {
                if number < size / 256 {
                    let expected = defined(&leaves[number * 256..][..256]);
                    assert_eq!(tree.tile_root(number as u64, &mut served), Ok(expected), "{size}");
                }
            }
            assert_eq!(tree.edge_leaves(&mut served).unwrap(), &leaves[size / 256 * 256..size]);
            let first = tree.leaves(0, &mut served).unwrap();
            assert_eq!(first, &leaves[..size.min(256)]);
            for earlier in [0, 1, size / 3, size / 2, size - 1, size] {
                let frontier = tree.frontier(earlier as u64, &mut served).unwrap();
                assert_eq!(frontier.root(), defined(&leaves[..earlier]), "{earlier} of {size}");
            }
        }
    }

    #[test]
    fn reading_from_left_to_right_asks_for_each_tile_once() {
        let leaves = leaves(66_000);
        let mut served = Served::of(&leaves);
        let mut tree = HashTiles::new(66_000, defined(&leaves));
        for number in 0..66_000 / 256 {
            tree.tile_root(number, &mut served).unwrap();
        }
        assert_eq!(served.asked.len(), 4, "{:?}", served.asked);
    }

    #[test]
    fn a_vanished_part_is_served_by_the_full_tile() {
        let leaves = leaves(1024);
        let mut served = Served::of(&leaves);
        served.full_only = true;
        let mut tree = HashTiles::new(700, defined(&leaves[..700]));
        assert_eq!(tree.edge_leaves(&mut served).unwrap(), &leaves[512..700]);
    }

    #[test]
    fn no_flipped_bit_passes() {
        let leaves = leaves(66_000);
        let root = defined(&leaves);
        let ask = |served: &mut Served| -> Result<(), HashFault> {
            let mut tree = HashTiles::new(66_000, root);
            tree.tile_root(100, served)?;
            tree.edge_leaves(served)?;
            tree.frontier(300, served).map(drop)
        };
        let mut served = Served::of(&leaves);
        ask(&mut served).unwrap();
        for tile in served.asked.clone() {
            for bit in (0..tile.width as usize * 256).step_by(509) {
                served.spoil = Some((tile, bit));
                assert!(ask(&mut served).is_err(), "{tile}, bit {bit}");
            }
        }
    }

    #[test]
    fn another_root_or_a_short_tile_is_a_fault() {
        let leaves = leaves(300);
        let mut served = Served::of(&leaves);
        let mut tree = HashTiles::new(300, [7; 32]);
        let fault = tree.edge_leaves(&mut served).unwrap_err();
        assert_eq!(fault, HashFault::Edge { size: 300 });
        served.tiles.insert((0, 1), leaves[256..260].to_vec());
        let mut tree = HashTiles::new(300, defined(&leaves));
        let fault = tree.edge_leaves(&mut served).unwrap_err().to_string();
        assert_eq!(fault, "tile/0/001.p/44 has 128 bytes instead of 44 hashes");
    }
}
