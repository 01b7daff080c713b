//! Logs asked for their tree heads once, all at the same time.
//!
//! Owns the waiting: what has not answered in time is left behind.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use crate::ctlog::Log;
use crate::error::{Error, Result};
use crate::stop::Stop;

use super::protocols::Protocols;
use super::settings::Settings;
use super::trouble::Trouble;

/// How long all of them together may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// The sizes of `logs`, in their order, or why one is not known; signatures are verified.
///
/// # Errors
/// When this process may not open a pipe.
pub fn tree_sizes(settings: &Settings, logs: &[&Log]) -> Result<Vec<Result<u64, String>>> {
    let stop = Arc::new(Stop::new().map_err(|error| {
        Error::failed(format!("cannot open a pipe: {error}"))
            .remedy("raise the limit on open files (ulimit -n)")
    })?);
    let protocols = Protocols::default();
    let (answer, answers) = bounded(logs.len());
    for (place, log) in logs.iter().enumerate() {
        let mut protocol = protocols.of(log, settings, &stop);
        let answer = answer.clone();
        // One that cannot be started is one that does not answer.
        let _ = thread::Builder::new().name("ask".into()).spawn(move || {
            let size = match protocol.tree_head() {
                Ok(head) => Ok(head.size),
                Err(Trouble::Passing(what) | Trouble::Refuted(what)) => Err(what),
                Err(Trouble::Broken { what, .. }) => Err(what),
                Err(Trouble::Stopped | Trouble::Closed) => return,
            };
            let _ = answer.send((place, size));
        });
    }
    drop(answer);
    let mut sizes = vec![Err("no answer in time".to_owned()); logs.len()];
    let deadline = Instant::now() + DEADLINE;
    while let Ok((place, size)) = answers.recv_deadline(deadline) {
        sizes[place] = size;
    }
    stop.request();
    Ok(sizes)
}
