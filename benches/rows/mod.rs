//! Rows for the writer, as if the rule `.` had matched everything, and the writer that takes them:
//! what the benches of the store share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certstream::backlog::Backlog;
use certstream::domain::Views;
use certstream::matched::{Hit, Matched, MatchedDomain};
use certstream::rule::{Anchor, Pattern, Place, Rule, RuleSet, Scope, Syntax};
use certstream::stats::{FeedStats, Feeds, WriterStats};
use certstream::store::{Settings, Store, Writer};
use certstream::update::Evidence;
use regex_syntax::hir::Hir;

/// Rows in one message, about what a batch of 256 frames yields when all match.
pub const MESSAGE: u64 = 500;
const SETTINGS: Settings = Settings { synchronous_full: false, cache: 16 * 1024 * 1024 };

fn scatter(number: u64) -> u64 {
    // SplitMix64: spreads the keys as real names and serials are.
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A domain a number.
pub fn domain(number: u64) -> String {
    format!("login-{:012x}.shop.example.com", scatter(number) >> 16)
}

fn evidence(number: u64) -> Evidence {
    let serial = scatter(number ^ 0xffff_0000);
    Evidence {
        update_type: Some("X509LogEntry".into()),
        sha256: Some(format!("{serial:064x}").into()),
        issuer: Some("C=US, O=Let's Encrypt, CN=R11".into()),
        subject_cn: Some(domain(number).into()),
        serial: Some(format!("03{serial:016X}{number:016X}").into()),
        not_before: Some(1_750_000_000),
        not_after: Some(1_757_776_000),
        log_name: Some("Google 'Argon2026h1' log".into()),
        log_url: Some("https://ct.googleapis.com/logs/us1/argon2026h1/".into()),
        cert_index: Some(number as i64),
        cert_link: Some(format!("https://ct.googleapis.com/logs/us1/argon2026h1/ct/v1/get-entries?start={number}&end={number}").into()),
        seen: Some(1_750_000_000_000_000 + number as i64),
        ..Evidence::default()
    }
}

/// Messages of `rows` rows from sequence number `first` on; `domain_of` and `certificate_of` give each
/// row's numbers, of the certificate where it has one.
pub fn messages(
    first: u64,
    rows: u64,
    domain_of: impl Fn(u64) -> u64,
    certificate_of: impl Fn(u64) -> Option<u64>,
) -> Vec<Matched> {
    (0..rows / MESSAGE)
        .map(|message| {
            let mut matched = Matched {
                sequence: first + message,
                position: (first + message) * MESSAGE,
                received: 1_750_000_000_000_000,
                ..Matched::default()
            };
            for number in message * MESSAGE..(message + 1) * MESSAGE {
                let certificate = certificate_of(number).map(|certificate| {
                    matched.certificates.push(evidence(certificate));
                    matched.certificates.len() as u32 - 1
                });
                let hit = Hit { rule: 0, views: Views::A_LABEL, gave_up: false, typosquat: None };
                matched.rows.push(MatchedDomain {
                    domain: domain(domain_of(number)).into(),
                    names_as_seen: Vec::new(),
                    certificate,
                    hits: vec![hit],
                });
            }
            matched.bytes = matched.size();
            matched
        })
        .collect()
}

fn rules() -> RuleSet {
    let pattern = Pattern {
        written: ".".to_owned(),
        anchor: Anchor::Search,
        widened: false,
        syntax: Syntax::Regular(Hir::empty()),
    };
    let rule = Rule {
        name: "everything".to_owned(),
        pattern,
        scope: Scope::Domain,
        exclude: Vec::new(),
        tags: Vec::new(),
        severity: None,
        hash: [7; 16],
        place: Place { file: PathBuf::from("bench"), line: 1 },
    };
    RuleSet { rules: vec![rule], ..RuleSet::default() }
}

/// A store in `folder`, whose run has begun.
pub fn open(folder: &Path) -> Store {
    let mut store = Store::open(&folder.join("certs.db"), SETTINGS).expect("a new database");
    store.begin_run("bench", &rules()).expect("a run");
    store
}

/// Writes `messages` and returns the store with the time it took.
pub fn write(store: Store, messages: Vec<Matched>) -> (Store, Duration) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let backlog = Arc::new(Backlog::new(usize::MAX));
    for message in messages {
        backlog.add(message.bytes);
        sender.send(message).expect("the receiver stands");
    }
    drop(sender);
    let stats = Arc::new(WriterStats::default());
    let feeds = Feeds::default();
    feeds.add(FeedStats::named("bench", true)).expect("the first");
    let writer = Writer::new(store, Arc::new(feeds), stats, backlog, None);
    let begin = Instant::now();
    let store = writer.run(&receiver).expect("a healthy disk");
    (store, begin.elapsed())
}
