//! What the views cost: the two scans that plain names pay, the forms of a name with an `xn--`
//! label, and the engine over such names alone.

use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};

use certstream::domain::{Forms, sanitise};
use certstream::matcher::Engine;
use certstream::rule::{Anchor, Loader, RuleEntry};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Names of each kind.
const NAMES: usize = 20_000;
/// Where the corpus is not there.
const OWN: [&str; 6] = [
    "xn--mnchen-3ya.de",
    "www.xn--pypal-4ve.com",
    "xn--80ak6aa92e.com",
    "shop.xn--fiqs8s",
    "xn--blockchan-d5a.net",
    "xn--e1afmkfd.xn--p1ai",
];

fn corpus(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(path)
}

/// Domains of the corpus, from all over it: with an `xn--` label, or without.
fn domains(with_a_label: bool) -> Vec<String> {
    let mut text = String::new();
    match std::fs::File::open(corpus("inputs/names.txt.zst")) {
        Ok(packed) => {
            let mut decoder = zstd::Decoder::new(packed).expect("is zstd");
            decoder.read_to_string(&mut text).expect("is text");
        }
        Err(_) => {
            println!("without the corpus: names are made up");
            for number in 0..NAMES {
                let plain = format!("host{number}.example.org");
                let name = if with_a_label { OWN[number % OWN.len()] } else { &plain };
                text.push_str(&format!("made-up {name}\n"));
            }
        }
    }
    let mut domains: Vec<String> = text
        .lines()
        .flat_map(|line| line.split_whitespace().skip(1))
        .filter_map(|name| {
            let mut domain = Vec::new();
            sanitise(name.trim_start_matches('~'), &mut domain).ok()?;
            String::from_utf8(domain).ok()
        })
        .filter(|domain| domain.split('.').any(|label| label.starts_with("xn--")) == with_a_label)
        .collect();
    let step = (domains.len() / NAMES).max(1);
    domains = domains.into_iter().step_by(step).take(NAMES).collect();
    domains
}

fn block(domains: &[String]) -> (String, Vec<u32>) {
    let (mut text, mut ends) = (String::new(), Vec::new());
    for domain in domains {
        text.push_str(domain);
        ends.push(u32::try_from(text.len()).expect("a block is small"));
        text.push('\n');
    }
    (text, ends)
}

fn engine(count: usize) -> Engine {
    let mut loader = Loader::new(Anchor::Search);
    let file = corpus(&format!("rules/rules_{count}.txt"));
    if file.exists() {
        loader.file(&file).expect("the rules compile");
    } else {
        let entry = |pattern: String| RuleEntry { pattern, ..RuleEntry::default() };
        let entries: Vec<RuleEntry> =
            (0..count).map(|number| entry(format!("brand{number}"))).collect();
        loader.entries(&entries, Path::new("made up")).expect("the rules compile");
    }
    Engine::build(loader.finish().expect("rules")).expect("builds")
}

fn bench(criterion: &mut Criterion) {
    let (plain, a_labels) = (domains(false), domains(true));
    let mut group = criterion.benchmark_group("views");
    group.throughput(Throughput::Elements(plain.len() as u64));
    let (text, _) = block(&plain);
    group.bench_function("plain names, looked for xn-- and for ASCII", |bencher| {
        bencher.iter(|| {
            let found = memchr::memmem::find_iter(text.as_bytes(), "xn--").count();
            black_box((found, text.is_ascii()))
        });
    });
    group.throughput(Throughput::Elements(a_labels.len() as u64));
    group.bench_function("forms of xn-- names", |bencher| {
        let mut forms = Forms::default();
        bencher.iter(|| {
            for domain in &a_labels {
                forms.make(domain);
                black_box(forms.look_alike());
            }
        });
    });
    for count in [10, 1000, 10_000] {
        let engine = engine(count);
        for (kind, domains) in [("plain", &plain), ("xn--", &a_labels)] {
            let blocks: Vec<(String, Vec<u32>)> = domains.chunks(2000).map(block).collect();
            let mut scratch = engine.scratch();
            group.throughput(Throughput::Elements(domains.len() as u64));
            group.bench_function(format!("{count} rules over {kind} names"), |bencher| {
                bencher.iter(|| {
                    let mut hits = 0;
                    for (text, ends) in &blocks {
                        engine.hits(text, ends, &mut scratch, |_, _| hits += 1);
                    }
                    black_box(hits)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
