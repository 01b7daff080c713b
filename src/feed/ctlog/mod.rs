//! CT logs, read directly.
//!
//! Owns the course of each log: what to fetch next, in which order entries are delivered, and when
//! to ask again. The formats are `ctlog`'s.
