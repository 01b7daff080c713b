//! `config.yaml`, read into settings that cannot be wrong.
//!
//! Owns the file's keys, their defaults and the messages about mistakes in it. Acts on nothing:
//! opening, connecting and compiling are the business of those who get the values.

use std::path::PathBuf;

use crate::rule::Anchor;

/// The settings of a run, before the command line overrides some of them.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file they came from; none when defaults alone are used.
    pub file: Option<PathBuf>,
    /// Certstream servers to watch, all at once.
    pub servers: Vec<Server>,
    /// The ancestor's rule file: one regex a line.
    pub input: Option<PathBuf>,
    /// Further rule files, in either format.
    pub rule_files: Vec<PathBuf>,
    /// Rules written in the config itself.
    pub rules: Vec<RuleEntry>,
    /// Domains and suffixes never reported.
    pub allow: Vec<String>,
    /// Where patterns may begin to match.
    pub anchor: Anchor,
    /// Where the domains are exported to.
    pub output: PathBuf,
    /// The database.
    pub database: Database,
    /// Matcher threads; none: one less than the cores, at least one.
    pub matchers: Option<usize>,
    /// Whether to export when the run ends.
    pub export_on_exit: bool,
    /// In which format.
    pub export_format: Format,
}

/// A certstream server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `ws://` or `wss://` URL with the path of the stream.
    pub url: String,
    /// Environment variable that holds the access token.
    pub token_env: Option<String>,
    /// Further certificate authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
}

/// A rule as written in YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleEntry {
    /// What it is called.
    pub name: Option<String>,
    /// The regex.
    pub pattern: String,
    /// Regexes whose matches are not reported.
    pub exclude: Vec<String>,
    /// The user's labels.
    pub tags: Vec<String>,
    /// The user's severity.
    pub severity: Option<String>,
    /// The line it stands on, from 1.
    pub line: u64,
}

/// The database's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The SQLite file.
    pub filename: PathBuf,
    /// Whether `watch` sets the old database aside at its start.
    pub purge: bool,
    /// What a power loss may cost.
    pub synchronous: Synchronous,
    /// Page cache of the writer, in bytes.
    pub cache: usize,
    /// Bound of what is matched and not yet committed, in bytes.
    pub backlog: usize,
}

/// SQLite's `synchronous` setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Survives SIGKILL; a power loss may cost the last commits, rows and position together.
    #[default]
    Normal,
    /// A power loss costs nothing.
    Full,
}

/// Format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One domain a line.
    #[default]
    Text,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}
