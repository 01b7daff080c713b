//! A log that speaks RFC 6962: `get-sth`, `get-entries`, `get-sth-consistency`.
//!
//! Owns in which pages entries are fetched and what proves them. Servers return fewer entries than
//! asked as they please; how many they do is learnt. Formats and proofs are `ctlog`'s.

use std::sync::Arc;
use std::time::Instant;

use crate::batch::TreeHead;
use crate::config::Verification;
use crate::ctlog::{
    ConsistencyProof, Frontier, Key, LeafFault, ProofFault, leaf_hash, read_frame,
    read_get_entries, signed_tree_head,
};
use crate::stop::Stop;

use super::fetch::{Fetcher, Request};
use super::intake::EntryIntake;
use super::page_size::PageSize;
use super::room::{Room, Share};
use super::trouble::Trouble;

/// A tree head is a few hundred bytes of JSON, a proof at most 128 hashes in base64.
const SMALL: usize = 64 * 1024;
/// A page of entries, with the chains that come along.
const PAGE_LIMIT: usize = 128 * 1024 * 1024;
/// Entries that are held until they are proven, and bytes of them: one more request proves them.
/// Fewer, where other logs hold so much that there is no room.
const HELD: usize = 2048;
const HELD_BYTES: usize = 8 * 1024 * 1024;

/// Entries among which one is looked for that can be read, where only its time is wanted.
const NEARBY: u64 = 16;

/// An RFC 6962 log as it is read.
#[derive(Debug)]
pub(super) struct GetEntries {
    /// The log's URL, with its final slash.
    pub url: String,
    pub key: Key,
    pub verify: Verification,
    pub fetcher: Fetcher,
    pub stop: Arc<Stop>,
    /// Entries to ask for at once.
    pub page: PageSize,
    /// The tree up to what has been read; none before the first entry is.
    pub frontier: Option<Frontier>,
}

/// Entries that are not proven yet, in order.
#[derive(Debug)]
struct Held {
    frames: Vec<Result<Vec<u8>, LeafFault>>,
    bytes: usize,
    share: Share,
}

impl Held {
    fn none(room: &Arc<Room>) -> Self {
        Self { frames: Vec::new(), bytes: 0, share: room.take(0) }
    }

    fn is_full(&self) -> bool {
        self.frames.len() >= HELD || self.bytes >= HELD_BYTES
    }

    /// Grows the tree that ends before these entries by them.
    fn grow(&self, tree: &mut Frontier) {
        for frame in &self.frames {
            let hash = match frame {
                Ok(frame) => read_frame(frame).ok().map(|(_, entry)| entry.leaf_hash()),
                // An entry that nobody understands is proven all the same: it is a gap of one.
                Err(fault) => fault.leaf_hash,
            };
            // Nothing that could be hashed came: the proof fails, and it is asked for again.
            tree.push(hash.unwrap_or_else(|| leaf_hash(&[])));
        }
    }
}

impl GetEntries {
    /// The log's signed tree head, its signature verified.
    pub fn tree_head(&mut self) -> Result<TreeHead, Trouble> {
        let url = format!("{}ct/v1/get-sth", self.url);
        let json = self.fetcher.one(&url, SMALL, &self.stop)?;
        let head = signed_tree_head(&json, &self.key)
            .map_err(|fault| Trouble::Refuted(format!("{url}: {fault}")))?;
        let signed = String::from_utf8_lossy(&json).into();
        Ok(TreeHead { size: head.size, root: head.root, timestamp: head.timestamp, signed })
    }

    /// Takes in the entries up to `end`, once `head` was proven to extend `known`; some at a time,
    /// once they were proven to stand in the tree of `head`.
    pub fn read(
        &mut self,
        intake: &mut EntryIntake,
        end: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<(), Trouble> {
        self.prove_extension(head, known)?;
        if self.verify == Verification::Full {
            self.find_tree(intake.position(), head, known)?;
        }
        while intake.position() < end {
            intake.wait_for_room(&self.stop);
            let held = self.fetch(intake.position(), end)?;
            if self.verify == Verification::Full
                && let Err(trouble) = self.prove(&held, intake.position(), head)
            {
                // Whether it is the entries or the tree that is wrong, a proof between the trees
                // tells.
                self.prove_extension(head, known)?;
                return Err(trouble);
            }
            for frame in &held.frames {
                self.take_in(intake, frame)?;
            }
        }
        Ok(())
    }

    fn take_in(
        &self,
        intake: &mut EntryIntake,
        frame: &Result<Vec<u8>, LeafFault>,
    ) -> Result<(), Trouble> {
        let verified = self.verify == Verification::Full;
        let read = frame.as_deref().map_err(|bad| bad.fault).and_then(read_frame);
        match read {
            Ok((_, entry)) => intake.entry(&entry, verified)?,
            Err(fault) => intake.unreadable(fault.reason(), fault.to_string())?,
        }
        Ok(())
    }

    /// Fetches the entries from `first` on, as many as are proven at once, and at least one.
    fn fetch(&mut self, first: u64, end: u64) -> Result<Held, Trouble> {
        let room = Arc::clone(&self.fetcher.room);
        let mut held = Held::none(&room);
        let mut next = first;
        while next < end && !held.is_full() && (held.frames.is_empty() || room.is_left()) {
            let pages = self.pages(next, end, HELD - held.frames.len());
            let request = |&(from, to): &(u64, u64)| Request {
                url: self.entries_url(from, to),
                limit: PAGE_LIMIT,
            };
            let mut bodies = self.fetcher.ahead(pages.iter().map(request).collect());
            for (from, to) in pages {
                let body = bodies.next(&self.stop)??;
                next = self.hold(&mut held, from, to, body)?;
                if next <= to || held.is_full() || !room.is_left() {
                    // The pages behind a short one overlap what is missing: ask anew.
                    break;
                }
            }
        }
        Ok(held)
    }

    /// The pages to ask for from `next` on, up to about `entries` entries: first and last index.
    fn pages(&self, next: u64, end: u64, entries: usize) -> Vec<(u64, u64)> {
        let until = end.min(next.saturating_add(entries as u64));
        let mut pages = Vec::new();
        let mut from = next;
        while from < until {
            let to = (from + self.page.entries()).min(end);
            pages.push((from, to - 1));
            from = to;
        }
        pages
    }

    fn entries_url(&self, from: u64, to: u64) -> String {
        format!("{}ct/v1/get-entries?start={from}&end={to}", self.url)
    }

    /// Holds the entries of a page; the index behind the last of them.
    fn hold(
        &mut self,
        held: &mut Held,
        from: u64,
        to: u64,
        mut body: Vec<u8>,
    ) -> Result<u64, Trouble> {
        let asked = to - from + 1;
        let mut count = 0;
        let read = read_get_entries(&mut body, from, |_, frame| {
            if count < asked {
                count += 1;
                held.bytes += frame.map_or(0, <[u8]>::len);
                held.frames.push(frame.map(<[u8]>::to_vec));
            }
        });
        held.share.set(held.bytes);
        // What cannot be read at all says nothing that the log might have signed.
        read.map_err(|fault| Trouble::Passing(format!("{}: {fault}", self.entries_url(from, to))))?;
        if count == 0 {
            let url = self.entries_url(from, to);
            return Err(Trouble::Passing(format!("{url}: the answer has no entries")));
        }
        self.page.learn(asked, count, Instant::now());
        Ok(from + count)
    }
}

/// What is proven.
impl GetEntries {
    /// Proves that the tree of `head` is that of `known`, grown.
    fn prove_extension(
        &mut self,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<(), Trouble> {
        let Some(known) = known.filter(|known| known.size > 0 && known.size < head.size) else {
            return Ok(());
        };
        // Reading from there on proves it, too.
        let grows = self.frontier.as_ref().is_some_and(|tree| tree.size() == known.size);
        if grows && self.verify == Verification::Full {
            return Ok(());
        }
        let proof = self.proof(known.size, head.size)?;
        let forked = match proof.verify(known.size, &known.root, head.size, &head.root) {
            Ok(()) => false,
            Err(ProofFault::Inconsistent) => true,
            // A proof from a power of two begins with the tree that we know, and so cannot say
            // which one the log has instead. Another way to prove it can.
            Err(ProofFault::Root) if known.size.is_power_of_two() => {
                self.complete_tree(known.size, head)?.root() != known.root
            }
            // An answer that proves nothing proves no fork either.
            Err(fault) => {
                let url = self.proof_url(known.size, head.size);
                return Err(Trouble::Refuted(format!("{url}: {fault}")));
            }
        };
        if !forked {
            return Ok(());
        }
        Err(Trouble::Broken {
            reason: "log forked",
            what: format!(
                "the log has forked: its tree of {} entries does not extend the one of {} that it \
                 signed before",
                head.size, known.size
            ),
        })
    }

    fn proof(&self, smaller: u64, size: u64) -> Result<ConsistencyProof, Trouble> {
        let url = self.proof_url(smaller, size);
        let json = self.fetcher.one(&url, SMALL, &self.stop)?;
        ConsistencyProof::parse(&json).map_err(|fault| Trouble::Refuted(format!("{url}: {fault}")))
    }

    fn proof_url(&self, smaller: u64, size: u64) -> String {
        format!("{}ct/v1/get-sth-consistency?first={smaller}&second={size}", self.url)
    }

    /// Finds the tree up to `position`, which what is read from there on is proven with.
    fn find_tree(
        &mut self,
        position: u64,
        head: &TreeHead,
        known: Option<&TreeHead>,
    ) -> Result<(), Trouble> {
        let is_there = self.frontier.as_ref().is_some_and(|tree| tree.size() == position);
        if is_there || position == head.size {
            return Ok(());
        }
        if position == 0 {
            self.frontier = Some(Frontier::default());
            return Ok(());
        }
        self.frontier = Some(if !position.is_power_of_two() {
            self.incomplete_tree(position, head)?
        } else if let Some(known) = known.filter(|known| known.size == position) {
            let mut tree = Frontier::default();
            tree.push_subtree(position.trailing_zeros(), known.root);
            tree
        } else {
            self.complete_tree(position, head)?
        });
        Ok(())
    }

    /// The tree up to `position`, which is no power of two, as a proof from there has it.
    fn incomplete_tree(&self, position: u64, head: &TreeHead) -> Result<Frontier, Trouble> {
        let proof = self.proof(position, head.size)?;
        proof.frontier(position, head.size, &head.root).map_err(|fault| {
            Trouble::Refuted(format!("{}: {fault}", self.proof_url(position, head.size)))
        })
    }

    /// The tree up to a power of two, which a proof from there leaves out: the tree before it,
    /// grown by the entries that it lacks, and then proven by that proof.
    fn complete_tree(&mut self, position: u64, head: &TreeHead) -> Result<Frontier, Trouble> {
        // One and two are powers of two, too: there is nothing that could be grown.
        let mut tree = match position {
            ..=2 => Frontier::default(),
            _ => self.incomplete_tree(position - 1, head)?,
        };
        while tree.size() < position {
            self.fetch(tree.size(), position)?.grow(&mut tree);
        }
        let proof = self.proof(position, head.size)?;
        proof.verify(position, &tree.root(), head.size, &head.root).map_err(|fault| {
            Trouble::Refuted(format!("{}: {fault}", self.proof_url(position, head.size)))
        })?;
        Ok(tree)
    }

    /// Proves that what is held from `position` on stands in the tree of `head`.
    fn prove(&mut self, held: &Held, position: u64, head: &TreeHead) -> Result<(), Trouble> {
        let tree = self.frontier.take().filter(|tree| tree.size() == position);
        let mut tree = tree.unwrap_or_default();
        held.grow(&mut tree);
        let proven = if tree.size() == head.size {
            tree.root() == head.root
        } else {
            let proof = self.proof(tree.size(), head.size)?;
            proof.verify(tree.size(), &tree.root(), head.size, &head.root).is_ok()
        };
        if !proven {
            return Err(Trouble::Refuted(format!(
                "{}: the entries are not those of the signed tree",
                self.entries_url(position, tree.size() - 1)
            )));
        }
        self.frontier = Some(tree);
        Ok(())
    }
}

/// Where a time is.
impl GetEntries {
    /// The index of the first entry that the log took in at `millis` or later, by halving: entries
    /// stand in the order in which the log took them in, give or take the seconds by which its
    /// parts disagree.
    pub fn index_at(&mut self, millis: u64, head: &TreeHead) -> Result<u64, Trouble> {
        let (mut low, mut high) = (0, head.size);
        while low < high {
            let middle = low.midpoint(high);
            // Of an entry that cannot be read, the next one's time will do.
            let nearby = middle.saturating_add(NEARBY).min(head.size) - 1;
            let timestamp = match self.timestamp(middle, middle)? {
                None => self.timestamp(middle, nearby)?,
                known => known,
            };
            let Some(timestamp) = timestamp else {
                let url = self.entries_url(middle, nearby);
                return Err(Trouble::Passing(format!("{url}: no entry can be read")));
            };
            if timestamp < millis { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// When the log took in the first of the entries `from` to `to` that can be read.
    fn timestamp(&self, from: u64, to: u64) -> Result<Option<u64>, Trouble> {
        let url = self.entries_url(from, to);
        let mut body = self.fetcher.one(&url, PAGE_LIMIT, &self.stop)?;
        let mut timestamp = None;
        read_get_entries(&mut body, from, |_, frame| {
            let entry = frame.ok().and_then(|frame| read_frame(frame).ok());
            timestamp = timestamp.or(entry.map(|(_, entry)| entry.timestamp));
        })
        .map_err(|fault| Trouble::Refuted(format!("{url}: {fault}")))?;
        Ok(timestamp)
    }
}
