//! Any text as a pattern: no panic, a fault points into what was written, and where a pattern may
//! begin to match does not decide whether it compiles.

#![no_main]

use certstream::rule::{Anchor, Pattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|written: &str| {
    let searched = Pattern::parse(written, Anchor::Search);
    let started = Pattern::parse(written, Anchor::Start);
    match (&searched, &started) {
        (Ok(searched), Ok(started)) => {
            assert_eq!(searched.written, written);
            assert_eq!(started.written, written);
        }
        (Err(fault), Err(_)) => {
            assert!(!fault.what.is_empty());
            // One past the end is where something is missing.
            let end = written.chars().count() as u64 + 1;
            assert!((1..=end).contains(&fault.column), "{fault:?} in {written:?}");
        }
        (searched, started) => panic!("{written:?}: {searched:?}, but anchored {started:?}"),
    }
});
