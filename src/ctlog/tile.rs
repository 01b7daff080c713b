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
/// All or none; what stands before a bad entry, [`begin_of_data_tile`] gives.
///
/// # Errors
/// The first fault. A tile that holds fewer or more entries than `width` is at fault too.
pub fn read_data_tile(tile: &[u8], width: usize) -> Result<Vec<Entry<'_>>, TileFault> {
    match begin_of_data_tile(tile, width) {
        (entries, None) => Ok(entries),
        (_, Some(fault)) => Err(fault),
    }
}

/// Reads the entries of a data tile, `width` at most, up to the first fault, and says which that
/// is. Where an entry ends is written in the entry alone, so that behind a bad one nothing can be
/// trusted to begin.
#[must_use]
pub fn begin_of_data_tile(tile: &[u8], width: usize) -> (Vec<Entry<'_>>, Option<TileFault>) {
    let mut entries = Vec::with_capacity(width.min(FULL));
    let mut rest = tile;
    let fault = loop {
        let fault = match (rest.is_empty(), entries.len() < width) {
            (true, false) => break None,
            (true, true) => EntryFault::TooFewEntries,
            (false, false) => EntryFault::TooManyEntries,
            (false, true) => match Entry::parse(rest) {
                Ok(entry) => {
                    rest = &rest[entry.leaf.len()..];
                    entries.push(entry);
                    continue;
                }
                Err(fault) => fault,
            },
        };
        break Some(TileFault { place: entries.len(), fault });
    };
    (entries, fault)
}

#[cfg(test)]
mod tests;
