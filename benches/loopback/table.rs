//! Contenders in turn, round by round, and the table of what they cost against the first of them.

use std::io::Write;

use super::blaster::Blaster;
use super::client::{Client, Run};

/// What is asked of a contender, against the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// At least so much of its frames a second.
    pub wall: Option<f64>,
    /// At most so many times its processor time.
    pub cpu: Option<f64>,
    /// At most so much memory, in MB.
    pub peak: Option<f64>,
}

/// One of those compared.
pub struct Contender {
    pub label: String,
    pub client: Client,
    pub asked: Asked,
    /// It reads so many times fewer frames, being that much slower.
    pub fewer: u64,
}

impl Contender {
    pub fn new(label: impl Into<String>, client: Client) -> Self {
        Self { label: label.into(), client, asked: Asked::default(), fewer: 1 }
    }
}

/// What came of a contender, a value a round.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    walls: Vec<f64>,
    cpu: Vec<f64>,
    cpus: Vec<f64>,
    peaks: Vec<f64>,
    dropped: u64,
}

/// Runs all in turn, `rounds` times, and prints the table. `frames` are read by those that do not
/// read fewer.
pub fn compare(
    title: &str,
    blaster: &mut Blaster,
    contenders: &[Contender],
    rounds: usize,
    frames: u64,
) {
    println!("\n{title}: {frames} frames, {rounds} rounds in turn; median (min–max)\n");
    let mut all: Vec<Figures> = contenders.iter().map(|_| Figures::default()).collect();
    for round in 1..=rounds {
        let mut first = None;
        for (contender, figures) in contenders.iter().zip(&mut all) {
            let run = contender.client.run(blaster, frames / contender.fewer);
            record(title, contender, round, &run);
            let per_frame = |seconds: f64| seconds / run.frames as f64;
            let (wall, cpu) = (per_frame(run.cost.wall), per_frame(run.cost.cpu));
            let (first_wall, first_cpu) = *first.get_or_insert((wall, cpu));
            figures.rates.push(1.0 / wall);
            figures.walls.push(first_wall / wall);
            figures.cpu.push(cpu * 1e6);
            figures.cpus.push(cpu / first_cpu);
            figures.peaks.push(run.cost.peak);
            figures.dropped += run.dropped;
        }
    }
    println!("| | frames/s | of the first | CPU, µs a frame | of the first | peak RSS, MiB |");
    println!("|---|---|---|---|---|---|");
    for (contender, figures) in contenders.iter().zip(&mut all) {
        println!("{}", figures.row(contender));
    }
}

impl Figures {
    fn row(&mut self, contender: &Contender) -> String {
        let Asked { wall, cpu, peak } = contender.asked;
        let asked = |bound: &str, value: Option<f64>, unit: &str| {
            value.map_or(String::new(), |value| format!(", asked {bound} {value}{unit}"))
        };
        let mut label = contender.label.clone();
        if self.dropped > 0 {
            label.push_str(&format!(" ({} rows dropped)", self.dropped));
        }
        format!(
            "| {label} | {} | {}{} | {} | {}{} | {}{} |",
            spread(&mut self.rates, 0),
            spread(&mut self.walls, 3),
            asked("≥", wall, ""),
            spread(&mut self.cpu, 3),
            spread(&mut self.cpus, 2),
            asked("≤", cpu, ""),
            spread(&mut self.peaks, 1),
            asked("≤", peak, " MB"),
        )
    }
}

/// So many frames that `client` takes as long as a run shall take.
pub fn frames_for(client: &Client, blaster: &mut Blaster, seconds: f64) -> u64 {
    let mut frames = 500;
    loop {
        let run = client.run(blaster, frames);
        if run.cost.wall > 0.5 || frames as f64 / run.cost.wall > 1e9 {
            return ((frames as f64 * seconds / run.cost.wall) as u64).max(1000);
        }
        frames *= 4;
    }
}

/// Median, least and most.
pub fn spread(values: &mut [f64], digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    if median.is_nan() {
        return "–".to_owned();
    }
    format!("{median:.digits$} ({:.digits$}–{:.digits$})", values[0], values[values.len() - 1])
}

/// Appends what came of a run to the file that `CERTSTREAM_BENCH_RECORD` names, a JSON object a line.
fn record(title: &str, contender: &Contender, round: usize, run: &Run) {
    note(&serde_json::json!({
        "table": title,
        "contender": contender.label,
        "round": round,
        "frames": run.frames,
        "wall_s": run.cost.wall,
        "cpu_s": run.cost.cpu,
        "peak_mib": run.cost.peak,
        "rows_dropped": run.dropped,
    }));
}

/// Appends `value` to the record, where one is kept.
pub fn note(value: &serde_json::Value) {
    let Some(file) = std::env::var_os("CERTSTREAM_BENCH_RECORD") else { return };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(file).expect("a writable record");
    writeln!(file, "{value}").expect("a writable record");
}
