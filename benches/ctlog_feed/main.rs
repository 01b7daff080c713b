//! CT logs read directly against the limit of their input: `backfill` over a log on loopback (of
//! names tiles, which that does not read, a watch from the first entry until the last is stored)
//! against fetching and unpacking the same tiles and dropping them, all as processes, in turn, in
//! one run: once four at a time, as the program fetches, and once one after the other, which is the
//! limit of a feed that does all its work on one thread. What it costs the server is on the same
//! cores, and the same for all.
//!
//! `cargo bench --bench ctlog_feed` prints one table. `-- --tiles 1000` says how many data tiles
//! there are; of names tiles, 100 times as many. `-- --logs 40` watches that many logs instead, as
//! they grow and from a backlog, and prints the memory it took. `CERTSTREAM_BENCH_ROUNDS` (5) sets
//! how often, `CERTSTREAM_BENCH_SECONDS` (60) how long logs are watched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use certstream::connect::http::{Client, HttpSettings};
use certstream::ctlog::{Kind, TileId};

mod ct_log;
#[expect(dead_code, reason = "the tests' own, of which a bench does not need everything")]
#[path = "../../tests/testenv/log/key.rs"]
mod key;
#[path = "../loopback/cost.rs"]
mod run;
mod server;
#[expect(dead_code, reason = "as above")]
#[path = "../../tests/testenv/log/tree.rs"]
mod tree;

use ct_log::{Content, Log, TILE};
use run::{Cost, timed};

/// As the program has it: what is measured against must not gain by another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many tiles as the program fetches at once.
const AT_ONCE: &str = "4";
/// Names tiles for each data tile: they are that much quicker to read, and a watch stores a position
/// without rows up to a second late, which must not weigh on a run of many seconds.
const NAMES_FOR_DATA: usize = 100;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fetch", prefix, kind, count, at_once] => {
            let (count, at_once) = (count.parse(), at_once.parse());
            fetch(prefix, kind, count.expect("a number"), at_once.expect("a number"));
        }
        ["--logs", count] => watch(count.parse().expect("a number")),
        ["--tiles", count] => compare(count.parse().expect("a number")),
        [] => compare(1000),
        _ => panic!("unknown arguments {words:?}: see the head of {}", file!()),
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Fetches, unpacks and drops the first `count` tiles of `kind`, `at_once` of them: the limit.
fn fetch(prefix: &str, kind: &str, count: u64, at_once: usize) {
    let client = Client::new(HttpSettings::default(), Duration::from_secs(60)).expect("a client");
    let kind = if kind == "names" { Kind::Names } else { Kind::Data };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                let mut expected = 0;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if number >= count {
                        return;
                    }
                    let tile = TileId { kind, number, width: TILE as u64 };
                    let url = format!("{prefix}/{tile}");
                    let body = client.get_about(&url, 1 << 30, expected).expect("a tile");
                    // As the program does.
                    expected = body.len() + body.len() / 8;
                    std::hint::black_box(body);
                }
            });
        }
    });
}

/// The place of one process: a config, a rule that never hits, a fresh database.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(list: &Path, ct: &str, rules: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = format!(
            "ct:\n  log_list: '{}'\n  contact: bench@example.com\n{ct}{rules}",
            list.display()
        );
        std::fs::write(folder.path().join("config.yaml"), config).expect("a writable folder");
        Self { folder }
    }

    fn stderr(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }

    /// Entries that the logs' positions stand for; none before there is a database.
    fn stored(&self) -> Option<usize> {
        let database = self.folder.path().join("certstream.db");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(database, flags).ok()?;
        let sql = "SELECT coalesce(sum(entries), 0) FROM positions";
        let entries: i64 = connection.query_row(sql, [], |row| row.get(0)).ok()?;
        usize::try_from(entries).ok()
    }

    /// Runs a watch until `entries` are stored.
    fn watch(&self, entries: usize) -> Cost {
        let started = Instant::now();
        let mut child = run::spawn(&mut self.program(), &self.stderr());
        let mut cost = Cost::default();
        while self.stored() < Some(entries) {
            let said = || std::fs::read_to_string(self.stderr()).unwrap_or_default();
            assert!(run::look(&child, &mut cost), "it has ended: {}", said());
            run::pause(&mut child, started, &self.stderr());
        }
        cost.wall = started.elapsed().as_secs_f64();
        run::look(&child, &mut cost);
        child.kill().expect("it runs");
        child.wait().expect("a child");
        cost
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_certstream"));
        command.current_dir(self.folder.path());
        command
    }
}

/// A way to read a log, and what came of it round by round.
struct Reading {
    label: &'static str,
    log: &'static str,
    tiles: usize,
    way: Way,
    rates: Vec<f64>,
    cpu: Vec<f64>,
    peaks: Vec<f64>,
    /// Of its rate to that of fetching alone, four at a time and one after the other.
    ratios: [Vec<f64>; 2],
    cpu_ratios: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Way {
    /// Fetched alone, so many at once.
    Alone(&'static str),
    /// Read by the program, with these lines in its `ct:` block.
    Program(&'static str),
}

/// What an entry cost in a round when fetched alone, in seconds.
#[derive(Clone, Copy, Default)]
struct Limit {
    /// On the clock, four at a time and one after the other.
    wall: [f64; 2],
    /// Of a processor, four at a time.
    cpu: f64,
}

impl Reading {
    fn new(label: &'static str, log: &'static str, tiles: usize, way: Way) -> Self {
        let (rates, cpu, peaks) = (Vec::new(), Vec::new(), Vec::new());
        let (ratios, cpu_ratios) = ([Vec::new(), Vec::new()], Vec::new());
        Self { label, log, tiles, way, rates, cpu, peaks, ratios, cpu_ratios }
    }

    fn run(&self, base: &str, list: &Path) -> Cost {
        let entries = self.tiles * TILE;
        let ct = match self.way {
            Way::Program(ct) => ct,
            Way::Alone(at_once) => {
                let mut command = Command::new(std::env::current_exe().expect("a path"));
                let prefix = format!("{base}/{}", self.log);
                command.args(["fetch", &prefix, self.log, &self.tiles.to_string(), at_once]);
                let folder = tempfile::tempdir().expect("a temporary folder");
                return timed(&mut command, &folder.path().join("stderr"));
            }
        };
        let place = Place::new(list, ct, NEVER);
        if ct.contains("names") {
            return place.watch(entries);
        }
        let mut command = place.program();
        command.args(["backfill", "--log", self.log, "--from", "0", "--to", &entries.to_string()]);
        let cost = timed(&mut command, &place.stderr());
        let said = std::fs::read_to_string(place.stderr()).expect("text");
        assert!(said.contains(&format!("read {entries} frames")), "not all was read: {said}");
        cost
    }

    /// Takes note of a run; one that fetches alone is from then on the limit of its round.
    fn note(&mut self, cost: Cost, limit: &mut Limit) {
        let entries = (self.tiles * TILE) as f64;
        let (wall, cpu) = (cost.wall / entries, cost.cpu / entries);
        match self.way {
            Way::Alone(AT_ONCE) => *limit = Limit { wall: [wall, f64::NAN], cpu },
            Way::Alone(_) => limit.wall[1] = wall,
            Way::Program(_) => {}
        }
        self.rates.push(1.0 / wall);
        self.cpu.push(cpu * 1e6);
        self.peaks.push(cost.peak);
        for (ratios, limit) in self.ratios.iter_mut().zip(limit.wall) {
            ratios.push(limit / wall);
        }
        self.cpu_ratios.push(limit.cpu / cpu);
    }

    fn row(&mut self) -> String {
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            self.label,
            self.tiles * TILE,
            spread(&mut self.rates, 0),
            spread(&mut self.ratios[0], 3),
            spread(&mut self.ratios[1], 3),
            spread(&mut self.cpu, 2),
            spread(&mut self.cpu_ratios, 3),
            spread(&mut self.peaks, 1),
        )
    }
}

/// The log of names alone, read from its first entry on.
const NAMES: &str = "  source: names\n  start: beginning\n  operators: ['Operator of names']\n";
/// A rule that has literals, as rules do, and never hits.
const NEVER: &str = "rules: ['never-(seen|heard-of)-anywhere[0-9]{9}']\n";

fn compare(tiles: usize) {
    let rounds = setting("CERTSTREAM_BENCH_ROUNDS", 5);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("log_list.json");
    let many = tiles * NAMES_FOR_DATA;
    let data = Log::new("data", &Arc::new(Content::whole(tiles)), tiles * TILE);
    let names = Log::new("names", &Arc::new(Content::names_alone(many)), many * TILE);
    let base = server::serve(&Arc::new(vec![data, names]), &list);
    println!("{tiles} data tiles, {many} names tiles; {rounds} rounds, all readings in turn\n");

    let few = (tiles / 4).max(1);
    let full = Way::Program("  verify: full\n");
    let checkpoint = Way::Program("  verify: checkpoint\n");
    let mut readings = [
        Reading::new("data tiles alone, four at a time", "data", tiles, Way::Alone(AT_ONCE)),
        Reading::new("data tiles alone, one after the other", "data", tiles, Way::Alone("1")),
        Reading::new("data tiles, `verify: full`", "data", tiles, full),
        Reading::new("data tiles, `verify: checkpoint`", "data", tiles, checkpoint),
        Reading::new("a quarter of them, `verify: full`", "data", few, full),
        Reading::new("names tiles alone, four at a time", "names", many, Way::Alone(AT_ONCE)),
        Reading::new("names tiles alone, one after the other", "names", many, Way::Alone("1")),
        Reading::new("names tiles, `source: names`", "names", many, Way::Program(NAMES)),
    ];
    for _ in 0..rounds {
        let mut limit = Limit::default();
        for reading in &mut readings {
            let cost = reading.run(&base, &list);
            reading.note(cost, &mut limit);
        }
    }
    println!(
        "| median (min–max) | entries | entries/s | ratio to four at a time | to one after the other \
         | CPU s per million entries | ratio of CPU to four at a time | peak RSS, MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    readings.iter_mut().for_each(|reading| println!("{}", reading.row()));
}

/// Watches `count` logs, once from their end on as they grow, once from a backlog.
fn watch(count: usize) {
    /// Tiles that a log has at first, and in the end.
    const TILES: (usize, usize) = (20, 40);
    /// Entries that each log takes in a second: with 40 of them, what the world issues.
    const GROWTH: u64 = 25;
    let seconds = setting("CERTSTREAM_BENCH_SECONDS", 60);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("log_list.json");
    let content = Arc::new(Content::whole(TILES.1));
    let log = |number| Log::new(&format!("log{number}"), &content, TILES.0 * TILE + 7 * number);
    let logs: Arc<Vec<Log>> = Arc::new((0..count).map(log).collect());
    server::serve(&logs, &list);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/rules/rules_1000.txt");
    let rules = if rules.exists() {
        format!("rule_files: ['{}']\n", rules.display())
    } else {
        NEVER.to_owned()
    };
    println!("{count} logs, each growing by {GROWTH} entries a second, watched for {seconds} s\n");
    println!("| begun | entries stored | CPU, % of a core | peak RSS, MiB |\n|---|---|---|---|");
    for start in ["end", "beginning"] {
        let place = Place::new(&list, &format!("  start: {start}\n"), &rules);
        let mut child = run::spawn(&mut place.program(), &place.stderr());
        let started = Instant::now();
        let mut cost = Cost::default();
        let mut grown = 0;
        while started.elapsed().as_secs() < seconds as u64 {
            let said = || std::fs::read_to_string(place.stderr()).unwrap_or_default();
            assert!(run::look(&child, &mut cost), "it has ended: {}", said());
            if started.elapsed().as_secs() > grown {
                grown += 1;
                logs.iter().for_each(|log| log.grow(GROWTH));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let share = cost.cpu / started.elapsed().as_secs_f64() * 100.0;
        child.kill().expect("it runs");
        child.wait().expect("a child");
        let said = std::fs::read_to_string(place.stderr()).unwrap_or_default();
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
        let stored = place.stored().unwrap_or_default();
        assert!(stored > 0, "nothing was read: {said}");
        println!("| {start} | {stored} | {share:.1} | {:.1} |", cost.peak);
    }
}

fn spread(values: &mut [f64], digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    if median.is_nan() {
        // Not known yet when it ran.
        return "–".to_owned();
    }
    format!("{median:.digits$} ({:.digits$}–{:.digits$})", values[0], values[values.len() - 1])
}
