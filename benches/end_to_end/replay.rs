//! `replay` of a capture against the limit of its input: unpacking the same file and dropping it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::loopback::cost::{Cost, timed};
use crate::loopback::inputs::{Rules, corpus};
use crate::loopback::table::{note, spread};
use crate::loopback::{frames, inputs, rounds, seconds};

/// Compares the two over `given` (frames and rules), or else over the lite frames.
pub fn compare(given: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let [frames, rules] = given {
        return over(frames.as_ref(), rules.as_ref(), folder.path());
    }
    let capture = capture(folder.path());
    for rules in [Rules::Thousand, Rules::Live] {
        over(&capture, &rules.file(folder.path()), folder.path());
    }
}

fn over(capture: &Path, rules: &Path, folder: &Path) {
    let stderr = folder.join("stderr");
    let lines = count_lines(capture);
    let once = timed(&mut replay(capture, rules, 1), &stderr).wall;
    let loops = ((seconds() as f64 / once).ceil() as usize).max(1);
    println!(
        "\nreplay of {} ({lines} frames, read {loops} times) with {}; {} rounds in turn\n",
        capture.display(),
        rules.display(),
        rounds()
    );
    let (mut limits, mut rates, mut ratios, mut peaks) = (vec![], vec![], vec![], vec![]);
    let total = (lines * loops) as f64;
    for round in 1..=rounds() {
        let limit = timed(&mut unpack(capture, loops), &stderr);
        let ours = timed(&mut replay(capture, rules, loops), &stderr);
        for (contender, cost) in [("zstd -dc", limit), ("replay", ours)] {
            let Cost { wall, cpu, peak } = cost;
            note(&serde_json::json!({
                "table": format!("replay, {}", rules.file_name().unwrap_or_default().display()),
                "contender": contender,
                "round": round,
                "frames": lines * loops,
                "wall_s": wall,
                "cpu_s": cpu,
                "peak_mib": peak,
            }));
        }
        limits.push(total / limit.wall);
        rates.push(total / ours.wall);
        ratios.push(limit.wall / ours.wall);
        peaks.push(ours.peak);
    }
    println!("| unpack only, frames/s | replay, frames/s | ratio | replay's peak RSS, MiB |");
    println!("|---|---|---|---|");
    println!(
        "| {} | {} | {} | {} |",
        spread(&mut limits, 0),
        spread(&mut rates, 0),
        spread(&mut ratios, 3),
        spread(&mut peaks, 1)
    );
}

/// A packed capture of lite frames.
fn capture(folder: &Path) -> PathBuf {
    const NAME: &str = "frames_lite.jsonl.zst";
    if let Some(corpus) = corpus() {
        return corpus.join(NAME);
    }
    println!("{}", inputs::describe());
    let mut text = Vec::new();
    frames::lines(frames::Stream::Lite, |frame| {
        text.extend_from_slice(frame);
        text.push(b'\n');
    });
    let file = folder.join(NAME);
    let packed = zstd::encode_all(&text[..], 3).expect("it packs");
    std::fs::write(&file, packed).expect("a writable folder");
    file
}

fn count_lines(capture: &Path) -> usize {
    let unpacked = Command::new("zstd").arg("-dc").arg(capture).output();
    let unpacked = unpacked.expect("zstd is installed");
    assert!(unpacked.status.success(), "zstd could not unpack {}", capture.display());
    memchr::memchr_iter(b'\n', &unpacked.stdout).count()
}

fn unpack(capture: &Path, loops: usize) -> Command {
    let mut command = Command::new("zstd");
    command.arg("-dc");
    command.args(std::iter::repeat_n(capture, loops));
    command
}

fn replay(capture: &Path, rules: &Path, loops: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certstream"));
    command.args(["replay", "--quiet", "--rules"]).arg(rules);
    command.args(std::iter::repeat_n(capture, loops));
    // Not in a folder with a config.yaml: the rules file alone counts.
    command.current_dir(std::env::temp_dir());
    command
}
