//! The `heal:` block: whether what certstream feeds missed is fetched from the logs.
//!
//! Owns its keys. Fetching is `feed::ctlog`'s business.

use std::time::Duration;

use super::set;
use crate::error::Result;
use crate::yaml::Table;

pub(super) const KEYS: [&str; 3] = ["enabled", "max_entries", "settle_after"];

/// The settings of healing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heal {
    /// Whether anything is fetched.
    pub enabled: bool,
    /// Entries that a hole may have to be fetched without being asked.
    pub max_entries: u64,
    /// How late an entry may come after others of its log, and still not be missed.
    pub settle_after: Duration,
}

impl Default for Heal {
    fn default() -> Self {
        Self { enabled: true, max_entries: 1_000_000, settle_after: Duration::from_secs(30) }
    }
}

impl Heal {
    pub(super) fn read(table: &Table<'_>) -> Result<Self> {
        let mut heal = Self::default();
        set(&mut heal.enabled, table.get("enabled"), |field| field.flag())?;
        set(&mut heal.max_entries, table.get("max_entries"), |f| f.number(1).map(|n| n as u64))?;
        set(&mut heal.settle_after, table.get("settle_after"), |field| field.duration())?;
        Ok(heal)
    }
}
