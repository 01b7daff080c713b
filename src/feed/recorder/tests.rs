//! Recordings, read back by the capture feed.

use std::fs;

use crossbeam_channel::{bounded, unbounded};
use tempfile::TempDir;

use super::*;
use crate::backlog::Backlog;
use crate::batch::{BatchSender, Origin, Recorder};
use crate::feed::{Intake, capture};
use crate::stats::FeedStats;
use crate::stop::Stop;

const FRAMES: [&[u8]; 6] = [
    br#"{"message_type":"dns_entries","data":["a.example.com"]}"#,
    // server-go ends its frames so.
    b"{\"message_type\":\"heartbeat\"}\n",
    b"{\"message_type\":\"heartbeat\"}\r\n",
    b"",
    b"not \xff UTF-8",
    b"{\n\"message_type\":\"heartbeat\"}",
];
/// The lines that those become.
const LINES: &str = "{\"message_type\":\"dns_entries\",\"data\":[\"a.example.com\"]}\n\
    {\"message_type\":\"heartbeat\"}\n{\"message_type\":\"heartbeat\"}\n\n";

/// Takes `frames` in through a real intake and hands what a recorder gets to `receive`.
fn offer(frames: &[&[u8]], stats: &Arc<RecorderStats>, to: crossbeam_channel::Sender<Arc<Frames>>) {
    let recorder = Recorder { frames: to, stats: Arc::clone(stats), wait: true };
    let (batches, _received) = unbounded();
    let (_, empties) = bounded(1);
    let out = BatchSender::new(Origin::default(), batches, empties, Some(recorder));
    let mut intake = Intake::new(Arc::new(FeedStats::named("test", true)), out, 0);
    for frame in frames {
        intake.frame(frame).expect("the batches are kept");
    }
    intake.flush().expect("the batches are kept");
}

/// The frames of the capture at `path`, a line each, and whether it was read to its end.
fn replayed(path: &Path) -> (Result<()>, String) {
    let (batches, received) = unbounded();
    let (_, empties) = bounded(1);
    let out = BatchSender::new(Origin::default(), batches, empties, None);
    let intake = Intake::new(Arc::new(FeedStats::named("test", true)), out, 0);
    let (backlog, stop) = (Backlog::new(1), Stop::new().expect("a pipe"));
    let outcome = capture::run(&[path.to_path_buf()], None, intake, &backlog, &stop, |_| ());
    let mut lines = Vec::new();
    for batch in received {
        for frame in batch.frames().iter() {
            lines.extend_from_slice(frame);
            lines.push(b'\n');
        }
    }
    (outcome, String::from_utf8(lines).expect("recorded lines are UTF-8"))
}

#[test]
fn a_recording_replays_to_the_same_frames() {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, magic) in
        [("a.jsonl", &b"{"[..]), ("a.jsonl.gz", b"\x1f\x8b"), ("a.zst", b"\x28\xb5")]
    {
        let path = folder.path().join(name);
        let stats = Arc::new(RecorderStats::default());
        let (to, frames) = unbounded();
        offer(&FRAMES, &stats, to);
        Recording::create(&path, false).expect("created").run(&frames, &stats).expect("written");

        assert!(fs::read(&path).expect("it is there").starts_with(magic), "{name}");
        assert_eq!((stats.written.get(), stats.unfit.get()), (4, 2), "{name}");
        let (outcome, lines) = replayed(&path);
        outcome.expect("it is whole");
        assert_eq!(lines, LINES, "{name}");
    }
}

#[test]
fn what_came_a_second_ago_is_in_the_file() {
    let folder = TempDir::new().expect("a temporary folder");
    for name in ["a.jsonl", "a.gz", "a.zst"] {
        let path = folder.path().join(name);
        let stats = Arc::new(RecorderStats::default());
        let (to, frames) = unbounded();
        let recording = Recording::create(&path, false).expect("created");
        std::thread::scope(|scope| {
            let running = scope.spawn(|| recording.run(&frames, &stats));
            offer(&FRAMES, &stats, to.clone());
            // The channel stays open: this is what a killed process leaves behind.
            let deadline = Instant::now() + Duration::from_secs(20);
            while replayed(&path).1 != LINES {
                assert!(Instant::now() < deadline, "{name}: never flushed");
                std::thread::sleep(Duration::from_millis(20));
            }
            drop(to);
            running.join().expect("no panic").expect("written");
        });
    }
}

#[test]
fn an_existing_file_is_kept_unless_told() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "precious").expect("a file is written");
    let error = Recording::create(&path, false).expect_err("it exists");
    assert_eq!(error.exit(), crate::error::ExitCode::Usage);
    assert!(error.to_string().contains("a.jsonl: the capture exists already"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "precious");
    assert!(error.to_string().contains("--force"), "{error}");
    let checked = Recording::check(&path, false).expect_err("it exists");
    assert_eq!(checked.to_string(), error.to_string());
    Recording::check(&path, true).expect("told so");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "precious", "only looked at");
    Recording::create(&path, true).expect("told so");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "");

    for make in [
        |path: &Path| Recording::create(path, false).map(drop),
        |path: &Path| Recording::check(path, false),
    ] {
        let error = make(&folder.path().join("no/a")).expect_err("no folder");
        assert!(error.to_string().contains("cannot be created"), "{error}");
    }
}

#[test]
fn a_capture_that_is_being_recorded_is_not_emptied() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("a.jsonl");
    let (to, frames) = unbounded();
    let stats = Arc::new(RecorderStats::default());
    offer(&FRAMES, &stats, to);
    let recording = Recording::create(&path, false).expect("created");
    let error = Recording::create(&path, true).expect_err("it is being written").to_string();
    assert!(error.contains("another process is recording to this capture"), "{error}");
    recording.run(&frames, &stats).expect("written");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), LINES);
    Recording::create(&path, true).expect("free again");
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let full = Path::new("/dev/full");
    let (to, frames) = unbounded();
    let stats = Arc::new(RecorderStats::default());
    offer(&FRAMES, &stats, to);
    let recording = Recording::create(full, true).expect("opened");
    let error = recording.run(&frames, &stats).expect_err("no room").to_string();
    assert!(error.starts_with("/dev/full: the capture cannot be written"), "{error}");
}
