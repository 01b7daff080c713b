//! The real binary, run in a folder of its own: what it prints, what it stores, how it ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::wait_until;

/// Variables that name proxies, which servers on loopback have no need of.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// A folder in which the binary runs; deleted at the end.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, its folder included.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The lines of a file, which are an export's domains.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }

    /// Starts the binary with `words`, its output going to files.
    pub fn start(&self, words: &[&str]) -> Program {
        let output = |name: &str| File::create(self.path(name)).unwrap();
        self.start_with(words, output("stdout").into(), Stdio::null())
    }

    /// Starts the binary with environment variables of its own.
    pub fn start_among(&self, words: &[&str], variables: &[(&str, &str)]) -> Program {
        let output = |name: &str| File::create(self.path(name)).unwrap();
        let mut command = self.command(words);
        command.envs(variables.iter().copied());
        let streams = (output("stdout").into(), Stdio::null(), output("stderr").into());
        spawn(command, streams)
    }

    /// Starts the binary beside another one: what both print goes to the file called `log`.
    pub fn start_logged(&self, words: &[&str], log: &str) -> Program {
        let output = File::create(self.path(log)).unwrap();
        self.spawn(words, output.try_clone().unwrap().into(), Stdio::null(), output.into())
    }

    /// Starts the binary with an stdout and an stdin of the caller's.
    pub fn start_with(&self, words: &[&str], stdout: Stdio, stdin: Stdio) -> Program {
        let stderr = File::create(self.path("stderr")).unwrap();
        self.spawn(words, stdout, stdin, stderr.into())
    }

    /// Starts the binary with nobody at the other end of its stderr.
    pub fn start_unheard(&self, words: &[&str]) -> Program {
        let (reader, stderr) = std::io::pipe().unwrap();
        drop(reader);
        self.spawn(words, Stdio::null(), Stdio::null(), stderr.into())
    }

    fn spawn(&self, words: &[&str], stdout: Stdio, stdin: Stdio, stderr: Stdio) -> Program {
        spawn(self.command(words), (stdout, stdin, stderr))
    }

    /// Starts what stands for the binary, its output going to files.
    pub(super) fn spawn_logged(&self, command: Command) -> Program {
        spawn(command, (self.output("stdout"), Stdio::null(), self.output("stderr")))
    }

    /// A new file for what is printed.
    pub(super) fn output(&self, name: &str) -> Stdio {
        File::create(self.path(name)).unwrap().into()
    }

    /// The binary, free of what the environment of the tests says.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let temporary = self.path("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_certstream"));
        command.args(words).current_dir(self.0.path()).env("TMPDIR", temporary);
        // Runs whole tests in another mode than the default: see `tests/README.md`.
        if let Ok(parse) = std::env::var("CERTSTREAM_TESTS_PARSE")
            && ["watch", "replay", "record"].contains(&words.first().copied().unwrap_or_default())
            && !words.contains(&"--parse")
        {
            command.args(["--parse", &parse]);
        }
        for name in ["RUST_LOG"].iter().chain(&PROXIES) {
            command.env_remove(name);
        }
        command
    }

    /// Runs the binary to its end; its exit code.
    pub fn run(&self, words: &[&str]) -> i32 {
        self.start(words).end().code().unwrap()
    }

    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// The database called `name`, to read.
    pub fn database(&self, name: &str) -> Connection {
        open(&self.path(name)).unwrap()
    }

    /// One number that a statement gives; none while there is no such database or row.
    pub fn number(&self, name: &str, sql: &str) -> Option<i64> {
        open(&self.path(name))?.query_row(sql, [], |row| row.get(0)).ok()
    }

    /// All texts of a statement's first column.
    pub fn texts(&self, name: &str, sql: &str) -> Vec<String> {
        let connection = self.database(name);
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Waits until the one feed of a database is stored up to `position`.
    pub fn wait_for_position(&self, name: &str, position: i64) {
        wait_until(&format!("{position} frames are stored"), || {
            self.number(name, "SELECT max(position) FROM positions") >= Some(position)
        });
    }
}

/// Starts `command` with its stdout, stdin and stderr.
pub(super) fn spawn(
    mut command: Command,
    (stdout, stdin, stderr): (Stdio, Stdio, Stdio),
) -> Program {
    Program(command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap())
}

fn open(path: &Path) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).ok()
}

/// The running binary; killed when the test ends before it does.
pub struct Program(Child);

impl Program {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        wait_until("the program ends", || !self.is_running());
        self.0.wait().unwrap()
    }

    /// A number that the kernel tells of it in `/proc/PID/status`, as `VmRSS` in KiB; none once it
    /// has ended.
    pub fn status(&self, key: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Its open descriptors.
    pub fn descriptors(&self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.0.id()));
        folder.map_or(0, Iterator::count)
    }

    /// Waits for its end; its exit code, and the most memory it was seen to have, in MiB.
    pub fn end_watched(&mut self) -> (i32, u64) {
        let mut peak = 0;
        wait_until("the program ends", || {
            peak = self.status("VmHWM").unwrap_or(0).max(peak);
            !self.is_running()
        });
        (self.end().code().unwrap(), peak / 1024)
    }

    /// Sends a first signal and waits for the end; its exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::INT);
        self.end().code().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
