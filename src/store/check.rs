//! The check of the whole file after an unclean end.
//!
//! Owns when a file counts as checked, and what is said of one that is damaged. A process that is
//! killed leaves a sound database; a machine that loses power, with a disk that promises more than
//! it keeps, may not. Reading it all takes a minute for each ten gigabytes or so, which no feed
//! waits for: it goes on beside the run, on a connection of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rusqlite::Connection;

use super::fault::{DAMAGED, Fault};
use super::open::open_read_only;
use super::wal::TimedSnapshot;
use crate::error::{Error, Result};
use crate::stop::Stop;

/// Steps of SQLite's between two looks at the stop: some milliseconds.
const STEPS: i32 = 10_000;
/// Findings that are shown: one says that it is damaged, a few tell where.
const SHOWN: usize = 3;

/// What a run knows of the check it owes.
#[derive(Debug, Default)]
pub(super) struct Owed {
    /// Written by the thread that checks, read when the run ends.
    made: Arc<AtomicBool>,
}

impl Owed {
    pub fn check(&self, file: &Path) -> Check {
        Check { file: file.to_path_buf(), made: Arc::clone(&self.made) }
    }

    /// Whether the file was checked and found sound.
    pub fn is_made(&self) -> bool {
        self.made.load(Ordering::Relaxed)
    }
}

/// A check that is to be made.
#[derive(Debug)]
pub struct Check {
    file: PathBuf,
    made: Arc<AtomicBool>,
}

impl Check {
    /// Reads the whole file, unless a stop is requested before its end.
    ///
    /// # Errors
    /// When the file is damaged, or cannot be read.
    pub fn run(self, stop: &Arc<Stop>) -> Result<()> {
        let file = self.file.display();
        log::warn!(
            "{file}: the last run did not end cleanly: the database is checked while this one \
             goes on"
        );
        let started = Instant::now();
        let mut connection = open_read_only(&self.file)?;
        let failed = |error| Fault::new("check the database", error).into_error(&self.file);
        let stopped = Arc::clone(stop);
        connection.progress_handler(STEPS, Some(move || stopped.is_requested())).map_err(failed)?;
        match findings(&connection) {
            Ok(findings) if findings.is_empty() => {
                let seconds = started.elapsed().as_secs_f64();
                log::info!("{file}: checked in {seconds:.1} s, the database is sound");
                self.made.store(true, Ordering::Relaxed);
                Ok(())
            }
            Ok(findings) => {
                let what = format!("the database is damaged: {}", findings.join("; "));
                Err(Error::failed(what).in_file(&self.file).remedy(DAMAGED))
            }
            Err(error) if stop.is_requested() => {
                log::warn!("{file}: not checked to its end ({error}); the next run does it");
                Ok(())
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// What is wrong with the file, table by table: each has a snapshot of its own, so that the
/// write-ahead log need not hold everything that is written meanwhile.
fn findings(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut check = connection.prepare("SELECT quick_check FROM pragma_quick_check(?1)")?;
    let mut findings = Vec::new();
    for table in tables {
        let _timed = TimedSnapshot::begin("check");
        let said = check.query_map([&table], |row| row.get::<_, String>(0))?;
        for finding in said.take(SHOWN) {
            let finding = finding?;
            if finding != "ok" {
                findings.push(format!("{table}: {}", finding.replace('\n', ", ")));
            }
        }
        if findings.len() >= SHOWN {
            break;
        }
    }
    Ok(findings)
}
