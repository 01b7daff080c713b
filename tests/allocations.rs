//! Reading frames, sanitising names and matching what matches nothing allocates nothing once the
//! buffers have grown.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use certstream::backlog::Backlog;
use certstream::batch::{Batch, BatchSender, Origin};
use certstream::domain::sanitise;
use certstream::matcher::{Engine, Matcher};
use certstream::rule::{Anchor, Loader, RuleEntry};
use certstream::update::{Message, UpdateReader};

/// Counts the allocations of the thread that asks: the test harness allocates in others.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from the same allocator with the same `layout`.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; `size` is the caller's promise.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Reads every frame once and sanitises its names; returns how many names there were.
fn read_all(reader: &mut UpdateReader, frames: &[&[u8]], domain: &mut Vec<u8>) -> usize {
    let mut count = 0;
    for frame in frames {
        let read = reader.read(frame, |message| {
            if let Message::Update(names) = message {
                for name in names.iter() {
                    domain.clear();
                    // Dropped names are none of this test's business.
                    let _ = sanitise(name, domain);
                    count += 1;
                }
            }
        });
        read.expect("a real frame is accepted");
    }
    count
}

#[test]
fn frames_and_names_cost_no_allocation_in_the_steady_state() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    let text = std::fs::read(path).expect("the frames are readable");
    let frames: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|f| !f.is_empty()).collect();
    let mut reader = UpdateReader::default();
    let mut domain = Vec::new();

    let first = allocations(|| assert!(read_all(&mut reader, &frames, &mut domain) > 50));
    assert!(first > 0, "the counter counts");
    let later = allocations(|| {
        for _ in 0..100 {
            read_all(&mut reader, &frames, &mut domain);
        }
    });
    assert_eq!(later, 0, "allocations for {} frames", 100 * frames.len());
}

/// Names of which none matches [`NEAR_MISSES`], though some come close.
fn batch_without_a_match() -> Batch {
    let (batches, received) = crossbeam_channel::unbounded();
    let (_, empties) = crossbeam_channel::unbounded();
    let mut out = BatchSender::new(Origin::default(), batches, empties, None);
    for position in 1..=200 {
        let names = [
            format!("*.host{position}.example.org"),
            format!("www.host{position}.example.org"),
            format!("paypal{position}.example.org"),
            format!("mybank{position}.example.org"),
            "no host name".to_owned(),
            // Hyphens, but no `xn--` label.
            format!("axn--{position}.xn-{position}.example.org"),
        ];
        out.push(position, b"{}", names.iter().map(String::as_str)).expect("is open");
    }
    out.flush().expect("is open");
    received.try_recv().expect("a batch")
}

/// Rules of every kind: with a literal that stands in some names, verified by a DFA and by the
/// backtracking engine; and without one.
const NEAR_MISSES: [&str; 4] = ["nowhere", "paypal$", "(?<!my)bank", "^[a-z]{40,}x"];

#[test]
fn a_batch_without_a_match_costs_no_allocation_in_the_steady_state() {
    let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
    let entries: Vec<RuleEntry> = NEAR_MISSES.iter().map(entry).collect();
    let mut loader = Loader::new(Anchor::Search);
    loader.entries(&entries, Path::new("test")).expect("rules compile");
    let engine = Engine::build(loader.finish().expect("rules")).expect("builds");
    let stats = Arc::<certstream::stats::MatcherStats>::default();
    let backlog = Arc::new(Backlog::new(1 << 20));
    let mut matcher = Matcher::new(Arc::new(engine), stats.clone(), backlog);
    let batch = batch_without_a_match();

    let first = allocations(|| assert!(matcher.matched(&batch).rows.is_empty()));
    assert!(first > 0, "the counter counts");
    let later = allocations(|| {
        for _ in 0..100 {
            assert!(matcher.matched(&batch).rows.is_empty());
        }
    });
    assert!(stats.candidates.get() >= 101 * 400, "near misses were verified");
    assert_eq!(later, 0, "allocations in 100 batches");
}
