//! The file an export goes to: replaced in one step, never half-written.
//!
//! Owns the temporary file beside it, the rename, and the messages about places that cannot or
//! must not be written.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::{BUFFER, Fault};
use crate::error::Error;

/// How the name of an export in the making begins; the process that makes it follows.
const TEMPORARY: &str = ".certstream-export-";

/// Mode of a file that was not there before, minus the umask.
const NEW_FILE_MODE: u32 = 0o644;
/// Links that Linux follows in one path.
const MAX_LINKS: usize = 40;
/// What an SQLite database begins with.
const DATABASE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Refuses a folder, and a target that holds a database: months of matches are not worth one
/// mistyped name.
pub(super) fn check(file: &Path) -> Result<(), Error> {
    let old = fs::metadata(file);
    if old.as_ref().is_ok_and(Metadata::is_dir) {
        return Err(Error::usage("the export's target is a folder")
            .in_file(file)
            .remedy("name a file, with certstream.output or --output"));
    }
    let is_file = old.is_ok_and(|old| old.is_file());
    let mut begin = [0; DATABASE_MAGIC.len()];
    // What cannot be read is found out when it is to be replaced.
    let mut read = || File::open(file)?.read_exact(&mut begin);
    if is_file && read().is_ok() && begin == *DATABASE_MAGIC {
        return Err(Error::usage("the export would overwrite an SQLite database")
            .in_file(file)
            .remedy("name another file, with certstream.output or --output"));
    }
    Ok(())
}

/// Sets the export aside under its name with `suffix` appended, if there is a file of that name:
/// the new name. It overwrites nothing: an older one of the new name gets its place kept.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(file: &Path, suffix: &OsStr) -> Result<Option<PathBuf>, Error> {
    let real = resolved(file);
    if !real.is_file() {
        return Ok(None);
    }
    let mut aside = real.clone().into_os_string();
    aside.push(suffix);
    while Path::new(&aside).exists() {
        aside.push("-2");
    }
    let aside = PathBuf::from(aside);
    fs::rename(&real, &aside).map_err(|error| {
        Error::failed(format!("cannot rename the old export: {error}"))
            .in_file(file)
            .remedy("let the user who runs certstream write in its folder, or set purge: false")
    })?;
    Ok(Some(aside))
}

/// Where `path` leads: links followed, also where the file itself is yet to be made.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        if let Ok(real) = fs::canonicalize(&path) {
            return real;
        }
        let folder = fs::canonicalize(folder_of(&path)).unwrap_or_else(|_| folder_of(&path));
        match fs::read_link(&path) {
            // A link to what is yet to be made, such as one to a disk for exports.
            Ok(to) => path = folder.join(to),
            Err(_) => return path.file_name().map_or(path.clone(), |name| folder.join(name)),
        }
    }
    path
}

/// Lets `write` fill `file`. A crash or failure before the end leaves the file that was there; at
/// most a `.certstream-export-*` stays behind beside it, until the next export into that folder.
pub(super) fn replace(
    file: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Fault>,
) -> Result<(), Fault> {
    // A link is followed: what it points to is replaced, not the link.
    let real = resolved(file);
    check(file).map_err(Fault::Told)?;
    let old = match fs::metadata(file) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(file, &error)),
    };
    match &old {
        // A device or a pipe (`/dev/stdout`) is written to; renaming over it would destroy it.
        Some(old) if !old.is_file() => {
            let device = OpenOptions::new().write(true).open(file);
            let device = device.map_err(|error| unwritable(file, &error))?;
            write(&mut BufWriter::with_capacity(BUFFER, device))
        }
        _ => replace_file(file, &real, old.as_ref(), write),
    }
}

fn replace_file(
    file: &Path,
    real: &Path,
    old: Option<&Metadata>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let folder = folder_of(real);
    fs::create_dir_all(&folder).map_err(|error| unwritable(file, &error))?;
    remove_abandoned(&folder);
    // In the same folder, because a rename does not cross file systems. Removed when dropped.
    let mut new = tempfile::Builder::new()
        .prefix(&format!("{TEMPORARY}{}-", std::process::id()))
        .permissions(Permissions::from_mode(NEW_FILE_MODE))
        .tempfile_in(&folder)
        .map_err(|error| unwritable(file, &error))?;
    // For those to whom our process id says nothing: containers that share this folder. Where the
    // file system knows no locks, the id alone has to do.
    let _ = new.as_file().try_lock();
    if let Some(old) = old {
        new.as_file().set_permissions(old.permissions())?;
    }
    write(&mut BufWriter::with_capacity(BUFFER, new.as_file_mut()))?;
    // Before the rename, or a power loss could leave an empty file under the name.
    new.as_file().sync_all()?;
    new.persist(real).map_err(|error| unwritable(file, &error.error))?;
    // So that the rename survives a power loss. The export is in place: a file system that
    // cannot do it is no reason to call it failed.
    let _ = File::open(&folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Removes what exports that were killed have left in `folder`. Only a courtesy: whatever cannot be
/// read, told or removed stays.
fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_of_the_dead(&entry.file_name())) {
        let path = entry.path();
        // The lock is held until the file is gone.
        if entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
            && fs::remove_file(&path).is_ok()
        {
            log::info!("{}: removed, its export was killed", path.display());
        }
    }
}

/// Whether `name` is that of an export in the making whose process has ended.
fn is_of_the_dead(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY));
    let pid = rest.and_then(|rest| rest.split_once('-')).and_then(|(pid, _)| pid.parse().ok());
    let Some(pid) = pid.filter(|pid| *pid > 0).and_then(Pid::from_raw) else { return false };
    test_kill_process(pid) == Err(Errno::SRCH)
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn unwritable(file: &Path, error: &io::Error) -> Fault {
    Fault::Told(
        Error::failed(format!("cannot write the export there: {error}"))
            .in_file(file)
            .remedy("make its folder writable, or name another file with --output"),
    )
}
