//! What reads from the server: a process, from its start until it has gone.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::blaster::{Blaster, Order};
use super::cost::{self, Cost};
use super::inputs::Rules;

/// A way to read the frames.
#[derive(Clone, Debug)]
pub enum Client {
    /// Reading and dropping them.
    Drain,
    /// The program.
    Program(Program),
    /// Another command, in which `{url}` stands for the server and `{rules}` for the rule file. It is
    /// killed when it has read all.
    Other { words: Vec<String>, rules: Rules },
}

/// The program as it is to run.
#[derive(Clone, Debug)]
pub struct Program {
    pub binary: PathBuf,
    pub rules: Rules,
    /// Further blocks of its config.
    pub config: String,
    /// Connections by which it reads.
    pub feeds: usize,
    /// Scrapes of its metrics a second; none: it does not serve them.
    pub scrapes: Option<f64>,
}

impl Program {
    /// The one that this bench was built with, as it comes.
    pub fn new(rules: Rules) -> Self {
        Self {
            binary: env!("CARGO_BIN_EXE_certstream").into(),
            rules,
            config: String::new(),
            feeds: 1,
            scrapes: None,
        }
    }

    pub fn with(mut self, config: &str) -> Self {
        self.config.push_str(config);
        self
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Frames read.
    pub frames: u64,
    /// Time is from the first frame sent until all is stored and the client has gone: loading rules
    /// is not reading. Memory is of its whole life.
    pub cost: Cost,
    /// Matched rows that the program dropped because the database was behind.
    pub dropped: u64,
}

impl Client {
    /// Reads `frames` frames of `blaster`.
    pub fn run(&self, blaster: &mut Blaster, frames: u64) -> Run {
        match self {
            Self::Drain => {
                let mut command = Command::new(std::env::current_exe().expect("a path"));
                command.args(["drain", &blaster.url("")]).arg(blaster.ca_file());
                command_run(command, blaster, frames, false)
            }
            Self::Other { words, rules } => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let rules = rules.file(folder.path()).display().to_string();
                let fill = |word: &String| {
                    word.replace("{url}", &blaster.url("")).replace("{rules}", &rules)
                };
                let mut command = Command::new(fill(&words[0]));
                command.args(words[1..].iter().map(fill)).current_dir(folder.path());
                command_run(command, blaster, frames, true)
            }
            Self::Program(program) => {
                let feeds = program.feeds as u64;
                let order =
                    Order { frames: frames / feeds, connections: program.feeds, rate: 0, marks: 0 };
                let mut watch = Watch::start(program, blaster, order, Stdio::null());
                let scraper = program.scrapes.map(|rate| Scraper::start(watch.metrics, rate));
                let seconds = watch.read_all(blaster);
                drop(scraper);
                watch.stop(seconds)
            }
        }
    }
}

fn command_run(mut command: Command, blaster: &mut Blaster, frames: u64, kill: bool) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stderr = folder.path().join("stderr");
    blaster.order(Order { frames, connections: 1, rate: 0, marks: 0 });
    let mut child = cost::spawn(&mut command, &stderr);
    let mut cost = Cost::default();
    let mut look = || {
        let said = || std::fs::read_to_string(&stderr).unwrap_or_default();
        // One that ends by itself may do so before the server has said that it has read all.
        assert!(cost::look(&child, &mut cost) || !kill, "{command:?} has ended: {}", said());
        cost.cpu
    };
    blaster.begun(|| _ = look());
    let before = look();
    let seconds = blaster.read_all(|| _ = look());
    let read = Instant::now();
    if kill {
        cost::look(&child, &mut cost);
        child.kill().expect("it runs");
    } else {
        while cost::look(&child, &mut cost) {
            cost::pause(&mut child, read, &stderr);
        }
    }
    cost.wall = seconds + read.elapsed().as_secs_f64();
    cost.cpu -= before;
    child.wait().expect("a child");
    Run { frames, cost, dropped: 0 }
}

/// The program, watching the server.
pub struct Watch {
    child: Child,
    cost: Cost,
    /// Processor time that it had taken when the first frame was sent.
    before: f64,
    folder: tempfile::TempDir,
    frames: u64,
    /// Where it serves its metrics.
    pub metrics: u16,
    /// Its stdout, where that was asked for.
    pub stdout: Option<ChildStdout>,
}

impl Watch {
    /// Starts the program, and lets the server wait for it.
    pub fn start(program: &Program, blaster: &mut Blaster, order: Order, stdout: Stdio) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let metrics = free_port();
        std::fs::write(
            folder.path().join("config.yaml"),
            config(program, blaster, &folder, metrics),
        )
        .expect("a writable folder");
        blaster.order(order);
        let mut command = Command::new(&program.binary);
        command.arg("watch").current_dir(folder.path());
        let stderr =
            std::fs::File::create(folder.path().join("stderr")).expect("a writable folder");
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.take();
        let frames = order.frames * order.connections as u64;
        Self { child, cost: Cost::default(), before: 0.0, folder, frames, metrics, stdout }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// What it has cost by now.
    pub fn cost(&mut self) -> Cost {
        assert!(cost::look(&self.child, &mut self.cost), "it has ended: {}", self.said());
        self.cost
    }

    /// The seconds until it has read all.
    pub fn read_all(&mut self, blaster: &Blaster) -> f64 {
        blaster.begun(|| _ = self.cost());
        self.before = self.cost().cpu;
        blaster.read_all(|| _ = self.cost())
    }

    /// Stops it, and sees that all it read in those `seconds` is stored.
    pub fn stop(mut self, seconds: f64) -> Run {
        let read = Instant::now();
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::INT).expect("it runs");
        while cost::look(&self.child, &mut self.cost) {
            cost::pause(&mut self.child, read, &self.folder.path().join("stderr"));
        }
        self.cost.wall = seconds + read.elapsed().as_secs_f64();
        self.cost.cpu -= self.before;
        let said = self.said();
        assert!(self.child.wait().expect("a child").success(), "it has failed: {said}");
        assert!(self.stored() >= self.frames as i64, "not all was stored: {said}");
        let dropped = said.rsplit_once(" matched rows dropped").and_then(|(before, _)| {
            before.rsplit(' ').next().and_then(|number| number.parse().ok())
        });
        Run { frames: self.frames, cost: self.cost, dropped: dropped.expect("it sums up") }
    }

    /// Frames that its database has the rows of.
    fn stored(&self) -> i64 {
        let file = self.folder.path().join("certstream.db");
        let database = rusqlite::Connection::open(file).expect("a database");
        let sql = "SELECT coalesce(sum(position), 0) FROM positions";
        database.query_row(sql, [], |row| row.get(0)).expect("the table of positions")
    }
}

fn config(
    program: &Program,
    blaster: &Blaster,
    folder: &tempfile::TempDir,
    metrics: u16,
) -> String {
    let rules = program.rules.file(folder.path());
    let ca_file = blaster.ca_file();
    let trust = match ca_file.exists() {
        true => format!(", ca_file: '{}'", ca_file.display()),
        false => String::new(),
    };
    let server = |feed| format!("{{url: '{}'{trust}}}", blaster.url(&format!("{feed}")));
    let servers: Vec<String> = (0..program.feeds).map(server).collect();
    let observe = match program.scrapes {
        Some(_) => format!("observe: {{listen: '127.0.0.1:{metrics}'}}\n"),
        None => String::new(),
    };
    format!(
        "certstream: {{server: [{}], input: '{}'}}\nexport: {{on_exit: false}}\n{observe}{}",
        servers.join(", "),
        rules.display(),
        program.config,
    )
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("bound").port()
}

/// Asks for the metrics again and again, until dropped.
struct Scraper {
    stop: mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Scraper {
    fn start(port: u16, rate: f64) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let pause = std::time::Duration::from_secs_f64(1.0 / rate);
        let thread = std::thread::spawn(move || {
            let mut served = false;
            while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                // It begins before the program has.
                let scraped = scrape(port).is_ok();
                assert!(scraped || !served, "metrics are served no more");
                served |= scraped;
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it scrapes without a fault");
        }
    }
}

fn scrape(port: u16) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut connection = std::net::TcpStream::connect(("127.0.0.1", port))?;
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    assert!(answer.contains("certstream_frames_total"), "{answer}");
    Ok(())
}

/// The build of the program at `path`, if there is one.
pub fn binary(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
