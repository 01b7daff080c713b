//! CT logs, read directly.
//!
//! Owns which logs are read at a time, and the course of each. The formats are `ctlog`'s.
//!
//! ```text
//!  lists ──▶ conductor ──▶ course, one thread a log:
//!            (begins and    tree head ─▶ pace ─▶ tiled | get_entries ─▶ intake ─▶ batches
//!             ends courses)                      fetch ◀─▶ bucket (one an operator)
//!  heal ───▶ course over what a certstream feed has missed, a log and a range at a time
//! ```

mod ask;
mod bucket;
mod conductor;
mod content;
mod course;
mod doubt;
mod fetch;
mod get_entries;
mod heal;
mod intake;
mod lists;
mod pace;
mod page_size;
mod protocols;
mod room;
mod running;
mod settings;
mod suspect;
mod tiled;
mod trouble;
mod verifier;

pub use ask::tree_sizes;
pub use conductor::{Surroundings, run};
pub use heal::{Healer, Holes};
pub use lists::Lists;
pub use protocols::Protocols;
pub use settings::{Range, Settings, feed_name, verifier_name};
pub use verifier::Left;
