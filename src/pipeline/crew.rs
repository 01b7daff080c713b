//! The crew: the threads of a run, and what becomes of one that is lost.
//!
//! Owns naming, starting and joining. A worker lost to a panic asks for the stop at once, so that
//! the run ends instead of going on without it; its join then says which one it was.

use std::any::Any;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};
use crate::stop::Stop;

/// What an error in a worker means for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The others go on: a feed that its server refused.
    GoOn,
    /// The run has lost its purpose: the database or the capture cannot be written.
    Stop,
}

/// A started worker.
#[derive(Debug)]
pub struct Worker<T> {
    name: String,
    thread: JoinHandle<Result<T>>,
}

/// Starts and joins the workers of a run, and gathers their errors in the order of the joins.
#[derive(Debug)]
pub struct Crew {
    stop: Arc<Stop>,
    errors: Vec<Error>,
}

impl Crew {
    /// A crew that asks for `stop` when it loses a worker.
    pub fn new(stop: Arc<Stop>) -> Self {
        Self { stop, errors: Vec::new() }
    }

    /// Starts `work` on a thread called `name` (at most 15 bytes show in `top -H`).
    ///
    /// # Errors
    /// When the system refuses the thread; the stop is then requested, so that the workers
    /// already started end.
    pub fn start<T: Send + 'static>(
        &self,
        name: String,
        on_error: OnError,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Worker<T>> {
        let stop = Arc::clone(&self.stop);
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
            let bomb = Bomb(&stop);
            let outcome = work();
            std::mem::forget(bomb);
            if let Err(error) = &outcome {
                log::error!("{error}");
                if on_error == OnError::Stop {
                    stop.request();
                }
            }
            outcome
        });
        match thread {
            Ok(thread) => Ok(Worker { name, thread }),
            Err(error) => {
                self.stop.request();
                Err(Error::failed(format!("cannot start the thread {name}: {error}"))
                    .remedy("raise the limit on threads (ulimit -u), or lower engine.matchers"))
            }
        }
    }

    /// Waits for a worker to end; its result, unless it failed or was lost.
    pub fn join<T>(&mut self, worker: Worker<T>) -> Option<T> {
        match worker.thread.join() {
            Ok(Ok(result)) => Some(result),
            Ok(Err(error)) => {
                self.errors.push(error);
                None
            }
            Err(panic) => {
                let error = Error::failed(format!(
                    "the {} thread was lost to a panic: {}",
                    worker.name,
                    panic_text(panic.as_ref())
                ))
                .remedy("what it had handed on is stored; please report this with the log");
                log::error!("{error}");
                self.errors.push(error);
                None
            }
        }
    }

    /// Waits for workers that have nothing to give back.
    pub fn join_all(&mut self, workers: impl IntoIterator<Item = Worker<()>>) {
        for worker in workers {
            self.join(worker);
        }
    }

    /// The errors gathered by the joins.
    pub fn into_errors(self) -> Vec<Error> {
        self.errors
    }
}

/// Requests the stop when a worker unwinds past it.
struct Bomb<'s>(&'s Stop);

impl Drop for Bomb<'_> {
    fn drop(&mut self) {
        self.0.request();
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew() -> (Crew, Arc<Stop>) {
        let stop = Arc::new(Stop::new().expect("a pipe"));
        (Crew::new(Arc::clone(&stop)), stop)
    }

    #[test]
    fn a_lost_worker_stops_the_run_and_is_named() {
        let (mut crew, stop) = crew();
        let worker = crew
            .start("matcher-7".to_owned(), OnError::GoOn, || -> Result<()> { panic!("boom {}", 1) })
            .expect("a thread");
        assert_eq!(crew.join(worker), None);
        assert!(stop.is_requested());
        let errors = crew.into_errors();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("matcher-7 thread was lost to a panic: boom 1"));
    }

    #[test]
    fn a_refused_feed_leaves_the_others_alone_and_a_failed_writer_does_not() {
        let (mut crew, stop) = crew();
        let fail = || -> Result<()> { Err(Error::failed("refused")) };
        let feed = crew.start("feed-0".to_owned(), OnError::GoOn, fail).expect("a thread");
        crew.join(feed);
        assert!(!stop.is_requested());
        let writer = crew.start("writer".to_owned(), OnError::Stop, fail).expect("a thread");
        crew.join(writer);
        assert!(stop.is_requested());
        assert_eq!(crew.into_errors().len(), 2);
    }
}
