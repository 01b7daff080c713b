//! Where feeds get their output ends, at the start of a run and while it goes on.
//!
//! Owns the registering of a feed and what its first batch goes on from. Which channels these
//! are is `pipeline`'s business.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::batch::{Applied, Batch, BatchSender, Content, CoverageHead, Frames, Origin, Recorder};
use crate::error::{Error, Result};
use crate::stats::{FeedStats, Feeds, RecorderStats};

/// The ends of the channels that every feed gets a share of. The matchers end when the last
/// `Outlets` and the last output end are gone.
#[derive(Debug)]
pub struct Outlets {
    /// To the matchers.
    pub batches: Sender<Batch>,
    /// Emptied batches, to be filled again.
    pub empties: Receiver<Batch>,
    /// To the recorder, where there is one.
    pub recorded: Option<(Sender<Arc<Frames>>, Arc<RecorderStats>)>,
    /// The register of the feeds.
    pub feeds: Arc<Feeds>,
    /// How far each feed that ever was is stored, by name. Of a feed that begins while the run
    /// goes on too: nobody else moves its position.
    pub positions: HashMap<String, Applied>,
    /// How far each certstream feed had received each log, by name.
    pub coverage: HashMap<String, Vec<CoverageHead>>,
}

/// A feed's output end.
#[derive(Debug)]
pub struct Outlet {
    /// Where its batches go.
    pub out: BatchSender,
    /// Its counters.
    pub stats: Arc<FeedStats>,
    /// How far it is stored; none when it has never been.
    pub applied: Option<Applied>,
    /// How far it had received each log; empty of other feeds than certstream.
    pub coverage: Vec<CoverageHead>,
}

impl Outlets {
    /// Registers the feed called `name` and makes its output end. `can_wait` and `content`: see
    /// [`Batch`].
    ///
    /// # Errors
    /// When a feed of that name is registered already.
    pub fn open(&self, name: &str, can_wait: bool, content: Content) -> Result<Outlet> {
        let (feed, stats) = self.feeds.add(FeedStats::named(name, can_wait)).ok_or_else(|| {
            Error::usage(format!("two feeds are called {name}, or there are too many feeds"))
                .remedy("name each server once")
        })?;
        // CT entries are no lines of text: a capture cannot hold them.
        let recorded = self.recorded.as_ref().filter(|_| matches!(content, Content::Updates));
        let recorder = recorded.map(|(frames, stats)| Recorder {
            frames: frames.clone(),
            stats: Arc::clone(stats),
            wait: can_wait,
        });
        let applied = self.positions.get(name).copied();
        let last = applied.unwrap_or_default();
        let origin = Origin {
            feed,
            can_wait,
            content,
            last_sequence: last.sequence,
            last_position: last.position,
        };
        let out = BatchSender::new(origin, self.batches.clone(), self.empties.clone(), recorder);
        let coverage = self.coverage.get(name).cloned().unwrap_or_default();
        Ok(Outlet { out, stats, applied, coverage })
    }
}
