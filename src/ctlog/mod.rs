//! What CT logs publish, read and checked: entries, names, certificates, checkpoints, proofs, the
//! list of logs.
//!
//! Owns the formats of RFC 6962, of static-ct-api (c2sp.org/static-ct-api) and of Chrome's log
//! list, and the Merkle tree arithmetic. Fetches nothing: bytes come in, values go out.

mod checkpoint;
mod hash_tiles;
mod key;
mod list;
mod merkle;
mod proof;
mod tile_id;

pub use checkpoint::{CheckpointFault, SignedTreeHead, checkpoint, signed_tree_head};
pub use hash_tiles::{HashFault, HashTiles, Tiles};
pub use key::{Key, SignatureFault};
pub use list::{Interval, ListFault, Log, LogList, LogProtocol, Standing, State};
pub use merkle::{Frontier, Hash, leaf_hash, node_hash, root_of};
pub use proof::{ConsistencyProof, ProofFault};
pub use tile_id::{Kind, TILE, TileId};

/// What RFC 6962 calls a log by: SHA-256 of its public key.
pub type LogId = [u8; 32];

/// The log an entry stands in, as evidence shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogName {
    /// Its name in the list of logs.
    pub name: String,
    /// Where it is read: the URL of its API, or its monitoring prefix.
    pub url: String,
}

// Entries.
// Trust.
