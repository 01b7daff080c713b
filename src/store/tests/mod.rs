//! What the store promises, shown on real database files.
//!
//! Owns the harness: a database in a folder of its own, and messages written in few words.

mod adopt;
mod damaged;
mod ledger;
mod merge;
mod restart;
mod retry;
mod wal;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::unbounded;
use regex_syntax::hir::Hir;
use rusqlite::Connection;
use rusqlite::types::FromSql;

use super::{Announce, Settings, Store, Writer};
use crate::backlog::Backlog;
use crate::domain::Views;
use crate::error::Result;
use crate::matched::{Hit, Matched, MatchedDomain};
use crate::rule::{Anchor, Pattern, Place, Rule, RuleSet, Scope, Syntax};
use crate::stats::{FeedStats, Feeds, WriterStats};
use crate::update::Evidence;

/// Faults that a test puts into the writer: each call takes the next answer, and is without fault
/// when there is none left.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub before_commit: VecDeque<rusqlite::Error>,
    pub after_commit: VecDeque<rusqlite::Error>,
}

impl Faults {
    pub fn before_commit(&mut self) -> rusqlite::Result<()> {
        self.before_commit.pop_front().map_or(Ok(()), Err)
    }

    pub fn after_commit(&mut self) -> rusqlite::Result<()> {
        self.after_commit.pop_front().map_or(Ok(()), Err)
    }
}

const SETTINGS: Settings = Settings { synchronous_full: false, cache: 1024 * 1024 };

/// A database file in a folder of its own, and what watches its writing.
struct Base {
    folder: tempfile::TempDir,
    stats: Arc<WriterStats>,
    backlog: Arc<Backlog>,
}

impl Base {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            stats: Arc::default(),
            backlog: Arc::new(Backlog::new(1 << 20)),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("certs.db")
    }

    /// A store whose run has begun.
    fn begin(&self) -> Store {
        let mut store = Store::open(&self.file(), SETTINGS).unwrap();
        store.begin_run("test", &rules(&["one", "two"])).unwrap();
        store
    }

    fn writer(&self, announce: Option<Announce>) -> Writer {
        let (stats, backlog) = (Arc::clone(&self.stats), Arc::clone(&self.backlog));
        Writer::new(self.begin(), register(&["left", "right"]), stats, backlog, announce)
    }

    /// Writes `messages` in a run that ends well.
    fn write(&self, messages: Vec<Matched>) {
        self.write_with(self.writer(None), messages).unwrap().end_run("done").unwrap();
    }

    fn write_with(&self, writer: Writer, messages: Vec<Matched>) -> Result<Store> {
        let (sender, receiver) = unbounded();
        for message in messages {
            self.backlog.add(message.bytes);
            sender.send(message).unwrap();
        }
        drop(sender);
        writer.run(&receiver)
    }

    /// A reader of its own; also shows that every reference leads somewhere.
    fn reader(&self) -> Connection {
        let reader = super::open_read_only(&self.file()).unwrap();
        let broken = reader.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
        assert!(!broken, "a row refers to one that is not there");
        reader
    }

    /// The first column of `query`.
    fn column<T: FromSql>(&self, query: &str) -> Vec<T> {
        let reader = self.reader();
        let mut statement = reader.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn sightings(&self) -> Vec<String> {
        self.column("SELECT domain || ' ' || sightings FROM domains ORDER BY domain")
    }
}

/// Feeds of these names.
fn register(names: &[&str]) -> Arc<Feeds> {
    let feeds = Feeds::default();
    for name in names {
        feeds.add(FeedStats::named(*name, true)).unwrap();
    }
    Arc::new(feeds)
}

/// Rules of these names; each is also its own pattern.
fn rules(names: &[&str]) -> RuleSet {
    let rule = |name: &&str| {
        let mut hash = [0; 16];
        hash[..name.len()].copy_from_slice(name.as_bytes());
        Rule {
            name: (*name).to_owned(),
            pattern: Pattern {
                written: (*name).to_owned(),
                anchor: Anchor::Search,
                widened: false,
                syntax: Syntax::Regular(Hir::literal(name.as_bytes())),
            },
            scope: Scope::Domain,
            exclude: Vec::new(),
            tags: vec!["a tag".to_owned()],
            severity: None,
            hash,
            place: Place { file: PathBuf::from("rules.txt"), line: 1 },
        }
    };
    RuleSet { rules: names.iter().map(rule).collect(), ..RuleSet::default() }
}

/// Batch `sequence` of feed `left`, received at `1000 * sequence`.
fn message(sequence: u64, rows: Vec<MatchedDomain>) -> Matched {
    let mut message = Matched {
        sequence,
        position: 10 * sequence,
        received: 1000 * i64::try_from(sequence).unwrap(),
        rows,
        ..Matched::default()
    };
    message.bytes = message.size();
    message
}

/// A domain that rule `one` hit.
fn row(domain: &str) -> MatchedDomain {
    MatchedDomain {
        domain: domain.into(),
        names_as_seen: Vec::new(),
        certificate: None,
        hits: vec![Hit { rule: 0, views: Views::A_LABEL, gave_up: false, typosquat: None }],
    }
}

/// The same with the message's certificate `index`.
fn row_of(domain: &str, index: u32) -> MatchedDomain {
    MatchedDomain { certificate: Some(index), ..row(domain) }
}

fn evidence(serial: &str, sha256: &str, update_type: &str) -> Evidence {
    Evidence {
        update_type: Some(update_type.into()),
        sha256: Some(sha256.into()),
        issuer: Some("O=Authority".into()),
        serial: Some(serial.into()),
        ..Evidence::default()
    }
}

fn sqlite_error(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
}
