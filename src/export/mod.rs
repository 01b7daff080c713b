//! Exports: the stored domains, written out whole.
//!
//! Owns what is exported ([`Filter`]) and whereto ([`Target`]); each format is one file here. An
//! export is one snapshot of the database, sorted by domain bytewise, never appended to an older
//! one. Reads only; opening the database is `store`'s business.

mod csv;
mod json_lines;
mod select;
mod target;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::config::Format;
use crate::error::{Error, Result};
use crate::record::escape;
use select::Selection;

pub use target::{resolved, set_aside};

/// Which domains to export; by default all. Times are microseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only domains last seen then or later.
    pub since: Option<i64>,
    /// Only domains first seen before.
    pub until: Option<i64>,
    /// Only domains that a rule of this name matched.
    pub rule: Option<String>,
    /// Only domains of which a (domain, rule) pair was first seen within the span, or, where
    /// neither end is given, found by the latest run and none before. With `rule`: a pair of that
    /// rule.
    pub new_only: bool,
}

/// Where an export goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, replaced in one step once the export is whole; until then the old one stays.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Target {
    /// What the user names: a file, or with `-` standard output. A hyphen in a config has the
    /// config's folder in front.
    #[must_use]
    pub fn of(output: &Path) -> Self {
        match output.file_name() {
            Some(hyphen) if hyphen == "-" => Self::Stdout,
            _ => Self::File(output.to_path_buf()),
        }
    }

    /// Refuses, before a long run, what would be refused after it: a folder, or a file
    /// that is a database.
    ///
    /// # Errors
    /// A usage error that names the file.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::File(file) => target::check(file),
            Self::Stdout => Ok(()),
        }
    }
}

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Domains written; where a reader closed standard output early, up to there.
    pub domains: u64,
    /// Gaps within the span, of all runs: times in which a feed was not read whole.
    pub gaps: u64,
    /// Matched rows that were dropped in those gaps.
    pub rows_dropped: u64,
    /// Pairs of domain and rule, of the whole database, that nobody could prove: the rule gave up.
    pub to_review: u64,
    /// Entries of logs that certstream feeds missed in such gaps, at most.
    pub entries_missed: u64,
    /// Those among them that have been fetched since.
    pub entries_fetched: u64,
    /// Entries of CT logs that were read, ever.
    pub log_entries: u64,
    /// Those among them that were proven to stand in their log's signed tree.
    pub log_entries_verified: u64,
}

impl Summary {
    /// The summary in one line, with what the export cannot hold.
    #[must_use]
    pub fn to_line(&self, target: &Target) -> String {
        let target = match target {
            Target::File(file) => file.display().to_string(),
            Target::Stdout => "stdout".to_owned(),
        };
        let mut line = format!(
            "exported {} domains to {target}; missed until now: {} gaps, {} matched rows dropped",
            self.domains, self.gaps, self.rows_dropped
        );
        if self.to_review > 0 {
            line.push_str(&format!("; {} matches gave up and await review", self.to_review));
        }
        if self.entries_missed > 0 {
            let (all, fetched) = (self.entries_missed, self.entries_fetched);
            line.push_str(&format!(
                "; at most {all} log entries missed in them, {fetched} of those fetched since"
            ));
        }
        if self.log_entries > 0 {
            let (all, verified) = (self.log_entries, self.log_entries_verified);
            line.push_str(&format!("; {verified} of {all} log entries verified"));
        }
        line
    }
}

/// Writes the stored domains that `filter` lets through to `target`.
///
/// # Errors
/// A usage error where the filter asks for what cannot be: a rule the database does not know, a
/// span that ends before it begins. Otherwise when the database cannot be read or the target not
/// be written; a file that was there is then left as it was.
pub fn export(
    connection: &Connection,
    filter: &Filter,
    format: Format,
    target: &Target,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let written = match target {
        Target::File(file) => {
            target::replace(file, |out| write_all(connection, filter, format, out, &mut summary))
        }
        Target::Stdout => {
            let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
            until_closed(write_all(connection, filter, format, &mut out, &mut summary))
        }
    };
    written.map_err(|fault| fault.into_error(connection, target))?;
    Ok(summary)
}

/// Bytes gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Writes a whole export to `out`, flushed, and counts in `summary`.
fn write_all(
    connection: &Connection,
    filter: &Filter,
    format: Format,
    out: &mut dyn Write,
    summary: &mut Summary,
) -> Result<(), Fault> {
    let _timed = crate::store::TimedSnapshot::begin("export");
    // One snapshot: what the writer commits meanwhile is in this export wholly or not at all.
    let snapshot = connection.unchecked_transaction()?;
    let selection = Selection::new(&snapshot, filter)?;
    (summary.gaps, summary.rows_dropped) = selection.missed()?;
    summary.to_review = selection.to_review()?;
    (summary.entries_missed, summary.entries_fetched) = selection.missed_entries()?;
    (summary.log_entries, summary.log_entries_verified) = selection.log_entries()?;
    let domains = &mut summary.domains;
    match format {
        Format::Text => text::write(&selection, out, domains)?,
        Format::Csv => csv::write(&selection, out, domains)?,
        Format::JsonLines => json_lines::write(&selection, out, domains)?,
    }
    out.flush()?;
    Ok(())
}

/// A reader that has closed the pipe has read all it wanted.
fn until_closed(written: Result<(), Fault>) -> Result<(), Fault> {
    match written {
        Err(Fault::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// What can go wrong on the way, before it is known what to call it.
#[derive(Debug)]
enum Fault {
    /// The error says it all.
    Told(Error),
    /// The database could not be read.
    Read(rusqlite::Error),
    /// The target could not be written.
    Write(io::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl Fault {
    fn into_error(self, connection: &Connection, target: &Target) -> Error {
        match self {
            Self::Told(error) => error,
            Self::Read(error) => {
                let what = format!("cannot read the database: {error}");
                Error::failed(escape(&what))
                    .in_file(connection.path().unwrap_or_default())
                    .remedy("check the file with `sqlite3 FILE 'PRAGMA integrity_check'`")
            }
            Self::Write(error) => {
                let error = Error::failed(format!("cannot write the export: {error}"));
                match target {
                    Target::File(file) => error
                        .in_file(file)
                        .remedy("free space there, or name another file with --output"),
                    Target::Stdout => error.remedy("check where standard output goes"),
                }
            }
        }
    }
}
