//! One process from its start to its end: how long it took, what it cost.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is looked at: bounds the error of its wall time.
const LOOK: Duration = Duration::from_millis(2);
/// Length of the ticks in which the kernel counts processor time, on every Linux there is.
const TICK: f64 = 0.01;

/// Longer than any run takes: one that hangs is told from one that is slow.
const LONGEST: Duration = Duration::from_secs(300);

/// What a process has cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From start to end, in seconds.
    pub wall: f64,
    /// Seconds of processor time, of all its threads and of the children it has waited for.
    pub cpu: f64,
    /// Peak resident memory in MiB.
    pub peak: f64,
}

/// Runs `command` to its end. What it says on stderr goes to `stderr`.
pub fn timed(command: &mut Command, stderr: &Path) -> Cost {
    let started = Instant::now();
    let mut child = spawn(command, stderr);
    let mut cost = Cost::default();
    // The kernel keeps the account of a process that has ended until someone waits for it.
    while look(&child, &mut cost) {
        pause(&mut child, started, stderr);
    }
    cost.wall = started.elapsed().as_secs_f64();
    let exit = child.wait().expect("a child");
    let said = std::fs::read_to_string(stderr).unwrap_or_default();
    assert!(exit.success(), "{command:?} ended with {exit}: {said}");
    cost
}

/// Waits for the next look at a process that has `started`; ends the bench, and the process with it,
/// where it takes too long.
pub fn pause(child: &mut Child, started: Instant, stderr: &Path) {
    if started.elapsed() > LONGEST {
        let _ = child.kill();
        let said = std::fs::read_to_string(stderr).unwrap_or_default();
        panic!("a run has not ended in {LONGEST:?}: {said}");
    }
    thread::sleep(LOOK);
}

/// Starts `command`. What it says on stderr goes to `stderr`.
pub fn spawn(command: &mut Command, stderr: &Path) -> Child {
    let stderr = std::fs::File::create(stderr).expect("a writable folder");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().expect("starts")
}

/// Brings `cost` up to date but for its wall time, and says whether the process still runs.
pub fn look(child: &Child, cost: &mut Cost) -> bool {
    let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", child.id()));
    let stat = read("stat").expect("Linux, and a child nobody has waited for");
    // Behind the name, which may hold anything: state first, processor time of user and system at
    // the 11th and 12th place from there, then that of the children it has waited for.
    let (_, stat) = stat.rsplit_once(") ").expect("a name in parentheses");
    let fields: Vec<&str> = stat.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    cost.cpu = (11..=14).map(ticks).sum::<f64>() * TICK;
    let status = read("status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibi = peak.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    cost.peak = cost.peak.max(kibi.unwrap_or_default() / 1024.0);
    fields[0] != "Z"
}
