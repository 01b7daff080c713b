//! CertStream watches Certificate Transparency for the domains a security team names by regex,
//! and stores what matches with its evidence.
//!
//! A synchronous engine: threads and channels, no async runtime. Data flows one way.
//!
//! ```text
//!  feed threads            matcher threads (pool)              writer thread
//!  socket, log or capture  names → domains, and their views    reorder → merge → transaction
//!  → frame → names  ─────▶ → prefilter (literals)        ────▶ → SQLite (WAL)
//!      │         [Batch]   → verify (DFA) → evidence [Matched]      │      rows + position
//!      └──────▶ recorder                                            └──▶ printer (stdout)
//! ```
//!
//! What a certstream feed finds missing travels with its batches and becomes rows; the healer is a
//! feed more, which reads those rows on a connection of its own and fetches what they name from the
//! logs. Where `engine.parse` is fast, the names come from a scan, and a matcher has simd-json judge
//! each frame from which something is stored.
//!
//! Beside it stand `observe`, which serves the counters over HTTP and touches nothing else, and after an
//! unclean end a check of the database file on a connection of its own.
//!
//! Each module imports only from those above it in the list below; `pipeline` alone wires the
//! stages together, which do not know each other. Buffers return to the feeds through a channel
//! of their own. Shutdown is channel closure flowing the same way as the data.

pub mod cores;
pub mod error;
pub mod stop;

pub mod domain;
pub mod update;

pub mod ctlog;

pub mod yaml;

pub mod rule;

pub mod config;

pub mod stats;

pub mod backlog;
pub mod batch;
pub mod console;
pub mod matched;
pub mod record;

pub mod connect;
pub mod feed;

pub mod matcher;

pub mod store;

pub mod export;

pub mod explain;
pub mod lint;
pub mod report;

pub mod cli;

pub mod observe;
pub mod printer;

pub mod pipeline;

pub mod commands;
