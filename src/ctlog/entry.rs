//! An entry of a CT log, in the one form it has here whichever protocol it came by.
//!
//! Owns the reading of a static-ct-api `TileLeaf` and of the frame in which an entry travels: its
//! index, then its `TileLeaf`. Looks into no certificate.

use sha2::{Digest, Sha256};

use super::EntryFault;
use super::wire::Wire;
use crate::update::MAX_FRAME;

/// Bytes of the index in front of an entry's frame.
const INDEX_BYTES: usize = 8;
/// Bytes an entry may have on its way through the program: with its index it makes a frame that is
/// not too large. RFC 6962 allows certificates to nearly as much, no log takes one of a hundredth of
/// it.
pub const MAX_ENTRY: usize = MAX_FRAME - INDEX_BYTES;
/// Bytes of a SHA-256 hash.
const HASH: usize = 32;
/// The type of the CT extension that says where in its log an entry stands.
const LEAF_INDEX: u64 = 0;

/// What an entry was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A final certificate.
    X509,
    /// A precertificate: what the authority announced that it would issue.
    Precert,
}

/// An entry of a CT log.
///
/// What it holds and what the log's signature covers: `timestamped`, and within it all but
/// [`submitted`](Self::submitted) and [`fingerprints`](Self::fingerprints).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The entry as a `TileLeaf`: all the bytes it was read from.
    pub leaf: &'a [u8],
    /// The part of `leaf` that the log hashes and signs.
    pub timestamped: &'a [u8],
    /// When the log took it, in milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// What it was made from.
    pub kind: EntryKind,
    /// DER of the certificate; of a precertificate the DER of its TBSCertificate, without poison. As
    /// the log has it: it may be no certificate.
    pub certificate: &'a [u8],
    /// SHA-256 of the issuer's public key; given for a precertificate alone.
    pub issuer_key_hash: Option<&'a [u8; HASH]>,
    /// DER of the precertificate as submitted, where it is known. Not covered by the signature.
    pub submitted: Option<&'a [u8]>,
    /// Its index in the log, as the `leaf_index` extension has it. Logs of static-ct-api must
    /// write it; of one that does not, or not well, there is none.
    pub leaf_index: Option<u64>,
    /// SHA-256 of each certificate of the chain, one after another; empty where it is not known, or
    /// is no whole number of them. Not covered by the signature.
    pub fingerprints: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads the entry that `bytes` begins with; [`leaf`](Self::leaf) says how many it took.
    ///
    /// A precertificate as submitted may be empty (unknown), which `TileLeaf` has not: entries
    /// from `get-entries` whose `extra_data` is damaged still have all that is signed.
    ///
    /// # Errors
    /// Why there is no entry.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EntryFault> {
        let mut wire = Wire(bytes);
        let signed = Signed::parse(&mut wire)?;
        let timestamped = &bytes[..bytes.len() - wire.0.len()];
        let submitted = match signed.kind {
            EntryKind::X509 => None,
            EntryKind::Precert => Some(wire.string::<3>()?).filter(|der| !der.is_empty()),
        };
        let fingerprints = wire.string::<2>()?;
        let whole = fingerprints.len().is_multiple_of(HASH);
        let fingerprints = if whole { fingerprints } else { &[] };
        let leaf = &bytes[..bytes.len() - wire.0.len()];
        let Signed { timestamp, kind, issuer_key_hash, certificate, leaf_index } = signed;
        Ok(Self {
            leaf,
            timestamped,
            timestamp,
            kind,
            certificate,
            issuer_key_hash,
            submitted,
            leaf_index,
            fingerprints,
        })
    }

    /// The entry as a `TileLeaf` of what is signed alone: without the precertificate as submitted,
    /// and without fingerprints.
    #[must_use]
    pub fn signed_alone(&self) -> Vec<u8> {
        let empty: &[u8] = match self.kind {
            EntryKind::X509 => &[0, 0],
            EntryKind::Precert => &[0, 0, 0, 0, 0],
        };
        [self.timestamped, empty].concat()
    }

    /// The hash by which the entry stands in the log's Merkle tree (RFC 6962, section 2.1).
    #[must_use]
    pub fn leaf_hash(&self) -> [u8; HASH] {
        // The tree's prefix of a leaf, then version 1 and the type of a `MerkleTreeLeaf`.
        let hash = Sha256::new().chain_update([0, 0, 0]).chain_update(self.timestamped);
        hash.finalize().into()
    }
}

/// A `TimestampedEntry`: what the log signs.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    timestamp: u64,
    pub kind: EntryKind,
    issuer_key_hash: Option<&'a [u8; HASH]>,
    certificate: &'a [u8],
    leaf_index: Option<u64>,
}

impl<'a> Signed<'a> {
    /// Reads it from the front of `wire`.
    pub fn parse(wire: &mut Wire<'a>) -> Result<Self, EntryFault> {
        let timestamp = wire.number::<8>()?;
        let (kind, issuer_key_hash) = match wire.number::<2>()? {
            0 => (EntryKind::X509, None),
            1 => (EntryKind::Precert, wire.bytes(HASH)?.first_chunk()),
            _ => return Err(EntryFault::UnknownType),
        };
        let certificate = wire.string::<3>()?;
        let leaf_index = leaf_index(wire.string::<2>()?);
        Ok(Self { timestamp, kind, issuer_key_hash, certificate, leaf_index })
    }
}

/// The `leaf_index` among the CT extensions of an entry.
///
/// RFC 6962 gives the field no structure: what has none is no fault of the entry.
fn leaf_index(extensions: &[u8]) -> Option<u64> {
    let mut wire = Wire(extensions);
    let mut index = None;
    while !wire.0.is_empty() {
        let kind = wire.number::<1>().ok()?;
        let mut content = Wire(wire.string::<2>().ok()?);
        if kind == LEAF_INDEX {
            // Two of them contradict each other, as does one of another length.
            let read = content.number::<5>().ok().filter(|_| content.0.is_empty())?;
            if index.replace(read).is_some() {
                return None;
            }
        }
    }
    index
}

/// Appends to `out` the frame in which an entry travels: `index`, then `leaf` as it stands.
pub fn write_frame(index: u64, leaf: &[u8], out: &mut Vec<u8>) {
    out.reserve(INDEX_BYTES + leaf.len());
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(leaf);
}

/// Reads a frame back: the entry's index in its log, and the entry.
///
/// # Errors
/// Why it holds no entry, or not one alone.
pub fn read_frame(frame: &[u8]) -> Result<(u64, Entry<'_>), EntryFault> {
    let (index, leaf) = frame.split_first_chunk().ok_or(EntryFault::CutShort)?;
    let entry = Entry::parse(leaf)?;
    if entry.leaf.len() < leaf.len() {
        return Err(EntryFault::TrailingBytes);
    }
    Ok((u64::from_le_bytes(*index), entry))
}

#[cfg(test)]
mod tests;
