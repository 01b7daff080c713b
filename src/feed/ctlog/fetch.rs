//! Fetching, ahead and in order.
//!
//! Owns the threads that fetch for a feed, and which of their results is due. They hold nothing
//! that the feed needs: at a stop it leaves them behind, whatever they wait for, and they end with
//! their request. A request that failed in a way that may pass is tried a few times at once; what
//! comes of it then is the feed's business.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::bucket::{Bucket, Priority};
use super::trouble::Trouble;
use crate::connect::http::{Client, HttpFault};
use crate::feed::back_off::BackOff;
use crate::stop::Stop;

/// How long a stop may go unnoticed.
const STOP_AFTER: Duration = Duration::from_millis(100);
/// Times a request is tried before the feed hears of it.
const TRIES: u32 = 4;
/// Pauses between them.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub url: String,
    /// Bytes the answer may have.
    pub limit: usize,
}

/// What a request came to in the end.
pub(super) type Answer = Result<Vec<u8>, Fault>;

/// A request that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub url: String,
    pub what: HttpFault,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.what)?;
        match self.what.remedy() {
            Some(remedy) => write!(f, " (remedy: {remedy})"),
            None => Ok(()),
        }
    }
}

impl Fault {
    /// Whether it was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self.what, HttpFault::NotFound(_))
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Passing(fault.to_string())
    }
}

/// Fetches for one log.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    pub client: Client,
    pub bucket: Arc<Bucket>,
    pub priority: Priority,
    /// Requests under way at once; at least one.
    pub parallel: usize,
}

impl Fetcher {
    /// Fetches one thing.
    pub fn one(&self, url: &str, limit: usize, stop: &Stop) -> Result<Vec<u8>, Trouble> {
        Ok(self.one_or_fault(url, limit, stop)??)
    }

    /// Fetches one thing, or tells why not.
    pub fn one_or_fault(&self, url: &str, limit: usize, stop: &Stop) -> Result<Answer, Trouble> {
        self.ahead(vec![Request { url: url.to_owned(), limit }]).next(stop)
    }

    /// Fetches `requests`, some at once, to be taken in their order.
    pub fn ahead(&self, requests: Vec<Request>) -> Ahead {
        let workers = self.parallel.clamp(1, requests.len().max(1));
        // Answers under way or waiting for their turn: as many as there are workers.
        let (permit, permits) = bounded(workers);
        for _ in 0..workers {
            // There is room: this is what the channel was made for.
            let _ = permit.try_send(());
        }
        let (answer, answers) = bounded(workers);
        let plan = Arc::new(Plan {
            requests,
            next: AtomicUsize::new(0),
            abandoned: AtomicBool::new(false),
            fetcher: self.clone(),
        });
        let failed = (0..workers).find_map(|_| {
            let (plan, permits, answer) = (Arc::clone(&plan), permits.clone(), answer.clone());
            let work = move || plan.work(&permits, &answer);
            thread::Builder::new().name("fetch".into()).spawn(work).err()
        });
        let lost = failed.map(|error| format!("no thread to fetch with: {error}"));
        Ahead { plan, permit, answers, early: BTreeMap::new(), due: 0, lost }
    }
}

/// Requests being worked on.
#[derive(Debug)]
struct Plan {
    requests: Vec<Request>,
    next: AtomicUsize,
    /// Nobody waits for the answers any more.
    abandoned: AtomicBool,
    fetcher: Fetcher,
}

impl Plan {
    fn work(&self, permits: &Receiver<()>, answers: &Sender<(usize, thread::Result<Answer>)>) {
        while permits.recv().is_ok() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = self.requests.get(index) else { return };
            // Nothing is left half done: a panic goes on in the feed's own thread.
            let answer = match catch_unwind(AssertUnwindSafe(|| self.fetch(request))) {
                Ok(None) => return,
                Ok(Some(answer)) => Ok(answer),
                Err(panic) => Err(panic),
            };
            if answers.send((index, answer)).is_err() {
                return;
            }
        }
    }

    /// Tries a request a few times; none when it is no longer wanted.
    fn fetch(&self, request: &Request) -> Option<Answer> {
        let mut back_off = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let Fetcher { client, bucket, priority, .. } = &self.fetcher;
        for attempt in 1.. {
            while let Err(wait) = bucket.take(*priority, Instant::now()) {
                self.rest(wait)?;
            }
            let what = match client.get(&request.url, request.limit) {
                Ok(body) => {
                    bucket.answered();
                    return Some(Ok(body));
                }
                Err(what) => what,
            };
            if let HttpFault::Busy { retry_after, .. } = &what {
                bucket.busy(*retry_after, Instant::now());
            }
            let fault = Fault { url: request.url.clone(), what };
            if !may_pass(&fault.what) || attempt >= TRIES {
                return Some(Err(fault));
            }
            log::info!("{fault}; trying again");
            self.rest(back_off.next(None))?;
        }
        None
    }

    /// Sleeps for `duration`; none when the answer is no longer wanted.
    fn rest(&self, duration: Duration) -> Option<()> {
        let until = Instant::now() + duration;
        loop {
            if self.abandoned.load(Ordering::Relaxed) {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(());
            }
            thread::sleep(left.min(STOP_AFTER));
        }
    }
}

/// Whether the same request may be answered differently soon.
fn may_pass(fault: &HttpFault) -> bool {
    match fault {
        HttpFault::Busy { .. } | HttpFault::TimedOut | HttpFault::Broken(_) => true,
        HttpFault::Status(status) => *status >= 500,
        HttpFault::Connect(fault) => !fault.suggests_wrong_settings(),
        HttpFault::NotFound(_) | HttpFault::Refused(..) | HttpFault::TooLarge(_) => false,
    }
}

/// Answers on their way, in the order of their requests.
#[derive(Debug)]
pub(super) struct Ahead {
    plan: Arc<Plan>,
    permit: Sender<()>,
    answers: Receiver<(usize, thread::Result<Answer>)>,
    /// What came before its turn.
    early: BTreeMap<usize, Answer>,
    /// Index of the answer that is due.
    due: usize,
    /// Why no answer may ever come.
    lost: Option<String>,
}

impl Ahead {
    /// The answer that is due.
    pub fn next(&mut self, stop: &Stop) -> Result<Answer, Trouble> {
        loop {
            if stop.is_requested() {
                return Err(Trouble::Stopped);
            }
            if let Some(answer) = self.early.remove(&self.due) {
                self.due += 1;
                // All workers may have ended by now.
                let _ = self.permit.try_send(());
                return Ok(answer);
            }
            match self.answers.recv_timeout(STOP_AFTER) {
                Ok((index, Ok(answer))) => {
                    self.early.insert(index, answer);
                }
                Ok((_, Err(panic))) => resume_unwind(panic),
                Err(RecvTimeoutError::Timeout) if self.lost.is_none() => {}
                Err(_) => {
                    let what = self.lost.clone();
                    return Err(Trouble::Passing(
                        what.unwrap_or_else(|| "a fetching thread was lost".to_owned()),
                    ));
                }
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Nothing else is read by whoever sees this.
        self.plan.abandoned.store(true, Ordering::Relaxed);
    }
}
