//! What goes into a batch comes out of it, and it closes at its bounds.

use super::*;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

fn sender() -> (BatchSender, Receiver<Batch>, Sender<Batch>) {
    let (batches, received) = unbounded();
    let (give_back, empties) = bounded(4);
    (
        BatchSender::new(Origin { feed: 3, ..Origin::default() }, batches, empties, None),
        received,
        give_back,
    )
}

#[test]
fn names_and_frames_come_out_as_they_went_in() {
    let (mut out, received, _give_back) = sender();
    out.push(1, b"one", ["a.com", "line\nbreak", ""].into_iter()).unwrap();
    out.push_frame(2, b"heartbeat").unwrap();
    out.push(3, b"three", ["b.org"].into_iter()).unwrap();
    out.flush().unwrap();
    let batch = received.try_recv().unwrap();
    assert_eq!((batch.feed, batch.sequence, batch.position), (3, 1, 3));
    let updates: Vec<(&[u8], Vec<&str>)> =
        batch.updates().map(|u| (u.frame(), u.names().collect())).collect();
    assert_eq!(
        updates,
        [(&b"one"[..], vec!["a.com", "line\nbreak", ""]), (&b"three"[..], vec!["b.org"])]
    );
    assert_eq!(batch.frames().len(), 3);
}

#[test]
fn closes_at_each_of_its_bounds() {
    let (mut out, received, _give_back) = sender();
    for n in 0..MAX_FRAMES as u64 {
        out.push(n, b"{}", std::iter::empty()).unwrap();
    }
    assert_eq!(received.try_recv().unwrap().len(), MAX_FRAMES);

    let long = "n".repeat(MAX_NAME_BYTES);
    out.push(1, b"{}", [long.as_str()].into_iter()).unwrap();
    assert_eq!(received.try_recv().unwrap().len(), 1);

    let large = vec![b' '; MAX_FRAME_BYTES + 1];
    out.push(2, b"{}", std::iter::empty()).unwrap();
    out.push(3, &large, std::iter::empty()).unwrap();
    assert_eq!(received.try_recv().unwrap().position, 2);
    assert_eq!(received.try_recv().unwrap().position, 3);
    assert!(received.is_empty());
}

#[test]
fn log_entries_carry_their_index_and_add_up() {
    let (mut out, received, _give_back) = sender();
    for (index, timestamp) in [(41, 7), (42, 5)] {
        let entry = LogEntry { index, bytes: b"leaf", timestamp, verified: index == 42 };
        out.push_entry(&entry, ["a.com"].into_iter()).unwrap();
    }
    out.gap_to(44, GapEvent::Closed { at: 1 }).unwrap();
    let batch = received.try_recv().unwrap();
    assert_eq!(batch.position, 43);
    assert_eq!(indexed(batch.frames().get(1)), Some((42, &b"leaf"[..])));
    assert_eq!(indexed(b"short"), None);
    let read = Reading { entries: 2, verified: 1, newest: Some(7), ..Reading::default() };
    assert_eq!(batch.reading, read);
    let gap = received.try_recv().unwrap();
    assert_eq!((gap.position, gap.reading), (44, Reading::default()));
}

#[test]
fn what_comes_before_the_first_frame_stands_where_the_feed_was_stored() {
    let (batches, received) = unbounded();
    let (_give_back, empties) = bounded(4);
    let origin = Origin { last_sequence: 6, last_position: 41, ..Origin::default() };
    let mut out = BatchSender::new(origin, batches, empties, None);
    out.gap(GapEvent::Closed { at: 1 }).unwrap();
    let gap = received.try_recv().unwrap();
    assert_eq!((gap.sequence, gap.position), (7, 41));
}

#[test]
fn a_recycled_batch_starts_empty_and_numbers_go_on() {
    let (mut out, received, give_back) = sender();
    out.push(1, b"x", ["a.com"].into_iter()).unwrap();
    out.flush().unwrap();
    give_back.send(received.try_recv().unwrap()).unwrap();
    out.gap(GapEvent::Closed { at: 7 }).unwrap();
    out.push(2, b"y", ["b.com"].into_iter()).unwrap();
    out.flush().unwrap();
    let gap = received.try_recv().unwrap();
    assert_eq!((gap.sequence, gap.position, gap.is_empty()), (2, 1, true));
    assert_eq!(gap.gap, Some(GapEvent::Closed { at: 7 }));
    let batch = received.try_recv().unwrap();
    assert_eq!((batch.sequence, batch.len()), (3, 1));
    assert_eq!(batch.gap, None);
}
