//! Any bytes as a checkpoint: no panic, and what a key vouches for was signed with it.

#![no_main]

use certstream::ctlog::{Key, checkpoint, signed_tree_head};
use libfuzzer_sys::fuzz_target;

/// The log that signed the seeds. Its private key is gone.
const ORIGIN: &str = "rome.ct.example.com/2026h2";
const SPKI: &[u8] = include_bytes!("checkpoint.der");
/// All that it ever signed.
const SIZE: u64 = 70_000;
const TIMESTAMP: u64 = 1_780_000_000_123;
const ROOT: &str = "N3JJD5FvlVKq9Eq7HABGA56qVY5hn52K1IrJya9eSbg=";

fuzz_target!(|note: &[u8]| {
    let key = Key::from_spki(SPKI).expect("a key of the right kind");
    match checkpoint(note, ORIGIN, &key) {
        Ok(head) => {
            let text = std::str::from_utf8(note).expect("notes are text");
            assert_eq!((head.size, head.timestamp), (SIZE, TIMESTAMP));
            assert!(text.starts_with(&format!("{ORIGIN}\n{SIZE}\n{ROOT}\n")));
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
    // The other form of the same; nothing that a fuzzer makes is signed.
    assert!(signed_tree_head(note, &key).is_err());
});
