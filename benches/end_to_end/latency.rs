//! From a certificate sent until its match is stored and shown: how long, and at what cost.
//!
//! Beside the stream, at its rate, marked certificates are sent, whose names say when. Each is a
//! new match, which the program shows once it is committed.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::loopback::blaster::{Blaster, MARK, Order};
use crate::loopback::client::{Program, Watch};
use crate::loopback::frames::Stream;
use crate::loopback::inputs::Rules;
use crate::loopback::table::{note, spread};
use crate::loopback::{rounds, seconds};

/// Marked certificates a second: apart by as long as rows wait for their transaction.
const MARKS: u64 = 20;

/// Measures at 1,000 and at 10,000 frames a second.
pub fn measure() {
    let mut blaster = Blaster::start(Stream::Lite, false);
    let seconds = 2 * seconds() as u64;
    println!("\nlite, ws: {MARKS} marked certificates a second, {seconds} s a run\n");
    println!(
        "| frames/s | rules | p50, ms (asked ≤ 50) | p99, ms (asked ≤ 250) | CPU, % of a core |"
    );
    println!("|---|---|---|---|---|");
    for rate in [1_000, 10_000] {
        for rules in [Rules::Live, Rules::Thousand] {
            let program = Program::new(rules).with("rules: [latency-probe]\n");
            let (mut p50, mut p99, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
            for round in 1..=rounds() {
                let order = Order { frames: rate * seconds, connections: 1, rate, marks: MARKS };
                let (mut took, share) = one(&program, &mut blaster, order);
                took.sort_by(f64::total_cmp);
                let quantile = |share: f64| took[(share * (took.len() - 1) as f64) as usize] * 1e3;
                note(&serde_json::json!({
                    "table": "latency", "contender": rules.label(), "rate": rate, "round": round,
                    "marks": took.len(), "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
                    "cpu_share": share,
                }));
                p50.push(quantile(0.5));
                p99.push(quantile(0.99));
                cpu.push(share * 100.0);
            }
            println!(
                "| {rate} | {} | {} | {} | {} |",
                rules.label(),
                spread(&mut p50, 1),
                spread(&mut p99, 1),
                spread(&mut cpu, 2)
            );
        }
    }
}

/// How long each marked certificate took, in seconds, and the share of a core from the first on.
fn one(program: &Program, blaster: &mut Blaster, order: Order) -> (Vec<f64>, f64) {
    let mut watch = Watch::start(program, blaster, order, Stdio::piped());
    let stdout = watch.stdout.take().expect("piped");
    let shown = thread::spawn(move || delays(stdout));
    // What the start costs is not what watching costs.
    thread::sleep(Duration::from_secs(1));
    let (before, started) = (watch.cost(), Instant::now());
    let seconds = watch.read_all(blaster);
    let share = (watch.cost().cpu - before.cpu) / started.elapsed().as_secs_f64();
    watch.stop(seconds);
    let delays = shown.join().expect("a reader");
    let sent = order.marks * order.frames / order.rate;
    assert!(delays.len() as u64 >= sent * 9 / 10, "{} of {sent} were shown", delays.len());
    (delays, share)
}

/// For each marked certificate that is shown, how long ago it was sent.
fn delays(stdout: ChildStdout) -> Vec<f64> {
    let mut delays = Vec::new();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a set clock");
        let sent = line.strip_prefix(MARK.0).and_then(|rest| rest.split_once(MARK.1));
        if let Some((sent, _)) = sent {
            // Behind the time stands which of its certificate's names it is.
            let micros: u64 = sent[..sent.len() - 1].parse().expect("a time");
            delays.push(now.as_secs_f64() - micros as f64 / 1e6);
        }
    }
    delays
}
