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
//! Beside it stands `observe`, which serves the counters over HTTP and touches nothing else.
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
