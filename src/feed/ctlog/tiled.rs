//! A log that speaks static-ct-api: signed checkpoints, and tiles of 256 entries or hashes.
//!
//! Owns which tiles are fetched, in which order, and what they are compared with before anything
//! in them is taken in. Formats and proofs are `ctlog`'s.

use std::sync::Arc;

use crate::batch::TreeHead;
use crate::config::{CtSource, Verification};
use crate::ctlog::{
    Frontier, Hash, HashTiles, Key, Kind, NamesTileReader, TILE, TileId, Tiles, checkpoint,
};
use crate::stop::Stop;

use super::content::{Content, prove_alone, take_in};
use super::fetch::{Answer, Fetcher, Request};
use super::intake::EntryIntake;
use super::suspect::Suspect;
use super::trouble::Trouble;

/// A checkpoint is three lines and some signatures.
const CHECKPOINT_LIMIT: usize = 64 * 1024;
/// 256 hashes.
const HASHES_LIMIT: usize = 256 * 32;
/// 256 entries: 400 KB as a rule, and some with a thousand names each a hundred times that. A
/// larger one is refused, which is said, and costs no memory.
pub(super) const TILE_LIMIT: usize = 128 * 1024 * 1024;
/// 256 lines of names, which are some tens of kilobytes as a rule.
const NAMES_LIMIT: usize = 32 * 1024 * 1024;
/// Tiles that are proven together, by the tree they grow into: takes one hash tile at most. Of
/// more, each is proven on its own, by hash tiles of which one serves 256; so is each where other
/// logs hold so much that there is no room for some together.
const TOGETHER: usize = 4;
/// Tiles that are planned at once: a plan of the whole way through a log would take hundreds of
/// megabytes.
const PLANNED: usize = 1024;

/// A static-ct-api log as it is read.
#[derive(Debug)]
pub(super) struct Tiled {
    /// Submission prefix without scheme and final slash: the name under which the log signs.
    pub origin: String,
    pub key: Key,
    pub source: CtSource,
    /// Whether a names tile of it was ever seen.
    pub has_names: bool,
    pub verify: Verification,
    pub place: Place,
    pub names: NamesTileReader,
    /// The tree up to the last full tile that was read and proven; none before.
    pub frontier: Option<Frontier>,
    /// The data tile that could not be read last.
    pub suspect: Suspect,
}

/// Where the log's tiles are, and how they are got.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Monitoring prefix, with its final slash.
    pub prefix: String,
    pub fetcher: Fetcher,
    pub stop: Arc<Stop>,
}

/// The next tiles of those that hold the entries from `position` up to `end`, of a tree of `size`
/// entries.
fn wanted(kind: Kind, position: u64, end: u64, size: u64) -> Vec<TileId> {
    let width = |number: u64| (size - number * TILE).min(TILE);
    (position / TILE..end.div_ceil(TILE))
        .take(PLANNED)
        .map(|number| TileId { kind, number, width: width(number) })
        .collect()
}

impl Tiled {
    /// The log's checkpoint, its signature verified.
    pub fn tree_head(&mut self) -> Result<TreeHead, Trouble> {
        let url = format!("{}checkpoint", self.place.prefix);
        let note = self.place.fetcher.one(&url, CHECKPOINT_LIMIT, &self.place.stop)?;
        let head = checkpoint(&note, &self.origin, &self.key)
            .map_err(|fault| Trouble::Refuted(format!("{url}: {fault}")))?;
        let signed = String::from_utf8_lossy(&note).into();
        Ok(TreeHead { size: head.size, root: head.root, timestamp: head.timestamp, signed })
    }

    /// Takes in the entries up to `end`, once `head` was proven to extend `known`: by their names
    /// alone where that is wanted and the log offers it.
    pub fn read(
        &mut self,
        intake: &mut EntryIntake,
        end: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<(), Trouble> {
        if self.source == CtSource::Names && self.read_names(intake, end, head, known)? {
            return Ok(());
        }
        self.read_entries(intake, end, head, known)?;
        // Its data tiles are there: it is not that the log cannot be read.
        if self.source == CtSource::Names && !self.has_names {
            log::info!("{}: offers no names tiles; reading its data tiles", self.origin);
            self.source = CtSource::Data;
            intake.has_no_names();
        }
        Ok(())
    }

    fn read_entries(
        &mut self,
        intake: &mut EntryIntake,
        end: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<(), Trouble> {
        let mut hashes = HashTiles::new(head.size, head.root);
        let tiles = wanted(Kind::Data, intake.position(), end, head.size);
        let covered = tiles.last().map_or(0, |tile| tile.number * TILE + tile.width);
        if self.verify == Verification::Full
            && tiles.len() <= TOGETHER
            && (tiles.len() == 1 || self.place.fetcher.room.is_left())
            && head.size - covered < TILE
            && self.read_together(intake, &tiles, end, head, known, &mut hashes)?
        {
            return Ok(());
        }
        prove_extension(head, known, &mut hashes, &mut self.place)?;
        while intake.position() < end {
            let tiles = wanted(Kind::Data, intake.position(), end, head.size);
            let mut bodies = self.place.ahead(&tiles, TILE_LIMIT);
            for tile in tiles {
                intake.wait_for_room(&self.place.stop);
                let body = self.place.tile(tile, bodies.next(&self.place.stop)?)?;
                let content = self.place.content(tile, &body, &mut self.suspect)?;
                if self.verify == Verification::Full {
                    prove_alone(&content, &mut hashes, &mut self.place)?;
                }
                take_in(intake, &content, end, self.verify)?;
                self.place.pass_over(intake, &content, &body, end)?;
            }
        }
        self.frontier = None;
        Ok(())
    }

    /// Proves some tiles by the tree that they grow into, then takes them in; not where one is
    /// torn, which it says.
    fn read_together(
        &mut self,
        intake: &mut EntryIntake,
        tiles: &[TileId],
        end: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
        hashes: &mut HashTiles,
    ) -> Result<bool, Trouble> {
        intake.wait_for_room(&self.place.stop);
        let mut bodies = self.place.ahead(tiles, TILE_LIMIT);
        let mut share = self.place.fetcher.room.take(0);
        let mut held = 0;
        let fetch = |tile: &TileId| {
            let body = self.place.tile(*tile, bodies.next(&self.place.stop)?)?;
            held += body.len();
            share.set(held);
            Ok(body)
        };
        let bodies: Vec<Vec<u8>> = tiles.iter().map(fetch).collect::<Result<_, Trouble>>()?;
        let mut content: Vec<Content<'_>> = Vec::with_capacity(tiles.len());
        for (tile, body) in tiles.iter().zip(&bodies) {
            content.push(self.place.content(*tile, body, &mut self.suspect)?);
        }
        if content.iter().any(|content| content.torn.is_some()) {
            return Ok(false);
        }

        let begin = intake.position() / TILE * TILE;
        let mut growth = Growth { known, forked: false, ..Growth::default() };
        growth.tree = match self.frontier.take().filter(|tree| tree.size() == begin) {
            Some(tree) => tree,
            None => hashes.frontier(begin, &mut self.place)?,
        };
        growth.compare();
        let entries = content.iter().flat_map(|content| &content.entries);
        entries.for_each(|entry| growth.push(entry.leaf_hash()));
        let full_tiles = growth.full_tiles.clone();
        if growth.tree.size() < head.size {
            for leaf in self.place.edge_leaves(head.size)? {
                growth.push(leaf);
            }
        }
        if growth.tree.root() != head.root {
            let last = tiles.last().map_or(String::new(), |tile| self.place.url(*tile));
            return Err(Trouble::Refuted(format!(
                "{last}: the entries do not lead to the root of the signed tree of {} entries",
                head.size
            )));
        }
        if growth.forked {
            return Err(forked(head, known));
        }
        if known.is_some_and(|known| known.size < begin) {
            prove_extension(head, known, hashes, &mut self.place)?;
        }
        for content in &content {
            take_in(intake, content, end, Verification::Full)?;
        }
        self.frontier = full_tiles.or(Some(growth.tree)).filter(|tree| tree.size() % TILE == 0);
        Ok(true)
    }

    /// Takes in names up to the first tile that has none to be read; whether there was no such tile.
    /// The log's tree is proven to extend the one before; that the names are those of its entries,
    /// nothing can prove.
    fn read_names(
        &mut self,
        intake: &mut EntryIntake,
        end: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<bool, Trouble> {
        let mut hashes = HashTiles::new(head.size, head.root);
        prove_extension(head, known, &mut hashes, &mut self.place)?;
        while intake.position() < end {
            let tiles = wanted(Kind::Names, intake.position(), end, head.size);
            let mut bodies = self.place.ahead(&tiles, NAMES_LIMIT);
            for tile in tiles {
                intake.wait_for_room(&self.place.stop);
                let mut answer = bodies.next(&self.place.stop)?;
                if is_of_no_use(&answer) && tile.width < TILE {
                    let url = self.place.url(TileId { width: TILE, ..tile });
                    answer =
                        self.place.fetcher.one_or_fault(&url, NAMES_LIMIT, &self.place.stop)?;
                }
                if is_of_no_use(&answer) {
                    return Ok(false);
                }
                let body = answer?;
                self.has_names = true;
                if !self.take_in_names(intake, tile, &body, end)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Takes in the entries of `indexes` alone, which stand in the data tile `number`; proven. What
    /// cannot be read there is passed over.
    pub fn read_some(
        &mut self,
        intake: &mut EntryIntake,
        number: u64,
        indexes: &[u64],
        head: &TreeHead,
    ) -> Result<(), Trouble> {
        let mut hashes = HashTiles::new(head.size, head.root);
        let width = (head.size - number * TILE).min(TILE);
        let tile = TileId { kind: Kind::Data, number, width };
        let url = self.place.url(tile);
        let answer = self.place.fetcher.one_or_fault(&url, TILE_LIMIT, &self.place.stop)?;
        let body = self.place.tile(tile, answer)?;
        let content = self.place.content(tile, &body, &mut self.suspect)?;
        if self.verify == Verification::Full {
            prove_alone(&content, &mut hashes, &mut self.place)?;
        }
        for index in indexes {
            if let Some(entry) = content.entries.get((index - number * TILE) as usize) {
                intake.begin_at(*index);
                intake.entry(entry, self.verify == Verification::Full)?;
            }
        }
        Ok(())
    }

    /// Takes in the names that are due in `tile`, before `end`; whether it has as many lines as
    /// entries. Where it has not, its data tile tells.
    fn take_in_names(
        &mut self,
        intake: &mut EntryIntake,
        tile: TileId,
        body: &[u8],
        end: u64,
    ) -> Result<bool, Trouble> {
        let mut index = tile.number * TILE;
        let mut taken = Ok(());
        let read = self.names.read(body, tile.width as usize, |entry| {
            let due = taken.is_ok() && index == intake.position() && index < end;
            index += 1;
            if due {
                taken = match entry {
                    Ok(entry) => intake.named(&entry),
                    Err(fault) => intake.unreadable(fault.reason(), fault.to_string()),
                };
            }
        });
        taken?;
        if let Err(fault) = &read {
            log::warn!("{}: {fault}; reading its data tile", self.place.url(tile));
        }
        Ok(read.is_ok())
    }

    /// The index of the first entry of the tile in which the log took in an entry at `millis` or
    /// later, by halving: entries stand in the order in which the log took them in, give or take
    /// the seconds by which its parts disagree.
    pub fn index_at(&mut self, millis: u64, head: &TreeHead) -> Result<u64, Trouble> {
        let (mut low, mut high) = (0, head.size / TILE);
        while low < high {
            let number = low.midpoint(high);
            let tile = TileId { kind: Kind::Data, number, width: TILE };
            let url = self.place.url(tile);
            let body = self.place.fetcher.one(&url, TILE_LIMIT, &self.place.stop)?;
            let content = self.place.content(tile, &body, &mut self.suspect)?;
            // The last one: a tile of which any entry is late enough is not passed over.
            let last = content.entries.last().map_or(0, |entry| entry.timestamp);
            if last < millis { low = number + 1 } else { high = number }
        }
        Ok(low * TILE)
    }
}

/// A tree that grows by the entries that were fetched, compared on its way with the one known
/// before.
#[derive(Default)]
struct Growth<'k> {
    tree: Frontier,
    known: Option<&'k TreeHead>,
    /// It differs from the known one where it has its size.
    forked: bool,
    /// The tree as it was at its last full tile.
    full_tiles: Option<Frontier>,
}

impl Growth<'_> {
    fn push(&mut self, leaf: Hash) {
        self.tree.push(leaf);
        if self.tree.size().is_multiple_of(TILE) {
            self.full_tiles = Some(self.tree.clone());
        }
        self.compare();
    }

    fn compare(&mut self) {
        if let Some(known) = self.known.filter(|known| known.size == self.tree.size()) {
            self.forked |= known.size > 0 && self.tree.root() != known.root;
        }
    }
}

/// Whether there are no names where they were looked for, or far too many to be those of a tile.
fn is_of_no_use(answer: &Answer) -> bool {
    answer.as_ref().is_err_and(|fault| fault.is_not_found() || fault.is_too_large())
}

/// Proves that the tree of `head` is that of `known`, grown.
fn prove_extension(
    head: &TreeHead,
    known: Option<&TreeHead>,
    hashes: &mut HashTiles,
    place: &mut Place,
) -> Result<(), Trouble> {
    let Some(known) = known.filter(|known| known.size > 0 && known.size < head.size) else {
        return Ok(());
    };
    let tree = hashes.frontier(known.size, place)?;
    if tree.root() == known.root { Ok(()) } else { Err(forked(head, Some(known))) }
}

fn forked(head: &TreeHead, known: Option<&TreeHead>) -> Trouble {
    Trouble::Broken {
        reason: "log forked",
        what: format!(
            "the log has forked: its tree of {} entries does not extend the one of {} that it \
             signed before",
            head.size,
            known.map_or(0, |known| known.size)
        ),
    }
}

impl Place {
    pub fn url(&self, tile: TileId) -> String {
        format!("{}{tile}", self.prefix)
    }

    fn ahead(&self, tiles: &[TileId], limit: usize) -> super::fetch::Ahead {
        let request = |tile: &TileId| Request { url: self.url(*tile), limit };
        self.fetcher.ahead(tiles.iter().map(request).collect())
    }

    /// The bytes of `tile`, of which `answer` has come: of a part that has been filled meanwhile
    /// and vanished, those of the full tile.
    pub fn tile(&self, tile: TileId, answer: Answer) -> Result<Vec<u8>, Trouble> {
        match answer {
            Err(fault) if fault.is_not_found() && tile.width < TILE => {
                let url = self.url(TileId { width: TILE, ..tile });
                self.fetcher.one(&url, TILE_LIMIT, &self.stop)
            }
            answer => Ok(answer?),
        }
    }

    /// The leaf hashes of the tile at the right edge of a tree of `size` entries, not proven.
    fn edge_leaves(&mut self, size: u64) -> Result<Vec<Hash>, Trouble> {
        let tile = TileId { kind: Kind::Hashes(0), number: size / TILE, width: size % TILE };
        let bytes = Tiles::tile(self, tile)?;
        let (hashes, _) = bytes.as_chunks::<32>();
        Ok(hashes.iter().take(tile.width as usize).copied().collect())
    }
}

impl Tiles for Place {
    type Fault = Trouble;

    fn tile(&mut self, tile: TileId) -> Result<Vec<u8>, Trouble> {
        let answer = self.fetcher.one_or_fault(&self.url(tile), HASHES_LIMIT, &self.stop)?;
        Self::tile(self, tile, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_wanted_from_the_one_at_the_position_to_the_one_before_the_end() {
        let tiles = |position, end, size| -> Vec<(u64, u64)> {
            let tiles = wanted(Kind::Data, position, end, size);
            tiles.iter().map(|tile| (tile.number, tile.width)).collect()
        };
        assert_eq!(tiles(0, 256, 300), [(0, 256)]);
        assert_eq!(tiles(255, 257, 257), [(0, 256), (1, 1)]);
        assert_eq!(tiles(256, 257, 257), [(1, 1)]);
        assert_eq!(tiles(300, 400, 400), [(1, 144)]);
        // The log has more than is wanted.
        assert_eq!(tiles(300, 700, 5000), [(1, 256), (2, 256)]);
        // However much there is, some at a time.
        let long = tiles(300, 1 << 40, 1 << 41);
        assert_eq!((long.len(), long[0], long[PLANNED - 1]), (PLANNED, (1, 256), (1024, 256)));
    }
}
