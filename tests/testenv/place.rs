//! Places where it is hard to write: a small disk, and folders that are not ours to write.
//!
//! A disk of one's own takes unprivileged user namespaces, which Debian has on and some systems
//! and containers off. Where a place cannot be made the test says that it skips.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::program::spawn;
use super::{Folder, Program, wait_until};

/// Who has no rights: `nobody`.
const NOBODY: u32 = 65534;

/// A binary that runs with a disk of its own as the folder `disk`. What was on the disk is in the
/// folder `kept` once it has ended.
pub struct SmallDisk {
    /// The shell that waits for the binary, and copies.
    shell: Program,
    pid: Pid,
    /// The disk as it is seen from here.
    disk: PathBuf,
}

const SCRIPT: &str = "
    mount -t tmpfs -o size=$1,mode=700 none disk || exit 99
    shift
    \"$@\" & echo $! > pid.new; mv pid.new pid
    wait $!; code=$?
    rm -f disk/filler; cp disk/* kept/
    exit $code
";

impl SmallDisk {
    /// Starts the binary with `words` and a disk of `size`, as `mount` understands it. None, and
    /// it is said, where that cannot be.
    pub fn start(folder: &Folder, size: &str, words: &[&str]) -> Option<Self> {
        for name in ["disk", "kept"] {
            std::fs::create_dir(folder.path(name)).unwrap();
        }
        let namespaced = || {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount"]).current_dir(folder.path(""));
            command
        };
        let mut probe = namespaced();
        probe.args(["mount", "-t", "tmpfs", "-o", "size=1m", "none", "disk"]);
        if !probe.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            println!("SKIPPED: no disk can be made here: unprivileged user namespaces are off");
            return None;
        }
        let mut command = namespaced();
        command.args(["sh", "-c", SCRIPT, "sh", size]);
        let program = folder.command(words);
        command.arg(program.get_program()).args(program.get_args());
        let shell = folder.spawn_logged(command);
        wait_until("the disk is there", || folder.path("pid").exists());
        let pid = folder.read("pid").trim().parse().ok().and_then(Pid::from_raw).unwrap();
        let root = PathBuf::from("/proc").join(pid.as_raw_nonzero().to_string()).join("root");
        let disk = root.join(folder.path("disk").strip_prefix("/").unwrap());
        Some(Self { shell, pid, disk })
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        use std::io::Write;
        let mut filler = std::fs::File::create(self.disk.join("filler")).unwrap();
        let block = vec![0; 1 << 20];
        for size in [1 << 20, 4096, 1] {
            while filler.write_all(&block[..size]).is_ok() {}
        }
    }

    /// Frees what was filled.
    pub fn free(&self) {
        std::fs::remove_file(self.disk.join("filler")).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.shell.is_running()
    }

    /// Sends a first signal and waits for the end; the exit code.
    pub fn stop(&mut self) -> i32 {
        kill_process(self.pid, Signal::INT).unwrap();
        self.shell.end().code().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.shell.is_running() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// Starts the binary as a user who owns `folder` and has no further rights: `root` could write
/// what is read-only. None, and it is said, where such a user cannot run it.
pub fn start_unprivileged(folder: &Folder, words: &[&str]) -> Option<Program> {
    let mut command = folder.command(words);
    if geteuid().is_root() {
        own(&folder.path(""));
        command.uid(NOBODY).gid(NOBODY);
        let mut probe = Command::new(command.get_program());
        probe.arg("--version").uid(NOBODY).gid(NOBODY).stdout(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            println!("SKIPPED: the binary lies where a user without rights cannot run it");
            return None;
        }
    }
    let (stdout, stderr) = (folder.output("stdout"), folder.output("stderr"));
    Some(spawn(command, (stdout, Stdio::null(), stderr)))
}

fn own(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}
