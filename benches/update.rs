//! Frame to names, by simd-json into reused buffers and by the scan: full, lite and domains-only
//! frames. The limit of the scan is to jump to the key and copy the names, without a look at
//! anything else.
//!
//! Frames come from the corpus where it is present, else from `tests/data`.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;

use certstream::update::{Message, NameList, UpdateReader, scan};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem::Finder;

/// Frames per stream: enough to leave every cache of a core.
const FRAMES: usize = 2_000;

fn frames(stream: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    if let Ok(packed) = std::fs::File::open(corpus.join(format!("frames_{stream}.jsonl.zst"))) {
        let lines = BufReader::new(zstd::Decoder::new(packed).expect("a zstd decoder"));
        return lines.split(b'\n').take(FRAMES).map(|line| line.expect("a line")).collect();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    let text = std::fs::read(path).expect("the frames are readable");
    let wanted = |frame: &&[u8]| {
        let has = |key: &str| frame.windows(key.len()).any(|part| part == key.as_bytes());
        match stream {
            "full" => has("\"as_der\""),
            "lite" => has("certificate_update") && !has("\"as_der\""),
            _ => has("dns_entries"),
        }
    };
    text.split(|byte| *byte == b'\n').filter(wanted).map(<[u8]>::to_vec).collect()
}

fn names(reader: &mut UpdateReader, frame: &[u8], block: &mut Vec<u8>) {
    let read = reader.read(frame, |message| {
        if let Message::Update(names) = message {
            for name in names.iter() {
                block.extend_from_slice(name.as_bytes());
                block.push(b'\n');
            }
        }
    });
    read.expect("a frame of the stream is accepted");
}

/// Jumps to the list by `keys`, one after the other, and copies its names. Right for real frames
/// only.
fn floor(keys: &[Finder<'_>], frame: &[u8], block: &mut Vec<u8>) {
    let mut rest = frame;
    for key in keys {
        let Some(at) = key.find(rest) else { return };
        rest = &rest[at + key.needle().len()..];
    }
    while let [b'"', name @ ..] = rest {
        let Some(end) = memchr::memchr(b'"', name) else { return };
        block.extend_from_slice(&name[..end]);
        block.push(b'\n');
        rest = &name[end + 1..];
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
}

fn bench(criterion: &mut Criterion) {
    for stream in ["full", "lite", "domains"] {
        let frames = frames(stream);
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let mut group = criterion.benchmark_group(format!("update/{stream}"));
        let mut reader = UpdateReader::default();
        let mut block = Vec::new();
        group.throughput(Throughput::ElementsAndBytes {
            elements: frames.len() as u64,
            bytes: bytes as u64,
        });
        group.bench_function("names", |bencher| {
            bencher.iter(|| {
                block.clear();
                for frame in &frames {
                    names(&mut reader, frame, &mut block);
                }
                black_box(block.len())
            });
        });
        // As a feed reads them: into the list of the batch.
        let mut list = NameList::default();
        group.bench_function("scan", |bencher| {
            bencher.iter(|| {
                list.clear(usize::MAX);
                let understood =
                    frames.iter().filter(|frame| scan(frame, &mut list).is_some()).count();
                // But for heartbeats.
                assert!(understood * 100 > frames.len() * 99, "{understood}");
                black_box(list.size())
            });
        });
        group.bench_function("scan and place", |bencher| {
            bencher.iter(|| {
                list.clear(usize::MAX);
                let placed = frames
                    .iter()
                    .filter_map(|frame| scan(frame, &mut list))
                    .filter(|scanned| black_box(scanned.place()).is_some());
                black_box(placed.count())
            });
        });
        let keys = match stream {
            "domains" => vec![Finder::new("\"data\":[")],
            _ => vec![Finder::new("\"leaf_cert\":{"), Finder::new("\"all_domains\":[")],
        };
        group.bench_function("floor", |bencher| {
            bencher.iter(|| {
                block.clear();
                frames.iter().for_each(|frame| floor(&keys, frame, &mut block));
                black_box(block.len())
            });
        });
        if stream != "domains" {
            group.bench_function("evidence", |bencher| {
                bencher.iter(|| {
                    for frame in &frames {
                        black_box(reader.evidence(frame));
                    }
                });
            });
        }
        // The limit: the one copy that editing in place needs.
        group.bench_function("memcpy", |bencher| {
            bencher.iter(|| {
                for frame in &frames {
                    block.clear();
                    block.extend_from_slice(black_box(frame));
                    black_box(&block);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
