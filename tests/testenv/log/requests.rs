//! What a server has been asked, and when: so that tests can judge a client's manners.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::fault::fits;
use super::http::Head;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: Head,
    /// Which connection it came on; they count from 0.
    pub connection: usize,
    pub began: Instant,
    /// When its answer was delivered, or failed to be.
    pub ended: Option<Instant>,
}

/// All requests in the order of their arrival.
#[derive(Default)]
pub struct Requests(Mutex<Vec<Request>>);

impl Requests {
    /// Notes the arrival of one; its place.
    pub fn begin(&self, head: Head, connection: usize) -> usize {
        let mut requests = self.0.lock().unwrap();
        requests.push(Request { head, connection, began: Instant::now(), ended: None });
        requests.len() - 1
    }

    /// Notes the end of the one at a place.
    pub fn end(&self, place: usize) {
        self.0.lock().unwrap()[place].ended = Some(Instant::now());
    }

    /// How many there are whose path (with the query) fits a pattern.
    pub fn count(&self, pattern: &str) -> usize {
        let requests = self.0.lock().unwrap();
        requests.iter().filter(|request| fits(pattern, &request.head.target)).count()
    }

    /// Those whose path (with the query) fits a pattern.
    pub fn fitting(&self, pattern: &str) -> Vec<Request> {
        let requests = self.0.lock().unwrap();
        requests.iter().filter(|request| fits(pattern, &request.head.target)).cloned().collect()
    }
}

/// The largest number of requests that were answered at the same time.
pub fn most_at_once(requests: &[Request]) -> usize {
    let at_once = |moment: Instant| {
        let open = |request: &&Request| {
            request.began <= moment && request.ended.is_none_or(|ended| ended > moment)
        };
        requests.iter().filter(open).count()
    };
    requests.iter().map(|request| at_once(request.began)).max().unwrap_or(0)
}

/// The largest number of requests that arrived within a time as long as `window`.
pub fn most_within(requests: &[Request], window: Duration) -> usize {
    let from = |first: &Request| {
        let within = |request: &&Request| {
            request.began >= first.began && request.began < first.began + window
        };
        requests.iter().filter(within).count()
    };
    requests.iter().map(from).max().unwrap_or(0)
}
