//! Reads capture files one after another and unpacks them, on a thread of its own, so that on
//! two cores unpacking and reading frames overlap.
//!
//! Owns the files, how their packing is told, and what goes wrong with either. Knows no lines.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};
use flate2::read::MultiGzDecoder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

use crate::error::{Error, Result};
use crate::stop::Stop;

/// Bytes unpacked into one chunk: some 300 lite frames, so that handing over costs nothing
/// beside them, and small enough to stay in a core's L2.
pub(super) const CHUNK: usize = 512 * 1024;
/// The largest zstd window accepted, as a power of two: 32 MiB, what `zstd --long=25` writes.
const WINDOW_LOG: u32 = 25;

/// Unpacked bytes on their way to whoever splits them into lines.
pub(super) struct Chunk {
    /// A buffer of [`CHUNK`] bytes, to be given back.
    buffer: Vec<u8>,
    length: usize,
    /// Whether the file ends here.
    pub(super) ends_file: bool,
    /// Bytes read from all files so far, as they are packed.
    pub(super) read: u64,
}

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// The reader of the chunks is gone, or the run stops.
struct Ended;

/// The unpacking thread's state.
pub(super) struct Unpacker<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) stop: &'a Stop,
    /// Set when nobody reads the chunks any more, so that a silent stdin is not waited for.
    pub(super) abandoned: &'a AtomicBool,
    pub(super) chunks: Sender<Result<Chunk>>,
    pub(super) empties: Receiver<Vec<u8>>,
}

impl Unpacker<'_> {
    /// Unpacks every file in order; an error ends the sequence, behind all that came before it.
    pub(super) fn run(self) {
        let read = Cell::new(0);
        for path in self.paths {
            match self.unpack(path, &read) {
                Ok(Ok(())) => {}
                Ok(Err(Ended)) => return,
                Err(error) => {
                    // Nobody listening means the run is ending anyway.
                    let _ = self.chunks.send(Err(error));
                    return;
                }
            }
        }
    }

    fn unpack(&self, path: &Path, read: &Cell<u64>) -> Result<Result<(), Ended>> {
        let before = read.get();
        let fault = |error: io::Error| describe(path, read.get() - before, &error);
        let source = Source::open(path, self.stop, self.abandoned, read).map_err(fault)?;
        let whole = source.whole;
        let mut unpacked = match unpacking(source) {
            Ok(unpacked) => unpacked,
            Err(_) if self.is_ending() => return Ok(Err(Ended)),
            Err(error) => return Err(fault(error)),
        };
        let mut buffer = self.buffer();
        let mut length = 0;
        loop {
            let outcome = unpacked.read(&mut buffer[length..]);
            let ends_file = match outcome {
                Ok(count) => {
                    length += count;
                    count == 0
                }
                Err(ref error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) if self.is_ending() => return Ok(Err(Ended)),
                Err(_) => true,
            };
            // A file is read to fill the chunk; a pipe may be silent after any byte.
            if !ends_file && length < CHUNK && (whole || length == 0) {
                continue;
            }
            let chunk = Chunk { buffer, length, ends_file, read: read.get() };
            if self.chunks.send(Ok(chunk)).is_err() {
                return Ok(Err(Ended));
            }
            if ends_file {
                return outcome.map(|_| Ok(())).map_err(fault);
            }
            (buffer, length) = (self.buffer(), 0);
        }
    }

    fn is_ending(&self) -> bool {
        self.stop.is_requested() || self.abandoned.load(Ordering::Relaxed)
    }

    fn buffer(&self) -> Vec<u8> {
        self.empties.try_recv().unwrap_or_else(|_| vec![0; CHUNK])
    }
}

/// A capture file as it is packed, counted as it is read.
struct Source<'a> {
    file: File,
    /// A regular file, which never keeps a reader waiting.
    whole: bool,
    stop: &'a Stop,
    abandoned: &'a AtomicBool,
    read: &'a Cell<u64>,
}

impl<'a> Source<'a> {
    fn open(
        path: &Path,
        stop: &'a Stop,
        abandoned: &'a AtomicBool,
        read: &'a Cell<u64>,
    ) -> io::Result<Self> {
        let file = if super::is_stdin(path) {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            // Opening a named pipe would otherwise wait for its writer, deaf to the stop.
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            OpenOptions::new().read(true).custom_flags(flags).open(path)?
        };
        let whole = file.metadata()?.is_file();
        Ok(Self { file, whole, stop, abandoned, read })
    }

    /// Waits until a pipe or terminal can be read.
    fn wait(&self) -> io::Result<()> {
        // The stop wakes the poll; the time-out is for `abandoned`, which does not.
        let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        loop {
            let mut waiting =
                [PollFd::new(&self.file, PollFlags::IN), PollFd::new(self.stop, PollFlags::IN)];
            match poll(&mut waiting, Some(&moment)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let readable = !waiting[0].revents().is_empty();
            if self.stop.is_requested() || self.abandoned.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            if readable {
                return Ok(());
            }
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.whole {
                self.wait()?;
            }
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => {
                    let count = outcome?;
                    self.read.set(self.read.get() + count as u64);
                    return Ok(count);
                }
            }
        }
    }
}

/// Puts the right decoder in front of `source`: its first bytes tell, not its name.
fn unpacking<'a>(mut source: Source<'a>) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    source.by_ref().take(4).read_to_end(&mut head)?;
    let is_gzip = head.starts_with(&[0x1f, 0x8b]);
    // The second is a skippable frame, with which parallel zstd begins.
    let is_zstd = head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || matches!(head[..], [0x50..=0x5f, 0x2a, 0x4d, 0x18]);
    let whole = Cursor::new(head).chain(source);
    if is_gzip {
        Ok(Box::new(MultiGzDecoder::new(whole)))
    } else if is_zstd {
        let mut decoder = zstd::Decoder::new(whole)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Box::new(decoder))
    } else {
        Ok(Box::new(whole))
    }
}

fn describe(path: &Path, offset: u64, error: &io::Error) -> Error {
    let file = if super::is_stdin(path) { Path::new("stdin") } else { path };
    // The zstd library's own words for a window above the limit: its error code is lost on the
    // way, and `a_window_above_the_limit_is_refused` would notice other words.
    if error.to_string().contains("requires too much memory") {
        return Error::failed("its zstd window exceeds 32 MiB")
            .in_file(file)
            .remedy("pack it again with a smaller one: zstd -dc --long=31 FILE | zstd -o NEW");
    }
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format!("cut short: it ends within its packed data, at byte {offset}")
        }
        _ => format!("cannot be read on at byte {offset}: {error}"),
    };
    Error::failed(what)
        .in_file(file)
        .remedy("everything before that was read; if the file is a copy, copy it again")
}
