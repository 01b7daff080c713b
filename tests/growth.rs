//! No quadratic time: eight times the input takes about eight times the work, in whatever shape.
//!
//! Work is the processor time of this thread, the least of several tries, so that neighbours do not
//! count. What is quadratic takes 64 times as long; the bound between is thrice the honest one.

use std::fs;
use std::hint::black_box;

use certstream::domain::sanitise;
use certstream::update::{self, Message, NameList, UpdateReader};

const SMALL: usize = 64 * 1024;
const GROWTH: usize = 8;
/// Nanoseconds below which the clock and the caches tell more than the work.
const LEAST: u64 = 20_000;

/// Processor time of this thread so far, in nanoseconds.
fn spent() -> u64 {
    // The kernel brings it up to date when it schedules.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// Everything that is done with a frame before rules see it, and with one that matches.
fn read(reader: &mut UpdateReader, frame: &[u8]) {
    let mut domain = Vec::new();
    let _ = reader.read(frame, |message| {
        if let Message::Update(names) = message {
            for name in names.iter() {
                domain.clear();
                let _ = black_box(sanitise(name, &mut domain));
            }
        }
    });
    black_box(reader.evidence(frame));
}

/// The same by the quick scan, which leaves to the judge what it does not understand.
fn scan(names: &mut NameList, frame: &[u8]) {
    names.clear(usize::MAX);
    if let Some(scanned) = update::scan(frame, names) {
        black_box((names.size(), scanned.seen(), scanned.place()));
    }
}

/// The least time that `read` takes of `frame`.
fn time(frame: &[u8], mut read: impl FnMut(&[u8])) -> u64 {
    let tries = (0..7).map(|_| {
        let before = spent();
        for _ in 0..4 {
            read(frame);
        }
        spent() - before
    });
    tries.min().unwrap()
}

/// A certificate update with `names` as they stand in JSON, and more in its leaf.
fn update(names: &str, more: &str) -> String {
    format!(
        r#"{{"message_type":"certificate_update","data":{{"leaf_cert":{{{more}"all_domains":[{names}]}}}}}}"#
    )
}

/// What grows, by its name: a frame of about so many bytes.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 23] = [
    ("one long name", |size| update(&format!("\"{}.example\"", "a".repeat(size)), "")),
    ("a name of dots", |size| update(&format!("\"{}\"", ".".repeat(size)), "")),
    ("a name of labels", |size| update(&format!("\"{}b\"", "a.".repeat(size / 2)), "")),
    ("a name of www", |size| update(&format!("\"{}b.de\"", "www.".repeat(size / 4)), "")),
    ("a name of stars", |size| update(&format!("\"{}b.de\"", "*.".repeat(size / 2)), "")),
    ("a name of spaces", |size| update(&format!("\"{}b.de\"", " ".repeat(size)), "")),
    ("a name of schemes", |size| update(&format!("\"{}b.de\"", "http://".repeat(size / 7)), "")),
    ("a name of @ and :", |size| update(&format!("\"{}b.de\"", "a:@".repeat(size / 3)), "")),
    ("a name of xn--", |size| update(&format!("\"{}b.de\"", "xn--a-".repeat(size / 6)), "")),
    ("a Unicode name", |size| update(&format!("\"{}.de\"", "ü".repeat(size / 2)), "")),
    ("combining marks", |size| update(&format!("\"a{}.de\"", "\u{301}".repeat(size / 2)), "")),
    ("a name of escapes", |size| update(&format!("\"{}.de\"", "\\u0061".repeat(size / 6)), "")),
    ("a name of backslashes", |size| update(&format!("\"{}.de\"", "\\\\".repeat(size / 2)), "")),
    ("many equal names", |size| update(&vec!["\"a.example.com\""; size / 16].join(","), "")),
    ("many names", |size| {
        let names: Vec<String> = (0..size / 20).map(|n| format!("\"n{n}.example.com\"")).collect();
        update(&names.join(","), "")
    }),
    ("names that are none", |size| update(&vec!["null,1,{},[]"; size / 12].join(","), "")),
    ("equal keys", |size| update("\"a.de\"", &"\"k\":1,".repeat(size / 6))),
    ("keys of names", |size| update("\"a.de\"", &"\"all_domains\":[\"b.de\"],".repeat(size / 23))),
    ("quotes and backslashes", |size| update("\"a.de\"", &"\"k\":\"\\\"\\\\\",".repeat(size / 11))),
    ("keys of leaves", |size| update("\"a.de\"", &"\"leaf_cert\":{},".repeat(size / 15))),
    ("keys that look like leaves", |size| {
        update("\"a.de\"", &r#""\"leaf_cert\":{":1,"#.repeat(size / 20))
    }),
    ("nesting", |size| {
        let deep = format!("\"k\":{}{},", "[".repeat(100), "]".repeat(100));
        update("\"a.de\"", &deep.repeat(size / deep.len()))
    }),
    ("huge numbers", |size| {
        let number = format!("\"k\":{},", "9".repeat(400));
        update("\"a.de\"", &number.repeat(size / number.len()))
    }),
];

/// Checks that what `read` does grows no faster than frames do.
fn check(by: &str, mut read: impl FnMut(&[u8])) {
    for (name, shape) in SHAPES {
        let (small, large) = (shape(SMALL), shape(SMALL * GROWTH));
        let growth = large.len() as f64 / small.len() as f64;
        assert!((7.0..9.0).contains(&growth), "{name}: {growth}");
        let before = time(small.as_bytes(), &mut read);
        let after = time(large.as_bytes(), &mut read);
        // What is done in next to no time is not to be measured.
        let factor = after as f64 / before.max(LEAST) as f64;
        let micros = |nanos: u64| nanos as f64 / 4e3;
        println!(
            "{by}: {name}: {:.0} µs, {:.0} µs: {factor:.1} times",
            micros(before),
            micros(after)
        );
        assert!(factor < 3.0 * growth, "{by}: {name}: {factor:.1} times for {growth:.1} times");
    }
}

#[test]
fn work_grows_as_frames_do() {
    let mut reader = UpdateReader::default();
    check("judge", |frame| read(&mut reader, frame));
    let mut names = NameList::default();
    check("scan", |frame| scan(&mut names, frame));
}
