//! Fetching, ahead and in order.
//!
//! Owns the threads that fetch for a feed, and which of their results is due. They hold nothing
//! that the feed needs: at a stop it leaves them behind, whatever they wait for, and they end with
//! their request. What is due is always fetched, what comes after it while there is room. A request that failed in a way that may pass is tried a few times at once; what
//! comes of it then is the feed's business.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::bucket::{Bucket, Priority};
use super::room::{Room, Share};
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
/// Bytes that an answer is taken to have before the first has come: a data tile.
const FIRST_GUESS: usize = 512 * 1024;

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

    /// Whether it had more bytes than it may.
    pub fn is_too_large(&self) -> bool {
        matches!(self.what, HttpFault::TooLarge(_))
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
    /// Where what is fetched ahead has to fit in, shared with all other logs.
    pub room: Arc<Room>,
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
        let most = self.parallel.max(1);
        // No more permits, and so no more answers, than that are ever under way.
        let (permit, permits) = bounded(most);
        let (answer, answers) = bounded(most);
        let plan = Arc::new(Plan {
            requests,
            next: AtomicUsize::new(0),
            abandoned: AtomicBool::new(false),
            fetcher: self.clone(),
        });
        let mut ahead = Ahead {
            plan,
            permit,
            permits,
            answer,
            answers,
            early: BTreeMap::new(),
            due: 0,
            permitted: 0,
            workers: 0,
            guess: FIRST_GUESS,
            lost: None,
        };
        ahead.permit();
        ahead
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
    fn work(&self, permits: &Receiver<Share>, answers: &Sender<(usize, Fetched)>) {
        while let Ok(mut share) = permits.recv() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = self.requests.get(index) else { return };
            // Nothing is left half done: a panic goes on in the feed's own thread.
            let answer = match catch_unwind(AssertUnwindSafe(|| self.fetch(request, share.bytes())))
            {
                Ok(None) => return,
                Ok(Some(answer)) => Ok(answer),
                Err(panic) => Err(panic),
            };
            if let Ok(Ok(body)) = &answer {
                share.set(body.len());
            }
            if answers.send((index, Fetched { answer, share })).is_err() {
                return;
            }
        }
    }

    /// Tries a request a few times; none when it is no longer wanted. Its answer is expected to have
    /// about `expected` bytes.
    fn fetch(&self, request: &Request, expected: usize) -> Option<Answer> {
        let mut back_off = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let Fetcher { client, bucket, priority, .. } = &self.fetcher;
        for attempt in 1.. {
            while let Err(wait) = bucket.take(*priority, Instant::now()) {
                self.rest(wait)?;
            }
            let what = match client.get_about(&request.url, request.limit, expected) {
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

/// What came of a request, or the panic that it ended in, and its share of the room.
#[derive(Debug)]
struct Fetched {
    answer: thread::Result<Answer>,
    share: Share,
}

/// Answers on their way, in the order of their requests.
#[derive(Debug)]
pub(super) struct Ahead {
    plan: Arc<Plan>,
    /// Each lets one more request be made; requests are made in their order.
    permit: Sender<Share>,
    permits: Receiver<Share>,
    answer: Sender<(usize, Fetched)>,
    answers: Receiver<(usize, Fetched)>,
    /// What came before its turn.
    early: BTreeMap<usize, (Answer, Share)>,
    /// Index of the answer that is due.
    due: usize,
    /// Requests that may have been made: those before this index.
    permitted: usize,
    /// Threads that fetch.
    workers: usize,
    /// Bytes that the next answer is taken to have: about as many as the last one.
    guess: usize,
    /// Why no answer will ever come.
    lost: Option<String>,
}

impl Ahead {
    /// The answer that is due.
    pub fn next(&mut self, stop: &Stop) -> Result<Answer, Trouble> {
        loop {
            if stop.is_requested() {
                return Err(Trouble::Stopped);
            }
            if let Some((answer, share)) = self.early.remove(&self.due) {
                self.due += 1;
                if let Ok(body) = &answer {
                    // An eighth more: most of the next ones are not much larger.
                    self.guess = body.len() + body.len() / 8;
                }
                drop(share);
                self.permit();
                return Ok(answer);
            }
            if let Some(what) = self.lost.take() {
                return Err(Trouble::Passing(what));
            }
            match self.answers.recv_timeout(STOP_AFTER) {
                Ok((index, Fetched { answer: Ok(answer), share })) => {
                    self.early.insert(index, (answer, share));
                }
                Ok((_, Fetched { answer: Err(panic), .. })) => resume_unwind(panic),
                // A thread ends with an answer, or once nobody waits for one.
                Err(_) => {}
            }
        }
    }

    /// Permits what is due to be fetched, and what comes after it as far as there is room.
    fn permit(&mut self) {
        let Fetcher { room, parallel, .. } = &self.plan.fetcher;
        let (room, most) = (Arc::clone(room), (*parallel).max(1));
        let end = self.plan.requests.len().min(self.due + most);
        while self.permitted < end {
            let share = if self.permitted == self.due {
                room.take(self.guess)
            } else if let Some(share) = room.try_take(self.guess) {
                share
            } else {
                return;
            };
            self.permitted += 1;
            if self.permitted - self.due > self.workers {
                self.hire();
            }
            // There is room: no more are under way than the channel was made for.
            let _ = self.permit.try_send(share);
        }
    }

    /// Starts one more thread. Where that cannot be, those there are do the work.
    fn hire(&mut self) {
        let (plan, permits, answer) =
            (Arc::clone(&self.plan), self.permits.clone(), self.answer.clone());
        let work = move || plan.work(&permits, &answer);
        match thread::Builder::new().name("fetch".into()).spawn(work) {
            Ok(_) => self.workers += 1,
            Err(error) if self.workers == 0 => {
                self.lost = Some(format!("no thread to fetch with: {error}"));
            }
            Err(_) => {}
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Nothing else is read by whoever sees this.
        self.plan.abandoned.store(true, Ordering::Relaxed);
    }
}
