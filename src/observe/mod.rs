//! Metrics and health over HTTP, for those who watch the watcher.
//!
//! Owns the listener: who may connect, for how long, and what is answered to which path. It reads
//! counters only, so nothing of it can slow the pipeline; deadlines and a bound on connections keep
//! strangers from holding its threads.

mod health;
mod metrics;
mod request;

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::backlog::Backlog;
use crate::error::{Error, Result};
use crate::matcher::Engine;
use crate::stats::Stats;
use crate::stop::Stop;
use health::Health;
use metrics::Metrics;
use request::{Asked, ask};

/// Connections at once; more are turned away. A Prometheus and a health check need one each.
const MAX_CONNECTIONS: usize = 8;
/// How long one connection may take, from being accepted to the last byte of its answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often the end of the run is looked for while nobody connects.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// What can be seen from outside: counters and the few settings they are held against.
#[derive(Debug)]
pub struct Seen {
    /// The counters.
    pub stats: Arc<Stats>,
    /// The account of what is matched and not yet committed.
    pub backlog: Arc<Backlog>,
    /// The rules, for their names.
    pub engine: Arc<Engine>,
    /// The stop, which makes a run unready.
    pub stop: Arc<Stop>,
    /// The database file, whose size and disk are looked at.
    pub database: PathBuf,
}

/// The listener, bound.
#[derive(Debug)]
pub struct Observer {
    listener: TcpListener,
    address: SocketAddr,
}

impl Observer {
    /// Listens at `address`.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        let observer = bound.map_err(|error| {
            Error::usage(format!("cannot listen at {address}: {error}"))
                .at_key("observe.listen")
                .remedy("name a free port of this machine, or leave the key out")
        })?;
        let address = observer.address;
        log::info!("metrics and health at http://{address}/metrics, /healthz and /readyz");
        if !address.ip().is_loopback() {
            log::warn!("observe.listen: whoever reaches {address} can read the metrics");
        }
        Ok(observer)
    }

    /// Answers until `ended` closes.
    pub fn run(&self, seen: Seen, ended: &Receiver<()>) {
        let seen = Arc::new(seen);
        let answers = Arc::new(Answers {
            metrics: Metrics::new(Arc::clone(&seen)),
            health: Health::new(seen),
            connections: AtomicUsize::new(0),
        });
        while ended.try_recv() != Err(TryRecvError::Disconnected) {
            let mut listening = [PollFd::new(&self.listener, PollFlags::IN)];
            // A signal or a time-out: both look again.
            let _ = poll(&mut listening, Some(&LOOK_EVERY));
            match self.listener.accept() {
                Ok((stream, _)) => answers.take(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    // Too many open files, say: the connection stays in line meanwhile.
                    log::debug!("observe: cannot accept a connection: {error}");
                    thread::sleep(Duration::from_millis(200));
                }
            }
        }
    }
}

/// What the connections share.
struct Answers {
    metrics: Metrics,
    health: Health,
    connections: AtomicUsize,
}

/// One connection's place among [`MAX_CONNECTIONS`], given back when it ends, however it ends.
struct Place(Arc<Answers>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Answers {
    /// Answers on a thread of its own, which nobody joins: a stranger must not hold up the end.
    fn take(self: &Arc<Self>, stream: TcpStream) {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if before >= MAX_CONNECTIONS {
            return;
        }
        let deadline = Instant::now() + DEADLINE;
        let answering = thread::Builder::new().name("observe-answer".to_owned());
        // Where no thread can be had the connection closes, as if there were no place.
        let _ = answering.spawn(move || {
            // A stranger who leaves early is no news.
            let _ = place.0.answer(stream, deadline);
        });
    }

    fn answer(&self, mut stream: TcpStream, deadline: Instant) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        let (status, kind, body, show_body) = match ask(&mut stream, deadline)? {
            Asked::Path { path, body } => {
                let (status, kind, text) = self.page(&path);
                (status, kind, text, body)
            }
            Asked::Refused { status, why } => (status, PLAIN, format!("{why}\n"), true),
        };
        let mut response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: \
             no-store\r\nConnection: close\r\n\r\n",
            body.len()
        );
        if show_body {
            response.push_str(&body);
        }
        write_before(&mut stream, response.as_bytes(), deadline)
    }

    /// Status, content type and body of a path.
    fn page(&self, path: &str) -> (&'static str, &'static str, String) {
        match path {
            "/metrics" => match self.metrics.text() {
                Ok(text) => ("200 OK", METRICS, text),
                Err(_) => ("500 Internal Server Error", PLAIN, "cannot be written\n".to_owned()),
            },
            "/healthz" => ("200 OK", JSON, "{\"alive\":true}\n".to_owned()),
            "/readyz" => {
                let (ready, text) = self.health.ready();
                let status = if ready { "200 OK" } else { "503 Service Unavailable" };
                (status, JSON, text)
            }
            _ => ("404 Not Found", PLAIN, "see /metrics, /healthz and /readyz\n".to_owned()),
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// The text form that every Prometheus reads.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Time left before `deadline`.
///
/// # Errors
/// When none is.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Writes all of `bytes`; the whole may not take longer than `deadline`, however slowly it is
/// read.
fn write_before(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
