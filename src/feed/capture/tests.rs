//! Captures of every kind, replayed into a real intake.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;
use crate::batch::{Batch, BatchSender, Origin};
use crate::stats::FeedStats;
use crate::update::MAX_FRAME;

/// An intake whose batches can be looked at.
struct Stage {
    folder: TempDir,
    stats: Arc<FeedStats>,
    intake: Intake,
    batches: Receiver<Batch>,
    backlog: Backlog,
    stop: Stop,
}

impl Stage {
    fn new() -> Self {
        let (out, batches) = crossbeam_channel::unbounded();
        let (_, empties) = bounded(1);
        let stats = Arc::new(FeedStats::named("capture", true));
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            intake: Intake::new(
                Arc::clone(&stats),
                BatchSender::new(Origin::default(), out, empties, None),
                0,
            ),
            stats,
            batches,
            backlog: Backlog::new(100),
            stop: Stop::new().expect("a pipe"),
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("a file is written");
        path
    }

    /// Replays `paths` to their end and returns the frames.
    fn replay(self, paths: &[PathBuf]) -> (Result<()>, Vec<String>) {
        let outcome = run(paths, None, self.intake, &self.backlog, &self.stop, |_| ());
        let frames = self.batches.iter().flat_map(|batch| frames_of(&batch)).collect();
        (outcome, frames)
    }
}

#[test]
fn a_capture_is_live_while_it_is_read_and_its_age_is_no_lag() {
    let Stage { folder, stats, intake, batches, backlog, stop } = Stage::new();
    let path = folder.path().join("capture");
    fs::write(&path, lines(3).1).expect("a file is written");
    let was_live = std::cell::Cell::new(false);
    let progress = |_| was_live.set(stats.live.load(Ordering::Relaxed));
    run(&[path], None, intake, &backlog, &stop, progress).expect("all is read");
    assert!(was_live.get() && !stats.live.load(Ordering::Relaxed));
    assert!(stats.recorded.load(Ordering::Relaxed));
    drop(batches);
}

fn frames_of(batch: &Batch) -> Vec<String> {
    batch.frames().iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).expect("memory takes it");
    packer.finish().expect("memory takes it")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("memory takes it")
}

/// `count` different frames, hardly packable, a line each.
fn lines(count: u32) -> (Vec<String>, Vec<u8>) {
    let frames: Vec<String> = (0..count)
        .map(|n| {
            let label = format!("{:016x}", fastrand::Rng::with_seed(n.into()).u64(..));
            format!(r#"{{"message_type":"dns_entries","data":["{label}.example.com"]}}"#)
        })
        .collect();
    let text = frames.iter().flat_map(|frame| [frame.as_bytes(), b"\n"].concat()).collect();
    (frames, text)
}

#[test]
fn every_packing_gives_the_same_frames_in_order() {
    let stage = Stage::new();
    // More than a chunk, so that chunks cut lines.
    let (frames, text) = lines(20_000);
    assert!(text.len() > 2 * unpack::CHUNK);
    let (first, second) = text.split_at(text.len() / 2);
    let paths = [
        // The names tell nothing about the packing.
        stage.file("plain.zst", &text),
        stage.file("gzip", &gzip(&text)),
        stage.file("zstd.txt", &zstd(&text)),
        stage.file("gzip members", &[gzip(first), gzip(second)].concat()),
        stage.file("zstd members", &[zstd(first), zstd(second)].concat()),
    ];
    let (outcome, replayed) = stage.replay(&paths);
    outcome.expect("all is read");
    assert_eq!(replayed.len(), 5 * frames.len());
    for (n, replayed) in replayed.chunks(frames.len()).enumerate() {
        assert!(replayed == frames, "{} differs", paths[n].display());
    }
}

#[test]
fn a_last_line_needs_no_end_and_does_not_run_into_the_next_file() {
    let stage = Stage::new();
    let paths = [stage.file("a", b"one\r\ntwo"), stage.file("b", b""), stage.file("c", b"three")];
    let (outcome, frames) = stage.replay(&paths);
    outcome.expect("all is read");
    assert_eq!(frames, ["one", "two", "three"]);
}

#[test]
fn a_file_cut_short_is_read_up_to_the_cut_and_named() {
    let (frames, text) = lines(40_000);
    for (name, packed) in [("cut.gz", gzip(&text)), ("cut.zst", zstd(&text))] {
        let stage = Stage::new();
        let whole = packed.len();
        let paths = [stage.file(name, &packed[..whole / 2]), stage.file("next", b"never read")];
        let (outcome, replayed) = stage.replay(&paths);
        let error = outcome.expect_err("it ends too early").to_string();
        assert!(error.contains(name) && error.contains("cut short"), "{error}");
        assert!(error.contains(&format!("at byte {}", whole / 2)), "{error}");
        // All lines before the cut, then at most the one that it went through.
        let complete = replayed.iter().zip(&frames).take_while(|(a, b)| a == b).count();
        assert!(complete > frames.len() / 4, "{name}: only {complete} came before the cut");
        assert!(replayed.len() - complete <= 1, "{name}: {} frames too many", replayed.len());
    }
}

#[test]
fn what_follows_a_gzip_member_must_be_one() {
    let stage = Stage::new();
    let path = stage.file("a.gz", &[gzip(b"one\n"), b"rubbish".to_vec()].concat());
    let (outcome, frames) = stage.replay(&[path]);
    let error = outcome.expect_err("it is no gzip").to_string();
    assert!(error.contains("a.gz") && error.contains("at byte"), "{error}");
    assert_eq!(frames, ["one"]);
}

#[test]
fn a_window_above_the_limit_is_refused() {
    let packed = |window_log| {
        let mut packer = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        packer.window_log(window_log).expect("a window");
        packer.write_all(b"one\n").expect("memory takes it");
        packer.finish().expect("memory takes it")
    };
    let stage = Stage::new();
    let path = stage.file("wide.zst", &packed(26));
    let (outcome, frames) = stage.replay(&[path]);
    let error = outcome.expect_err("its window is 64 MiB").to_string();
    assert!(error.contains("wide.zst: its zstd window exceeds 32 MiB"), "{error}");
    assert!(error.contains("remedy: "), "{error}");
    assert!(frames.is_empty());

    let stage = Stage::new();
    let path = stage.file("fits.zst", &packed(25));
    let (outcome, frames) = stage.replay(&[path]);
    outcome.expect("32 MiB are accepted");
    assert_eq!(frames, ["one"]);
}

#[test]
fn a_line_longer_than_a_frame_is_counted_and_passed_over() {
    let stage = Stage::new();
    let stats = Arc::clone(&stage.stats);
    let mut text = b"one\n".to_vec();
    text.resize(text.len() + MAX_FRAME + 2, b'x');
    text.extend_from_slice(b"\ntwo\n");
    let path = stage.file("long", &text);
    let (outcome, frames) = stage.replay(&[path]);
    outcome.expect("all is read");
    assert_eq!(frames, ["one", "two"]);
    assert_eq!(stats.frames.get(), 3);
    assert_eq!(stats.refused[FrameFault::TooLarge as usize].get(), 1);
}

#[test]
fn progress_reaches_the_size_that_check_gave() {
    let stage = Stage::new();
    let (_, text) = lines(20_000);
    let paths = [stage.file("a.gz", &gzip(&text)), stage.file("b", &text)];
    let size = check(&paths).expect("both are readable").expect("both have a size");
    let reached = std::cell::Cell::new(0);
    let progress = |read: u64| {
        assert!(read >= reached.get());
        reached.set(read);
    };
    run(&paths, None, stage.intake, &stage.backlog, &stage.stop, progress).expect("all is read");
    assert_eq!(reached.get(), size);
}

/// A named pipe as capture: frames arrive as they are written, and a silent writer does not keep
/// the replay from stopping.
#[test]
fn a_silent_pipe_hands_over_and_stops() {
    let Stage { folder, intake, batches, backlog, stop, .. } = Stage::new();
    let path = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a named pipe");
    assert_eq!(check(std::slice::from_ref(&path)).expect("a pipe is readable"), None);
    thread::scope(|scope| {
        let (paths, stop) = ([path.clone()], &stop);
        let (backlog, intake) = (&backlog, intake);
        let replay = scope.spawn(move || run(&paths, None, intake, backlog, stop, |_| ()));
        let mut writer = OpenOptions::new().write(true).open(&path).expect("the replay reads it");
        for frame in ["one", "two"] {
            writeln!(writer, "{frame}").expect("the replay reads it");
            let batch = batches.recv_timeout(Duration::from_secs(10)).expect("a part-filled batch");
            assert_eq!(frames_of(&batch), [frame]);
        }
        let asked = Instant::now();
        stop.request();
        replay.join().expect("no panic").expect("a stop is no error");
        assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
        drop(writer);
    });
}

#[test]
fn nothing_is_taken_in_while_the_backlog_is_full() {
    let Stage { folder, stats, intake, batches, backlog, stop } = Stage::new();
    let path = folder.path().join("capture");
    fs::write(&path, "one\ntwo\n").expect("a file is written");
    backlog.add(100);
    thread::scope(|scope| {
        let (backlog, stop) = (&backlog, &stop);
        let replay = scope.spawn(move || run(&[path], None, intake, backlog, stop, |_| ()));
        while backlog.waiters() == 0 {
            thread::yield_now();
        }
        assert_eq!((stats.frames.get(), batches.len()), (0, 0));
        backlog.subtract(100);
        replay.join().expect("no panic").expect("all is read");
    });
    let frames: Vec<String> = batches.iter().flat_map(|batch| frames_of(&batch)).collect();
    assert_eq!(frames, ["one", "two"]);
}

#[test]
fn a_replay_ends_when_nobody_takes_its_batches() {
    let Stage { folder, intake, batches, backlog, stop, .. } = Stage::new();
    let path = folder.path().join("capture");
    fs::write(&path, lines(20_000).1).expect("a file is written");
    drop(batches);
    run(&[path], None, intake, &backlog, &stop, |_| ()).expect("not this feed's error");
}

#[test]
fn a_pace_is_even_and_does_not_catch_up_for_long() {
    let mut pace = Pace::new(NonZeroU32::new(100).expect("not zero"));
    let start = Instant::now();
    let ms = Duration::from_millis;
    assert_eq!(pace.next(start), None);
    assert_eq!(pace.next(start), Some(ms(10)));
    assert_eq!(pace.next(start + ms(10)), Some(ms(10)));
    // A little late: the next is due on the old schedule.
    assert_eq!(pace.next(start + ms(35)), None);
    assert_eq!(pace.next(start + ms(35)), Some(ms(5)));
    // Very late: from now on.
    let late = start + Duration::from_secs(60);
    assert_eq!(pace.next(late), None);
    assert_eq!(pace.next(late), Some(ms(10)));
}

#[test]
fn a_paced_replay_takes_its_time() {
    let stage = Stage::new();
    let paths = [stage.file("a", &lines(21).1)];
    let rate = NonZeroU32::new(200);
    let began = Instant::now();
    run(&paths, rate, stage.intake, &stage.backlog, &stage.stop, |_| ()).expect("all is read");
    // Twenty intervals of 5 ms, of which the last sleep may save one millisecond.
    assert!(began.elapsed() >= Duration::from_millis(99), "{:?}", began.elapsed());
}

#[test]
fn captures_are_checked_before_anything_starts() {
    let stage = Stage::new();
    let good = stage.file("good", b"123");
    let missing = stage.folder.path().join("missing");
    let stdin = PathBuf::from("-");
    assert_eq!(check(&[good.clone(), good.clone()]).expect("readable"), Some(6));
    assert_eq!(check(&[good.clone(), stdin.clone()]).expect("readable"), None);
    for (paths, expected) in [
        ([good.clone(), missing], "missing: there is no such capture"),
        ([good.clone(), stage.folder.path().to_path_buf()], "this is a directory"),
        ([stdin.clone(), stdin], "stdin (`-`) can be read only once"),
    ] {
        let error = check(&paths).expect_err("not readable");
        assert_eq!(error.exit(), crate::error::ExitCode::Usage);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("remedy: "), "{error}");
    }
}
