//! The options of the subcommands that keep a database in order; their doc comments are the help
//! pages.

use std::path::PathBuf;

use argh::FromArgs;

/// Copy the database to a new file, whole and of one moment, also while a watch writes it.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "backup",
    example = "$ {command_name} /backup/certstream-2026-11-24.db",
    note = "The copy is complete or not there at all, and a file of that name is never replaced. \
            Until it is done the database's WAL grows with what is written.",
    error_code(0, "Done."),
    error_code(1, "The database could not be read, or the copy not be written."),
    error_code(2, "Wrong command line or config, or there is a file of that name.")
)]
pub struct Backup {
    /// file to copy to
    #[argh(positional)]
    pub file: PathBuf,
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
    /// show no progress; warnings and errors only
    #[argh(switch, short = 'q')]
    pub quiet: bool,
}

/// Forget old certificates and coverage, and old domains with --domains. Their place in the file is
/// used again.
#[derive(FromArgs, Debug, Default)]
#[argh(
    subcommand,
    name = "prune",
    example = "Keep the evidence of the last 90 days, and every domain:\n$ {command_name} --older-than 90d",
    example = "Domains not seen for two years, with all about them:\n$ {command_name} --older-than 2026-01-01 --domains",
    note = "In short transactions: it may run while a watch does. Rules, runs, gaps and positions \
            stay, and the last day of coverage, from which a feed goes on. What has no time is kept.",
    error_code(0, "Done."),
    error_code(1, "The database could not be written."),
    error_code(2, "Wrong command line or config.")
)]
pub struct Prune {
    /// what was first seen, and domains last seen, before then: 90d, 12h, 2026-11-23 or a time
    #[argh(option, arg_name = "when", from_str_fn(before))]
    pub older_than: i64,
    /// forget domains, too, with their matches and names
    #[argh(switch)]
    pub domains: bool,
    /// config file (default: ./config.yaml, then ./input/config.yaml)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// database instead of the configured one
    #[argh(option, arg_name = "file")]
    pub database: Option<PathBuf>,
}

/// A time, or an age before now, as microseconds since the Unix epoch.
fn before(word: &str) -> Result<i64, String> {
    let age = |unit, seconds: i64| {
        let number: i64 = word.strip_suffix(unit)?.parse().ok().filter(|number| *number > 0)?;
        number.checked_mul(seconds)?.checked_mul(1_000_000)
    };
    match age('d', 86_400).or_else(|| age('h', 3_600)) {
        Some(age) => Ok(jiff::Timestamp::now().as_microsecond().saturating_sub(age)),
        None => super::options::time(word)
            .map_err(|_| "write 90d, 12h, 2026-11-23T08:00:00Z or 2026-11-23".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_or_a_time() {
        assert_eq!(before("1970-01-02"), Ok(86_400_000_000));
        let now = jiff::Timestamp::now().as_microsecond();
        let hours = now - before("36h").expect("an age");
        let days = now - before("2d").expect("an age");
        assert!((36 * 3600 * 1_000_000 - 60_000_000..=36 * 3600 * 1_000_000).contains(&hours));
        assert!((172_740_000_000..=172_800_000_000).contains(&days));
        for wrong in ["0d", "-1d", "d", "90", "9223372036854775807d", "yesterday"] {
            assert!(before(wrong).is_err(), "{wrong}");
        }
    }
}
