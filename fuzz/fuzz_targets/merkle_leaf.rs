//! Any bytes as an answer to `get-entries`: no panic, indexes without holes, and every frame is an
//! entry that signs what the leaf signs.

#![no_main]

use certstream::ctlog::{read_frame, read_get_entries};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|page: &[u8]| {
    let mut next = 7;
    let read = read_get_entries(&mut page.to_vec(), 7, |index, frame| {
        assert_eq!(index, next);
        next += 1;
        if let Ok(frame) = frame {
            let (framed, entry) = read_frame(frame).expect("a frame holds one entry");
            assert_eq!(framed, index);
            assert!(entry.fingerprints.is_empty());
        }
    });
    match read {
        Ok(count) => assert_eq!(next, 7 + count as u64),
        Err(_) => assert_eq!(next, 7, "a refused answer gives no entry"),
    }
});
