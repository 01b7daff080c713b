//! The HTTP server of some logs and of their list: finds the log that is asked, lets go wrong what
//! shall, notes every request.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::fault::{Fault, Faults, Times, deliver};
use super::http::{Answer, Head};
use super::list::log_list;
use super::listener::{Listener, Visit};
use super::requests::{Request, Requests};
use super::{Protocol, TestLog, rfc6962, tiles};
use crate::testenv::server::acceptor;
use crate::testenv::{Tls, wait_until};

/// A server; gone, with all its connections, when dropped.
pub struct LogServer {
    listener: Listener,
    tls: Tls,
    ca_file: PathBuf,
    _folder: TempDir,
    served: Arc<Served>,
}

/// What the connections share.
struct Served {
    logs: Mutex<Vec<TestLog>>,
    faults: Faults,
    requests: Requests,
    tls: Tls,
}

impl LogServer {
    /// Serves each log below its name, and all of them in `/log_list.json`.
    pub fn start(tls: Tls, logs: &[&TestLog]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        let served = Arc::new(Served {
            logs: Mutex::new(logs.iter().copied().cloned().collect()),
            faults: Faults::default(),
            requests: Requests::default(),
            tls,
        });
        let listener = Listener::start(acceptor(tls, &ca_file), {
            let served = Arc::clone(&served);
            move |visit| served.serve(visit)
        });
        Self { listener, tls, ca_file, _folder: folder, served }
    }

    /// Serves, and lists, one more log.
    pub fn add(&self, log: &TestLog) {
        self.served.logs.lock().unwrap().push(log.clone());
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", scheme(self.tls), self.listener.address())
    }

    /// The URL of the log list.
    pub fn list_url(&self) -> String {
        self.url("/log_list.json")
    }

    /// The log list, for a file: no fault befalls it on the way.
    pub fn list(&self) -> String {
        let logs = self.served.logs.lock().unwrap().clone();
        log_list(&logs, &self.url("")).to_string()
    }

    /// The CA file that makes a client trust this server; none without TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        (self.tls != Tls::Off).then_some(self.ca_file.as_path())
    }

    /// Lets requests go wrong whose path (with the query) fits `pattern`, in which `*` is any
    /// text.
    pub fn misbehave(&self, pattern: &str, times: Times, fault: Fault) {
        self.served.faults.add(pattern, times, fault);
    }

    /// Lets nothing go wrong from now on.
    pub fn behave(&self) {
        self.served.faults.clear();
    }

    /// The requests so far whose path (with the query) fits `pattern`, in which `*` is any text.
    pub fn requests(&self, pattern: &str) -> Vec<Request> {
        self.served.requests.fitting(pattern)
    }

    /// How many those are.
    pub fn count(&self, pattern: &str) -> usize {
        self.served.requests.count(pattern)
    }

    /// Waits until so many such requests have come.
    #[track_caller]
    pub fn wait_for_requests(&self, pattern: &str, count: usize) {
        wait_until(&format!("{count} requests for {pattern} have come"), || {
            self.count(pattern) >= count
        });
    }
}

fn scheme(tls: Tls) -> &'static str {
    if tls == Tls::Off { "http" } else { "https" }
}

impl Served {
    fn serve(&self, visit: &mut Visit) -> io::Result<()> {
        while let Some(head) = Head::read(&mut visit.stream)? {
            let fault = self.faults.take(&head.target);
            let place = self.requests.begin(head.clone(), visit.number);
            let instead = fault.as_ref().and_then(Fault::instead);
            let answer = instead.unwrap_or_else(|| self.answer(&head, fault.as_ref()));
            let delivered = deliver(visit, answer, fault.as_ref());
            self.requests.end(place);
            if !delivered? {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, head: &Head, fault: Option<&Fault>) -> Answer {
        if head.method != "GET" {
            return Answer::status(405);
        }
        let mut answer = self.found(head, fault).unwrap_or_else(|| Answer::status(404));
        if let Some(fault) = fault
            && !answer.packed
        {
            fault.flip(&mut answer.body);
        }
        answer
    }

    fn found(&self, head: &Head, fault: Option<&Fault>) -> Option<Answer> {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        let logs = self.logs.lock().unwrap().clone();
        if path == "/log_list.json" {
            let base = format!("{}://{}", scheme(self.tls), head.header("host")?);
            return Some(Answer::json(&log_list(&logs, &base)));
        }
        let (name, path) = path.strip_prefix('/')?.split_once('/')?;
        let log = logs.iter().find(|log| log.state().name == name)?;
        let log = &mut *log.state();
        match path.strip_prefix("ct/v1/") {
            Some(path) if log.protocol != Protocol::Tiles => {
                Some(rfc6962::answer(log, path, query, fault))
            }
            None if log.protocol != Protocol::Rfc6962 => Some(tiles::answer(log, path, fault)),
            _ => None,
        }
    }
}
