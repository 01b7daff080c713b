//! The whole program beside what others do today with the same frames and the same 1,000 rules.
//!
//! `cargo bench --bench peers` (needs `python3` with `venv`, `jq` and `grep`; the Python client is
//! fetched from PyPI into `target/tmp`). Over a server on loopback: the Python script that the program
//! re-creates, and a small monitor in Rust. Over a capture, where analysts search one: `jq` and `grep`.
//! All in turn, by the wall and by processor time from the first frame on; each reads about as long,
//! the slow ones so many times fewer frames.
//!
//! `CERTSTREAM_BENCH_ROUNDS`, `_SECONDS` and `_RECORD` as in `benches/end_to_end`.

#[path = "../../../tests/testenv/certificates.rs"]
mod certificates;
#[expect(dead_code, reason = "shared with other benches, which need other parts")]
#[path = "../../loopback/mod.rs"]
mod loopback;
mod monitor;
mod pipelines;

use std::path::{Path, PathBuf};
use std::process::Command;

use loopback::blaster::Blaster;
use loopback::client::{Client, Program};
use loopback::frames::Stream;
use loopback::inputs::Rules;
use loopback::table::{Contender, compare, frames_for};
use loopback::{rounds, seconds};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if loopback::is_party(&words) {
        return;
    }
    match words[..] {
        ["monitor", url, rules] => monitor::watch(url, rules.as_ref()),
        ["servers"] => servers(),
        ["captures"] => pipelines::compare(),
        [] => {
            servers();
            pipelines::compare();
        }
        _ => panic!("unknown arguments {words:?}: see the head of {}", file!()),
    }
}

fn servers() {
    println!("{}", loopback::inputs::describe());
    let python = python();
    for stream in [Stream::Full, Stream::Lite] {
        for rules in [Rules::Live, Rules::Thousand] {
            one(stream, rules, &python);
        }
    }
}

fn one(stream: Stream, rules: Rules, python: &Path) {
    let words = |words: &[&str]| Client::Other {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        rules,
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/peers/ancestor.py");
    let (python, script) = (python.display().to_string(), script.display().to_string());
    let us = std::env::current_exe().expect("a path").display().to_string();
    let ancestor = |how| words(&[&python, &script, "{url}", "{rules}", how]);
    let mut blaster = Blaster::start(stream, false);
    let mut contenders = vec![
        Contender::new("`certstream watch`", Client::Program(Program::new(rules))),
        Contender::new(
            "tungstenite, serde_json, RegexSet",
            words(&[&us, "monitor", "{url}", "{rules}"]),
        ),
        Contender::new("Python: certstream, re.match, sqlite3", ancestor("match")),
        Contender::new("Python: the same, re.search", ancestor("search")),
    ];
    let frames = frames_for(&contenders[0].client, &mut blaster, seconds() as f64);
    for contender in &mut contenders[1..] {
        let own = frames_for(&contender.client, &mut blaster, seconds() as f64);
        contender.fewer = (frames / own).max(1);
    }
    let title = format!("peers, {}, {}", stream.name(), rules.label());
    compare(&title, &mut blaster, &contenders, rounds(), frames);
}

/// A Python that has the client library.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-venv");
    let python = folder.join("bin/python");
    let has_client = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import certstream"]).status().is_ok_and(|status| status.success())
    };
    if !has_client(&python) {
        let run = |command: &mut Command| {
            let status = command.status().expect("it starts");
            assert!(status.success(), "{command:?} failed");
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        // setuptools, for the client asks it for its own version.
        let packages = ["certstream==1.12", "websocket-client", "setuptools<81"];
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        assert!(has_client(&python), "the client library cannot be imported");
    }
    python
}
