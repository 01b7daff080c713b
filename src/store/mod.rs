//! The store.

pub mod schema;
