//! Errors a person reads: what happened, where, and what to do about it.
//!
//! Owns [`Error`] and the process exit codes. Faults *inside* the stream (a bad frame, a bad
//! name) are not errors: they are values that are counted where they occur (`update`, `domain`).

use std::fmt;
use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done; also after the first Ctrl+C.
    Done = 0,
    /// Failed while running, or findings under `--check`.
    Failed = 1,
    /// The command line, the config or a rule is wrong; nothing was started.
    Usage = 2,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// A failure to report: the place, what is wrong there, and the remedy.
///
/// Shown as `file:line:column: key: what (remedy)`, each part only where it is known.
#[derive(Debug)]
pub struct Error {
    /// Boxed, so that the results of the hot path are no wider for it.
    parts: Box<Parts>,
}

#[derive(Debug)]
struct Parts {
    exit: ExitCode,
    file: Option<PathBuf>,
    line: Option<u64>,
    column: Option<u64>,
    key: Option<String>,
    what: String,
    remedy: Option<String>,
}

/// Where in a file a value was written, for complaints that come once the file has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The dotted key.
    pub key: String,
}

impl Error {
    /// A wrong command line, config or rule: exit code 2.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, what.into())
    }

    /// A failure while running: exit code 1.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Failed, what.into())
    }

    fn new(exit: ExitCode, what: String) -> Self {
        let parts =
            Parts { exit, file: None, line: None, column: None, key: None, what, remedy: None };
        Self { parts: Box::new(parts) }
    }

    /// Names the file the error is about.
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        self.parts.file = Some(file.as_ref().to_path_buf());
        self
    }

    /// Names the line, from 1.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.parts.line = Some(line);
        self
    }

    /// Names the column, from 1, counted in characters.
    #[must_use]
    pub fn at_column(mut self, column: u64) -> Self {
        self.parts.column = Some(column);
        self
    }

    /// Names the config key, dotted: `certstream.server`.
    #[must_use]
    pub fn at_key(mut self, key: impl Into<String>) -> Self {
        self.parts.key = Some(key.into());
        self
    }

    /// Names where the value was written that the error is about, unless it names a file itself: a
    /// complaint about a file that the value names is at home there. A key that is named stays.
    #[must_use]
    pub fn written_at(mut self, origin: &Origin) -> Self {
        if self.parts.file.is_some() {
            return self;
        }
        self.parts.key.get_or_insert_with(|| origin.key.clone());
        self.in_file(&origin.file).at_line(origin.line).at_column(origin.column)
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.parts.remedy = Some(remedy.into());
        self
    }

    /// The code the process should end with.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        self.parts.exit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.parts;
        if let Some(file) = &parts.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = parts.line {
                write!(f, ":{line}")?;
                if let Some(column) = parts.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        if let Some(key) = &parts.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&parts.what)?;
        if let Some(remedy) = &parts.remedy {
            write!(f, "\n  remedy: {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_every_known_part() {
        let error = Error::usage("unknown key")
            .in_file("config.yaml")
            .at_line(3)
            .at_column(5)
            .at_key("certstream.sever")
            .remedy("did you mean `server`?");
        assert_eq!(
            error.to_string(),
            "config.yaml:3:5: certstream.sever: unknown key\n  remedy: did you mean `server`?"
        );
        assert_eq!(error.exit(), ExitCode::Usage);
    }

    #[test]
    fn takes_the_place_of_a_value_unless_it_has_one_of_its_own() {
        let file = PathBuf::from("config.yaml");
        let origin = Origin { file, line: 3, column: 5, key: "a.b".to_owned() };
        let shown = |error: Error| error.written_at(&origin).to_string();
        assert_eq!(shown(Error::usage("wrong")), "config.yaml:3:5: a.b: wrong");
        assert_eq!(shown(Error::usage("wrong").at_key("a.c")), "config.yaml:3:5: a.c: wrong");
        assert_eq!(shown(Error::usage("empty").in_file("ca.pem")), "ca.pem: empty");
    }

    #[test]
    fn leaves_out_what_is_not_known() {
        assert_eq!(Error::failed("the disk is full").to_string(), "the disk is full");
    }
}
