//! Data tiles: whole or not at all.

use super::*;

const TILE: &[u8] = include_bytes!("../../../tests/data/ct/data_tile");

#[test]
fn a_tile_holds_exactly_what_was_asked_for() {
    let fault = |place, fault| Err(TileFault { place, fault });
    let read = |tile, width| read_data_tile(tile, width).map(|entries| entries.len());
    assert_eq!(read(TILE, 3), Ok(3));
    assert_eq!(read(TILE, 2), fault(2, EntryFault::TooManyEntries));
    assert_eq!(read(TILE, 4), fault(3, EntryFault::TooFewEntries));
    assert_eq!(read(TILE, usize::MAX), fault(3, EntryFault::TooFewEntries));
    assert_eq!(read(&[], 0), Ok(0));
    assert_eq!(read(&[], 1), fault(0, EntryFault::TooFewEntries));
    assert_eq!(read(&TILE[..TILE.len() - 1], 3), fault(2, EntryFault::CutShort));
    let said = read_data_tile(TILE, 4).expect_err("three entries").to_string();
    assert_eq!(said, "too few entries at place 3 of the tile");
}

#[test]
fn a_tile_cut_anywhere_is_at_fault() {
    for length in 0..TILE.len() {
        assert!(read_data_tile(&TILE[..length], 3).is_err(), "{length} bytes");
    }
}
