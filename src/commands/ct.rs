//! The subcommands about CT logs: `logs`, `backfill`.
//!
//! Owns what they read and where a backfill stores; the answers and the reading come from
//! `report::logs` and `feed::ctlog`.

use std::path::Path;

use crate::batch::now_micros;
use crate::cli;
use crate::config::{Config, CtSource, LogListPlace, Start};
use crate::ctlog::{Log, LogProtocol, Standing, place_of};
use crate::error::{Error, ExitCode, Result};
use crate::feed::ctlog::{self, Range, Settings};
use crate::pipeline::Source;
use crate::report::logs::{self, LogRow};
use crate::store::{self, Store};

use super::ask::show;
use super::run::{Run, Show, summary};
use super::setup;

/// Shows the CT logs and how far each is read.
pub fn logs(options: &cli::Logs) -> Result<ExitCode> {
    setup::console(false, false);
    let dispensable = options.log_list.is_some();
    let config = with_list(options.config.as_deref(), options.log_list.as_deref(), dispensable)?;
    let database = options.database.as_ref().unwrap_or(&config.database.filename);
    let now = now_micros();
    let seconds = now / 1_000_000;
    let settings = Settings::new(&config.ct)?;
    let is_read = |log: &&Log| log.standing(seconds) == Standing::Current;
    let mut shown: Vec<&Log> = settings.wanted(settings.list()).collect();
    if !options.all {
        shown.retain(is_read);
    }
    let mut rows: Vec<LogRow> = shown.iter().map(|log| row(log, seconds)).collect();
    // Before the first watch there is no database: the logs are there all the same.
    if database.exists() {
        let connection = store::open_read_only(database)?;
        let mut progress = logs::progress(&connection).map_err(|error| {
            Error::failed(format!("cannot read the positions: {error}")).in_file(database)
        })?;
        for (log, row) in shown.iter().zip(&mut rows) {
            row.progress = progress.remove(&ctlog::feed_name(log));
            // What was read by names alone, then verified.
            let afterwards = progress.remove(&ctlog::verifier_name(log));
            if let (Some(progress), Some(afterwards)) = (&mut row.progress, afterwards) {
                progress.verified += afterwards.verified;
            }
        }
    }
    if !options.offline {
        let asked: Vec<&Log> = shown.iter().copied().filter(is_read).collect();
        let mut sizes = ctlog::tree_sizes(&settings, &asked)?.into_iter();
        for (_, row) in shown.iter().zip(&mut rows).filter(|(log, _)| is_read(log)) {
            row.size = sizes.next();
        }
    }
    show(&if options.json { logs::json_lines(&rows, now) } else { logs::text(&rows, now) })?;
    Ok(ExitCode::Done)
}

fn row(log: &Log, now: i64) -> LogRow {
    LogRow {
        name: log.name.clone(),
        operator: log.operator.clone(),
        protocol: match log.protocol {
            LogProtocol::Tiled { .. } => "static-ct-api",
            LogProtocol::Rfc6962 { .. } => "RFC 6962",
        },
        state: match log.standing(now) {
            Standing::Ended(why) if why != log.state.to_string() => {
                format!("{} ({why})", log.state)
            }
            _ => log.state.to_string(),
        },
        interval: log.interval.map(|interval| (interval.start, interval.end)),
        ..LogRow::default()
    }
}

/// Reads a range of one log, beside a watch.
pub fn backfill(options: &cli::Backfill) -> Result<ExitCode> {
    let console = setup::console(options.quiet, options.verbose);
    let config = with_list(options.config.as_deref(), options.log_list.as_deref(), false)?;
    let engine = setup::engine(&config, &options.rules, None)?;
    let mut ct = config.ct.clone();
    // The whole list: one may read a log again that is no longer watched. Entries, with evidence:
    // what a watch reads by names alone it verifies itself.
    ct.operators.clear();
    ct.source = CtSource::Data;
    let settings = Settings::new(&ct)?;
    let range = range(options, &settings)?;
    let database = options.database.as_ref().unwrap_or(&config.database.filename);
    let _lock = store::lock_backfill(database)?;
    let store = Store::open(database, setup::store_settings(&config))?;
    if !options.quiet {
        console.show_status();
    }
    let finished = Run {
        command: "backfill",
        sources: vec![Source::CtLogs(Box::new(settings.only(range)))],
        parse: config.engine.parse,
        engine,
        store,
        backlog: config.database.backlog,
        matchers: options.matchers.or(config.engine.matchers),
        pins: config.engine.pins,
        show: (!options.quiet).then_some(Show { json: options.json, every_sighting: false }),
        scratch: None,
        recording: None,
        console,
        observer: None,
        healing: None,
    }
    .run()?;
    log::info!("{}", summary(&finished.stats));
    Ok(finished.exit)
}

/// The range that was asked for, of a log that is in the list.
fn range(options: &cli::Backfill, settings: &Settings) -> Result<Range> {
    let at = place_of(&options.log);
    let is_it = |log: &Log| {
        log.name.eq_ignore_ascii_case(&options.log)
            || log.origin() == at
            || log.reading_place() == at
    };
    let matches = |log: &&Log| {
        let name = log.name.to_ascii_lowercase();
        is_it(log) || name.contains(&options.log.to_ascii_lowercase())
    };
    let found: Vec<&Log> = settings.list().logs.iter().filter(matches).collect();
    let exact = found.iter().find(|log| is_it(log));
    let log = match (exact, &found[..]) {
        (Some(log), _) | (None, [log]) => log,
        (None, []) => {
            return Err(Error::usage(format!("no log in the list is called `{}`", options.log))
                .remedy("see `certstream logs --all` for their names"));
        }
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|log| log.name.as_str()).collect();
            return Err(Error::usage(format!("several logs are called `{}`", options.log))
                .remedy(format!("write one of: {}", names.join(", "))));
        }
    };
    let (from, to) = (options.from.unwrap_or(Start::Beginning), options.to.unwrap_or(Start::End));
    let backwards = match (from, to) {
        (Start::Index(from), Start::Index(to)) | (Start::Time(from), Start::Time(to)) => from >= to,
        (Start::End, _) | (_, Start::Beginning) => true,
        _ => false,
    };
    if backwards {
        return Err(Error::usage("the range is empty").remedy("write --from before --to"));
    }
    check_that_it_is_there(settings, log, from, to)?;
    Ok(Range {
        origin: log.origin().to_owned(),
        from,
        to,
        written: format!("{}-{}", place(from), place(to)),
    })
}

/// Refuses indexes that the log does not have. One that does not answer now is asked again by the
/// run.
fn check_that_it_is_there(settings: &Settings, log: &Log, from: Start, to: Start) -> Result<()> {
    if !matches!((from, to), (Start::Index(_), _) | (_, Start::Index(_))) {
        return Ok(());
    }
    let Some(Ok(size)) = ctlog::tree_sizes(settings, &[log])?.pop() else { return Ok(()) };
    let missing = match (from, to) {
        (Start::Index(from), _) if from >= size => from,
        (_, Start::Index(to)) if to > size => to - 1,
        _ => return Ok(()),
    };
    Err(Error::usage(format!("{} has {size} entries: there is no entry {missing}", log.name))
        .remedy("write indexes below that, or `--to end`"))
}

/// A place in a log, as it stands in the name of a feed.
fn place(place: Start) -> String {
    match place {
        Start::Beginning => "beginning".to_owned(),
        Start::End => "end".to_owned(),
        Start::Index(index) => index.to_string(),
        Start::Time(millis) => {
            crate::record::rfc3339(i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX))
        }
    }
}

/// The config, with the list that the command line names.
fn with_list(named: Option<&Path>, list: Option<&str>, dispensable: bool) -> Result<Config> {
    let mut config = setup::config(named, dispensable)?;
    if let Some(list) = list {
        config.ct.log_list = LogListPlace::of(list, Path::new(""));
    }
    Ok(config)
}
