//! Name to domain: all names of a stream as they come, and each kind apart.
//!
//! Names come from the corpus where it is present, else from `tests/data`.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;

use certstream::domain::sanitise;
use certstream::update::{Message, UpdateReader};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const FRAMES: usize = 20_000;

fn names() -> Vec<String> {
    let corpus =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/frames_lite.jsonl.zst"));
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    let lines: Box<dyn BufRead> = match std::fs::File::open(corpus) {
        Ok(packed) => Box::new(BufReader::new(zstd::Decoder::new(packed).expect("a zstd decoder"))),
        Err(_) => Box::new(BufReader::new(std::fs::File::open(data).expect("the frames"))),
    };
    let mut reader = UpdateReader::default();
    let mut names = Vec::new();
    for frame in lines.split(b'\n').take(FRAMES) {
        let frame = frame.expect("a line");
        let read = reader.read(&frame, |message| {
            if let Message::Update(found) = message {
                names.extend(found.iter().map(str::to_owned));
            }
        });
        read.expect("a frame of the stream is accepted");
    }
    names
}

fn bench(criterion: &mut Criterion) {
    let all = names();
    let kind = |wanted: fn(&str) -> bool| -> Vec<String> {
        all.iter().filter(|name| wanted(name)).cloned().collect()
    };
    let peeled = |name: &str| name.starts_with("*.") || name.starts_with("www.");
    let plain = all.iter().filter(|name| !peeled(name)).cloned().collect();
    let kinds: [(&str, Vec<String>); 4] = [
        ("plain", plain),
        ("wildcard", kind(|name| name.starts_with("*."))),
        ("www", kind(|name| name.starts_with("www."))),
        ("all", all.clone()),
    ];
    for (kind, names) in kinds {
        if names.is_empty() {
            continue;
        }
        let mut group = criterion.benchmark_group(format!("domain/{kind}"));
        group.throughput(Throughput::ElementsAndBytes {
            elements: names.len() as u64,
            bytes: names.iter().map(|name| name.len() as u64).sum(),
        });
        group.bench_function("sanitise", |bencher| {
            bencher.iter_batched_ref(
                || Vec::with_capacity(64 * 1024),
                |block: &mut Vec<u8>| {
                    for name in &names {
                        if block.len() > 32 * 1024 {
                            block.clear();
                        }
                        let _ = black_box(sanitise(name, block));
                    }
                },
                BatchSize::LargeInput,
            );
        });
        // The limit: copying the name.
        group.bench_function("copy", |bencher| {
            bencher.iter_batched_ref(
                || Vec::with_capacity(64 * 1024),
                |block: &mut Vec<u8>| {
                    for name in &names {
                        if block.len() > 32 * 1024 {
                            block.clear();
                        }
                        block.extend_from_slice(black_box(name.as_bytes()));
                    }
                },
                BatchSize::LargeInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
