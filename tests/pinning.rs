//! Threads stay on the cores that the config names, and bear their names.

use std::path::Path;

use crate::testenv::{Folder, Server, Tls, certificate};

/// The cores a thread may run on, as the kernel writes them.
fn cores(status: &Path) -> String {
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("a Linux kernel tells").trim().to_owned()
}

/// The cores of each thread of a process, by its name.
fn threads(process: u32) -> Vec<(String, String)> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let thread = |task: std::io::Result<std::fs::DirEntry>| {
        let path = task.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap();
        (name.trim().to_owned(), cores(&path.join("status")))
    };
    tasks.map(thread).collect()
}

#[test]
fn threads_are_kept_to_their_cores_and_the_others_are_not() {
    let all = cores(Path::new("/proc/self/status"));
    let first = all.split([',', '-']).next().unwrap().to_owned();
    let server = Server::start(Tls::Off, |visit| {
        let mut peer = visit.upgrade()?;
        peer.send([certificate("a.example")])?;
        peer.keep_open()
    });
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    folder.write(
        "config.yaml",
        format!(
            "certstream: {{server: '{}', input: rules.txt}}\n\
             engine: {{matchers: 2, pin: {{feeds: '{first}', matchers: '{first}', writer: '{first}'}}}}\n",
            server.url("/")
        ),
    );
    let mut program = folder.start(&["watch", "-q"]);
    folder.wait_for_position("certstream.db", 1);

    let threads = threads(program.child().id());
    for name in ["feed-0", "matcher-0", "matcher-1", "writer"] {
        let thread = threads.iter().find(|(other, _)| other == name);
        let (_, cores) = thread.unwrap_or_else(|| panic!("no {name} among {threads:?}"));
        assert_eq!(*cores, first, "{name}");
    }
    let main = threads.iter().find(|(name, _)| name == "certstream").expect("the main thread");
    assert_eq!(main.1, all);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
}
