//! Any bytes as a log list: no panic, and every log that comes out can be reached and checked.

#![no_main]

use certstream::ctlog::{LogList, Standing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let list = match LogList::parse(bytes) {
        Ok(list) => list,
        Err(fault) => return assert!(!fault.to_string().is_empty()),
    };
    for log in &list.logs {
        let url = log.url();
        assert!(url.starts_with("http") && url.ends_with('/') && !url.ends_with("//"), "{url}");
        assert!(!log.origin().is_empty() && !log.origin().ends_with('/'), "{url}");
        if let Some(interval) = log.interval {
            assert_ne!(log.standing(interval.end), Standing::Current);
        }
    }
    for (_, why) in &list.left_out {
        assert!(!why.is_empty());
    }
});
