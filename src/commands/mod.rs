//! The subcommands: from the command line and the config to the values the stages take.
//!
//! Owns which settings win (command line over file over default) and the order of a run: lock,
//! open, watch, export, summary. The stages themselves know neither config nor command line.

mod ask;
mod ct;
mod keep;
mod replay;
mod run;
mod setup;
mod spared;
mod watch;

use crate::cli::{Args, Command};
use crate::error::{ExitCode, Result};

/// Runs what the command line asks for.
///
/// # Errors
/// What kept it from running, or ended it; its exit code says which.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Watch(watch) => watch::watch(&watch, None),
        Command::Record(record) => watch::record(record),
        Command::Replay(replay) => replay::replay(&replay),
        Command::Logs(logs) => ct::logs(&logs),
        Command::Backfill(backfill) => ct::backfill(&backfill),
        Command::Export(export) => ask::export(&export),
        Command::Explain(explain) => ask::explain(&explain),
        Command::Lint(lint) => ask::lint(&lint),
        Command::Report(report) => ask::report(&report),
        Command::Backup(backup) => keep::backup(&backup),
        Command::Prune(prune) => keep::prune(&prune),
    }
}
