//! `replay`: captures matched as if they came from a server.
//!
//! Owns where a replay stores: a temporary database that vanishes, unless the user says otherwise.

use std::num::NonZeroU32;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::cli;
use crate::config::Config;
use crate::error::{Error, ExitCode, Result};
use crate::feed::capture;
use crate::pipeline::Source;
use crate::store::{self, Store};

use super::run::{Run, Show, summary};
use super::setup;
use super::spared::Spared;
use super::watch::write_export;

/// Replays, and exports at the end where an output was named.
pub fn replay(options: &cli::Replay) -> Result<ExitCode> {
    if options.captures.is_empty() {
        return Err(Error::usage("no capture was named")
            .remedy("name files of recorded frames, or `-` for stdin"));
    }
    let console = setup::console(options.quiet, options.verbose);
    let config = config(options)?;
    let engine = setup::engine(&config, &options.rules, options.anchor)?;
    let size = capture::check(&options.captures)?;
    let place = Place::choose(options, &config)?;
    let captures = options.captures.iter().map(PathBuf::as_path);
    let spared = Spared::of(&config, &options.rules).database(place.database()).captures(captures);
    let target = options.output.as_ref().map(|output| spared.file_target(output)).transpose()?;
    // One writer a database: a replay into the one that a watch has open would be a second.
    let _lock = store::lock(place.database())?;
    let store = Store::open(place.database(), setup::store_settings(&config))?;
    if !options.quiet {
        console.show_progress(size);
    }
    let finished = Run {
        command: "replay",
        sources: vec![Source::Captures {
            paths: options.captures.clone(),
            rate: options.rate.and_then(NonZeroU32::new),
        }],
        parse: options.parse.unwrap_or(config.engine.parse),
        engine,
        store,
        backlog: config.database.backlog,
        matchers: options.matchers.or(config.engine.matchers),
        pins: config.engine.pins,
        show: (!options.quiet)
            .then_some(Show { json: options.json, every_sighting: options.every_sighting }),
        scratch: place.scratch(),
        recording: None,
        console,
        observer: None,
        healing: None,
    }
    .run()?;
    log::info!("{}", summary(&finished.stats));
    if let Some(target) = &target {
        let format = options.format.unwrap_or(config.export_format);
        write_export(place.database(), format, target)?;
    }
    place.leave();
    Ok(finished.exit)
}

/// The config; rule files alone do only where the config does not name the database.
fn config(options: &cli::Replay) -> Result<Config> {
    if !options.into_configured {
        return setup::config_or_rules(options.config.as_deref(), &options.rules);
    }
    if options.database.is_some() {
        return Err(Error::usage("--into-configured and --database name two databases")
            .remedy("leave one of them out"));
    }
    setup::config(options.config.as_deref(), false)
}

/// Where a replay stores what matches.
enum Place {
    /// A file the user named.
    Named(PathBuf),
    /// A folder that is deleted when it goes out of scope.
    Temporary { database: PathBuf, folder: TempDir, keep: bool },
}

impl Place {
    fn choose(options: &cli::Replay, config: &Config) -> Result<Self> {
        if let Some(database) = &options.database {
            return Ok(Self::Named(database.clone()));
        }
        if options.into_configured {
            return Ok(Self::Named(config.database.filename.clone()));
        }
        let folder = tempfile::Builder::new().prefix("certstream-").tempdir().map_err(|error| {
            Error::failed(format!("cannot make a temporary folder: {error}"))
                .remedy("set TMPDIR to a folder with room, or name a file with --database")
        })?;
        let database = folder.path().join("replay.db");
        Ok(Self::Temporary { database, folder, keep: options.keep })
    }

    fn database(&self) -> &std::path::Path {
        match self {
            Self::Named(database) | Self::Temporary { database, .. } => database,
        }
    }

    /// The folder that is to vanish with the run.
    fn scratch(&self) -> Option<PathBuf> {
        match self {
            Self::Temporary { folder, keep: false, .. } => Some(folder.path().to_path_buf()),
            Self::Temporary { .. } | Self::Named(_) => None,
        }
    }

    /// Deletes the temporary database, or says where it stays.
    fn leave(self) {
        if let Self::Temporary { database, folder, keep: true } = self {
            let _kept = folder.keep();
            log::info!("the database stays at {}", database.display());
        }
    }
}
