//! The command line: what was typed, checked for form only.
//!
//! Owns the parse, `--version`, and what is shown when the line is wrong; the options stand in
//! `options`. No behaviour: what the subcommands do is `commands`' business.

mod options;

use std::path::PathBuf;

use argh::FromArgs;

use crate::error::ExitCode;

pub use options::{Args, Command, Explain, Export, Lint, Record, Replay, Report, Watch};

const SUBCOMMANDS: [&str; 7] = ["watch", "record", "replay", "export", "explain", "lint", "report"];

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
            // A closed stdout is no failure of help.
            ExitCode::Done => {
                let _ = std::io::Write::write_all(&mut std::io::stdout(), self.text.as_bytes());
            }
            ExitCode::Failed | ExitCode::Usage => eprint!("{}", self.text),
        }
        self.exit
    }
}

/// Reads the command line; the first word is the program's name.
///
/// # Errors
/// Where help or the version was asked for, or the words are wrong.
pub fn parse(words: &[String]) -> Result<Args, Early> {
    let given = split_values(words.get(1..).unwrap_or_default());
    let first = given.first().map(String::as_str);
    if first == Some("--version") {
        return Err(Early { text: version(), exit: ExitCode::Done });
    }
    let mut typed: Vec<&str> = given.iter().map(String::as_str).collect();
    if first == Some("replay") {
        // The parser would take a lone hyphen for an unknown option.
        typed.iter_mut().filter(|word| **word == "-").for_each(|word| *word = STDIN);
    }
    let named = first.is_some_and(|word| SUBCOMMANDS.contains(&word));
    if !named && !matches!(first, Some("--help" | "help" | "-h")) {
        // `certstream` alone, and with options alone, is `certstream watch`.
        if first.is_none_or(|word| word.starts_with('-')) {
            typed.insert(0, "watch");
        }
    }
    if first == Some("-h") {
        typed[0] = "--help";
    }
    let mut args = Args::from_args(&["certstream"], &typed).map_err(refused)?;
    if let Command::Replay(replay) = &mut args.command {
        let stdin = replay.captures.iter_mut().filter(|capture| capture.as_os_str() == STDIN);
        stdin.for_each(|capture| *capture = PathBuf::from("-"));
    }
    Ok(args)
}

fn refused(early: argh::EarlyExit) -> Early {
    match early.status {
        Ok(()) => Early { text: early.output, exit: ExitCode::Done },
        Err(()) => {
            let text = early.output.trim_end();
            let text = format!("certstream: {text}\n  remedy: see `certstream --help`\n");
            Early { text, exit: ExitCode::Usage }
        }
    }
}

/// Splits `--option=value` in two, which the parser wants apart; after a bare `--` all is taken
/// as it stands.
fn split_values(words: &[String]) -> Vec<String> {
    let mut split = Vec::with_capacity(words.len());
    let mut options = true;
    for word in words {
        options &= word != "--";
        match word.split_once('=') {
            Some((option, value)) if options && option.starts_with("--") => {
                split.extend([option.to_owned(), value.to_owned()]);
            }
            _ => split.push(word.clone()),
        }
    }
    split
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
    fn stdin_and_files_replay() {
        let line = "replay --rules r.txt --rate 50 a.zst -";
        let Command::Replay(replay) = parse(&words(line)).expect("parses").command else {
            panic!("replays")
        };
        assert_eq!(replay.captures, [PathBuf::from("a.zst"), PathBuf::from("-")]);
        assert_eq!(replay.rate, Some(50));
    }

    #[test]
    fn every_command_has_a_help_page() {
        for command in SUBCOMMANDS {
            let early = parse(&words(&format!("{command} --help"))).expect_err(command);
            assert_eq!(early.exit, ExitCode::Done);
            for part in ["Usage: certstream", "Options:", "Error codes:"] {
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
            ("wach", "wach"),
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
