//! The short pipeline: captures read as a replay reads them, and rules measured on them.
//!
//! Owns its two stages. Nothing is stored, so a stop needs no order: the process may just end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::crew::{Crew, OnError};
use super::{BATCHES, Source};
use crate::backlog::Backlog;
use crate::batch::Content;
use crate::error::{Error, Result};
use crate::feed::{Intake, Outlets, capture};
use crate::matcher::{Engine, Profile, Profiler};
use crate::stop::Stop;

/// Runs the names of captures through the rules, and says what each rule cost and brought.
/// `paths` were checked; `-` is stdin.
///
/// # Errors
/// When a capture cannot be read to its end, or a thread cannot be started or is lost.
pub fn profile(paths: Vec<PathBuf>, engine: Arc<Engine>) -> Result<Profile> {
    let stop = Stop::new()
        .map_err(|error| Error::failed(format!("cannot make a pipe to stop with: {error}")))?;
    let stop = Arc::new(stop);
    let (batches_in, batches) = bounded(BATCHES);
    // One is read, one is filled, the others wait.
    let (empties, empties_out) = bounded(BATCHES + 2);
    let outlets = Outlets {
        batches: batches_in,
        empties: empties_out,
        recorded: None,
        feeds: Arc::default(),
        positions: HashMap::new(),
        coverage: HashMap::new(),
    };
    let source = Source::Captures { paths: Vec::new(), rate: None };
    let outlet = outlets.open(&source.name(), source.can_wait(), Content::Updates)?;
    drop(outlets);
    let mut crew = Crew::new(Arc::clone(&stop));
    let profiler = Profiler::new(engine);
    let profiler = crew.start("profiler".to_owned(), OnError::Stop, move || {
        Ok(profiler.run(&batches, &empties))
    })?;
    let feed = crew.start("feed".to_owned(), OnError::GoOn, move || {
        let intake = Intake::new(outlet.stats, outlet.out, 0);
        // Nothing is ever booked in it, so it never fills.
        let backlog = Backlog::new(usize::MAX);
        capture::run(&paths, None, intake, &backlog, &stop, |_| {})
    })?;
    crew.join(feed);
    let profile = crew.join(profiler);
    match (profile, crew.into_errors().into_iter().next()) {
        (Some(profile), None) => Ok(profile),
        (_, Some(error)) => Err(error),
        (None, None) => Err(Error::failed("the profiler ended without a profile")),
    }
}
