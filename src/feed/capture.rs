//! Captures: recorded frames read from files or stdin, one frame a line.
//!
//! Owns the replay of captures (plain, gzip, zstd, told by their first bytes) at full speed or at
//! a steady rate. A capture can be read again, so it waits where a socket would drop: for room in
//! the backlog, for the matchers, for the recorder. Where the frames go is [`Intake`]'s business.

mod lines;
mod unpack;

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Intake;
use crate::backlog::Backlog;
use crate::batch::Closed;
use crate::error::{Error, Result};
use crate::stop::Stop;
use crate::update::FrameFault;
use lines::{Line, Lines};
use unpack::{Chunk, Unpacker};

/// Chunks that may wait to be read: one to be read next, one in reserve for an uneven moment.
const CHUNKS: usize = 2;
/// How long a part-filled batch may wait for more, once there is nothing to read.
const FLUSH_AFTER: Duration = Duration::from_millis(5);
/// How often a stop is looked for while there is nothing to read.
const STOP_AFTER: Duration = Duration::from_millis(100);
/// A paced replay that fell behind by more than this goes on from now instead of catching up.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Frames due within this are sent together: a shorter sleep is not worth its wake-up.
const TOGETHER: Duration = Duration::from_millis(1);

/// Whether `path` stands for stdin.
fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Checks, before anything starts, that every capture can be read, and returns their size as
/// they are packed, in bytes; none when that is not known (stdin, a pipe).
///
/// # Errors
/// A usage error that names the first capture that is missing, unreadable or a directory.
pub fn check(paths: &[PathBuf]) -> Result<Option<u64>> {
    let mut total = Some(0);
    for path in paths {
        let size = if is_stdin(path) { None } else { check_file(path)? };
        total = total.zip(size).map(|(total, size): (u64, u64)| total + size);
    }
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Error::usage("stdin (`-`) can be read only once").remedy("give `-` once"));
    }
    Ok(total)
}

fn check_file(path: &Path) -> Result<Option<u64>> {
    let fault = |what: String, remedy| Error::usage(what).in_file(path).remedy(remedy);
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => fault(
            "there is no such capture".into(),
            "name a file of recorded frames, or `-` for stdin",
        ),
        _ => fault(
            format!("the capture cannot be read: {error}"),
            "make it readable for the user who runs certstream",
        ),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(fault("this is a directory".into(), "name the captures in it one by one"));
    }
    if !metadata.is_file() {
        // A pipe is not opened to try it: its writer would notice the reader leaving.
        return Ok(None);
    }
    std::fs::File::open(path).map_err(unreadable)?;
    Ok(Some(metadata.len()))
}

/// Replays the captures at `paths` in order, `-` being stdin, into `intake`; at `rate` frames a
/// second, or as fast as the rest keeps up. Returns when all is read, a stop is requested, or
/// nobody takes the batches any more.
///
/// `progress` is told how many bytes have been read so far, as they are packed.
///
/// # Errors
/// A capture that cannot be read to its end, named, with the offset; what came before it has
/// been handed over.
pub fn run(
    paths: &[PathBuf],
    rate: Option<NonZeroU32>,
    intake: Intake,
    backlog: &Backlog,
    stop: &Stop,
    progress: impl Fn(u64),
) -> Result<()> {
    let abandoned = AtomicBool::new(false);
    let (chunks_out, chunks) = bounded(CHUNKS);
    // Room for every chunk there can be: those waiting, the one written and the one read.
    let (give_back, empties) = bounded(CHUNKS + 2);
    let unpacker = Unpacker { paths, stop, abandoned: &abandoned, chunks: chunks_out, empties };
    let stats = intake.shared_stats();
    stats.recorded.store(true, Ordering::Relaxed);
    stats.live.store(true, Ordering::Relaxed);
    let mut replay = Replay { intake, pace: rate.map(Pace::new), backlog, stop };
    let outcome = thread::scope(|scope| {
        let unpacking = thread::Builder::new()
            .name("unpack".into())
            .spawn_scoped(scope, || unpacker.run())
            .map_err(|error| Error::failed(format!("no thread to unpack captures: {error}")))?;
        let outcome = {
            let _abandon = Abandon(&abandoned);
            replay.run(chunks, give_back, progress)
        };
        if unpacking.join().is_err() {
            return Err(Error::failed("the thread that unpacks captures was lost"));
        }
        outcome
    });
    stats.live.store(false, Ordering::Relaxed);
    outcome
}

/// Tells the unpacker, however the replay ends, that it reads for nobody. Without this a panic
/// would wait for a silent stdin before anybody hears of it.
struct Abandon<'a>(&'a AtomicBool);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        // The unpacker looks at nothing else that this thread wrote.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The replaying thread's state.
struct Replay<'a> {
    intake: Intake,
    pace: Option<Pace>,
    backlog: &'a Backlog,
    stop: &'a Stop,
}

impl Replay<'_> {
    fn run(
        &mut self,
        chunks: Receiver<Result<Chunk>>,
        give_back: Sender<Vec<u8>>,
        progress: impl Fn(u64),
    ) -> Result<()> {
        let mut lines = Lines::default();
        let mut patience = FLUSH_AFTER;
        while !self.stop.is_requested() {
            match chunks.recv_timeout(patience) {
                Ok(Ok(chunk)) => {
                    patience = FLUSH_AFTER;
                    let cut = lines.cut(chunk.bytes(), chunk.ends_file, |line| self.take(line));
                    if cut.is_break() {
                        break;
                    }
                    progress(chunk.read);
                    // No room means that the unpacker has all the buffers it needs.
                    let _ = give_back.try_send(chunk.into_buffer());
                }
                Ok(Err(error)) => {
                    // The error is reported either way; who is gone reports that as well.
                    let _ = self.intake.flush();
                    return Err(error);
                }
                Err(RecvTimeoutError::Timeout) => {
                    patience = STOP_AFTER;
                    if self.intake.flush().is_err() {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Whoever is gone is reported by the one who lost it.
        let _ = self.intake.flush();
        Ok(())
    }

    /// Takes in one line, when its time has come and there is room; breaks when the run ends.
    fn take(&mut self, line: Line<'_>) -> ControlFlow<()> {
        let taken = self.wait_for_turn().and_then(|()| match line {
            Line::Frame(frame) => self.intake.frame(frame),
            Line::TooLong => {
                self.intake.stats().frames.add(1);
                self.intake.stats().refuse(FrameFault::TooLarge);
                Ok(())
            }
        });
        if taken.is_err() || self.stop.is_requested() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn wait_for_turn(&mut self) -> Result<(), Closed> {
        if self.backlog.is_full() {
            self.intake.flush()?;
            self.backlog.wait_for_room(self.stop);
        }
        if let Some(wait) = self.pace.as_mut().and_then(|pace| pace.next(Instant::now())) {
            self.intake.flush()?;
            sleep(wait, self.stop);
        }
        Ok(())
    }
}

/// Sleeps for `wait`, or until the stop.
fn sleep(wait: Duration, stop: &Stop) {
    // Beyond what the kernel can count, any wait is as good as another.
    let moment = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    // An interrupted or failed sleep sends a frame early, no more.
    let _ = poll(&mut [PollFd::new(stop, PollFlags::IN)], Some(&moment));
}

/// A steady rate of frames.
struct Pace {
    interval: Duration,
    /// When the next frame is due; set by the first.
    due: Option<Instant>,
}

impl Pace {
    fn new(rate: NonZeroU32) -> Self {
        Self { interval: Duration::from_secs(1) / rate.get(), due: None }
    }

    /// How long to sleep before the next frame, if at all.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        let mut due = self.due.unwrap_or(now);
        if now > due + CATCH_UP {
            due = now;
        }
        self.due = Some(due + self.interval);
        due.checked_duration_since(now).filter(|wait| *wait >= TOGETHER)
    }
}

#[cfg(test)]
mod tests;
