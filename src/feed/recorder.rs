//! The recorder: frames written to a capture, one a line, as [`capture`](super::capture) reads
//! them.
//!
//! Owns the file and its packing (`.gz` gzip, `.zst` zstd, else plain). Whether a frame that the
//! disk is too slow for is waited for or left out is decided where frames are offered.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::batch::Frames;
use crate::error::{Error, Result};
use crate::stats::RecorderStats;

/// How long frames may stay in the compressor: after SIGKILL the file holds all but the last
/// second. More often would cost packing: each flush ends a block.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Bytes gathered before they go to the file.
const WRITE_BUFFER: usize = 256 * 1024;
/// zstd level: about 1 % of one core at 1,000 full frames a second.
const ZSTD_LEVEL: i32 = 3;

/// A capture being written.
pub struct Recording {
    path: PathBuf,
    out: Out,
    /// Whether frames were written since the last flush.
    dirty: bool,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("path", &self.path).finish_non_exhaustive()
    }
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out,
            Self::Zstd(out) => out,
        }
    }

    /// Ends the packing and hands everything to the file.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Gzip(out) => out.finish()?.flush(),
            Self::Zstd(out) => out.finish()?.flush(),
        }
    }
}

impl Recording {
    /// Says, before anything is touched, whether [`create`](Self::create) would refuse.
    ///
    /// # Errors
    /// A usage error when the file exists, unless it may be overwritten, or has no folder.
    pub fn check(path: &Path, overwrite: bool) -> Result<()> {
        if path.exists() && !overwrite {
            return Err(exists(path));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        match folder.map_or(Ok(()), |folder| folder.metadata().map(|_| ())) {
            Ok(()) => Ok(()),
            Err(error) => Err(uncreatable(path, &error)),
        }
    }

    /// Creates the capture at `path`, packed as its extension says. An existing file is emptied
    /// only with `overwrite`, and never while another process records to it.
    ///
    /// # Errors
    /// A usage error when the file exists, is being recorded to, or cannot be created.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        if overwrite {
            // Until the lock is ours, what is in the file belongs to whoever holds it.
            options.create(true).truncate(false);
        } else {
            options.create_new(true);
        }
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(path),
            _ => uncreatable(path, &error),
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::usage("another process is recording to this capture")
                    .in_file(path)
                    .remedy("end it first, or choose another name"));
            }
            Err(TryLockError::Error(error)) => return Err(uncreatable(path, &error)),
        }
        // A device or a pipe has no length.
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            file.set_len(0).map_err(|error| uncreatable(path, &error))?;
        }
        let file = BufWriter::with_capacity(WRITE_BUFFER, file);
        let out = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Out::Gzip(GzEncoder::new(file, Compression::default())),
            Some("zst") => Out::Zstd(
                zstd::Encoder::new(file, ZSTD_LEVEL).map_err(|error| unwritable(path, &error))?,
            ),
            _ => Out::Plain(file),
        };
        Ok(Self { path: path.to_path_buf(), out, dirty: false })
    }

    /// Writes the frames that arrive until the channel closes, then ends the file. The body of
    /// the recording thread.
    ///
    /// # Errors
    /// The file cannot be written any more (a full disk, most often); what was flushed before
    /// stays readable.
    pub fn run(mut self, frames: &Receiver<Arc<Frames>>, stats: &RecorderStats) -> Result<()> {
        let recorded = self.record(frames, stats);
        let Self { path, out, .. } = self;
        recorded.and_then(|()| out.finish()).map_err(|error| unwritable(&path, &error))
    }

    fn record(&mut self, frames: &Receiver<Arc<Frames>>, stats: &RecorderStats) -> io::Result<()> {
        let mut flush_at = Instant::now() + FLUSH_EVERY;
        loop {
            match frames.recv_deadline(flush_at) {
                Ok(frames) => self.write(&frames, stats)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            // Also looked at while frames keep coming: they must not put it off.
            if Instant::now() >= flush_at {
                self.flush()?;
                flush_at = Instant::now() + FLUSH_EVERY;
            }
        }
    }

    fn write(&mut self, frames: &Frames, stats: &RecorderStats) -> io::Result<()> {
        for frame in frames.iter() {
            let Some(line) = as_line(frame) else {
                stats.unfit.add(1);
                continue;
            };
            let out = self.out.writer();
            out.write_all(line)?;
            out.write_all(b"\n")?;
            stats.written.add(1);
            self.dirty = true;
        }
        Ok(())
    }

    /// Hands all that was written to the file, if there is anything.
    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.dirty) {
            self.out.writer().flush()?;
        }
        Ok(())
    }
}

/// The line that `frame` is in a capture: one line of UTF-8, without the newline some servers
/// end their frames with. Anything else cannot stand there.
fn as_line(frame: &[u8]) -> Option<&[u8]> {
    let line = frame.strip_suffix(b"\n").unwrap_or(frame);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A carriage return left at the end would be taken for a part of the line's end.
    let fits = memchr::memchr(b'\n', line).is_none()
        && !line.ends_with(b"\r")
        && std::str::from_utf8(line).is_ok();
    fits.then_some(line)
}

fn exists(path: &Path) -> Error {
    Error::usage("the capture exists already")
        .in_file(path)
        .remedy("choose another name, or say --force to overwrite it")
}

fn uncreatable(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("the capture cannot be created: {error}"))
        .in_file(path)
        .remedy("choose a folder that exists and can be written")
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("the capture cannot be written: {error}"))
        .in_file(path)
        .remedy("make room on the disk; what was written before stays readable")
}

#[cfg(test)]
mod tests;
