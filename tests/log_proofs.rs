//! The tree of the harness's CT logs: its proofs verify by other algorithms than those that made
//! them, and its tiles are those that static-ct-api names.

use serde_json::Value;

use crate::testenv::log::{Hash, alpha, decoded, sha256};

/// The consistency of two trees, verified after RFC 9162, section 2.1.4.2: bit by bit, unlike
/// the recursion that made the proof.
fn is_consistent(first: (u64, Hash), second: (u64, Hash), proof: &[Hash]) -> bool {
    if first.0 == second.0 {
        return proof.is_empty() && first.1 == second.1;
    }
    let mut path = proof.to_vec();
    if first.0.is_power_of_two() {
        path.insert(0, first.1);
    }
    let (mut left, mut right) = (first.0 - 1, second.0 - 1);
    while left % 2 == 1 {
        (left, right) = (left >> 1, right >> 1);
    }
    let (mut old, mut new) = (path[0], path[0]);
    for hash in &path[1..] {
        if right == 0 {
            return false;
        }
        if left % 2 == 1 || left == right {
            old = sha256(&[&[1], hash, &old]);
            new = sha256(&[&[1], hash, &new]);
            while left % 2 == 0 && left != 0 {
                (left, right) = (left >> 1, right >> 1);
            }
        } else {
            new = sha256(&[&[1], &new, hash]);
        }
        (left, right) = (left >> 1, right >> 1);
    }
    right == 0 && old == first.1 && new == second.1
}

/// The root that an audit path leads to, after RFC 9162, section 2.1.3.2.
fn root_of(leaf: &[u8], index: u64, size: u64, path: &[Hash]) -> Hash {
    let (mut index, mut last) = (index, size - 1);
    let mut root = sha256(&[&[0], leaf]);
    for hash in path {
        if index % 2 == 1 || index == last {
            root = sha256(&[&[1], hash, &root]);
            while index % 2 == 0 && index != 0 {
                (index, last) = (index >> 1, last >> 1);
            }
        } else {
            root = sha256(&[&[1], &root, hash]);
        }
        (index, last) = (index >> 1, last >> 1);
    }
    assert_eq!(last, 0, "the path has a length of its own");
    root
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(|hash| decoded(hash).try_into().unwrap()).collect()
}

#[test]
fn proofs_verify_for_random_sizes() {
    let (log, _server, reader) = alpha(700);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..60 {
        let second = random.u64(1..=700);
        let first = random.u64(1..=second);
        let path = format!("/alpha/ct/v1/get-sth-consistency?first={first}&second={second}");
        let proof = hashes(&reader.json(&path)["consistency"]);
        let roots = ((first, log.root(first)), (second, log.root(second)));
        assert!(is_consistent(roots.0, roots.1, &proof), "{path}");
        let index = random.u64(..second);
        let path =
            format!("/alpha/ct/v1/get-entry-and-proof?leaf_index={index}&tree_size={second}");
        let answer = reader.json(&path);
        let path_to_root = hashes(&answer["audit_path"]);
        let leaf = decoded(&answer["leaf_input"]);
        assert_eq!(root_of(&leaf, index, second, &path_to_root), log.root(second), "{path}");
    }
    let (first, second) = ((300, log.root(300)), (700, log.root(700)));
    log.fork(10);
    let proof = reader.json("/alpha/ct/v1/get-sth-consistency?first=300&second=700");
    let proof = hashes(&proof["consistency"]);
    assert!(!is_consistent(first, second, &proof));
    assert!(!is_consistent(first, (700, log.root(700)), &proof));
}

#[test]
fn tiles_above_hold_the_roots_of_those_below() {
    let (log, _server, reader) = alpha(70_000);
    let hashes = |tile: &str| reader.body(&format!("/alpha/tile/{tile}"));
    let root_of_tile = |tile: &[u8]| {
        let mut level: Vec<Hash> = tile.chunks(32).map(|hash| hash.try_into().unwrap()).collect();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| sha256(&[&[1], &pair[0], &pair[1]])).collect();
        }
        level[0]
    };
    // The tiles that the specification names for a tree of this size.
    let (full, partial) = (hashes("1/000"), hashes("1/001.p/17"));
    assert_eq!((full.len(), partial.len()), (256 * 32, 17 * 32));
    assert_eq!(hashes("0/273.p/112").len(), 112 * 32);
    assert_eq!(hashes("2/000.p/1"), root_of_tile(&full));
    assert_eq!(root_of_tile(&hashes("0/005")), full[5 * 32..6 * 32]);
    assert_eq!(root_of_tile(&hashes("0/272")), partial[16 * 32..]);
    assert_eq!(log.root(65_536), root_of_tile(&full));
    let unknown = ["0/274", "0/273", "0/273.p/111", "0/005.p/3", "0/5", "0/x000/005", "6/000"];
    for path in unknown.iter().chain(&["2/000", "data/274", "data/273.p/113", "names/000.p/0"]) {
        assert_eq!(reader.status(&format!("/alpha/tile/{path}")), 404, "{path}");
    }
}
