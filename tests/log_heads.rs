//! The heads of the harness's CT logs: signed as OpenSSL verifies it, and frozen, shrunk, forked
//! or badly signed on request.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;
use serde_json::Value;

use crate::testenv::log::{
    Hash, Key, LogServer, Reader, Signing, Synthetic, TestLog, alpha, decoded, sha256, tree_head,
};
use crate::testenv::{Tls, wait_until};

/// Whether the `digitally-signed` structure is the log's over this tree head.
fn is_signed(key: &[u8], size: u64, root: &Hash, timestamp: u64, signature: &[u8]) -> bool {
    let key = PKey::public_key_from_der(key).unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    verifier.update(&tree_head(size, root, timestamp)).unwrap();
    verifier.verify(&signature[4..]).unwrap()
}

/// A checkpoint taken apart: size, root, key id, time, signature.
fn checkpoint(reader: &Reader, origin: &str) -> (u64, Hash, [u8; 4], u64, Vec<u8>) {
    let text = String::from_utf8(reader.body("/alpha/checkpoint")).unwrap();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!((lines.len(), lines[0], lines[3], lines[5]), (6, origin, "", ""));
    let line = lines[4].strip_prefix(&format!("\u{2014} {origin} ")).unwrap();
    let line = BASE64.decode(line).unwrap();
    (
        lines[1].parse().unwrap(),
        BASE64.decode(lines[2]).unwrap().try_into().unwrap(),
        line[..4].try_into().unwrap(),
        u64::from_be_bytes(line[4..12].try_into().unwrap()),
        line[12..].to_vec(),
    )
}

#[test]
fn heads_verify_with_openssl_in_both_protocols() {
    for kind in [Key::Ecdsa, Key::Rsa] {
        let log = TestLog::new("alpha", kind);
        log.append(Synthetic::new(1).entries(0..300));
        let server = LogServer::start(Tls::Off, &[&log]);
        let reader = Reader::new(&server);
        let (key, origin) = (log.key(), log.origin());
        let (size, root, key_id, timestamp, signature) = checkpoint(&reader, &origin);
        assert_eq!((size, root), (300, log.root(300)));
        let id = sha256(&[origin.as_bytes(), b"\n", &[5], &sha256(&[&key])]);
        assert_eq!(key_id, id[..4]);
        assert!(is_signed(&key, size, &root, timestamp, &signature), "{kind:?}");
        let sth = reader.json("/alpha/ct/v1/get-sth");
        assert_eq!(sth["tree_size"], 300);
        assert_eq!(decoded(&sth["sha256_root_hash"]), root);
        let timestamp = sth["timestamp"].as_u64().unwrap();
        let signature = decoded(&sth["tree_head_signature"]);
        assert!(is_signed(&key, 300, &root, timestamp, &signature), "{kind:?}");
    }
}

#[test]
fn bad_signatures_do_not_verify() {
    let (log, _server, reader) = alpha(3);
    let (_, _, good_id, ..) = checkpoint(&reader, &log.origin());
    log.sign(Signing::Broken);
    let (size, root, id, timestamp, signature) = checkpoint(&reader, &log.origin());
    assert_eq!(id, good_id);
    assert!(!is_signed(&log.key(), size, &root, timestamp, &signature));
    log.sign(Signing::Stranger);
    let (size, root, id, timestamp, signature) = checkpoint(&reader, &log.origin());
    assert_ne!(id, good_id);
    assert!(!is_signed(&log.key(), size, &root, timestamp, &signature));
    log.sign(Signing::Good);
    let (size, root, _, timestamp, signature) = checkpoint(&reader, &log.origin());
    assert!(is_signed(&log.key(), size, &root, timestamp, &signature));
}

/// The size and the root in a checkpoint.
fn head(reader: &Reader) -> (u64, String) {
    let text = String::from_utf8(reader.body("/alpha/checkpoint")).unwrap();
    let mut lines = text.lines().skip(1);
    (lines.next().unwrap().parse().unwrap(), lines.next().unwrap().to_owned())
}

#[test]
fn a_fork_is_another_tree_from_there_on() {
    let (log, _server, reader) = alpha(600);
    let (tile, before) = (reader.entries("001"), head(&reader));
    let first = reader.body("/alpha/tile/0/000");
    log.fork(300);
    let (forked, after) = (reader.entries("001"), head(&reader));
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
    assert_eq!(reader.body("/alpha/tile/0/000"), first);
    for place in 0..256 {
        assert_eq!(tile[place] != forked[place], place == 300 - 256);
    }
    let hashes = reader.body("/alpha/tile/0/001");
    let leaf = forked[44].leaf(Some(300));
    assert_eq!(hashes[44 * 32..45 * 32], sha256(&[&[0], &leaf]));
    log.append(Synthetic::new(1).entries(600..700));
    assert_eq!(head(&reader).0, 700);
}

#[test]
fn frozen_and_shrunk_heads_stay_until_thawed() {
    let (log, _server, reader) = alpha(600);
    log.freeze();
    let frozen = reader.body("/alpha/checkpoint");
    log.append(Synthetic::new(1).entries(600..800));
    assert_eq!((log.size(), reader.body("/alpha/checkpoint")), (800, frozen));
    // Sequenced, but no head needs the partial one yet.
    assert_eq!(reader.status("/alpha/tile/data/002"), 200);
    assert_eq!(reader.status("/alpha/tile/data/003.p/32"), 404);
    let past = reader.status("/alpha/ct/v1/get-entries?start=600&end=600");
    assert_eq!(past, 400);
    log.thaw();
    assert_eq!(head(&reader).0, 800);
    assert_eq!(reader.status("/alpha/tile/data/003.p/32"), 200);
    log.shrink(500);
    log.append(Synthetic::new(1).entries(800..810));
    let (size, root) = head(&reader);
    let sth: Value = reader.json("/alpha/ct/v1/get-sth");
    assert_eq!((size, &sth["tree_size"]), (500, &Value::from(500)));
    assert_eq!(sth["sha256_root_hash"], root);
    log.thaw();
    assert_eq!(head(&reader).0, 810);
}

#[test]
fn heads_are_signed_anew_each_second() {
    let (_log, _server, reader) = alpha(600);
    let first = reader.body("/alpha/checkpoint");
    wait_until("there is another head", || reader.body("/alpha/checkpoint") != first);
    assert_eq!(head(&reader).0, 600);
}
