//! What a log signs about its tree, in either form: the signed note of static-ct-api, and the JSON
//! of RFC 6962's `get-sth`.
//!
//! Sources: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/static-ct-api (the note's
//! RFC 6962 signature: key id from the origin and the log id, then a time and a
//! `DigitallySigned`); RFC 6962, sections 3.5 and 4.3.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Hash;
use super::key::{Key, SignatureFault};

/// What begins a signature line: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";
/// The signature type of RFC 6962 tree heads within notes.
const RFC_6962: u8 = 0x05;
/// Signature lines looked at: a log has a handful of witnesses.
const MAX_SIGNATURES: usize = 100;

/// A tree head whose signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTreeHead {
    /// Entries in the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When it was signed, in milliseconds since the Unix epoch.
    pub timestamp: u64,
}

/// Why there is no tree head to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckpointFault {
    /// It is no signed note of a tree.
    Note(&'static str),
    /// It is another log's.
    Origin(String),
    /// It bears no signature of the log's key.
    Unsigned,
    /// It is no answer to `get-sth`.
    Json(String),
    /// The log's signature does not hold.
    Signature(SignatureFault),
}

impl fmt::Display for CheckpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(what) => write!(f, "no checkpoint: {what}"),
            Self::Origin(origin) => {
                write!(f, "the checkpoint is another log's: {}", origin.escape_default())
            }
            Self::Unsigned => f.write_str("the checkpoint bears no signature of the log's key"),
            Self::Json(what) => write!(f, "no signed tree head: {what}"),
            Self::Signature(fault) => write!(f, "tree head: {fault}"),
        }
    }
}

/// Reads and verifies the checkpoint of the log that signs as `origin` with `key`. Signatures of
/// others are passed over.
///
/// # Errors
/// When it is none, another's, or not signed by the log.
pub fn checkpoint(note: &[u8], origin: &str, key: &Key) -> Result<SignedTreeHead, CheckpointFault> {
    use CheckpointFault::Note;
    let text = std::str::from_utf8(note).map_err(|_| Note("not UTF-8"))?;
    let (body, signatures) = text.rsplit_once("\n\n").ok_or(Note("no blank line"))?;
    let mut lines = body.split('\n');
    let named = lines.next().unwrap_or_default();
    let size = lines.next().and_then(decimal).ok_or(Note("no size on the second line"))?;
    let root = lines.next().and_then(base64_hash).ok_or(Note("no root on the third line"))?;
    if named != origin {
        return Err(CheckpointFault::Origin(named.chars().take(200).collect()));
    }
    if !signatures.ends_with('\n') {
        return Err(Note("the last line has no end"));
    }
    let id = key_id(origin, key);
    for line in signatures.lines().take(MAX_SIGNATURES) {
        let line = line.strip_prefix(SIGNATURE).ok_or(Note("a line that is no signature"))?;
        let (name, signature) = line.split_once(' ').ok_or(Note("a line that is no signature"))?;
        let signature =
            STANDARD.decode(signature).map_err(|_| Note("a signature not in base64"))?;
        let Some(signature) = signature.strip_prefix(&id[..]).filter(|_| name == origin) else {
            continue;
        };
        let (timestamp, signed) = signature
            .split_first_chunk()
            .ok_or(CheckpointFault::Signature(SignatureFault::Length))?;
        let timestamp = u64::from_be_bytes(*timestamp);
        key.verify_tree_head(size, &root, timestamp, signed).map_err(CheckpointFault::Signature)?;
        return Ok(SignedTreeHead { size, root, timestamp });
    }
    Err(CheckpointFault::Unsigned)
}

/// What the log's signatures in notes begin with.
fn key_id(origin: &str, key: &Key) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(origin)
        .chain_update([b'\n', RFC_6962])
        .chain_update(key.log_id())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A number written the one way there is.
fn decimal(text: &str) -> Option<u64> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    // SQLite's integers end at 2^63.
    text.parse().ok().filter(|size| plain && i64::try_from(*size).is_ok())
}

fn base64_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[derive(Deserialize)]
struct Sth {
    tree_size: u64,
    timestamp: u64,
    sha256_root_hash: String,
    tree_head_signature: String,
}

/// Reads and verifies an answer to `get-sth`.
///
/// # Errors
/// When it is none, or not signed with `key`.
pub fn signed_tree_head(json: &[u8], key: &Key) -> Result<SignedTreeHead, CheckpointFault> {
    let wrong = |what: &str| CheckpointFault::Json(what.to_owned());
    let sth: Sth =
        serde_json::from_slice(json).map_err(|error| CheckpointFault::Json(error.to_string()))?;
    let root = base64_hash(&sth.sha256_root_hash).ok_or_else(|| wrong("the root is no hash"))?;
    let signed = STANDARD
        .decode(&sth.tree_head_signature)
        .map_err(|_| wrong("the signature is not in base64"))?;
    let (size, timestamp) = (sth.tree_size, sth.timestamp);
    if i64::try_from(size).is_err() {
        return Err(wrong("the tree is too large to be one"));
    }
    key.verify_tree_head(size, &root, timestamp, &signed).map_err(CheckpointFault::Signature)?;
    Ok(SignedTreeHead { size, root, timestamp })
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::{p256, public, rsa, sign};
    use super::*;
    use openssl::pkey::{PKey, Private};

    const ORIGIN: &str = "log.example/2026h2";
    const HEAD: SignedTreeHead = SignedTreeHead { size: 1234, root: [9; 32], timestamp: 1_700_000 };

    fn note(private: &PKey<Private>, origin: &str, head: SignedTreeHead) -> String {
        let SignedTreeHead { size, root, timestamp } = head;
        let signed = sign(private, size, &root, timestamp);
        let id = key_id(origin, &public(private));
        let signature = [&id[..], &timestamp.to_be_bytes(), &signed].concat();
        format!(
            "{origin}\n{size}\n{}\n\n{SIGNATURE}witness.example {}\n{SIGNATURE}{origin} {}\n",
            STANDARD.encode(root),
            STANDARD.encode([1, 2, 3, 4, 5]),
            STANDARD.encode(signature)
        )
    }

    #[test]
    fn a_note_signed_by_the_log_is_taken_whoever_else_signed_it() {
        for private in [p256(), rsa(2048)] {
            let note = note(&private, ORIGIN, HEAD);
            assert_eq!(checkpoint(note.as_bytes(), ORIGIN, &public(&private)), Ok(HEAD));
            let extended = note.replacen("\n\n", "\nan extension line\n\n", 1);
            assert_eq!(checkpoint(extended.as_bytes(), ORIGIN, &public(&private)), Ok(HEAD));
        }
    }

    #[test]
    fn another_log_another_key_and_every_damage_are_refused() {
        let private = p256();
        let key = public(&private);
        let good = note(&private, ORIGIN, HEAD);
        let other = CheckpointFault::Origin(ORIGIN.to_owned());
        assert_eq!(checkpoint(good.as_bytes(), "log.example/2027h1", &key), Err(other));
        let stranger = public(&p256());
        let unsigned = Err(CheckpointFault::Unsigned);
        assert_eq!(checkpoint(good.as_bytes(), ORIGIN, &stranger), unsigned);
        for at in 0..good.len() {
            let mut damaged = good.clone().into_bytes();
            damaged[at] ^= 1;
            let read = checkpoint(&damaged, ORIGIN, &key);
            // The witness is not ours to judge.
            let witness = good.find("witness").expect("stands there");
            if !(witness..witness + 24).contains(&at) {
                assert!(read.is_err(), "byte {at}");
            }
            assert!(checkpoint(&good.as_bytes()[..at], ORIGIN, &key).is_err(), "cut at {at}");
        }
        for (what, damaged) in [
            ("size", good.replacen("\n1234\n", "\n01234\n", 1)),
            ("size", good.replacen("\n1234\n", "\n+1234\n", 1)),
            ("size", good.replacen("\n1234\n", "\n99999999999999999999\n", 1)),
            ("root", good.replacen("CQkJ", "CQ", 1)),
        ] {
            let fault = checkpoint(damaged.as_bytes(), ORIGIN, &key).expect_err(what).to_string();
            assert!(fault.contains(what), "{what}: {fault}");
        }
    }

    #[test]
    fn a_signed_tree_head_of_rfc_6962_is_verified_too() {
        let private = rsa(2048);
        let SignedTreeHead { size, root, timestamp } = HEAD;
        let signature = STANDARD.encode(sign(&private, size, &root, timestamp));
        let json = |size| {
            format!(
                "{{\"tree_size\":{size},\"timestamp\":{timestamp},\"sha256_root_hash\":\"{}\",\
                 \"tree_head_signature\":\"{signature}\",\"more\":1}}",
                STANDARD.encode(root)
            )
        };
        assert_eq!(signed_tree_head(json(size).as_bytes(), &public(&private)), Ok(HEAD));
        let wrong = signed_tree_head(json(size + 1).as_bytes(), &public(&private));
        assert_eq!(wrong, Err(CheckpointFault::Signature(SignatureFault::Wrong)));
        for (text, what) in [("{}", "tree_size"), ("[", "EOF"), ("", "EOF")] {
            let fault = signed_tree_head(text.as_bytes(), &public(&private));
            let fault = fault.expect_err(text).to_string();
            assert!(fault.starts_with("no signed tree head: ") && fault.contains(what), "{fault}");
        }
    }
}
