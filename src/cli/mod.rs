//! The command line: what was typed, checked for form only.
//!
//! Owns the parse, `--version`, and what is shown when the line is wrong; the options stand in
//! `options`. No behaviour: what the subcommands do is `commands`' business.

mod ct;
mod keep;
mod options;

use std::io::{self, Write};
use std::path::PathBuf;

use argh::FromArgs;

use crate::error::ExitCode;

pub use ct::{Backfill, Logs};
pub use keep::{Backup, Prune};
pub use options::{Args, Command, Explain, Export, Lint, Record, Replay, Report, Watch};

const SUBCOMMANDS: [&str; 11] = [
    "watch", "record", "replay", "logs", "backfill", "export", "explain", "lint", "report",
    "backup", "prune",
];

/// Options that stand alone; every other one takes the next word as its value.
const SWITCHES: [&str; 16] = [
    "--all",
    "--check",
    "--domains",
    "--every-sighting",
    "--force",
    "--help",
    "--into-configured",
    "--json",
    "--keep",
    "--new-only",
    "--no-export",
    "--offline",
    "--purge",
    "--quiet",
    "--verbose",
    "--version",
];

/// Stands for `-` while the words are parsed; no file can be called so.
const STDIN: &str = "\0stdin";

/// The command line ends here: help was asked for, or it is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Early {
    /// What to show.
    pub text: String,
    /// How to end.
    pub exit: ExitCode,
}

impl Early {
    /// Shows the text: help on stdout, complaints on stderr.
    pub fn show(&self) -> ExitCode {
        match self.exit {
            // A closed stdout is no failure of help, and a closed stderr leaves the exit code.
            ExitCode::Done => drop(io::stdout().write_all(self.text.as_bytes())),
            ExitCode::Failed | ExitCode::Usage => {
                drop(io::stderr().write_all(self.text.as_bytes()));
            }
        }
        self.exit
    }
}

/// Reads the command line; the first word is the program's name.
///
/// # Errors
/// Where help or the version was asked for, or the words are wrong.
pub fn parse(words: &[String]) -> Result<Args, Early> {
    let given = split_values(words.get(1..).unwrap_or_default())?;
    let first = given.first().map(String::as_str);
    if first == Some("--version") {
        return Err(Early { text: version(), exit: ExitCode::Done });
    }
    let mut typed: Vec<&str> = given.iter().map(String::as_str).collect();
    let named = first.is_some_and(|word| SUBCOMMANDS.contains(&word));
    if !named && !matches!(first, Some("--help" | "help" | "-h")) {
        // `certstream` alone, and with options alone, is `certstream watch`. Options in front of a
        // subcommand are meant for it.
        if first.is_none_or(|word| word.starts_with('-')) {
            let command = match command_behind_options(&typed) {
                Some(place) => typed.remove(place),
                None => "watch",
            };
            typed.insert(0, command);
        }
    }
    let command = typed.first().copied().unwrap_or_default().to_owned();
    if command == "replay" {
        // The parser would take a lone hyphen for an unknown option.
        typed.iter_mut().filter(|word| **word == "-").for_each(|word| *word = STDIN);
    }
    let mut args =
        Args::from_args(&["certstream"], &typed).map_err(|early| refused(&early, &command))?;
    if let Command::Replay(replay) = &mut args.command {
        replay.paths_mut().filter(|path| path.as_os_str() == STDIN).for_each(|path| {
            *path = PathBuf::from("-");
        });
    }
    Ok(args)
}

/// Where the subcommand stands that options go ahead of.
fn command_behind_options(typed: &[&str]) -> Option<usize> {
    let mut place = 0;
    while let Some(word) = typed.get(place) {
        if !word.starts_with('-') {
            return SUBCOMMANDS.contains(word).then_some(place);
        }
        let takes_value = word.starts_with("--") && *word != "--" && !SWITCHES.contains(word);
        place += if takes_value { 2 } else { 1 };
    }
    None
}

fn refused(early: &argh::EarlyExit, command: &str) -> Early {
    if early.status.is_ok() {
        return Early { text: early.output.clone(), exit: ExitCode::Done };
    }
    let what = early.output.trim_end().replace(STDIN, "-");
    if SUBCOMMANDS.contains(&command) {
        wrong(&what, &format!("see `certstream {command} --help`"))
    } else {
        wrong(&what, &format!("write one of: {}", SUBCOMMANDS.join(", ")))
    }
}

fn wrong(what: &str, remedy: &str) -> Early {
    Early { text: format!("certstream: {what}\n  remedy: {remedy}\n"), exit: ExitCode::Usage }
}

/// Splits `--option=value` in two, which the parser wants apart, and spells `-h` out. A value is
/// taken as it stands, whatever it begins with; so is all after a bare `--`.
fn split_values(words: &[String]) -> Result<Vec<String>, Early> {
    let mut split = Vec::with_capacity(words.len());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            _ if word == "--" => {
                split.push(word.clone());
                split.extend(words.by_ref().cloned());
            }
            _ if word == "-h" => split.push("--help".to_owned()),
            Some((option, value)) if option.starts_with("--") => {
                if SWITCHES.contains(&option) {
                    let remedy = format!("write {option}, or leave it out");
                    return Err(wrong(&format!("{option} takes no value"), &remedy));
                }
                split.extend([option.to_owned(), value.to_owned()]);
            }
            None if word.starts_with("--") && !SWITCHES.contains(&word.as_str()) => {
                split.push(word.clone());
                split.extend(words.next().cloned());
            }
            _ => split.push(word.clone()),
        }
    }
    Ok(split)
}

/// What `--version` shows.
#[must_use]
pub fn version() -> String {
    format!(
        "certstream {} (commit {}, {}, features: {})\n",
        env!("CARGO_PKG_VERSION"),
        env!("CERTSTREAM_COMMIT"),
        env!("CERTSTREAM_RUSTC"),
        env!("CERTSTREAM_FEATURES"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Anchor;

    fn words(line: &str) -> Vec<String> {
        std::iter::once("certstream").chain(line.split_whitespace()).map(str::to_owned).collect()
    }

    #[test]
    fn alone_or_with_options_alone_it_watches() {
        let Command::Watch(watch) = parse(&words("")).expect("parses").command else {
            panic!("watches")
        };
        assert!(watch.server.is_empty());
        let line = "--server=ws://a/?x=1 --server ws://b/ --matchers 3 --anchor=start";
        let Command::Watch(watch) = parse(&words(line)).expect("parses").command else {
            panic!("watches")
        };
        assert_eq!(watch.server, ["ws://a/?x=1", "ws://b/"]);
        assert_eq!((watch.matchers, watch.anchor), (Some(3), Some(Anchor::Start)));
    }

    #[test]
    fn options_may_go_ahead_of_the_command() {
        for line in ["--quiet watch --server ws://a/", "-q --server=ws://a/ watch"] {
            let Command::Watch(watch) = parse(&words(line)).expect("parses").command else {
                panic!("watches")
            };
            assert!(watch.quiet && watch.server == ["ws://a/"], "{line}");
        }
        let Command::Replay(replay) = parse(&words("-q replay -")).expect("parses").command else {
            panic!("replays")
        };
        assert_eq!(replay.captures, [PathBuf::from("-")]);
        // A value that is called as a command is a value.
        let Command::Watch(watch) = parse(&words("--database report")).expect("parses").command
        else {
            panic!("watches")
        };
        assert_eq!(watch.database, Some(PathBuf::from("report")));
        let Command::Report(report) =
            parse(&words("--database report report")).expect("parses").command
        else {
            panic!("reports")
        };
        assert_eq!(report.database, Some(PathBuf::from("report")));
    }

    #[test]
    fn stdin_and_files_replay() {
        let line = "replay --rules r.txt --rate 50 a.zst -";
        let Command::Replay(replay) = parse(&words(line)).expect("parses").command else {
            panic!("replays")
        };
        assert_eq!(replay.captures, [PathBuf::from("a.zst"), PathBuf::from("-")]);
        assert_eq!(replay.rate, Some(50));
        // As a value a hyphen is a value, and after `--` everything is a capture.
        let line = "replay --output - --json - -- -h --a=b";
        let Command::Replay(replay) = parse(&words(line)).expect("parses").command else {
            panic!("replays")
        };
        assert_eq!(replay.output, Some(PathBuf::from("-")));
        assert_eq!(replay.captures, ["-", "-h", "--a=b"].map(PathBuf::from));
    }

    #[test]
    fn values_may_begin_with_hyphens_and_hold_equals_signs() {
        for line in ["export --rule=--a=b", "export --rule --a=b"] {
            let Command::Export(export) = parse(&words(line)).expect("parses").command else {
                panic!("exports")
            };
            assert_eq!(export.rule.as_deref(), Some("--a=b"), "{line}");
        }
    }

    /// The split knows by name which options stand alone; the help pages know it from the parser.
    #[test]
    fn the_switches_are_those_of_the_help_pages() {
        for command in SUBCOMMANDS {
            let text = parse(&words(&format!("{command} --help"))).expect_err(command).text;
            let usage = text.lines().next().expect("a usage line");
            let listed = text.lines().skip_while(|line| *line != "Options:").skip(1);
            let listed = listed.take_while(|line| !line.is_empty());
            let options: Vec<&str> = listed
                .filter_map(|line| line.split_whitespace().take(2).find(|w| w.starts_with("--")))
                .map(|word| word.trim_end_matches(','))
                .collect();
            assert!(options.contains(&"--help"), "{command}: {options:?}");
            for option in options {
                let valued = usage.contains(&format!("{option} <"));
                assert_ne!(valued, SWITCHES.contains(&option), "{command} {option}");
            }
        }
    }

    #[test]
    fn every_command_has_a_help_page() {
        for command in SUBCOMMANDS {
            let early = parse(&words(&format!("{command} --help"))).expect_err(command);
            assert_eq!(early.exit, ExitCode::Done);
            let short = parse(&words(&format!("{command} -h"))).expect_err(command);
            assert_eq!(short, early);
            for part in ["Usage: certstream", "Options:", "Examples:", "Error codes:"] {
                assert!(early.text.contains(part), "{command}: {part}: {}", early.text);
            }
        }
        let early = parse(&words("--help")).expect_err("help");
        assert!(SUBCOMMANDS.iter().all(|command| early.text.contains(command)));
        assert!(parse(&words("--version")).expect_err("version").text.contains("rustc 1."));
    }

    #[test]
    fn wrong_words_are_usage_errors() {
        let table = [
            ("wach", "Unrecognized argument: wach\n  remedy: write one of: watch, record, replay"),
            (
                "replay --keep=no a",
                "--keep takes no value\n  remedy: write --keep, or leave it out",
            ),
            ("replay --rate - a", "with value '-'"),
            ("--database", "No value provided for option '--database'"),
            ("lint --chek", "--chek\n  remedy: see `certstream lint --help`"),
            ("watch --matchers 0", "a number from 1 up"),
            ("export --format xml", "write one of: text, csv, jsonl"),
            ("export --since yesterday", "2026-11-23T08:00:00Z or 2026-11-23"),
            ("record", "capture"),
            ("watch --serv x", "--serv"),
        ];
        for (line, expected) in table {
            let early = parse(&words(line)).expect_err(line);
            assert_eq!(early.exit, ExitCode::Usage, "{line}");
            assert!(early.text.contains(expected), "{line}: {}", early.text);
        }
    }
}
