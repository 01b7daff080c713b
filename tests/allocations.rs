//! Reading frames and sanitising names allocates nothing once the buffers have grown.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use certstream::domain::sanitise;
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
