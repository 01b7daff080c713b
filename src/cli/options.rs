//! The options of each subcommand, as typed; their doc comments are the help pages.
//!
//! `watch` and `record` repeat each other because the parser cannot share a group of options.

use std::path::PathBuf;

use argh::FromArgs;

use crate::config::{ANCHORS, FORMATS, Format, MAX_MATCHERS, PARSES};
use crate::rule::Anchor;
use crate::update::Parse;

use super::ct::{Backfill, Logs};
use super::keep::{Backup, Prune};

/// CertStream watches Certificate Transparency for the domains your regexes name, stores each
/// match with its evidence in SQLite, and exports all stored domains at the end. Without a
/// command it watches.
#[derive(FromArgs, Debug)]
#[argh(
    note = "`certstream COMMAND --help` describes each command.",
    error_code(0, "Done, also after Ctrl+C."),
    error_code(1, "Failed while running, or findings under --check."),
    error_code(2, "Wrong command line, config or rules; nothing was started.")
)]
pub struct Args {
    #[argh(subcommand)]
    /// what to do
    pub command: Command,
}

/// The subcommands.
#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub enum Command {
    /// See [`Watch`].
    Watch(Watch),
    /// See [`Record`].
    Record(Record),
    /// See [`Replay`].
    Replay(Replay),
    /// See [`Logs`].
    Logs(Logs),
    /// See [`Backfill`].
    Backfill(Backfill),
    /// See [`Export`].
    Export(Export),
    /// See [`Explain`].
    Explain(Explain),
    /// See [`Lint`].
    Lint(Lint),
    /// See [`Backup`].
    Backup(Backup),
    /// See [`Prune`].
    Prune(Prune),
    /// See [`Report`].
    Report(Report),
}

/// Watch the configured servers until Ctrl+C: match every certificate's names against the rules,
/// store what matches, and export all stored domains at the end.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "watch",
    example = "Watch a server of your own:\n$ {command_name} --server ws://127.0.0.1:8080/",
    example = "As the Python script did it, in its folder:\n$ {command_name} --anchor start",
    note = "The first Ctrl+C (or SIGTERM, SIGHUP) stops reading, stores what was read and exports; \
            the second exits at once with 1. New matches go to stdout, everything else to stderr.",
    error_code(0, "Done, also after Ctrl+C."),
    error_code(1, "Failed while running: no server left, database lost, a thread lost."),
    error_code(2, "Wrong command line, config or rules; nothing was started.")
)]
pub struct Watch {
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// server to watch instead of the configured ones and of CT logs, ws:// or wss://; repeatable
    #[argh(option, arg_name = "url")]
    pub server: Vec<String>,
    /// read the CT logs of this list instead of the configured one: a file, a URL, or `embedded`
    #[argh(option, arg_name = "list")]
    pub log_list: Option<String>,
    /// certificate authority to trust besides the system's, PEM; for the servers of --server
    #[argh(option, arg_name = "file")]
    pub ca_file: Option<PathBuf>,
    /// rule file besides the configured ones; repeatable
    #[argh(option, arg_name = "file")]
    pub rules: Vec<PathBuf>,
    /// where patterns may begin to match: search (anywhere) or start (as Python's re.match)
    #[argh(option, from_str_fn(anchor))]
    pub anchor: Option<Anchor>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// set the old database and its export aside as NAME.TIME and begin new ones
    #[argh(switch)]
    pub purge: bool,
    /// matcher threads (default: cores - 1)
    #[argh(option, from_str_fn(matchers))]
    pub matchers: Option<usize>,
    /// who reads the names of frames: fast (a scan, and simd-json what matters) or strict
    #[argh(option, from_str_fn(parse))]
    pub parse: Option<Parse>,
    /// file to export to at the end instead of the configured one
    #[argh(option, arg_name = "file")]
    pub output: Option<PathBuf>,
    /// format of the export: text, csv or jsonl
    #[argh(option, from_str_fn(format))]
    pub format: Option<Format>,
    /// do not export at the end
    #[argh(switch)]
    pub no_export: bool,
    /// show matches as JSON, one object a line
    #[argh(switch)]
    pub json: bool,
    /// show every sighting, not only new pairs of domain and rule
    #[argh(switch)]
    pub every_sighting: bool,
    /// show no matches and no status line; warnings and errors only
    #[argh(switch, short = 'q')]
    pub quiet: bool,
    /// log more
    #[argh(switch, short = 'v')]
    pub verbose: bool,
}

/// Watch as `watch` does, and write every frame the servers send to a capture.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "record",
    example = "Record for later, packed with zstd:\n$ {command_name} --server ws://127.0.0.1:8080/ today.jsonl.zst",
    note = "The capture is JSON Lines, packed by the ending of its name: .gz, .zst, else plain. \
            It is flushed every second, so a kill costs at most that. A server is never made to \
            wait for the disk: frames left out are counted.",
    error_code(0, "Done, also after Ctrl+C."),
    error_code(1, "Failed while running."),
    error_code(2, "Wrong command line, config or rules, or the capture exists.")
)]
pub struct Record {
    /// capture to write
    #[argh(positional)]
    pub capture: PathBuf,
    /// overwrite the capture if it exists
    #[argh(switch)]
    pub force: bool,
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// server to watch instead of the configured ones, ws:// or wss://; repeatable
    #[argh(option, arg_name = "url")]
    pub server: Vec<String>,
    /// certificate authority to trust besides the system's, PEM; for the servers of --server
    #[argh(option, arg_name = "file")]
    pub ca_file: Option<PathBuf>,
    /// rule file besides the configured ones; repeatable
    #[argh(option, arg_name = "file")]
    pub rules: Vec<PathBuf>,
    /// where patterns may begin to match: search (anywhere) or start (as Python's re.match)
    #[argh(option, from_str_fn(anchor))]
    pub anchor: Option<Anchor>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// set the old database and its export aside as NAME.TIME and begin new ones
    #[argh(switch)]
    pub purge: bool,
    /// matcher threads (default: cores - 1)
    #[argh(option, from_str_fn(matchers))]
    pub matchers: Option<usize>,
    /// who reads the names of frames: fast (a scan, and simd-json what matters) or strict
    #[argh(option, from_str_fn(parse))]
    pub parse: Option<Parse>,
    /// file to export to at the end instead of the configured one
    #[argh(option, arg_name = "file")]
    pub output: Option<PathBuf>,
    /// format of the export: text, csv or jsonl
    #[argh(option, from_str_fn(format))]
    pub format: Option<Format>,
    /// do not export at the end
    #[argh(switch)]
    pub no_export: bool,
    /// show matches as JSON, one object a line
    #[argh(switch)]
    pub json: bool,
    /// show every sighting, not only new pairs of domain and rule
    #[argh(switch)]
    pub every_sighting: bool,
    /// show no matches and no status line; warnings and errors only
    #[argh(switch, short = 'q')]
    pub quiet: bool,
    /// log more
    #[argh(switch, short = 'v')]
    pub verbose: bool,
}

/// Match recorded frames as if they came from a server, at full speed: JSON Lines, plain, gzip
/// or zstd (told by content), or - for stdin.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "replay",
    example = "Try a rule file on a capture:\n$ {command_name} --rules new.txt today.jsonl.zst",
    example = "Keep what matched:\n$ {command_name} --database hunt.db --output hunt.txt may.jsonl.zst june.jsonl.zst",
    note = "Without --database the matches are stored in a temporary database, deleted at the \
            end unless --keep is given. Without --output nothing is exported: stdout shows the \
            matches. With --rules no config file is needed, unless --into-configured asks for \
            its database: its rules then count, too.",
    error_code(0, "Done, also after Ctrl+C."),
    error_code(1, "Failed while running: a damaged capture, a lost database."),
    error_code(2, "Wrong command line, config or rules, or a capture that cannot be opened.")
)]
pub struct Replay {
    /// captures to read, one after another; - is stdin
    #[argh(positional)]
    pub captures: Vec<PathBuf>,
    /// frames a second (default: as fast as possible)
    #[argh(option, from_str_fn(frame_rate))]
    pub rate: Option<u32>,
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// rule file; repeatable. Without --config these are the only rules
    #[argh(option, arg_name = "file")]
    pub rules: Vec<PathBuf>,
    /// where patterns may begin to match: search (anywhere) or start (as Python's re.match)
    #[argh(option, from_str_fn(anchor))]
    pub anchor: Option<Anchor>,
    /// database to store the matches in (default: a temporary one)
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// keep the temporary database and say where it is
    #[argh(switch)]
    pub keep: bool,
    /// store the matches in the configured database; not together with --database
    #[argh(switch)]
    pub into_configured: bool,
    /// matcher threads (default: cores - 1)
    #[argh(option, from_str_fn(matchers))]
    pub matchers: Option<usize>,
    /// who reads the names of frames: fast (a scan, and simd-json what matters) or strict
    #[argh(option, from_str_fn(parse))]
    pub parse: Option<Parse>,
    /// file to export all stored domains to at the end
    #[argh(option, arg_name = "file")]
    pub output: Option<PathBuf>,
    /// format of the export: text, csv or jsonl
    #[argh(option, from_str_fn(format))]
    pub format: Option<Format>,
    /// show matches as JSON, one object a line
    #[argh(switch)]
    pub json: bool,
    /// show every sighting, not only new pairs of domain and rule
    #[argh(switch)]
    pub every_sighting: bool,
    /// show no matches and no progress; warnings and errors only
    #[argh(switch, short = 'q')]
    pub quiet: bool,
    /// log more
    #[argh(switch, short = 'v')]
    pub verbose: bool,
}

impl Replay {
    /// Every path the command line can name.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let single = [&mut self.config, &mut self.database, &mut self.output];
        self.captures.iter_mut().chain(&mut self.rules).chain(single.into_iter().flatten())
    }
}

/// Write the stored domains to a file: complete, sorted, replaced in one step. Also while a
/// watch runs.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "export",
    example = "Everything, one domain a line:\n$ {command_name} --output domains.txt",
    example = "What is new since a day, as a table:\n$ {command_name} --format csv --new-only --since 2026-11-23 --output new.csv",
    note = "Times are RFC 3339 (2026-11-23T08:00:00Z) or a date, which begins at 00:00 UTC.",
    error_code(0, "Done."),
    error_code(1, "The file could not be written, or the database not read."),
    error_code(2, "Wrong command line or config.")
)]
pub struct Export {
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// database instead of the configured one; --output must then be given, too
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// file to write; - is stdout (default: the configured one)
    #[argh(option, arg_name = "file")]
    pub output: Option<PathBuf>,
    /// text, csv or jsonl
    #[argh(option, from_str_fn(format))]
    pub format: Option<Format>,
    /// only domains seen at or after this time
    #[argh(option, arg_name = "time", from_str_fn(time))]
    pub since: Option<i64>,
    /// only domains seen before this time
    #[argh(option, arg_name = "time", from_str_fn(time))]
    pub until: Option<i64>,
    /// only domains that the rule of this name matched
    #[argh(option, arg_name = "name")]
    pub rule: Option<String>,
    /// only domains that a rule first hit in the span, or, without a span, in the latest run
    #[argh(switch)]
    pub new_only: bool,
}

/// Show which rules hit a name: where, in which view, through which literal; and which nearly
/// hit, and why not.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "explain",
    example = "$ {command_name} --rules rules.txt www.paypa1-login.com",
    error_code(0, "Done."),
    error_code(1, "Some name was hit, under --check."),
    error_code(2, "Wrong command line, config or rules.")
)]
pub struct Explain {
    /// names, as they stand in certificates
    #[argh(positional)]
    pub names: Vec<String>,
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// rule file; repeatable. Without --config these are the only rules
    #[argh(option, arg_name = "file")]
    pub rules: Vec<PathBuf>,
    /// where patterns may begin to match: search or start
    #[argh(option, from_str_fn(anchor))]
    pub anchor: Option<Anchor>,
    /// show JSON, one object a line
    #[argh(switch)]
    pub json: bool,
    /// exit with 1 if some name is hit
    #[argh(switch)]
    pub check: bool,
}

/// Look for what is wrong with the rules: without a literal, too broad, duplicate, made needless
/// by another, dead, or matching an allowed domain; and for what each costs and brings.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "lint",
    example = "$ {command_name} --rules rules.txt --check",
    example = "What each rule costs and brings on a day's names:\n\
               $ {command_name} --profile day.jsonl.zst",
    error_code(0, "Done."),
    error_code(1, "There are findings, under --check; or a capture could not be read to its end."),
    error_code(2, "Wrong command line, config or rules.")
)]
pub struct Lint {
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// rule file; repeatable. Without --config these are the only rules
    #[argh(option, arg_name = "file")]
    pub rules: Vec<PathBuf>,
    /// where patterns may begin to match: search or start
    #[argh(option, from_str_fn(anchor))]
    pub anchor: Option<Anchor>,
    /// show JSON, one object a line
    #[argh(switch)]
    pub json: bool,
    /// exit with 1 if there are findings
    #[argh(switch)]
    pub check: bool,
    /// show also what each rule costs and how often it hits on the names of this capture, the
    /// dearest first; `-` is stdin, repeatable
    #[argh(option, arg_name = "capture")]
    pub profile: Vec<PathBuf>,
}

/// Show what was found and what was missed: runs, domains, matches by rule, gaps, positions.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "report",
    example = "What a watch found and missed so far:\n$ {command_name} --database certstream.db",
    note = "Reads only: it may run while a watch does.",
    error_code(0, "Done."),
    error_code(1, "The database could not be read."),
    error_code(2, "Wrong command line or config.")
)]
pub struct Report {
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
}

fn one_of<T: Copy>(word: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("write one of: {}", names.join(", "))
    })
}

fn anchor(word: &str) -> Result<Anchor, String> {
    one_of(word, &ANCHORS)
}

fn format(word: &str) -> Result<Format, String> {
    one_of(word, &FORMATS)
}

pub(super) fn matchers(word: &str) -> Result<usize, String> {
    let number = word.parse().ok().filter(|number| (1..=MAX_MATCHERS).contains(number));
    number.ok_or_else(|| format!("write a number from 1 up to {MAX_MATCHERS}"))
}

fn parse(word: &str) -> Result<Parse, String> {
    one_of(word, &PARSES)
}

fn frame_rate(word: &str) -> Result<u32, String> {
    word.parse().ok().filter(|n| *n > 0).ok_or_else(|| "write a number from 1 up".to_owned())
}

/// A time as microseconds since the Unix epoch.
pub(super) fn time(word: &str) -> Result<i64, String> {
    let day = || format!("{word}T00:00:00Z").parse();
    let time: Option<jiff::Timestamp> = word.parse().or_else(|_| day()).ok();
    time.map(jiff::Timestamp::as_microsecond)
        .ok_or_else(|| "write 2026-11-23T08:00:00Z or 2026-11-23".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_at_midnight() {
        assert_eq!(time("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(time("1970-01-01T00:00:01Z"), Ok(1_000_000));
        assert!(time("yesterday").is_err());
    }
}
