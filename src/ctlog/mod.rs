//! What CT logs publish, read and checked: entries, names, certificates, checkpoints, proofs, the
//! list of logs.
//!
//! Owns the formats of RFC 6962, of static-ct-api (c2sp.org/static-ct-api) and of Chrome's log
//! list, and the Merkle tree arithmetic. Fetches nothing: bytes come in, values go out.

mod certificate;
#[cfg(test)]
mod corpus;
mod der_names;
mod entry;
mod entry_fault;
mod get_entries;
mod names_tile;
mod tile;
mod wire;

pub use certificate::{CertificateFault, LogName, evidence, names, parsed_names};
pub use der_names::{DerNames, Unsure, der_names};
pub use entry::{Entry, EntryKind, MAX_ENTRY, read_frame, write_frame};
pub use entry_fault::EntryFault;
pub use get_entries::read_get_entries;
pub use names_tile::{NamedEntry, NamesTileReader};
pub use tile::{TileFault, read_data_tile};

// Trust.
