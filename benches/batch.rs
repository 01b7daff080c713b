//! The hand-off: certificate updates packed into batches, through the channel, and back.
//!
//! Against the floor, which is copying the same bytes. `same thread` is the packing, the send and
//! the recycling alone; `two threads` adds the waking of a real receiver and, with both cores
//! busy, what the caches pay.

use std::hint::black_box;
use std::thread;

use certstream::batch::{Batch, BatchSender, Origin};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_channel::bounded;

/// Certificate updates an iteration: forty full batches.
const UPDATES: usize = 40 * certstream::batch::MAX_FRAMES;
/// Names of an update, as many and as long as a lite frame has in the mean (66 bytes).
const NAMES: [&str; 2] = ["*.shop-0123456789.example.com", "www.shop-0123456789.example.com.au"];
/// As in the pipeline.
const BATCHES: usize = 8;

fn push_all(out: &mut BatchSender, frame: &[u8], mut each: impl FnMut()) {
    for position in 1..=UPDATES as u64 {
        out.push(position, frame, NAMES.into_iter()).expect("the receiver stands");
        each();
    }
    out.flush().expect("the receiver stands");
}

fn bench(criterion: &mut Criterion) {
    // Domains-only messages are little more than their names; a lite frame has 1.3 KB.
    for (size, frame) in [("names", vec![b'x'; 80]), ("lite", vec![b'x'; 1300])] {
        let mut group = criterion.benchmark_group(format!("batch/{size}"));
        group.throughput(Throughput::Elements(UPDATES as u64));

        let mut arena = Vec::new();
        group.bench_function("copy", |bencher| {
            bencher.iter(|| {
                for update in 0..UPDATES {
                    if update % certstream::batch::MAX_FRAMES == 0 {
                        arena.clear();
                    }
                    arena.extend_from_slice(black_box(&frame));
                    for name in NAMES {
                        arena.extend_from_slice(black_box(name.as_bytes()));
                    }
                }
                black_box(arena.len())
            });
        });

        let (batches, received) = bounded::<Batch>(BATCHES);
        let (give_back, empties) = bounded(BATCHES + 2);
        let mut out = BatchSender::new(Origin::default(), batches, empties, None);
        group.bench_function("same thread", |bencher| {
            bencher.iter(|| {
                push_all(&mut out, &frame, || {
                    if let Ok(batch) = received.try_recv() {
                        let _ = give_back.try_send(batch);
                    }
                });
                while let Ok(batch) = received.try_recv() {
                    let _ = give_back.try_send(batch);
                }
            });
        });

        let (batches, received) = bounded::<Batch>(BATCHES);
        let (give_back, empties) = bounded(BATCHES + 2);
        let receiver = thread::spawn(move || {
            for batch in received {
                black_box(batch.len());
                let _ = give_back.try_send(batch);
            }
        });
        let mut out = BatchSender::new(Origin::default(), batches, empties, None);
        group.bench_function("two threads", |bencher| {
            bencher.iter(|| push_all(&mut out, &frame, || ()));
        });
        drop(out);
        receiver.join().expect("the receiver ends with the sender");
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
