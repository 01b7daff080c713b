//! The profiler: stands where matchers stand, and measures what they would find.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::engine::{Engine, Profile, Scratch};
use super::{Block, MatcherStats};
use crate::batch::Batch;

/// One thread's work, when rules are measured instead of matches stored.
#[derive(Debug)]
pub struct Profiler {
    engine: Arc<Engine>,
    scratch: Scratch,
    block: Block,
    stats: MatcherStats,
    profile: Profile,
}

impl Profiler {
    /// A profiler of `engine`.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        let rules = engine.rules().rules.len();
        Self {
            scratch: engine.scratch(),
            engine,
            block: Block::default(),
            stats: MatcherStats::default(),
            profile: Profile::new(rules),
        }
    }

    /// Takes batches until none can come any more.
    #[must_use]
    pub fn run(mut self, batches: &Receiver<Batch>, empties: &Sender<Batch>) -> Profile {
        for batch in batches {
            self.block.fill(&batch, &self.stats);
            let text = std::str::from_utf8(&self.block.text).unwrap_or_default();
            self.engine.profile(text, &self.block.ends, &mut self.scratch, &mut self.profile);
            // Full means that enough batches circulate already.
            let _ = empties.try_send(batch);
        }
        self.profile
    }
}
