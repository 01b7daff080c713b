//! The log that entries come from, as evidence shows it.
//!
//! Owns the link to an entry. What evidence is made of is `certificate`'s business.

use super::list::{Log, LogProtocol};
use super::tile_id::{Kind, TILE, TileId};

/// The log that entries come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Its name in the list of logs.
    pub name: String,
    /// Where it is read, with a slash at the end.
    pub url: String,
    /// Whether it is read in tiles.
    pub tiled: bool,
}

impl LogSource {
    /// The source that `log` is.
    #[must_use]
    pub fn of(log: &Log) -> Self {
        let tiled = matches!(log.protocol, LogProtocol::Tiled { .. });
        Self { name: log.name.clone(), url: log.url().to_owned(), tiled }
    }

    /// Where the entry at `index` can be fetched.
    #[must_use]
    pub fn link(&self, index: u64) -> String {
        if self.tiled {
            let tile = TileId { kind: Kind::Data, number: index / TILE, width: TILE };
            format!("{}{tile}", self.url)
        } else {
            format!("{}ct/v1/get-entries?start={index}&end={index}", self.url)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_tile_or_to_the_entry() {
        let url = "https://log.example/2026/".to_owned();
        let mut source = LogSource { name: String::new(), url, tiled: true };
        assert_eq!(source.link(512_300), "https://log.example/2026/tile/data/x002/001");
        source.tiled = false;
        let link = "https://log.example/2026/ct/v1/get-entries?start=7&end=7";
        assert_eq!(source.link(7), link);
    }
}
