//! What several subcommands prepare alike: config, rules, database settings, log level.
//!
//! Owns which setting wins: command line over config file over default.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use log::LevelFilter;

use crate::config::{Config, Synchronous};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::matcher::Engine;
use crate::record::escape;
use crate::rule::{Anchor, Loader, RuleSet};
use crate::store;

/// The folder that relative paths on the command line start from.
fn here() -> PathBuf {
    // Empty joins to the relative path itself, which is what a vanished folder leaves us with.
    env::current_dir().unwrap_or_default()
}

/// The config of a run that cannot do without one, unless `dispensable`: then the defaults serve
/// where none is found.
pub fn config(named: Option<&Path>, dispensable: bool) -> Result<Config> {
    let folder = here();
    match Config::find(named, &folder) {
        Ok(file) => Config::read(&file),
        Err(_) if dispensable => Ok(Config::defaults(Path::new(""))),
        Err(error) => Err(error),
    }
}

/// The config of a command that rule files alone satisfy: with `--rules` and without `--config`
/// no config file is looked for, so that a stray one changes nothing.
pub fn config_or_rules(named: Option<&Path>, rules: &[PathBuf]) -> Result<Config> {
    if named.is_none() && !rules.is_empty() {
        return Ok(Config::defaults(Path::new("")));
    }
    config(named, false)
}

/// The terminal, and the log that goes to it.
pub fn console(quiet: bool, verbose: bool) -> Console {
    let console = Console::new(quiet);
    console.start_log(match (quiet, verbose) {
        (true, _) => LevelFilter::Warn,
        (false, true) => LevelFilter::Debug,
        (false, false) => LevelFilter::Info,
    });
    console
}

/// All rules of the config and of the further files.
pub fn rules(config: &Config, files: &[PathBuf], anchor: Option<Anchor>) -> Result<RuleSet> {
    let mut loader = Loader::new(anchor.unwrap_or(config.anchor));
    let place = config.file.clone().unwrap_or_default();
    if let Some(input) = &config.input {
        loader.file(input)?;
    }
    for file in config.rule_files.iter().chain(files) {
        loader.file(file)?;
    }
    loader.entries(&config.rules, &place)?;
    loader.allow(&config.allow);
    loader.finish()
}

/// The compiled rules; the log says how many there are, which are tried on every domain, and
/// which stand twice.
pub fn engine(config: &Config, files: &[PathBuf], anchor: Option<Anchor>) -> Result<Arc<Engine>> {
    // On a thread of its own, because a heap dies with its thread: this one would otherwise keep
    // what parsing and building let go (14 MiB with 1,000 rules) for as long as the run lasts.
    let built =
        thread::scope(|scope| scope.spawn(|| Engine::build(rules(config, files, anchor)?)).join());
    let engine = built.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    engine.log_rules();
    for (name, place) in &engine.rules().repeated {
        let (file, line) = (place.file.display(), place.line);
        log::warn!(
            "{file}:{line}: the rule `{}` stands before, too: this one is not used",
            escape(name)
        );
    }
    Ok(Arc::new(engine))
}

/// The database settings of a config, as the store takes them.
pub fn store_settings(config: &Config) -> store::Settings {
    store::Settings {
        synchronous_full: config.database.synchronous == Synchronous::Full,
        cache: config.database.cache,
    }
}

/// The token in the environment variable called `name`.
pub fn token(name: &str) -> Result<String> {
    env::var(name).ok().filter(|token| !token.is_empty()).ok_or_else(|| {
        Error::usage(format!("the environment variable {name} holds no token"))
            .at_key("certstream.server.token_env")
            .remedy(format!("set {name}, or remove token_env"))
    })
}
