//! What CT logs publish, read and checked: entries, names, certificates, checkpoints, proofs, the
//! list of logs.
//!
//! Owns the formats of RFC 6962, of static-ct-api (c2sp.org/static-ct-api) and of Chrome's log
//! list, and the Merkle tree arithmetic. Fetches nothing: bytes come in, values go out. The issuers
//! that static-ct-api serves beside the tiles are not needed: the log has signed the issuer's name
//! within the certificate, and that is the evidence.

mod certificate;
mod checkpoint;
#[cfg(test)]
mod corpus;
mod der_names;
mod entry;
mod entry_fault;
mod get_entries;
mod hash_tiles;
mod key;
mod list;
mod merkle;
mod names_line;
mod names_tile;
mod proof;
mod source;
mod tile;
mod tile_id;
mod wire;

pub use certificate::{CertificateFault, LogName, evidence, micros, names, parsed_names};
pub use checkpoint::{CheckpointFault, SignedTreeHead, checkpoint, signed_tree_head};
pub use der_names::{DerNames, Unsure, der_names};
pub use entry::{Entry, EntryKind, MAX_ENTRY, read_frame, write_frame};
pub use entry_fault::EntryFault;
pub use get_entries::{LeafFault, read_get_entries};
pub use hash_tiles::{HashFault, HashTiles, Tiles};
pub use key::{Key, SignatureFault};
pub use list::{Interval, ListFault, Log, LogList, LogProtocol, Standing, State, place_of};
pub use merkle::{Frontier, Hash, leaf_hash, node_hash, root_of};
pub use names_tile::{NamedEntry, NamesTileReader};
pub use proof::{ConsistencyProof, ProofFault};
pub use source::LogSource;
pub use tile::{TileFault, begin_of_data_tile, read_data_tile};
pub use tile_id::{Kind, TILE, TileId};

/// What RFC 6962 calls a log by: SHA-256 of its public key.
pub type LogId = [u8; 32];
