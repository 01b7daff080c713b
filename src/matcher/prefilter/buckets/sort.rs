//! Sorting literals into buckets, so that few texts pass.
//!
//! A text passes a bucket when each of its bytes is one that some fragment of the bucket has in
//! that place: the more alike its fragments are, the fewer others pass. So each literal is tried
//! in every bucket and with each of its fragments, and goes where it lets the least through;
//! then, with all others in place, each is tried again.

use super::{GROUP, WIDTH};
use crate::matcher::literal::frequency;

/// How often each literal is tried again.
const ROUNDS: usize = 4;
/// Bytes that a bucket tells from each other: all of ASCII. Others are taken for those that they
/// differ from in the highest bit.
pub const BYTES: usize = 128;

/// Where a literal was put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub bucket: usize,
    /// Where in the literal its fragment begins.
    pub offset: usize,
}

/// The fragment of a literal at an offset, which is all of it where it is shorter.
pub fn fragment(literal: &[u8], offset: usize) -> &[u8] {
    &literal[offset..literal.len().min(offset + WIDTH)]
}

/// Sorts literals into `groups` groups of buckets.
pub fn sorted(literals: &[&[u8]], groups: usize) -> Vec<Place> {
    let mut buckets = vec![Bucket::default(); groups * GROUP];
    let mut places: Vec<Place> = Vec::with_capacity(literals.len());
    for literal in literals {
        let place = best(&buckets, literal);
        buckets[place.bucket].add(fragment(literal, place.offset));
        places.push(place);
    }
    for _ in 0..ROUNDS {
        for (literal, place) in literals.iter().zip(&mut places) {
            buckets[place.bucket].remove(fragment(literal, place.offset));
            *place = best(&buckets, literal);
            buckets[place.bucket].add(fragment(literal, place.offset));
        }
    }
    places
}

/// Where a literal lets the least through that nothing in the bucket has let through.
fn best(buckets: &[Bucket], literal: &[u8]) -> Place {
    let mut best = (f64::MAX, Place::default());
    for offset in 0..=literal.len().saturating_sub(WIDTH) {
        let fragment = fragment(literal, offset);
        for (bucket, number) in buckets.iter().zip(0..) {
            let cost = bucket.share_with(fragment) - bucket.share();
            if cost < best.0 {
                best = (cost, Place { bucket: number, offset });
            }
        }
    }
    best.1
}

/// What its fragments let through.
#[derive(Clone)]
struct Bucket {
    fragments: usize,
    /// By place in the fragment and byte: how many have it there.
    counts: [[u16; BYTES]; WIDTH],
    /// By place: the share of texts that have one of those bytes there.
    shares: [f64; WIDTH],
    /// By place: how many fragments end before it, so that every byte passes.
    open: [usize; WIDTH],
}

impl Default for Bucket {
    fn default() -> Self {
        Self { fragments: 0, counts: [[0; BYTES]; WIDTH], shares: [0.0; WIDTH], open: [0; WIDTH] }
    }
}

impl Bucket {
    fn share(&self) -> f64 {
        if self.fragments == 0 {
            return 0.0;
        }
        (0..WIDTH).map(|at| self.share_at(at)).product()
    }

    fn share_at(&self, at: usize) -> f64 {
        if self.open[at] > 0 { 1.0 } else { self.shares[at].min(1.0) }
    }

    fn share_with(&self, fragment: &[u8]) -> f64 {
        let share = |at: usize| match fragment.get(at) {
            None => 1.0,
            Some(byte) if self.counts[at][seven_bits(*byte)] > 0 => self.share_at(at),
            Some(byte) => (self.share_at(at) + frequency(*byte)).min(1.0),
        };
        (0..WIDTH).map(share).product()
    }

    fn add(&mut self, fragment: &[u8]) {
        self.fragments += 1;
        for at in 0..WIDTH {
            let Some(byte) = fragment.get(at) else {
                self.open[at] += 1;
                continue;
            };
            let count = &mut self.counts[at][seven_bits(*byte)];
            *count += 1;
            if *count == 1 {
                self.shares[at] += frequency(*byte);
            }
        }
    }

    fn remove(&mut self, fragment: &[u8]) {
        self.fragments -= 1;
        for at in 0..WIDTH {
            let Some(byte) = fragment.get(at) else {
                self.open[at] -= 1;
                continue;
            };
            let count = &mut self.counts[at][seven_bits(*byte)];
            *count -= 1;
            if *count == 0 {
                self.shares[at] -= frequency(*byte);
            }
        }
    }
}

/// A byte as a bucket knows it.
pub fn seven_bits(byte: u8) -> usize {
    usize::from(byte) % BYTES
}
