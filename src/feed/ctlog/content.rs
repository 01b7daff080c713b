//! What a data tile holds, whole or torn.
//!
//! Owns what becomes of its entries: they are read, proven on their own where need be, and taken
//! in; and what cannot be read of a tile that the log itself has spoilt becomes a gap. Which tiles
//! there are, and when, is for `tiled`.

use crate::config::Verification;
use crate::ctlog::{
    Entry, EntryFault, Hash, HashTiles, TILE, TileFault, TileId, begin_of_data_tile, root_of,
};

use super::intake::EntryIntake;
use super::suspect::Suspect;
use super::tiled::{Place, TILE_LIMIT};
use super::trouble::Trouble;

/// What a data tile holds.
#[derive(Debug)]
pub(super) struct Content<'b> {
    pub tile: TileId,
    /// Its entries, as far as they can be read.
    pub entries: Vec<Entry<'b>>,
    /// The tile is torn: what is wrong with the entry behind those, whenever it is fetched. Where
    /// that one ends nobody can tell, and so not where the others begin.
    pub torn: Option<TileFault>,
}

/// Takes in the entries of a tile that are due, before `end`.
pub(super) fn take_in(
    intake: &mut EntryIntake,
    content: &Content<'_>,
    end: u64,
    verify: Verification,
) -> Result<(), Trouble> {
    for (index, entry) in (content.tile.number * TILE..end).zip(&content.entries) {
        if index == intake.position() {
            intake.entry(entry, verify == Verification::Full)?;
        }
    }
    Ok(())
}

/// Proves that the entries of a tile are those of the signed tree.
pub(super) fn prove_alone(
    content: &Content<'_>,
    hashes: &mut HashTiles,
    place: &mut Place,
) -> Result<(), Trouble> {
    let tile = content.tile;
    let leaves: Vec<Hash> = content.entries.iter().map(Entry::leaf_hash).collect();
    let proven = if content.torn.is_some() {
        hashes.leaves(tile.number, place)?.starts_with(&leaves)
    } else if tile.width == TILE {
        root_of(&leaves) == hashes.tile_root(tile.number, place)?
    } else {
        leaves == hashes.edge_leaves(place)?
    };
    if proven {
        return Ok(());
    }
    let url = place.url(tile);
    Err(Trouble::Refuted(format!("{url}: the entries are not those of the signed tree")))
}

impl Place {
    /// What `tile` holds: as many entries as were asked for, though it may have more by now. One that
    /// may come whole the next time is none; `suspect` knows how often that was tried.
    pub fn content<'b>(
        &self,
        tile: TileId,
        body: &'b [u8],
        suspect: &mut Suspect,
    ) -> Result<Content<'b>, Trouble> {
        let width = tile.width as usize;
        let (mut entries, fault) = match begin_of_data_tile(body, width) {
            (_, Some(fault)) if fault.fault == EntryFault::TooManyEntries => {
                begin_of_data_tile(body, TILE as usize)
            }
            read => read,
        };
        entries.truncate(width);
        // What cannot be read at all says nothing that the log might have signed.
        if let Some(fault) = fault.filter(|fault| !fault.fault.is_in_the_log())
            && !suspect.came(tile.number, fault)
        {
            return Err(Trouble::Passing(format!("{}: {fault}", self.url(tile))));
        }
        for (entry, index) in entries.iter().zip(tile.number * TILE..) {
            if entry.leaf_index != Some(index) {
                let url = self.url(tile);
                let what = match entry.leaf_index {
                    Some(_) => "bears the index of another",
                    // A log of static-ct-api has to write it.
                    None => "does not bear its index",
                };
                return Err(Trouble::Refuted(format!("{url}: entry {index} {what}")));
            }
        }
        Ok(Content { tile, entries, torn: fault.filter(|fault| fault.place < width) })
    }

    /// Passes over what cannot be read of a torn tile, before `end`: a gap, which `backfill` of a
    /// later version may fill. The log goes on; to stop would lose what comes behind the tile, too.
    /// Only what the log serves twice is taken for its own doing.
    pub fn pass_over(
        &self,
        intake: &mut EntryIntake,
        content: &Content<'_>,
        body: &[u8],
        end: u64,
    ) -> Result<(), Trouble> {
        let Content { tile, torn: Some(fault), .. } = *content else { return Ok(()) };
        let end = end.min(tile.number * TILE + tile.width);
        if intake.position() >= end {
            return Ok(());
        }
        let url = self.url(tile);
        let answer = self.fetcher.one_or_fault(&url, TILE_LIMIT, &self.stop)?;
        if self.tile(tile, answer)? != body {
            return Err(Trouble::Passing(format!(
                "{url}: {fault}, and another answer the next time"
            )));
        }
        let detail = format!("{url}: {fault}; where the entries behind it begin cannot be known");
        Ok(intake.unreadable_before(end, fault.fault.reason(), detail)?)
    }
}
