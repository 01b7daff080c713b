//! What several subcommands prepare alike: config, rules, database settings, log level.
//!
//! Owns which setting wins: command line over config file over default.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use log::LevelFilter;

use crate::config::{Config, SecretPlace, Synchronous};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::lint;
use crate::matcher::Engine;
use crate::record::escape;
use crate::rule::{Anchor, Loader, RuleSet};
use crate::store;

/// Bytes that are read of a file that holds a secret: no server takes headers longer than this.
const LONGEST_SECRET: u64 = 16 * 1024;

/// Rules of a kind that the log names one by one.
const NAMED_IN_LOG: usize = 5;

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
    let broad = lint::matching_everything(&engine);
    for rule in broad.iter().take(NAMED_IN_LOG) {
        let (file, line) = (rule.place.file.display(), rule.place.line);
        log::warn!(
            "{file}:{line}: the rule `{}` matches every domain: all that is issued will be stored",
            escape(&rule.name)
        );
    }
    if broad.len() > NAMED_IN_LOG {
        log::warn!("{} more such rules: `lint` lists them", broad.len() - NAMED_IN_LOG);
    }
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

/// The secret at `place`: `what` says what it is, for a person.
pub fn secret(place: &SecretPlace, what: &str) -> Result<String> {
    let found = match place {
        SecretPlace::Variable(name) => env::var(name).ok(),
        SecretPlace::File(file) => Some(secret_of(file, what)?),
    };
    found.filter(|secret| !secret.trim().is_empty()).ok_or_else(|| match place {
        SecretPlace::Variable(name) => {
            Error::usage(format!("the environment variable {name} holds no {what}"))
                .remedy(format!("set {name}, or remove the key that names it"))
        }
        SecretPlace::File(file) => Error::usage(format!("the file holds no {what}"))
            .in_file(file)
            .remedy("write it there, and nothing else"),
    })
}

/// The secret that `file` holds, and nothing else.
fn secret_of(file: &Path, what: &str) -> Result<String> {
    let mut secret = String::new();
    let read =
        File::open(file).and_then(|file| file.take(LONGEST_SECRET).read_to_string(&mut secret));
    match read {
        Ok(_) => Ok(secret.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(Error::usage(format!("the {what} cannot be read: {error}"))
            .in_file(file)
            .remedy("check the path, and that the user who runs certstream may read it")),
    }
}
