//! `backup` and `prune`: a database kept in order, also beside a running watch.
//!
//! Owns what is shown; the copying and forgetting is `store`'s business.

use crate::cli;
use crate::error::{ExitCode, Result};
use crate::store;

use super::ask::show;
use super::setup;
use super::spared::Spared;

/// Copies the database.
pub fn backup(options: &cli::Backup) -> Result<ExitCode> {
    let console = setup::console(options.quiet, false);
    let config = setup::config(options.config.as_deref(), options.database.is_some())?;
    let database = options.database.as_ref().unwrap_or(&config.database.filename);
    let spared = Spared::of(&config, &[]).database(database);
    spared.check("the backup", &options.file, "name another file to copy to")?;
    console.show_progress(None);
    let copied = store::backup(database, &options.file, |bytes, all| {
        console.show_progress(Some(all));
        console.progress(bytes);
    });
    console.finish();
    log::info!("{}: {} bytes copied from {}", options.file.display(), copied?, database.display());
    Ok(ExitCode::Done)
}

/// Forgets old rows.
pub fn prune(options: &cli::Prune) -> Result<ExitCode> {
    let config = setup::config(options.config.as_deref(), options.database.is_some())?;
    let database = options.database.as_ref().unwrap_or(&config.database.filename);
    let pruned = store::prune(database, options.older_than, options.domains)?;
    let domains =
        if options.domains { format!(" and {} domains", pruned.domains) } else { String::new() };
    show(&format!(
        "forgot {} certificates, {} rows of coverage{domains}\n",
        pruned.certificates, pruned.coverage
    ))?;
    Ok(ExitCode::Done)
}
