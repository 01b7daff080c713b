//! A data tile that cannot be read to its end, though no entry in it says so itself.
//!
//! Owns how often one has to come the same way before it is taken for the log's own doing. What
//! then becomes of its entries is `content`'s business.

use crate::ctlog::TileFault;

/// Times it has to come. It may have been cut on its way, by a cache that will be mended: with the
/// pauses of a course, this takes minutes.
const TIMES: u32 = 10;

/// The tile that could not be read last, and how.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    /// Its number, and what is wrong with it.
    tile: Option<(u64, TileFault)>,
    /// Times it came like that.
    times: u32,
}

impl Suspect {
    /// Notes that the tile `number` came with `fault`; whether there is no hope left that it will
    /// come another way.
    pub fn came(&mut self, number: u64, fault: TileFault) -> bool {
        if self.tile == Some((number, fault)) {
            self.times = self.times.saturating_add(1);
        } else {
            *self = Self { tile: Some((number, fault)), times: 1 };
        }
        self.times >= TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctlog::EntryFault;

    #[test]
    fn there_is_hope_until_it_has_come_the_same_way_often() {
        let cut = |place| TileFault { place, fault: EntryFault::CutShort };
        let mut suspect = Suspect::default();
        for _ in 1..TIMES {
            assert!(!suspect.came(6, cut(77)));
        }
        // Another place, another tile: anew.
        assert!(!suspect.came(6, cut(78)) && !suspect.came(7, cut(78)));
        for _ in 2..TIMES {
            assert!(!suspect.came(7, cut(78)));
        }
        assert!(suspect.came(7, cut(78)) && suspect.came(7, cut(78)));
    }
}
