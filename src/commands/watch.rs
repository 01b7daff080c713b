//! `watch` and `record`: servers watched until a signal, then the export.
//!
//! Owns the order of a watch: rules and servers are checked before the database is touched, the
//! lock comes before the purge, and the export after everything is committed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cli;
use crate::config::{Config, Format, LogListPlace, Mode, Server};
use crate::connect::Proxy;
use crate::error::{Error, ExitCode, Result};
use crate::export::{self, Filter, Target};
use crate::feed::recorder::Recording;
use crate::feed::{certstream, ctlog};
use crate::observe::Observer;
use crate::pipeline::{Healing, Source};
use crate::store::{self, Store};

use super::run::{Run, Show, summary};
use super::setup;
use super::spared::Spared;

/// Watches, and exports at the end.
pub fn watch(options: &cli::Watch, capture: Option<(&Path, bool)>) -> Result<ExitCode> {
    let console = setup::console(options.quiet, options.verbose);
    let mut config = setup::config(options.config.as_deref(), !options.server.is_empty())?;
    apply(options, &mut config)?;
    let engine = setup::engine(&config, &options.rules, options.anchor)?;
    let sources = sources(&config)?;
    if capture.is_some() && config.servers.is_empty() {
        return Err(Error::usage("there is nothing to record: captures hold certstream messages")
            .at_key("certstream.server")
            .remedy(
                "name a server; CT logs keep their entries, and can be read again at any time",
            ));
    }
    let database = &config.database.filename;
    let spared = Spared::of(&config, &options.rules).database(database);
    if let Some((file, force)) = capture {
        Recording::check(file, force)?;
        spared.check("the capture", file, "name another file to record to")?;
    }
    let spared = spared.captures(capture.map(|(file, _force)| file));
    let target = config.export_on_exit.then(|| spared.file_target(&config.output)).transpose()?;
    let observer = config.listen.map(Observer::bind).transpose()?;
    let _lock = store::lock(database)?;
    if config.database.purge {
        purge(database, target.as_ref())?;
    }
    let store = Store::open(database, setup::store_settings(&config))?;
    // Only now: a run that does not start must leave a capture it may overwrite as it is.
    let recording = capture.map(|(file, force)| Recording::create(file, force)).transpose()?;
    if !options.quiet {
        console.show_status();
    }
    let finished = Run {
        command: if capture.is_some() { "record" } else { "watch" },
        sources,
        parse: config.engine.parse,
        engine,
        store,
        backlog: config.database.backlog,
        matchers: config.engine.matchers,
        pins: config.engine.pins,
        show: (!options.quiet)
            .then_some(Show { json: options.json, every_sighting: options.every_sighting }),
        scratch: None,
        recording,
        console,
        observer,
        healing: config
            .heal
            .enabled
            .then(|| Healing { ct: config.ct.clone(), max_entries: config.heal.max_entries }),
    }
    .run()?;
    log::info!("{}", summary(&finished.stats));
    if let Some(target) = &target {
        write_export(database, config.export_format, target)?;
    }
    Ok(finished.exit)
}

/// Watches while recording.
pub fn record(options: cli::Record) -> Result<ExitCode> {
    let (capture, force) = (options.capture, options.force);
    let watch_options = cli::Watch {
        config: options.config,
        server: options.server,
        log_list: None,
        ca_file: options.ca_file,
        rules: options.rules,
        anchor: options.anchor,
        database: options.database,
        purge: options.purge,
        matchers: options.matchers,
        parse: options.parse,
        output: options.output,
        format: options.format,
        no_export: options.no_export,
        json: options.json,
        every_sighting: options.every_sighting,
        quiet: options.quiet,
        verbose: options.verbose,
    };
    watch(&watch_options, Some((&capture, force)))
}

/// Lets the command line win.
fn apply(options: &cli::Watch, config: &mut Config) -> Result<()> {
    if options.ca_file.is_some() && options.server.is_empty() {
        return Err(Error::usage("--ca-file is for the servers of --server, and there is none")
            .remedy("add --server, or write ca_file beside the server's url in the config"));
    }
    if let Some(list) = &options.log_list {
        config.ct.enabled = true;
        config.ct.log_list = LogListPlace::of(list, Path::new(""));
    }
    if !options.server.is_empty() {
        // What is named on the command line is all that is watched.
        config.ct.enabled = options.log_list.is_some();
        let server = |url: &String| Server { ca_file: options.ca_file.clone(), ..Server::at(url) };
        config.servers = options.server.iter().map(server).collect();
    }
    if let Some(database) = &options.database {
        config.database.filename.clone_from(database);
    }
    config.database.purge |= options.purge;
    config.engine.matchers = options.matchers.or(config.engine.matchers);
    config.engine.parse = options.parse.unwrap_or(config.engine.parse);
    if let Some(output) = &options.output {
        config.output.clone_from(output);
    }
    config.export_format = options.format.unwrap_or(config.export_format);
    config.export_on_exit &= !options.no_export;
    Ok(())
}

/// What the config has to be watched, each source checked.
fn sources(config: &Config) -> Result<Vec<Source>> {
    if config.servers.is_empty() && !config.ct.enabled {
        return Err(Error::usage("there is nothing to watch: no server, and no CT logs")
            .at_key("certstream.server")
            .remedy(
                "write the ws:// or wss:// URL of a certstream server, or give --server; or turn \
                 on the CT logs with `ct: {enabled: true}`",
            ));
    }
    let servers = servers(config)?;
    let mut sources: Vec<Source> = match config.mode {
        Mode::Union => servers.into_iter().map(|server| Source::Certstream(vec![server])).collect(),
        Mode::Failover if servers.is_empty() => Vec::new(),
        Mode::Failover => vec![Source::Certstream(servers)],
    };
    if config.ct.enabled {
        let now = crate::batch::now_micros() / 1_000_000;
        let settings = ctlog::Settings::new(&config.ct)?;
        settings.check_that_any_is_current(now)?;
        sources.push(Source::CtLogs(Box::new(settings)));
    }
    Ok(sources)
}

/// The certstream servers of the config, with their secrets.
fn servers(config: &Config) -> Result<Vec<certstream::Settings>> {
    let mut servers: Vec<certstream::Settings> = Vec::with_capacity(config.servers.len());
    for server in &config.servers {
        let placed = |error: Error| match &server.origin {
            Some(origin) => error.written_at(origin),
            None => error,
        };
        let mut settings = settings(server).map_err(placed)?;
        settings.timings.settle_after = config.heal.settle_after;
        for warning in settings.warnings() {
            log::warn!("{warning}");
        }
        // Positions are kept by name: two feeds of one name would count each other's frames.
        let name = settings.feed_name();
        if servers.iter().any(|other| other.feed_name() == name) {
            return Err(placed(Error::usage(format!("{name} stands twice")))
                .remedy("name each server once"));
        }
        servers.push(settings);
    }
    Ok(servers)
}

fn settings(server: &Server) -> Result<certstream::Settings> {
    let token = server.token.as_ref().map(|place| setup::secret(place, "token")).transpose()?;
    let proxy_auth = server.proxy_auth.as_ref();
    let credentials =
        proxy_auth.map(|place| setup::secret(place, "credentials for the proxy")).transpose()?;
    let proxy = server.proxy.as_ref().map(|url| Proxy::new(url, credentials.as_deref()));
    let ca_file = server.ca_file.as_deref();
    certstream::Settings::new(&server.url, token.as_deref(), ca_file)?.through(proxy.transpose()?)
}

/// Sets the old database aside, and with it the export it belongs to, which the new database's
/// would replace.
fn purge(database: &Path, target: Option<&Target>) -> Result<()> {
    // A backfill writes beside a watch: it must neither lose its database nor begin meanwhile.
    let _lock = store::lock_backfill(database)?;
    let Some(aside) = store::purge(database)? else { return Ok(()) };
    log::info!("purge: the old database is set aside as {}", aside.display());
    let Some(Target::File(export)) = target else { return Ok(()) };
    // The end of the name, `.TIME`, is the same, so that the two are found together.
    let length = database.as_os_str().len();
    let suffix = OsStr::from_bytes(&aside.as_os_str().as_bytes()[length..]);
    if let Some(aside) = export::set_aside(export, suffix)? {
        log::info!("purge: the old export is set aside as {}", aside.display());
    }
    Ok(())
}

/// Exports all stored domains of `database` to `target`.
pub fn write_export(database: &Path, format: Format, target: &Target) -> Result<()> {
    let connection = store::open_read_only(database)?;
    let exported = export::export(&connection, &Filter::default(), format, target)?;
    log::info!("{}", exported.to_line(target));
    Ok(())
}
