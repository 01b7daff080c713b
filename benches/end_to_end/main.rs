//! The whole product, as the real binary in a process of its own, against the limit of its input.
//!
//! `cargo bench --bench end_to_end` prints the tables of `replay` and `watch`. One of them, or
//! another one, by name:
//!
//! - `-- replay [FRAMES.jsonl.zst RULES.txt]`: replaying against unpacking the same capture.
//! - `-- watch [full|lite|domains]`: watching a server on loopback, over TCP and TLS, against reading
//!   the same bytes with tungstenite and dropping them.
//! - `-- latency`: how long it takes from sending a certificate until its match is stored and shown.
//! - `-- threads`: matcher threads and feeds.
//! - `-- scrape`: what it costs to have the metrics scraped.
//! - `-- tuning`: pinning, strict parsing, durability and the database's cache.
//! - `-- binaries FILE…`: other builds against the one built with this bench.
//!
//! Frames and rules are the large corpus's where that is beside the checkout, else generated ones.
//! `CERTSTREAM_BENCH_ROUNDS` (5) and `CERTSTREAM_BENCH_SECONDS` (10) set how often and how long;
//! `CERTSTREAM_BENCH_RECORD` names a file to which every single run is appended.

#[path = "../../tests/testenv/certificates.rs"]
mod certificates;
mod latency;
#[expect(dead_code, reason = "shared with other benches, which need other parts")]
#[path = "../loopback/mod.rs"]
mod loopback;
mod replay;
mod variants;
mod watch;

/// As the program has it: what is measured against must not gain by another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if loopback::is_party(&words) {
        return;
    }
    println!("{}", loopback::inputs::describe());
    match &words[..] {
        [] => {
            replay::compare(&[]);
            watch::compare(None);
        }
        ["replay", given @ ..] => replay::compare(given),
        ["watch"] => watch::compare(None),
        ["watch", stream] => watch::compare(Some(loopback::frames::Stream::named(stream))),
        ["latency"] => latency::measure(),
        ["threads"] => variants::threads(),
        ["scrape"] => variants::scrape(),
        ["tuning"] => variants::tuning(),
        ["binaries", files @ ..] => variants::binaries(files),
        _ => panic!("unknown arguments {words:?}: see the head of {}", file!()),
    }
}
