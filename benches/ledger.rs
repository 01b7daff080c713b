//! What the loss ledger costs a frame: the same certificates taken in with and without one.
//!
//! Sixty logs whose entries come interleaved and a little out of order, as servers hand them on. A
//! frame of the least size shows the difference best; a lite one what it is a part of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use certstream::batch::{Batch, BatchSender, Origin};
use certstream::feed::{Intake, Ledger};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_channel::bounded;

const FRAMES: u64 = 10_240;
const LOGS: u64 = 60;
const BATCHES: usize = 8;

/// Frames, each with `filling` bytes that nobody reads; their indexes grow.
fn frames(filling: usize) -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(7);
    let frame = |n: u64| {
        let (log, index) = (random.u64(0..LOGS), 1_000_000_000 + n + random.u64(0..500));
        format!(
            r#"{{"data":{{"cert_index":{index:020},"cert_link":"{}","leaf_cert":{{"all_domains":["shop-{n}.example.com"]}},"seen":1.5,"source":{{"name":"Log 2026h{log}","url":"https://ct.log-operator.example/logs/us1/log2026h{log}/"}},"update_type":"X509LogEntry"}},"message_type":"certificate_update"}}"#,
            "x".repeat(filling)
        )
        .replace(":0000000000", ":")
        .into_bytes()
    };
    (0..FRAMES).map(frame).collect()
}

fn bench(criterion: &mut Criterion) {
    for (size, filling) in [("least", 0), ("lite", 1000)] {
        let frames = frames(filling);
        let mut group = criterion.benchmark_group(format!("ledger/{size}"));
        group.throughput(Throughput::Elements(FRAMES));
        for (name, keeps) in [("without", false), ("with", true)] {
            let (batches, received) = bounded::<Batch>(BATCHES);
            let (give_back, empties) = bounded(BATCHES);
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    // A new one each time: to the old one the same entries are repeats. That makes
                    // the windows of all logs, too, which a feed makes once.
                    let (batches, empties) = (batches.clone(), empties.clone());
                    let out = BatchSender::new(Origin::default(), batches, empties, None);
                    let mut intake = Intake::new(Arc::default(), out, 0);
                    if keeps {
                        let ledger = Ledger::new(Vec::new(), Duration::from_secs(30));
                        intake = intake.with_ledger(ledger);
                    }
                    let now = Instant::now();
                    for frame in &frames {
                        intake.tick(now).expect("the receiver stands");
                        intake.frame(frame).expect("the receiver stands");
                        while let Ok(batch) = received.try_recv() {
                            let _ = give_back.try_send(batch);
                        }
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
