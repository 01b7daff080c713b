//! What CT logs publish, read and checked: entries, names, certificates, checkpoints, proofs, the
//! list of logs.
//!
//! Owns the formats of RFC 6962, of static-ct-api (c2sp.org/static-ct-api) and of Chrome's log
//! list, and the Merkle tree arithmetic. Fetches nothing: bytes come in, values go out.

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
