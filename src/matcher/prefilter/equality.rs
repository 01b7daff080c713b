//! Every regime finds what a plain search for each literal finds, over any literals and blocks.

use super::{Prefilter, Regime, Walk};
use crate::rule::RuleIndex;

struct Block {
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Block {
    fn of<'d>(domains: impl IntoIterator<Item = &'d [u8]>) -> Self {
        let mut block = Self { text: Vec::new(), ends: Vec::new() };
        for domain in domains {
            block.text.extend_from_slice(domain);
            block.ends.push(block.text.len() as u32);
            block.text.push(b'\n');
        }
        block
    }

    fn domains(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_inclusive(|byte| *byte == b'\n')
    }
}

fn naive(sets: &[(RuleIndex, Vec<Vec<u8>>)], block: &Block) -> Vec<(u32, RuleIndex)> {
    let mut found = Vec::new();
    for (domain, index) in block.domains().zip(0..) {
        for (rule, set) in sets {
            if set.iter().any(|literal| memchr::memmem::find(domain, literal).is_some()) {
                found.push((index, *rule));
            }
        }
    }
    found
}

fn found(prefilter: &Prefilter, block: &Block) -> Vec<(u32, RuleIndex)> {
    let mut found = Vec::new();
    prefilter.candidates(&block.text, &block.ends, &mut Walk::default(), &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

/// Text over few letters, so that literals stand inside each other and share their grams.
fn text(random: &mut fastrand::Rng, letters: &[u8], length: usize) -> Vec<u8> {
    (0..length).map(|_| letters[random.usize(..letters.len())]).collect()
}

fn literals(random: &mut fastrand::Rng, letters: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let count = random.usize(1..6);
    let length = |random: &mut fastrand::Rng| lengths[random.usize(..lengths.len())];
    (0..count)
        .map(|_| {
            let length = length(random);
            text(random, letters, length)
        })
        .collect()
}

/// Domains with literals at their start, at their end and anywhere, and without.
fn block(random: &mut fastrand::Rng, letters: &[u8], known: &[&Vec<u8>]) -> Block {
    let domains: Vec<Vec<u8>> = (0..[1, 2, 40][random.usize(..3)])
        .map(|_| {
            let length = [0, 1, 7, 33, 90][random.usize(..5)];
            let mut domain = text(random, letters, length);
            if random.bool() {
                let literal = known[random.usize(..known.len())];
                let at = [0, domain.len(), random.usize(..=domain.len())][random.usize(..3)];
                domain.splice(at..at, literal.iter().copied());
            }
            domain
        })
        .collect();
    Block::of(domains.iter().map(Vec::as_slice))
}

#[test]
fn any_literals_are_found_in_any_block() {
    let mut random = fastrand::Rng::with_seed(4);
    let alphabets: [&[u8]; 4] =
        [b"ab", b"abcde.-", b"abcdefghijklmnopqrstuvwxyz0123456789.-", b"ab.\xc3\xa9\xd0\xb0"];
    let lengths: [&[usize]; 5] =
        [&[2], &[3, 4], &[5, 6, 7], &[8, 9, 12, 40], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 16, 17, 33]];
    let mut hits = 0;
    for round in 0..600 {
        let letters = alphabets[round % 4];
        let lengths = lengths[random.usize(..lengths.len())];
        let rules = [1, 3, 12, 200][random.usize(..4)];
        let sets: Vec<(RuleIndex, Vec<Vec<u8>>)> =
            (0..rules).map(|rule| (rule, literals(&mut random, letters, lengths))).collect();
        let known: Vec<&Vec<u8>> = sets.iter().flat_map(|(_, set)| set).collect();
        let blocks: Vec<Block> = (0..6).map(|_| block(&mut random, letters, &known)).collect();
        let expected: Vec<_> = blocks.iter().map(|block| naive(&sets, block)).collect();
        hits += expected.iter().map(Vec::len).sum::<usize>();
        for regime in Regime::all() {
            let prefilter = Prefilter::build(sets.iter().cloned(), Some(regime)).expect("builds");
            for (block, expected) in blocks.iter().zip(&expected) {
                assert_eq!(&found(&prefilter, block), expected, "{regime:?}, round {round}");
            }
        }
    }
    assert!(hits > 10_000, "only {hits}");
}

/// As many as each number of groups of buckets is for, and more.
#[test]
fn literals_are_found_however_many_there_are() {
    let mut random = fastrand::Rng::with_seed(6);
    for (count, letters) in [
        (90, "abc.\u{e9}"),
        (500, "abcde.-"),
        (1500, "abcdefgh.-"),
        (4000, "abcdefghijkl.-0123"),
        (5000, "abcdefghijkl.-"),
    ] {
        let sets: Vec<(RuleIndex, Vec<Vec<u8>>)> = (0..count)
            .map(|rule| {
                let length = random.usize(3..12);
                (rule, vec![text(&mut random, letters.as_bytes(), length)])
            })
            .collect();
        let known: Vec<&Vec<u8>> = sets.iter().flat_map(|(_, set)| set).collect();
        let blocks: Vec<Block> =
            (0..8).map(|_| block(&mut random, letters.as_bytes(), &known)).collect();
        let expected: Vec<_> = blocks.iter().map(|block| naive(&sets, block)).collect();
        assert!(expected.iter().any(|expected| expected.len() > 10), "{count}");
        for regime in Regime::all().map(Some).chain([None]) {
            let prefilter = Prefilter::build(sets.iter().cloned(), regime).expect("builds");
            for (block, expected) in blocks.iter().zip(&expected) {
                assert_eq!(&found(&prefilter, block), expected, "{regime:?}, {count}");
            }
        }
    }
}

/// Wherever a literal stands in a block, whatever stands before it: no alignment is left out.
#[test]
fn a_literal_is_found_at_every_position() {
    for length in 2..=40 {
        let literal: Vec<u8> = (0..length).map(|n| b'a' + (n * 7 % 26) as u8).collect();
        let sets = [(0, vec![literal.clone()])];
        for regime in Regime::all() {
            let prefilter = Prefilter::build(sets.iter().cloned(), Some(regime)).expect("builds");
            for before in 0..100 {
                for behind in [0, 1, 5, 70] {
                    let domain =
                        [vec![b'.'; before].as_slice(), &literal, &vec![b'.'; behind]].concat();
                    let block = Block::of([domain.as_slice()]);
                    let place = format!("{regime:?}: {length} bytes between {before}, {behind}");
                    assert_eq!(found(&prefilter, &block), [(0, 0)], "{place}");
                }
            }
        }
    }
}

/// More hits than the notes of one walk have space for.
#[test]
fn nothing_but_hits_is_found() {
    let sets = [(0, vec![b"aa".to_vec(), b"aaaaa".to_vec()]), (1, vec![vec![b'a'; 9]])];
    let domains = vec![[b'a'; 200].as_slice(); 300];
    let block = Block::of(domains);
    for regime in Regime::all() {
        let prefilter = Prefilter::build(sets.iter().cloned(), Some(regime)).expect("builds");
        assert_eq!(found(&prefilter, &block).len(), 600, "{regime:?}");
    }
}
