//! Data tiles of static-ct-api: entries one after another, with nothing between them.
//!
//! Owns the reading of a whole tile. Where an entry stands is not its business: a caller compares
//! [`Entry::leaf_index`] with where the entry should be.

use std::fmt;

use super::{Entry, EntryFault};

/// Entries of a full tile.
const FULL: usize = 256;

/// Why a tile cannot be read, and at which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileFault {
    /// Place of the entry in the tile, from 0.
    pub place: usize,
    /// What is wrong with it.
    pub fault: EntryFault,
}

impl fmt::Display for TileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at place {} of the tile", self.fault, self.place)
    }
}

/// Reads the `width` entries of a data tile, in order.
///
/// All or none: where an entry ends is written in the entry alone, so that behind a bad one
/// nothing can be trusted to begin.
///
/// # Errors
/// The first fault. A tile that holds fewer or more entries than `width` is at fault too.
pub fn read_data_tile(tile: &[u8], width: usize) -> Result<Vec<Entry<'_>>, TileFault> {
    let mut entries = Vec::with_capacity(width.min(FULL));
    let mut rest = tile;
    while entries.len() < width {
        let at_fault = |fault| TileFault { place: entries.len(), fault };
        if rest.is_empty() {
            return Err(at_fault(EntryFault::TooFewEntries));
        }
        let entry = Entry::parse(rest).map_err(at_fault)?;
        rest = &rest[entry.leaf.len()..];
        entries.push(entry);
    }
    if !rest.is_empty() {
        return Err(TileFault { place: width, fault: EntryFault::TooManyEntries });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
