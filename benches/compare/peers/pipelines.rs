//! Captures searched with `jq` and `grep`, as analysts do, beside `replay` of the same.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::loopback::cost::timed;
use crate::loopback::frames::{Stream, lines};
use crate::loopback::inputs::Rules;
use crate::loopback::rounds;
use crate::loopback::table::{note, spread};

/// Frames of a capture that the quick ones read, and the slow ones, several times over what starting
/// takes.
const FRAMES: (usize, usize) = (200_000, 4_000);

struct Way {
    label: &'static str,
    /// The command, given `$CAPTURE`, `$RULES` and `$CERTSTREAM`.
    script: &'static str,
    frames: usize,
}

const WAYS: [Way; 5] = [
    Way {
        label: "`certstream replay`",
        script: "\"$CERTSTREAM\" replay --quiet --rules \"$RULES\" \"$CAPTURE\"",
        frames: FRAMES.0,
    },
    Way {
        label: "`jq` alone: the names",
        script: "jq -r '.data.leaf_cert.all_domains[]?' \"$CAPTURE\"",
        frames: FRAMES.1,
    },
    Way {
        label: "`jq`, then `grep -E -f`",
        script: "jq -r '.data.leaf_cert.all_domains[]?' \"$CAPTURE\" | grep -E -f \"$RULES\"",
        frames: FRAMES.1,
    },
    Way {
        label: "`grep -E -f` over whole frames",
        script: "grep -E -f \"$RULES\" \"$CAPTURE\"",
        frames: FRAMES.1,
    },
    Way {
        label: "`grep -E` with one rule over whole frames",
        script: "grep -E 'secure.*login' \"$CAPTURE\"",
        frames: FRAMES.0,
    },
];

/// Compares them over lite frames.
pub fn compare() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let capture = |frames: usize| {
        let file = folder.path().join(format!("{frames}.jsonl"));
        write(&file, frames);
        file
    };
    let captures = [FRAMES.0, FRAMES.1].map(|frames| (frames, capture(frames)));
    for rules in [Rules::Live, Rules::Thousand] {
        let file = rules.file(folder.path());
        let mut figures: Vec<[Vec<f64>; 4]> = WAYS.iter().map(|_| Default::default()).collect();
        for round in 1..=rounds() {
            let mut first = None;
            for (way, figures) in WAYS.iter().zip(&mut figures) {
                let capture = captures.iter().find(|(frames, _)| *frames == way.frames);
                let mut command = Command::new("sh");
                // grep ends with 1 where nothing is found.
                command.args(["-c", &format!("{} || [ $? = 1 ]", way.script)]);
                command.env("CAPTURE", &capture.expect("written").1).env("RULES", &file);
                command.env("CERTSTREAM", env!("CARGO_BIN_EXE_certstream"));
                command.env("LC_ALL", "C").current_dir(folder.path());
                let cost = timed(&mut command, &folder.path().join("stderr"));
                note(&serde_json::json!({
                    "table": format!("pipelines, {}", rules.label()), "contender": way.label,
                    "round": round, "frames": way.frames, "wall_s": cost.wall, "cpu_s": cost.cpu,
                }));
                let frames = way.frames as f64;
                let (rate, cpu) = (frames / cost.wall, cost.cpu / frames);
                let (first_rate, first_cpu) = *first.get_or_insert((rate, cpu));
                for (values, value) in
                    figures.iter_mut().zip([rate, first_rate / rate, cpu * 1e6, cpu / first_cpu])
                {
                    values.push(value);
                }
            }
        }
        println!(
            "\ncapture of lite frames, {}: {} rounds in turn; median (min–max)\n",
            rules.label(),
            rounds()
        );
        println!(
            "| | frames/s | times slower | CPU, µs a frame | times as much |\n|---|---|---|---|---|"
        );
        for (way, [rates, slower, cpu, more]) in WAYS.iter().zip(&mut figures) {
            println!(
                "| {} | {} | {} | {} | {} |",
                way.label,
                spread(rates, 0),
                spread(slower, 1),
                spread(cpu, 2),
                spread(more, 1)
            );
        }
    }
}

fn write(file: &Path, frames: usize) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).expect("a writable folder"));
    let mut left = frames;
    while left > 0 {
        lines(Stream::Lite, |line| {
            if left > 0 {
                out.write_all(line).and_then(|()| out.write_all(b"\n")).expect("room on the disk");
                left -= 1;
            }
        });
    }
    out.flush().expect("room on the disk");
}
