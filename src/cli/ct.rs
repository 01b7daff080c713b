//! The options of the subcommands about CT logs; their doc comments are the help pages.

use std::path::PathBuf;

use argh::FromArgs;

use crate::config::Start;

use super::options::matchers;

/// Show the CT logs: who runs each, how it is read, and how far it has been read.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "logs",
    example = "All logs of the configured list, and how far each is read:\n$ {command_name}",
    example = "Without asking the logs for their size now:\n$ {command_name} --offline",
    note = "Reads only: it may run while a watch does. Each log that is watched is asked for its \
            tree head once.",
    error_code(0, "Done."),
    error_code(1, "The database or the list of logs could not be read."),
    error_code(2, "Wrong command line or config.")
)]
pub struct Logs {
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// list of logs instead of the configured one: a file, a URL, or `embedded`
    #[argh(option, arg_name = "list")]
    pub log_list: Option<String>,
    /// ask no log for its tree head: show what was known when it was read last
    #[argh(switch)]
    pub offline: bool,
    /// show logs that are not read, too: retired, rejected, pending, ended
    #[argh(switch)]
    pub all: bool,
    /// show JSON, one object a line
    #[argh(switch)]
    pub json: bool,
}

/// Read a range of one CT log, beside a running watch, and store what matches.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "backfill",
    example = "What a log took in on one day:\n$ {command_name} --log tuscolo2026h2 --from 2026-11-20 --to 2026-11-21",
    example = "By index; the same command again goes on where it stopped:\n$ {command_name} --log 'Argon2026h2' --from 1000000 --to 2000000",
    note = "The position of a backfill is its own: it never moves that of a watch. What is stored \
            already stays one row; its sightings count each reading of an entry.",
    error_code(0, "Done, or stopped by Ctrl+C: the same command goes on."),
    error_code(1, "Failed while running."),
    error_code(2, "Wrong command line or config, no such log, or a range outside of it.")
)]
pub struct Backfill {
    /// log to read: its name in `certstream logs`, a part of it that no other has, or its URL
    #[argh(option)]
    pub log: String,
    /// first entry: an index, a time, a date, or `beginning`
    #[argh(option, from_str_fn(place))]
    pub from: Option<Start>,
    /// entry to stop before: an index, a time, a date, or `end` (default: the log's current end)
    #[argh(option, from_str_fn(place))]
    pub to: Option<Start>,
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// list of logs instead of the configured one: a file, a URL, or `embedded`
    #[argh(option, arg_name = "list")]
    pub log_list: Option<String>,
    /// rule file besides the configured ones; repeatable
    #[argh(option, arg_name = "file")]
    pub rules: Vec<PathBuf>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// matcher threads (default: cores - 1)
    #[argh(option, from_str_fn(matchers))]
    pub matchers: Option<usize>,
    /// show matches as JSON, one object a line
    #[argh(switch)]
    pub json: bool,
    /// show no matches and no progress; warnings and errors only
    #[argh(switch, short = 'q')]
    pub quiet: bool,
    /// log more
    #[argh(switch, short = 'v')]
    pub verbose: bool,
}

fn place(word: &str) -> Result<Start, String> {
    Start::of(word).or_else(|| Start::of(&format!("{word}T00:00:00Z"))).ok_or_else(|| {
        "write an index, 2026-11-23T08:00:00Z, 2026-11-23, beginning or end".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_index_a_time_or_a_date() {
        assert_eq!(place("1000"), Ok(Start::Index(1000)));
        assert_eq!(place("1970-01-02"), Ok(Start::Time(86_400_000)));
        assert_eq!(place("1970-01-01T00:00:01Z"), Ok(Start::Time(1000)));
        assert_eq!((place("beginning"), place("end")), (Ok(Start::Beginning), Ok(Start::End)));
        assert!(place("yesterday").is_err());
    }
}
