//! Tiles to names, step by step: each figure holds the steps before it, but for the two ways to
//! the names, which are alternatives, and the names tile, which is a whole of its own.
//!
//! The tiles come from the corpus where it is present, else from `tests/data`.

use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;

use certstream::ctlog::{
    Entry, LogName, NamesTileReader, evidence, names, parsed_names, read_data_tile,
    read_get_entries,
};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// A data tile, the names tile of the same entries, and how many those are.
fn tiles() -> (Vec<u8>, Vec<u8>, usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let log = root.join("../shared/corpus/ct/log/tile");
    if let (Ok(data), Ok(names)) =
        (std::fs::read(log.join("data/000")), std::fs::read(log.join("names/000")))
    {
        return (data, names, 256);
    }
    let read = |file: &str| {
        std::fs::read(root.join("tests/data/ct").join(file)).expect("the tile is readable")
    };
    (read("data_tile"), read("names_tile.jsonl"), 3)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("memory takes everything")
}

fn gunzip(packed: &[u8], into: &mut Vec<u8>) {
    into.clear();
    GzDecoder::new(packed).read_to_end(into).expect("packed above");
}

/// Benches `step` on each entry of `tile`, after the tile has been read.
fn each_entry(
    group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    (tile, width): (&[u8], usize),
    mut step: impl FnMut(&Entry<'_>),
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let entries = read_data_tile(black_box(tile), width).expect("a real tile");
            entries.iter().for_each(&mut step);
        });
    });
}

fn data_tile(criterion: &mut Criterion) {
    let (tile, _, width) = tiles();
    let mut group = criterion.benchmark_group("ctlog/data_tile");
    group.throughput(Throughput::ElementsAndBytes {
        elements: width as u64,
        bytes: tile.len() as u64,
    });
    let packed = gzip(&tile);
    let mut unpacked = Vec::new();
    group.bench_function("gunzip", |bencher| {
        bencher.iter(|| {
            gunzip(black_box(&packed), &mut unpacked);
            black_box(unpacked.len())
        });
    });
    let read = (tile.as_slice(), width);
    each_entry(&mut group, "read", read, |entry| {
        black_box(entry);
    });
    let mut block = Vec::new();
    each_entry(&mut group, "read+names", read, |entry| {
        block.clear();
        names(entry, |name| block.extend_from_slice(name.as_bytes())).expect("names");
        black_box(&block);
    });
    each_entry(&mut group, "read+names_x509_parser", read, |entry| {
        block.clear();
        parsed_names(entry, |name| block.extend_from_slice(name.as_bytes())).expect("names");
        black_box(&block);
    });
    each_entry(&mut group, "read+names+leaf_hash", read, |entry| {
        block.clear();
        names(entry, |name| block.extend_from_slice(name.as_bytes())).expect("names");
        black_box((&block, entry.leaf_hash()));
    });
    let log = LogName { name: "Let's Encrypt 'Navigli2025h2'", url: "https://log.example/" };
    each_entry(&mut group, "read+evidence", read, |entry| {
        black_box(evidence(entry, 0, &log, "https://log.example/tile/data/000"));
    });
    group.finish();
}

fn names_tile(criterion: &mut Criterion) {
    let (_, tile, width) = tiles();
    let mut group = criterion.benchmark_group("ctlog/names_tile");
    group.throughput(Throughput::ElementsAndBytes {
        elements: width as u64,
        bytes: tile.len() as u64,
    });
    let packed = gzip(&tile);
    let mut unpacked = Vec::new();
    group.bench_function("gunzip", |bencher| {
        bencher.iter(|| {
            gunzip(black_box(&packed), &mut unpacked);
            black_box(unpacked.len())
        });
    });
    let mut reader = NamesTileReader::default();
    let mut block = Vec::new();
    group.bench_function("names", |bencher| {
        bencher.iter(|| {
            block.clear();
            let read = reader.read(black_box(&tile), width, |line| {
                let line = line.expect("a real line");
                line.names(|name| block.extend_from_slice(name.as_bytes()));
            });
            read.expect("a real tile");
            black_box(block.len())
        });
    });
    // The alternative: serde_json into a typed line, names borrowed where it can.
    group.bench_function("serde_json", |bencher| {
        bencher.iter(|| {
            block.clear();
            for line in black_box(&tile).split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
                let line: typed::Line<'_> = serde_json::from_slice(line).expect("a real line");
                line.dns.iter().for_each(|name| block.extend_from_slice(name.0.as_bytes()));
                black_box((line.timestamp, &line.subject.common_name));
            }
            black_box(block.len())
        });
    });
    group.finish();
}

/// A line of a names tile as serde sees it.
mod typed {
    use std::borrow::Cow;

    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    pub struct Line<'a> {
        pub timestamp: u64,
        #[serde(borrow, default)]
        pub subject: Subject<'a>,
        #[serde(borrow, default, rename = "DNS")]
        pub dns: Vec<Name<'a>>,
    }

    #[derive(Default, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    pub struct Subject<'a> {
        #[serde(borrow, default)]
        pub common_name: Cow<'a, str>,
    }

    #[derive(Deserialize)]
    pub struct Name<'a>(#[serde(borrow)] pub Cow<'a, str>);
}

fn get_entries(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ct/get_entries.json");
    let page = std::fs::read(file).expect("the answer is readable");
    let mut group = criterion.benchmark_group("ctlog/get_entries");
    group.throughput(Throughput::ElementsAndBytes { elements: 4, bytes: page.len() as u64 });
    let mut scratch = Vec::new();
    group.bench_function("frames", |bencher| {
        bencher.iter(|| {
            scratch.clone_from(black_box(&page));
            let read = read_get_entries(&mut scratch, 0, |_, frame| {
                black_box(frame.expect("a real entry"));
            });
            read.expect("a real answer")
        });
    });
    group.finish();
}

criterion_group!(benches, data_tile, names_tile, get_entries);
criterion_main!(benches);
