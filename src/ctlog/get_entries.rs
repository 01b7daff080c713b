//! The answer to RFC 6962 `get-entries`, turned into the frames of its entries.
//!
//! Owns the JSON and the `MerkleTreeLeaf`. A bad entry is a fault of its own: its neighbours stay.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use simd_json::Buffers;
use simd_json::prelude::*;
use simd_json::tape::Value;

use super::entry::Signed;
use super::wire::Wire;
use super::{EntryFault, EntryKind, Hash, MAX_ENTRY, leaf_hash, write_frame};

/// How deep the JSON may nest: an answer reaches 3.
const MAX_DEPTH: usize = 16;
/// Version and leaf type in front of what the log signs: both zero.
const LEAF_HEADER: [u8; 2] = [0, 0];

/// Why an entry cannot be read, and what is known of it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafFault {
    /// What is wrong with it.
    pub fault: EntryFault,
    /// The hash by which what was sent stands in the log's tree, where there is a leaf at all: that
    /// takes no understanding of what the leaf says.
    pub leaf_hash: Option<Hash>,
}

/// Reads the entries from index `first` on and hands each to `take`: its index, then its frame
/// (see [`read_frame`](super::read_frame)) or why there is none. Says how many there were: fewer
/// than asked for is usual. `page` is overwritten.
///
/// `extra_data` is not signed. Of a precertificate it gives the precertificate as submitted;
/// where it is damaged or absent, the entry has none. Everything else in it is passed over.
///
/// # Errors
/// Why the answer holds no list of entries.
pub fn read_get_entries(
    page: &mut [u8],
    first: u64,
    mut take: impl FnMut(u64, Result<&[u8], LeafFault>),
) -> Result<usize, EntryFault> {
    let mut buffers = Buffers::with_max_depth(page.len(), MAX_DEPTH);
    let tape =
        simd_json::to_tape_with_buffers(page, &mut buffers).map_err(|_| EntryFault::NotJson)?;
    let entries = tape
        .as_value()
        .get("entries")
        .and_then(|entries| entries.as_array())
        .ok_or(EntryFault::WrongShape)?;
    let mut converter = Converter::default();
    let mut index = first;
    for entry in entries.iter() {
        take(index, converter.convert(index, &entry));
        index = index.saturating_add(1);
    }
    Ok(entries.len())
}

/// Buffers that are kept from one entry to the next.
#[derive(Debug, Default)]
struct Converter {
    leaf: Vec<u8>,
    extra: Vec<u8>,
    frame: Vec<u8>,
}

impl Converter {
    /// The frame of the entry at `index`.
    fn convert(&mut self, index: u64, entry: &Value<'_, '_>) -> Result<&[u8], LeafFault> {
        let leaf = entry.get("leaf_input").and_then(|leaf| leaf.into_string());
        let leaf = leaf.ok_or(EntryFault::WrongShape);
        leaf.and_then(|leaf| decode(leaf, &mut self.leaf))
            .map_err(|fault| LeafFault { fault, leaf_hash: None })?;
        match self.frame(index, entry) {
            Ok(()) => Ok(&self.frame),
            Err(fault) => Err(LeafFault { fault, leaf_hash: Some(leaf_hash(&[&self.leaf])) }),
        }
    }

    /// Writes the frame of the entry at `index`, of which the leaf has been decoded.
    fn frame(&mut self, index: u64, entry: &Value<'_, '_>) -> Result<(), EntryFault> {
        let mut wire = Wire(&self.leaf);
        if wire.bytes(LEAF_HEADER.len())? != LEAF_HEADER {
            return Err(EntryFault::UnknownLeaf);
        }
        let timestamped = wire.0;
        let signed = Signed::parse(&mut wire)?;
        if !wire.0.is_empty() {
            return Err(EntryFault::TrailingBytes);
        }
        self.frame.clear();
        write_frame(index, timestamped, &mut self.frame);
        if signed.kind == EntryKind::Precert {
            let extra = entry.get("extra_data").and_then(|extra| extra.into_string());
            let submitted = extra.and_then(|extra| {
                decode(extra, &mut self.extra).ok()?;
                Wire(&self.extra).string::<3>().ok()
            });
            // Nor does the entry suffer from one that it cannot travel with.
            let room = MAX_ENTRY.saturating_sub(self.frame.len());
            let submitted = submitted.filter(|der| der.len() <= room).unwrap_or_default();
            // It was read behind a length of three bytes.
            self.frame.extend_from_slice(&(submitted.len() as u32).to_be_bytes()[1..]);
            self.frame.extend_from_slice(submitted);
        }
        // Fingerprints of the chain: none.
        self.frame.extend_from_slice(&[0, 0]);
        Ok(())
    }
}

fn decode(text: &str, into: &mut Vec<u8>) -> Result<(), EntryFault> {
    into.clear();
    STANDARD.decode_vec(text, into).map_err(|_| EntryFault::NotBase64)
}

#[cfg(test)]
mod tests;
