//! Where frames come from, and what it takes to read them.
//!
//! Owns the kinds of sources and how a feed of each is put together. What a feed does is its own
//! module's business, on which thread it runs `pipeline`'s.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Shared, readers};
use crate::batch::{Content, CoverageHead};
use crate::error::{Error, Result};
use crate::feed::{Intake, Ledger, Outlets, capture, certstream, ctlog};

/// Where frames come from.
#[derive(Debug)]
pub enum Source {
    /// Certstream servers, read one at a time; at least one.
    Certstream(Vec<certstream::Settings>),
    /// CT logs, each with a feed of its own.
    CtLogs(Box<ctlog::Settings>),
    /// Captures, read one after another.
    Captures {
        /// Their paths, checked; `-` is stdin.
        paths: Vec<PathBuf>,
        /// Frames a second; none for full speed.
        rate: Option<NonZeroU32>,
    },
}

impl Source {
    /// The name under which positions and gaps are stored.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Certstream(servers) => certstream::feed_name(servers),
            Self::CtLogs(_) => "CT logs".to_owned(),
            Self::Captures { .. } => "capture".to_owned(),
        }
    }

    /// Whether the source can be read again, and so may be made to wait.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self, Self::Captures { .. } | Self::CtLogs(_))
    }

    /// What it takes to read the source until it ends or the stop is requested.
    pub(super) fn reading(self, outlets: &Arc<Outlets>, shared: &Shared) -> Result<Reading> {
        let (name, can_wait) = (self.name(), self.can_wait());
        let intake = || -> Result<(Intake, Vec<CoverageHead>)> {
            let outlet = outlets.open(&name, can_wait, Content::Updates)?;
            let position = outlet.applied.unwrap_or_default().position;
            let intake = Intake::new(outlet.stats, outlet.out, position)
                .parsing(shared.parse)
                .map_err(|_closed| Error::failed("the matchers ended before the feeds began"))?;
            Ok((intake, outlet.coverage))
        };
        let shared = shared.clone();
        Ok(match self {
            Self::Certstream(servers) => {
                let (intake, heads) = intake()?;
                // All servers of a feed are given the same time.
                let settle_after = servers[0].timings.settle_after;
                let intake = intake.with_ledger(Ledger::new(heads, settle_after));
                Box::new(move || certstream::run(&servers, intake, &shared.stop))
            }
            Self::CtLogs(settings) => {
                let around = ctlog::Surroundings {
                    outlets: Arc::clone(outlets),
                    tree_heads: Arc::clone(&shared.tree_heads),
                    given_up: Arc::clone(&shared.given_up),
                    left: readers::left_to_verify(shared.database.clone()),
                    protocols: Arc::clone(&shared.protocols),
                    backlog: Arc::clone(&shared.backlog),
                    stop: Arc::clone(&shared.stop),
                };
                Box::new(move || ctlog::run(*settings, &around))
            }
            Self::Captures { paths, rate } => {
                let (intake, _) = intake()?;
                Box::new(move || {
                    let progress = |bytes| shared.console.progress(bytes);
                    capture::run(&paths, rate, intake, &shared.backlog, &shared.stop, progress)
                })
            }
        })
    }
}

/// The work of a feed's thread.
pub(super) type Reading = Box<dyn FnOnce() -> Result<()> + Send>;
