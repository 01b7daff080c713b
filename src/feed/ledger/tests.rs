//! What the ledger counts and finds missing, beside a plain count.

use super::*;
use std::collections::BTreeSet;

const SETTLE: Duration = Duration::from_secs(30);

/// A feed on its way through time.
struct Course {
    ledger: Ledger,
    stats: FeedStats,
    begin: Instant,
}

impl Course {
    fn new(heads: Vec<CoverageHead>) -> Self {
        let ledger = Ledger::new(heads, SETTLE);
        Self { ledger, stats: FeedStats::default(), begin: Instant::now() }
    }

    /// An entry comes at `second`; the holes that are settled by then.
    fn comes(&mut self, second: f64, log_url: &str, index: u64) -> Vec<[u64; 2]> {
        self.ledger.tick(self.begin + Duration::from_secs_f64(second));
        self.ledger.count(Some(Place { log_url, log_name: "", index }), &self.stats);
        spans(&self.ledger.settled())
    }
}

fn spans(holes: &[Hole]) -> Vec<[u64; 2]> {
    holes.iter().map(|hole| [hole.first, hole.last]).collect()
}

fn head(key: &str, next: u64) -> CoverageHead {
    let log = SourceLog { key: key.into(), name: "".into() };
    CoverageHead { log, next, minute: 7 }
}

#[test]
fn a_hole_is_what_is_missing_of_each_log_between_loss_and_return() {
    let mut course = Course::new(Vec::new());
    for (at, index) in (0..100).enumerate() {
        course.comes(at as f64 / 10.0, "https://log.example/a/", 1000 + index);
        course.comes(at as f64 / 10.0, "https://log.example/b/", 5 + index);
    }
    // One is on its way when the server is lost.
    course.comes(10.0, "https://log.example/a/", 1101);
    assert!(course.ledger.cut(77, "disconnected").is_empty());
    assert!(course.ledger.cut(99, "stall").is_empty(), "it is one loss however often it is tried");
    // It returns: log a out of order, log b where it stood, and one that was not known.
    for (second, index) in [(20.0, 1151), (20.5, 1150), (21.0, 1153)] {
        assert!(course.comes(second, "https://log.example/a/", index).is_empty());
    }
    for index in 105..300 {
        assert!(course.comes(21.0, "https://log.example/b/", index).is_empty());
        assert!(course.comes(21.0, "https://log.example/c/", index).is_empty());
    }
    // What was late closes the hole from behind; what is missing later is no loss of ours.
    assert!(course.comes(40.0, "https://log.example/a/", 1152).is_empty());
    assert!(course.comes(40.0, "https://log.example/a/", 1170).is_empty());
    course.ledger.tick(course.begin + Duration::from_secs(51));
    let holes = course.ledger.settled();
    assert_eq!(spans(&holes), [[1100, 1149]]);
    let hole = &holes[0];
    assert_eq!((hole.from, hole.reason, &*hole.log.key), (77, "disconnected", "log.example/a"));
    course.ledger.tick(course.begin + Duration::from_secs(100));
    assert!(course.ledger.settled().is_empty(), "nothing is said twice");
}

#[test]
fn a_run_goes_on_from_the_last_one_and_a_log_that_is_silent_waits() {
    let mut course = Course::new(vec![head("log.example/a", 500), head("log.example/b", 9)]);
    course.comes(0.0, "wss://log.example/a", 620);
    assert_eq!(spans(&course.ledger.cut(80, "disconnected")), [[500, 619]]);
    let mut settled = Vec::new();
    for second in 10..60 {
        settled.extend(course.comes(f64::from(second), "log.example/a/", 700));
    }
    assert_eq!(settled, [[621, 699]]);
    // Log b says nothing for a day, and two losses are one.
    course.ledger.cut(90, "disconnected");
    course.comes(86_400.0, "log.example/b", 12);
    course.comes(86_401.0, "log.example/a", 701);
    course.comes(86_402.0, "log.example/b", 13);
    let holes = course.ledger.settle_all();
    let told: Vec<_> = holes.iter().map(|h| (h.first, h.last, h.from, h.reason)).collect();
    assert_eq!(told, [(9, 11, 7, "not running")], "log a has lost nothing the second time");
}

#[test]
fn each_loss_of_a_log_is_a_hole_of_its_own() {
    let mut course = Course::new(vec![head("a", 500)]);
    assert!(course.comes(0.0, "a", 600).is_empty());
    // Lost again before it is settled: what is known is said.
    assert_eq!(spans(&course.ledger.cut(80, "disconnected")), [[500, 599]]);
    assert!(course.comes(5.0, "a", 650).is_empty());
    assert_eq!(spans(&course.ledger.settle_all()), [[601, 649]]);
}

/// A server that hands entries on up to three seconds late, in any order, and is lost in between.
#[test]
fn whatever_was_not_received_lies_in_a_hole_and_little_else() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let rate = random.f64() * 400.0 + 1.0;
        let (lost, found) = (60.0 + random.f64(), 70.0 + random.f64() * 50.0);
        let mut sent: Vec<(f64, u64)> = (0..(200.0 * rate) as u64)
            .map(|index| (index as f64 / rate + random.f64() * 3.0, index))
            .collect();
        sent.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut course = Course::new(Vec::new());
        let (mut missed, mut holes) = (BTreeSet::new(), Vec::new());
        let mut cut = false;
        for (second, index) in sent {
            if second >= lost && !std::mem::replace(&mut cut, true) {
                course.ledger.cut(1, "disconnected");
            }
            if (lost..found).contains(&second) {
                missed.insert(index);
            } else {
                holes.extend(course.comes(second, "a", index));
            }
        }
        let [[first, last]] = holes[..] else { panic!("seed {seed}: {holes:?}") };
        let ends = (*missed.first().unwrap(), *missed.last().unwrap());
        assert_eq!((first, last), ends, "seed {seed}, {rate} a second");
        assert_eq!(course.stats.indexes.get() + missed.len() as u64, course.stats.index_span.get());
    }
}

#[test]
fn a_server_cannot_make_it_grow_without_end() {
    let mut course = Course::new(Vec::new());
    for n in 0..10_000 {
        course.comes(0.0, &format!("https://log{n}.example/"), n);
        course.comes(0.0, &"x".repeat(257 + n as usize), n);
    }
    assert_eq!((course.ledger.lines.len(), course.ledger.places.len()), (MOST_LOGS, MOST_LOGS));
    assert_eq!(course.stats.without_index.get(), 20_000 - MOST_LOGS as u64);
    assert!(course.ledger.count(None, &course.stats).is_some_and(|counted| counted.number == 0));
}

#[test]
fn a_log_is_one_however_its_url_is_written() {
    let mut course = Course::new(Vec::new());
    for url in ["https://log.example/2026/", "http://log.example/2026", "log.example/2026/"] {
        course.comes(0.0, url, 5);
    }
    assert_eq!((course.ledger.lines.len(), course.stats.indexes.get()), (1, 1));
}
