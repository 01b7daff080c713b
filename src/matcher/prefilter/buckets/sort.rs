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

/// What a table tells from each other of the bytes at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// All of ASCII. Others are taken for those that they differ from in the highest bit.
    SevenBits,
    /// The lower halves of bytes: sixteen, so that one instruction looks up many. Of the bytes of
    /// domains, few that are frequent have the same; the upper halves would double the work, and
    /// two buckets for one tell more apart.
    LowHalves,
}

impl Alphabet {
    /// How many there are.
    pub const fn size(self) -> usize {
        match self {
            Self::SevenBits => 128,
            Self::LowHalves => 16,
        }
    }

    /// What a byte is taken for.
    pub fn symbol(self, byte: u8) -> usize {
        usize::from(byte) % self.size()
    }

    /// By symbol: the share of bytes that are taken for it.
    fn shares(self) -> Vec<f32> {
        match self {
            Self::SevenBits => (0..128).map(|byte| frequency(byte) as f32).collect(),
            Self::LowHalves => {
                let mut shares = vec![0.0; self.size()];
                for byte in (b'a'..=b'z').chain(b'0'..=b'9').chain(*b"-.") {
                    shares[self.symbol(byte)] += frequency(byte) as f32;
                }
                shares
            }
        }
    }
}

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
pub fn sorted(literals: &[&[u8]], groups: usize, alphabet: Alphabet) -> Vec<Place> {
    let mut buckets = Buckets::new(groups * GROUP, alphabet);
    let mut places: Vec<Place> = Vec::with_capacity(literals.len());
    for literal in literals {
        let place = buckets.best(literal);
        buckets.add(place.bucket, fragment(literal, place.offset));
        places.push(place);
    }
    for _ in 0..ROUNDS {
        for (literal, place) in literals.iter().zip(&mut places) {
            buckets.remove(place.bucket, fragment(literal, place.offset));
            *place = buckets.best(literal);
            buckets.add(place.bucket, fragment(literal, place.offset));
        }
    }
    places
}

/// What the buckets let through, with the numbers of all of them side by side: that is how they
/// are looked at.
struct Buckets {
    count: usize,
    alphabet: Alphabet,
    /// By symbol: the share of bytes that are taken for it.
    symbols: Vec<f32>,
    /// By bucket and place: how many fragments have each symbol there.
    fragments: Vec<[Vec<u16>; WIDTH]>,
    /// By bucket and place: how many fragments end before it, so that every byte passes.
    open: Vec<[u16; WIDTH]>,
    /// By place, symbol and bucket: the share of texts whose byte there passes, once a fragment
    /// with this symbol is in the bucket.
    shares_with: Vec<f32>,
    /// By bucket and place: the share of texts whose byte there passes.
    shares_at: Vec<[f32; WIDTH]>,
    /// By bucket: the share of texts that pass.
    shares: Vec<f32>,
    /// For [`Self::best`].
    costs: Vec<f32>,
}

impl Buckets {
    fn new(count: usize, alphabet: Alphabet) -> Self {
        let size = alphabet.size();
        let mut buckets = Self {
            count,
            alphabet,
            symbols: alphabet.shares(),
            fragments: vec![std::array::from_fn(|_| vec![0; size]); count],
            open: vec![[0; WIDTH]; count],
            shares_with: vec![0.0; WIDTH * size * count],
            shares_at: vec![[0.0; WIDTH]; count],
            shares: vec![0.0; count],
            costs: vec![0.0; count],
        };
        for bucket in 0..count {
            (0..WIDTH).for_each(|place| buckets.weigh(bucket, place));
        }
        buckets
    }

    /// Where a literal lets the least through that nothing in the bucket has let through.
    fn best(&mut self, literal: &[u8]) -> Place {
        let mut best = (f32::MAX, Place::default());
        for offset in 0..=literal.len().saturating_sub(WIDTH) {
            self.costs.fill(1.0);
            for (byte, place) in fragment(literal, offset).iter().zip(0..) {
                let at = (place * self.alphabet.size() + self.alphabet.symbol(*byte)) * self.count;
                let shares = &self.shares_with[at..at + self.count];
                self.costs.iter_mut().zip(shares).for_each(|(cost, share)| *cost *= share);
            }
            for (bucket, (cost, share)) in self.costs.iter().zip(&self.shares).enumerate() {
                if cost - share < best.0 {
                    best = (cost - share, Place { bucket, offset });
                }
            }
        }
        best.1
    }

    fn add(&mut self, bucket: usize, fragment: &[u8]) {
        for place in 0..WIDTH {
            let count = self.count_of(bucket, place, fragment);
            *count += 1;
            if *count == 1 {
                self.weigh(bucket, place);
            }
        }
    }

    fn remove(&mut self, bucket: usize, fragment: &[u8]) {
        for place in 0..WIDTH {
            let count = self.count_of(bucket, place, fragment);
            *count -= 1;
            if *count == 0 {
                self.weigh(bucket, place);
            }
        }
    }

    /// How many fragments of a bucket have the symbol that this one has at a place, or none there.
    fn count_of(&mut self, bucket: usize, place: usize, fragment: &[u8]) -> &mut u16 {
        match fragment.get(place) {
            Some(byte) => &mut self.fragments[bucket][place][self.alphabet.symbol(*byte)],
            None => &mut self.open[bucket][place],
        }
    }

    /// Makes anew what passes at one place, and what each further byte would let through.
    fn weigh(&mut self, bucket: usize, place: usize) {
        let counts = &self.fragments[bucket][place];
        let open = self.open[bucket][place] > 0;
        let passing = counts.iter().zip(&self.symbols).filter(|(count, _)| **count > 0);
        let share = passing.map(|(_, share)| share).sum::<f32>();
        let share = if open { 1.0 } else { share.min(1.0) };
        for ((count, of_symbol), symbol) in counts.iter().zip(&self.symbols).zip(0..) {
            let more = if *count > 0 { 0.0 } else { *of_symbol };
            let at = (place * self.alphabet.size() + symbol) * self.count + bucket;
            self.shares_with[at] = (share + more).min(1.0);
        }
        self.shares_at[bucket][place] = share;
        self.shares[bucket] = self.shares_at[bucket].iter().product();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(places: &[Place], literals: &[&[u8]], count: usize, alphabet: Alphabet) -> f32 {
        let mut buckets = Buckets::new(count, alphabet);
        for (place, literal) in places.iter().zip(literals) {
            buckets.add(place.bucket, fragment(literal, place.offset));
        }
        buckets.shares.iter().sum()
    }

    #[test]
    fn sorted_they_let_less_through_than_dealt_out() {
        let mut random = fastrand::Rng::with_seed(3);
        let literals: Vec<Vec<u8>> = (0..200)
            .map(|_| (0..random.usize(3..12)).map(|_| b'a' + random.u8(..26)).collect())
            .collect();
        let literals: Vec<&[u8]> = literals.iter().map(Vec::as_slice).collect();
        let dealt: Vec<Place> =
            (0..literals.len()).map(|n| Place { bucket: n % 16, offset: 0 }).collect();
        for alphabet in [Alphabet::SevenBits, Alphabet::LowHalves] {
            let sorted = sorted(&literals, 2, alphabet);
            assert!(sorted.iter().all(|place| place.bucket < 16));
            let passing = |places| share(places, &literals, 16, alphabet);
            assert!(passing(&sorted) * 10.0 < passing(&dealt), "{alphabet:?}");
        }
    }

    #[test]
    fn what_was_removed_leaves_nothing() {
        let mut buckets = Buckets::new(GROUP, Alphabet::SevenBits);
        buckets.add(3, b"paypal");
        let (shares, shares_with) = (buckets.shares.clone(), buckets.shares_with.clone());
        for fragment in [&b"paypal"[..], b"ing", b"zz\xc3\xa9"] {
            buckets.add(3, fragment);
            buckets.remove(3, fragment);
        }
        assert_eq!((shares, shares_with), (buckets.shares, buckets.shares_with));
    }
}
