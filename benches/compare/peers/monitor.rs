//! A monitor as one would write it in an afternoon: tungstenite, serde_json, a `RegexSet`, and SQLite
//! with a row for each match.

use std::path::Path;

use regex::{RegexSet, RegexSetBuilder};
use serde::Deserialize;
use tungstenite::Message;

/// What it reads of a message; the rest is passed over.
#[derive(Deserialize)]
struct Update<'m> {
    #[serde(borrow)]
    data: Option<Entry<'m>>,
}

#[derive(Deserialize)]
struct Entry<'m> {
    #[serde(borrow)]
    leaf_cert: Leaf<'m>,
}

#[derive(Deserialize)]
struct Leaf<'m> {
    #[serde(borrow)]
    all_domains: Vec<std::borrow::Cow<'m, str>>,
}

/// Watches `url` until it is killed.
pub fn watch(url: &str, rules: &Path) {
    let rules = rules_of(rules);
    let database = rusqlite::Connection::open("monitor.db").expect("a database");
    let set_up = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                  CREATE TABLE domains (domain TEXT PRIMARY KEY, rule INTEGER) WITHOUT ROWID";
    database.execute_batch(set_up).expect("a new database");
    let sql = "INSERT OR IGNORE INTO domains VALUES (?1, ?2)";
    let mut insert = database.prepare(sql).expect("a statement");
    let (mut socket, _) = tungstenite::connect(url).expect("a server");
    loop {
        let Message::Text(text) = socket.read().expect("a server that sends") else { continue };
        let Ok(Update { data: Some(data) }) = serde_json::from_str(&text) else { continue };
        for name in data.leaf_cert.all_domains {
            if let Some(rule) = rules.matches(&name).iter().next() {
                insert.execute((&*name, rule as i64)).expect("a row");
            }
        }
    }
}

fn rules_of(file: &Path) -> RegexSet {
    let text = std::fs::read_to_string(file).expect("rules");
    let lines = text.lines().filter(|line| !line.is_empty());
    let mut builder = RegexSetBuilder::new(lines);
    // Else it refuses a thousand rules, or falls back to its slowest engine.
    builder.size_limit(1 << 30).dfa_size_limit(64 << 20).case_insensitive(true);
    builder.build().expect("rules that it takes")
}
