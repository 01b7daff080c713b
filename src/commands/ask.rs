//! The subcommands that only ask: `export`, `explain`, `lint`, `report`.
//!
//! Owns what they read and where they print; the answers come from the modules of their names.

use std::io::{self, Write};
use std::sync::Arc;

use crate::cli;
use crate::error::{Error, ExitCode, Result};
use crate::explain::Explanation;
use crate::export::{self, Filter};
use crate::feed::capture;
use crate::lint;
use crate::matcher::Engine;
use crate::pipeline;
use crate::report;
use crate::store;

use super::setup;
use super::spared::Spared;

/// Writes the stored domains.
pub fn export(options: &cli::Export) -> Result<ExitCode> {
    setup::console(false, false);
    let config = setup::config(options.config.as_deref(), options.database.is_some())?;
    let database = options.database.as_ref().unwrap_or(&config.database.filename);
    // The configured export is that of the configured database.
    if options.database.is_some() && options.output.is_none() {
        return Err(Error::usage("--database alone does not say where its export goes")
            .remedy("add --output FILE, or --output - for stdout"));
    }
    let output = options.output.as_ref().unwrap_or(&config.output);
    let target = Spared::of(&config, &[]).database(database).target(output)?;
    let filter = Filter {
        since: options.since,
        until: options.until,
        rule: options.rule.clone(),
        new_only: options.new_only,
    };
    let connection = store::open_read_only(database)?;
    let format = options.format.unwrap_or(config.export_format);
    let exported = export::export(&connection, &filter, format, &target)?;
    log::info!("{}", exported.to_line(&target));
    Ok(ExitCode::Done)
}

/// Shows which rules hit each name, and why.
pub fn explain(options: &cli::Explain) -> Result<ExitCode> {
    if options.names.is_empty() {
        return Err(Error::usage("no name was given").remedy("give one or more host names"));
    }
    let config = setup::config_or_rules(options.config.as_deref(), &options.rules)?;
    let engine = Engine::build(setup::rules(&config, &options.rules, options.anchor)?)?;
    let mut hit = false;
    let mut text = String::new();
    for name in &options.names {
        let explanation = Explanation::of(name, &engine);
        hit |= explanation.is_hit();
        text.push_str(&if options.json { explanation.to_json() } else { explanation.to_text() });
    }
    show(&text)?;
    Ok(checked(options.check && hit))
}

/// Shows what is wrong with the rules.
pub fn lint(options: &cli::Lint) -> Result<ExitCode> {
    let config = setup::config_or_rules(options.config.as_deref(), &options.rules)?;
    if !options.profile.is_empty() {
        capture::check(&options.profile)?;
    }
    let engine = Engine::build(setup::rules(&config, &options.rules, options.anchor)?)?;
    let findings = lint::findings(&engine);
    let text: String = findings
        .iter()
        .map(|finding| if options.json { finding.to_json() } else { finding.to_text() })
        .collect();
    show(&text)?;
    if !options.json {
        show(&format!("{} rules, {} findings\n", engine.rules().rules.len(), findings.len()))?;
    }
    if !options.profile.is_empty() {
        let engine = Arc::new(engine);
        let profile = pipeline::profile(options.profile.clone(), Arc::clone(&engine))?;
        show(&lint::rendered_profile(&profile, engine.rules(), options.json))?;
    }
    Ok(checked(options.check && !findings.is_empty()))
}

/// Shows what was found and what was missed.
pub fn report(options: &cli::Report) -> Result<ExitCode> {
    let config = setup::config(options.config.as_deref(), options.database.is_some())?;
    let database = options.database.as_ref().unwrap_or(&config.database.filename);
    let connection = store::open_read_only(database)?;
    let mut text = Vec::new();
    // What is shown is to be run where this was.
    let mut words = String::new();
    for (option, file) in [("--config", &options.config), ("--database", &options.database)] {
        if let Some(file) = file.as_ref().and_then(|file| report::quoted(file.to_str()?)) {
            words.push_str(&format!(" {option} {file}"));
        }
    }
    report::report(&connection, database, &words, &mut text)?;
    show(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::Done)
}

fn checked(found: bool) -> ExitCode {
    if found { ExitCode::Failed } else { ExitCode::Done }
}

/// Writes to stdout; a reader that has gone away has seen enough.
pub(super) fn show(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failed(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
