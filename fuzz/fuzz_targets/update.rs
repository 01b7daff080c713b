//! Any bytes as a frame: no panic, names are text, and the reader agrees with serde_json about
//! what is JSON.

#![no_main]

use certstream::update::{FrameFault, Message, UpdateReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    let mut reader = UpdateReader::default();
    let read = |reader: &mut UpdateReader| {
        reader.read(frame, |message| match message {
            Message::Update(names) => {
                Some((names.seen(), names.iter().map(str::to_owned).collect::<Vec<_>>()))
            }
            Message::Heartbeat | Message::Unknown | Message::Blank => None,
        })
    };
    let first = read(&mut reader);
    let evidence = reader.evidence(frame);

    // Buffers that have seen another frame change nothing.
    assert_eq!(read(&mut reader), first);
    assert_eq!(reader.evidence(frame), evidence);

    if let Some(evidence) = &evidence {
        let update = first.as_ref().expect("evidence comes from accepted frames");
        let (seen, _) = update.as_ref().expect("evidence comes from updates");
        assert_eq!(*seen, evidence.seen);
    }
    // The repaired numbers are the one thing that serde_json does not accept.
    if serde_json::from_slice::<serde_json::Value>(frame).is_ok() {
        assert!(
            !matches!(&first, Err(fault) if *fault != FrameFault::TooDeep),
            "refused valid JSON as {first:?}"
        );
    }
});
