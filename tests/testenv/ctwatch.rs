//! The real binary watching test logs: its config, and what its database should hold.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::log::{Key, LogServer, Protocol, Synthetic, TestLog};
use super::{Folder, LONG, Program};

/// The rule of these tests, and how often the made names hit it.
pub const WORD: &str = "paypal";
pub const EVERY: u64 = 7;

/// Entries of which every seventh hits.
pub fn made(seed: u64) -> Synthetic {
    Synthetic::new(seed).marked(EVERY, WORD)
}

/// A log of `protocol` called alpha, with so many entries of `made(seed)`.
pub fn log_of(protocol: Protocol, seed: u64, entries: u64) -> TestLog {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(protocol);
    log.append(made(seed).entries(0..entries));
    log
}

/// A tiled log called alpha, and one of RFC 6962 with a key of the other kind called beta, each
/// with some entries of `made(1)` and `made(2)`.
pub fn two_logs() -> (TestLog, TestLog) {
    let old = TestLog::new("beta", Key::Rsa).speaking(Protocol::Rfc6962);
    old.append(made(2).entries(5000..5700));
    (log_of(Protocol::Tiles, 1, 1000), old)
}

/// A folder with a config that reads the logs of `server` from their first entry on, with `more`
/// lines in its `ct:` block.
pub fn folder(server: &LogServer, more: &str) -> Folder {
    let folder = Folder::new();
    folder.write("list.json", server.list());
    let ca_file =
        server.ca_file().map_or(String::new(), |file| format!("  ca_file: '{}'\n", file.display()));
    folder.write(
        "config.yaml",
        format!(
            "ct:\n  log_list: list.json\n  start: beginning\n  max_delay: 1 s\n{ca_file}{more}rules: [{WORD}]\n",
        ),
    );
    folder
}

/// Starts a watch.
pub fn watch(folder: &Folder) -> Program {
    folder.start(&[])
}

/// The domains that `log` should have led to, and how often each was sighted.
pub fn expected(log: &TestLog) -> BTreeMap<String, i64> {
    let mut expected = BTreeMap::new();
    for (_, names) in log.expected() {
        for name in names.iter().filter(|name| name.contains(WORD)) {
            *expected.entry(name.clone()).or_default() += 1;
        }
    }
    expected
}

/// The domains that are stored, and how often each was sighted.
pub fn stored(folder: &Folder) -> BTreeMap<String, i64> {
    let connection = folder.database("certstream.db");
    let mut statement = connection.prepare("SELECT domain, sightings FROM domains").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Why there are gaps, in their order, and which are open.
pub fn gaps(folder: &Folder) -> Vec<String> {
    let sql = "SELECT reason || iif(ended IS NULL, ' open', '') FROM gaps ORDER BY id";
    folder.texts("certstream.db", sql)
}

/// Waits until `log` is stored up to its end.
#[track_caller]
pub fn wait_for_end(folder: &Folder, log: &TestLog) {
    wait_for_position(folder, log, log.size());
}

/// Waits until `log` is stored up to `position`.
#[track_caller]
pub fn wait_for_position(folder: &Folder, log: &TestLog, position: u64) {
    let sql = format!("SELECT position FROM positions WHERE feed LIKE 'log %/{}'", log.name());
    let wanted = i64::try_from(position).unwrap();
    let deadline = Instant::now() + LONG;
    while folder.number("certstream.db", &sql) < Some(wanted) {
        let stderr = folder.stderr();
        assert!(Instant::now() < deadline, "in vain waited for entry {position}: {stderr}");
        thread::sleep(Duration::from_millis(2));
    }
}
