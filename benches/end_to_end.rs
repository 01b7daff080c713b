//! The whole product against the limit of its input: `replay` of a capture against unpacking the
//! same file and dropping it, both as processes, in turn, in one run.
//!
//! `cargo bench --bench end_to_end [-- FRAMES.jsonl.zst RULES.txt]` prints one table. Without
//! arguments it takes the large corpus beside the checkout where there is one, else the small
//! capture in `tests/data`. `CERTSTREAM_BENCH_ROUNDS` (5) and `CERTSTREAM_BENCH_SECONDS` (10) set
//! how often and how long.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One finished process.
struct Run {
    wall: f64,
    /// Peak resident memory in KiB; 0 where the process ended before it could be asked.
    peak: u64,
}

fn main() {
    let (frames, rules) = inputs();
    let rounds = setting("CERTSTREAM_BENCH_ROUNDS", 5);
    let seconds = setting("CERTSTREAM_BENCH_SECONDS", 10);
    let lines = count_lines(&frames);
    println!("capture {} ({lines} frames), rules {}", frames.display(), rules.display());

    let once = replay(&frames, &rules, 1).wall;
    let loops = ((seconds as f64 / once).ceil() as usize).max(1);
    println!("each run reads it {loops} times; {rounds} rounds, the two in turn\n");

    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    let mut peaks = Vec::new();
    println!("| round | unpack only, frames/s | replay, frames/s | ratio | replay peak RSS |");
    println!("|---|---|---|---|---|");
    for round in 1..=rounds {
        let limit = unpack(&frames, loops);
        let ours = replay(&frames, &rules, loops);
        let total = (lines * loops) as f64;
        ratios.push(limit.wall / ours.wall);
        rates.push(total / ours.wall);
        peaks.push(ours.peak as f64 / 1024.0);
        println!(
            "| {round} | {:.0} | {:.0} | {:.3} | {:.1} MiB |",
            total / limit.wall,
            total / ours.wall,
            limit.wall / ours.wall,
            ours.peak as f64 / 1024.0
        );
    }
    println!(
        "| median (min–max) | | {} | {} | {} |",
        spread(&mut rates, 0),
        spread(&mut ratios, 3),
        { spread(&mut peaks, 1) }
    );
}

fn inputs() -> (PathBuf, PathBuf) {
    let given: Vec<PathBuf> =
        std::env::args_os().skip(1).filter(|a| a != "--bench").map(PathBuf::from).collect();
    if let [frames, rules] = given.as_slice() {
        return (frames.clone(), rules.clone());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("../shared/corpus");
    let large = (corpus.join("frames_lite.jsonl.zst"), corpus.join("rules/rules_1000.txt"));
    if large.0.exists() {
        return large;
    }
    println!("the large corpus is not beside this checkout: using the small capture");
    (root.join("tests/data/real_frames.jsonl.zst"), root.join("tests/data/rules.txt"))
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn count_lines(frames: &Path) -> usize {
    let unpacked = Command::new("zstd").arg("-dc").arg(frames).output().expect("zstd is installed");
    assert!(unpacked.status.success(), "zstd could not unpack {}", frames.display());
    memchr::memchr_iter(b'\n', &unpacked.stdout).count()
}

fn unpack(frames: &Path, loops: usize) -> Run {
    let mut command = Command::new("zstd");
    command.arg("-dc");
    command.args(std::iter::repeat_n(frames, loops));
    timed(command)
}

fn replay(frames: &Path, rules: &Path, loops: usize) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certstream"));
    command.args(["replay", "--quiet", "--rules"]).arg(rules);
    command.args(std::iter::repeat_n(frames, loops));
    // Not in a folder with a config.yaml: the rules file alone counts.
    command.current_dir(std::env::temp_dir());
    timed(command)
}

/// Runs a command to its end with its output dropped by the kernel.
fn timed(mut command: Command) -> Run {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let exit = loop {
        // VmHWM only grows, so the last reading before the end is the peak to within one tick.
        peak = peak.max(high_water(&status));
        if let Some(exit) = child.try_wait().expect("the child can be waited for") {
            break exit;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(exit.success(), "{command:?} ended with {exit}");
    Run { wall: started.elapsed().as_secs_f64(), peak }
}

fn high_water(status: &str) -> u64 {
    let Ok(text) = std::fs::read_to_string(status) else { return 0 };
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or(0)
}

fn spread(values: &mut [f64], digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    format!("{median:.digits$} ({:.digits$}–{:.digits$})", values[0], values[values.len() - 1])
}
