//! Texts that are whole tokens: the domains that may hold what is an edit away from a brand.
//!
//! A token is what stands between dots and hyphens. An edit of a brand counts only as whole tokens,
//! so that nothing of it need be looked for at every byte: each run of tokens of a line is looked
//! up once, whatever the number of brands. One edit leaves the first or the last half of a text as
//! it is; so it is enough to know the halves of each brand, and of short texts, whose halves would
//! say little, the whole. Contract: false positives allowed, false negatives never. What may stand
//! for a brand is the brand's business.

mod keys;

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::prefilter::Candidate;
use crate::error::{Error, Result};
use crate::rule::{Brand, RuleIndex};
use keys::{bits, key_of, keys_at};

/// Every byte that parts tokens, the newline among them, is below this one; what else a domain
/// holds is not.
const PARTING: u8 = 0x30;
/// Tokens that a text may have at most: of a brand's 32 characters all but the outer ones may be
/// hyphens, and an edit adds one.
const MOST_TOKENS: usize = 34;
/// Runs of tokens that are noted before they are looked up.
const RUNS: usize = 512;
/// So far in front of nothing that no run is so long.
const NOWHERE: u32 = 1 << 31;
/// Bits of the filter for each key, of which two are set: of other keys some 5 % pass, and with more
/// of them it would fall out of the L2 cache.
const BITS_EACH: usize = 8;
/// Entries of a bucket, about: they share a line of the cache.
const IN_BUCKET: usize = 4;

/// What runs of tokens are looked up in.
#[derive(Debug)]
pub struct TokenTexts {
    /// Bits by the highest bits of a key, and two of them for each.
    filter: Box<[u64]>,
    /// How far a key is shifted to number its bits, and its bucket.
    filter_shift: u32,
    bucket_shift: u32,
    /// By bucket: where its entries begin; one more for the end of the last.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    brands: Vec<(RuleIndex, Arc<Brand>)>,
    /// How long the texts are, in bytes.
    lengths: RangeInclusive<usize>,
    /// Tokens of the text that has most.
    most_tokens: usize,
    short: Option<ShortBrands>,
}

/// A key of a brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: u32,
    /// The brand's number.
    brand: u32,
}

/// The brands whose literals know only the usual bytes beside them: looked for as they are in a
/// block that has others.
#[derive(Debug)]
struct ShortBrands {
    search: AhoCorasick,
    /// By pattern of the search.
    rules: Vec<RuleIndex>,
}

impl TokenTexts {
    /// Gathers what may stand for brands, each with its rule.
    ///
    /// # Errors
    /// When the brands are too many for an automaton.
    pub fn new(brands: Vec<(RuleIndex, Arc<Brand>)>) -> Result<Self> {
        let mut entries: Vec<Entry> = Vec::new();
        let (mut shortest, mut longest, mut most_tokens) = (usize::MAX, 0, 0);
        let mut keys: Vec<u32> = Vec::new();
        for ((_, brand), number) in brands.iter().zip(0..) {
            brand.each_token_text(|text| {
                shortest = shortest.min(text.len());
                longest = longest.max(text.len());
                let tokens = 1 + text.iter().filter(|byte| **byte < PARTING).count();
                most_tokens = most_tokens.max(tokens);
                keys.push(key_of(text, brand.name()));
            });
            keys.sort_unstable();
            keys.dedup();
            entries.extend(keys.drain(..).map(|key| Entry { key, brand: number }));
        }
        entries.sort_unstable();
        let buckets = (entries.len() / IN_BUCKET).max(2).next_power_of_two();
        let words = (entries.len() * BITS_EACH / 64).max(2).next_power_of_two();
        let mut made = Self {
            filter: vec![0; words].into(),
            filter_shift: 32 - words.ilog2(),
            bucket_shift: 32 - buckets.ilog2(),
            starts: vec![0; buckets + 1],
            short: ShortBrands::of(&brands)?,
            lengths: shortest..=longest,
            most_tokens,
            brands,
            entries,
        };
        for Entry { key, .. } in &made.entries {
            made.filter[(key >> made.filter_shift) as usize] |= bits(*key);
            made.starts[(key >> made.bucket_shift) as usize + 1] += 1;
        }
        let mut total = 0;
        for start in &mut made.starts {
            total += *start;
            *start = total;
        }
        Ok(made)
    }

    #[inline(always)]
    fn may_know(&self, key: u32) -> bool {
        let wanted = bits(key);
        self.filter[(key >> self.filter_shift) as usize] & wanted == wanted
    }

    /// Adds a candidate for every text of a brand that stands in a line of `block` as whole tokens;
    /// a pair may be added more than once. A newline stands behind each line.
    pub fn candidates(&self, block: &[u8], ends: &[u32], found: &mut Vec<Candidate>) {
        if self.brands.is_empty() {
            return;
        }
        self.each(block, |brand, at| {
            let line = ends.partition_point(|end| (*end as usize) < at.start);
            found.push((line as u32, self.brands[brand].0));
        });
        if let Some(short) = &self.short
            && block.iter().any(|byte| !is_usual(*byte))
        {
            short.candidates(block, ends, found);
        }
    }

    /// The texts of one rule that stand in `form` as whole tokens; for explanations.
    pub fn texts_in<'f>(&self, form: &'f str, rule: RuleIndex) -> Vec<(usize, &'f str)> {
        let mut all = Vec::new();
        let line = [form.as_bytes(), b"\n"].concat();
        if !self.brands.is_empty() {
            self.each(&line, |brand, at| {
                if self.brands[brand].0 == rule {
                    all.extend(form.get(at.clone()).map(|text| (at.start, text)));
                }
            });
        }
        all
    }

    /// Calls `found` with the brand and the place of every text.
    #[inline]
    fn each(&self, block: &[u8], found: impl FnMut(usize, Range<usize>)) {
        match self.most_tokens {
            ..=2 => self.each_run::<2>(block, found),
            3..=4 => self.each_run::<4>(block, found),
            _ => self.each_run::<MOST_TOKENS>(block, found),
        }
    }

    /// The same, where no text has more than `TOKENS` tokens.
    fn each_run<const TOKENS: usize>(
        &self,
        block: &[u8],
        mut found: impl FnMut(usize, Range<usize>),
    ) {
        let shortest = *self.lengths.start() as u32;
        let range = *self.lengths.end() as u32 - shortest;
        let mut runs = [(0, 0); RUNS];
        let mut noted = 0;
        // Where the last tokens of this line begin, the last of them first.
        let mut begins = [NOWHERE; TOKENS];
        begins[0] = 0;
        each_parting(block, |end| {
            let ends_line = block[end] == b'\n';
            let end = end as u32;
            for begin in begins {
                // No branch: whether a run is of the right length cannot be foretold.
                runs[noted] = (begin, end);
                let length = end.wrapping_sub(begin);
                noted += usize::from(length.wrapping_sub(shortest) <= range);
            }
            for older in (1..TOKENS).rev() {
                begins[older] = if ends_line { NOWHERE } else { begins[older - 1] };
            }
            begins[0] = end + 1;
            if noted > RUNS - TOKENS {
                self.confirm(block, &runs[..noted], &mut found);
                noted = 0;
            }
        });
        self.confirm(block, &runs[..noted], &mut found);
    }

    /// Calls `found` with those of the runs that may stand for a brand.
    #[inline]
    fn confirm(
        &self,
        block: &[u8],
        runs: &[(u32, u32)],
        found: &mut impl FnMut(usize, Range<usize>),
    ) {
        // The first walk decides nothing, so its misses of the cache do not wait for each other.
        let mut likely = [(0, 0); 2 * RUNS];
        let mut count = 0;
        for (run, (begin, end)) in runs.iter().enumerate() {
            for key in keys_at(block, *begin as usize..*end as usize) {
                likely[count] = (run, key);
                count += usize::from(self.may_know(key));
            }
        }
        for (run, key) in &likely[..count] {
            let (begin, end) = runs[*run];
            self.look_up(block, *key, begin as usize..end as usize, found);
        }
    }

    /// Calls `found` with the brands that the text at `at`, which has this key, may stand for.
    fn look_up(
        &self,
        block: &[u8],
        key: u32,
        at: Range<usize>,
        found: &mut impl FnMut(usize, Range<usize>),
    ) {
        let bucket = (key >> self.bucket_shift) as usize;
        let bounds = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        for entry in self.entries[bounds].iter().filter(|entry| entry.key == key) {
            let brand = &self.brands[entry.brand as usize].1;
            let rest = || block[at.end..].split(|byte| *byte == b'\n').next();
            if brand.may_pass(&block[at.clone()], || rest().unwrap_or_default()) {
                found(entry.brand as usize, at.clone());
            }
        }
    }
}

impl ShortBrands {
    fn of(brands: &[(RuleIndex, Arc<Brand>)]) -> Result<Option<Self>> {
        let short = || brands.iter().filter(|(_, brand)| brand.is_short());
        if short().next().is_none() {
            return Ok(None);
        }
        let search = AhoCorasick::new(short().map(|(_, brand)| brand.name())).map_err(|error| {
            Error::usage(format!("the brands make no automaton: {error}"))
                .remedy("use fewer of them, or split them over several instances")
        })?;
        Ok(Some(Self { search, rules: short().map(|(rule, _)| *rule).collect() }))
    }

    fn candidates(&self, block: &[u8], ends: &[u32], found: &mut Vec<Candidate>) {
        for hit in self.search.find_overlapping_iter(block) {
            let line = ends.partition_point(|end| (*end as usize) < hit.start());
            found.push((line as u32, self.rules[hit.pattern().as_usize()]));
        }
    }
}

/// Whether a byte is one of those that stored domains are made of.
fn is_usual(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'\n')
}

/// Calls `found` with the place of every byte that parts tokens, ascending.
#[inline(always)]
fn each_parting(block: &[u8], mut found: impl FnMut(usize)) {
    let (chunks, rest) = block.as_chunks::<64>();
    let mut last = [0xFF; 64];
    last[..rest.len()].copy_from_slice(rest);
    for (chunk, at) in chunks.iter().chain([&last]).zip((0..).step_by(64)) {
        let (words, _) = chunk.as_chunks::<8>();
        let mut parting = 0;
        for word in words.iter().rev() {
            parting = parting << 8 | parting_bytes(u64::from_le_bytes(*word));
        }
        while parting != 0 {
            found(at + parting.trailing_zeros() as usize);
            parting &= parting - 1;
        }
    }
}

/// A bit for each byte that parts tokens.
#[inline(always)]
fn parting_bytes(word: u64) -> u64 {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const LIMIT: u64 = u64::from_ne_bytes([PARTING; 8]);
    // With its highest bit set, no byte borrows from the next; the bit stays where the byte was
    // not below the limit. A byte that had it set itself is above.
    let below = !((word | HIGH) - LIMIT) & !word & HIGH;
    // Each bit to its place in the highest byte.
    (below >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests;
