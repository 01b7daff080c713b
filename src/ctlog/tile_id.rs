//! Where a tile of a log stands: its path below the log's prefix.
//!
//! Source: c2sp.org/static-ct-api and c2sp.org/tlog-tiles (paths in groups of three digits, all
//! but the last behind an `x`); names tiles: the Sunlight log's extension.

use std::fmt;

/// Entries or hashes of a full tile.
pub const TILE: u64 = 256;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Hashes of the tree at eight times this level.
    Hashes(u8),
    /// Entries.
    Data,
    /// Names of the entries.
    Names,
}

/// A tile of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileId {
    /// What it holds.
    pub kind: Kind,
    /// Its number among those of its kind, from 0.
    pub number: u64,
    /// How much it holds, 1 to [`TILE`]; less than that at the right edge alone.
    pub width: u64,
}

/// The path below the log's prefix, without a slash in front.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes(level) => write!(f, "tile/{level}")?,
            Kind::Data => f.write_str("tile/data")?,
            Kind::Names => f.write_str("tile/names")?,
        }
        let mut groups = vec![self.number % 1000];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        while groups.len() > 1
            && let Some(group) = groups.pop()
        {
            write!(f, "/x{group:03}")?;
        }
        write!(f, "/{:03}", groups[0])?;
        if self.width < TILE { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |kind, number, width| TileId { kind, number, width }.to_string();
        assert_eq!(path(Kind::Data, 0, 256), "tile/data/000");
        assert_eq!(path(Kind::Hashes(2), 999, 256), "tile/2/999");
        assert_eq!(path(Kind::Hashes(0), 1_000, 256), "tile/0/x001/000");
        assert_eq!(path(Kind::Data, 1_234_067, 8), "tile/data/x001/x234/067.p/8");
        assert_eq!(path(Kind::Names, 12_345, 255), "tile/names/x012/345.p/255");
    }
}
