//! Any bytes as an entry of a data tile: no panic, and where both ways to its names read the
//! certificate, they read the same ones.

#![no_main]

use certstream::ctlog::{
    Entry, LogName, der_names, evidence, names, parsed_names, read_data_tile, read_frame,
    write_frame,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(entry) = Entry::parse(bytes) else { return };
    assert!(bytes.starts_with(entry.leaf) && entry.leaf.starts_with(entry.timestamped));
    assert_eq!(read_data_tile(entry.leaf, 1).as_deref(), Ok(&[entry][..]));
    let mut frame = Vec::new();
    write_frame(5, entry.leaf, &mut frame);
    assert_eq!(read_frame(&frame), Ok((5, entry)));

    let (mut found, mut parsed) = (Vec::new(), Vec::new());
    let read = names(&entry, |name| found.push(name.to_owned()));
    let judged = parsed_names(&entry, |name| parsed.push(name.to_owned()));
    match der_names(entry.kind, entry.certificate) {
        Ok(walked) => {
            assert_eq!(read, Ok(()));
            assert!(walked.dns().count() <= found.len());
            if judged.is_ok() {
                assert_eq!(found, parsed);
            }
        }
        Err(_) => assert_eq!((read, found), (judged, parsed)),
    }
    let log = LogName { name: "a log", url: "https://log.example/" };
    let evidence = evidence(&entry, 5, &log, "https://log.example/tile/data/000");
    assert_eq!(evidence.cert_index, Some(5));
});
