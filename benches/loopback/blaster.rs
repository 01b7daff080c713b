//! The server: sends frames that it has ready in memory, as fast as its clients read or at a given
//! rate, and tells how long they took to read them all.
//!
//! The end is a ping behind the last frame: a client that answers it has read everything before.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use native_tls::TlsAcceptor;
use tungstenite::{Bytes, Message};

use super::frames::{Frames, Stream};
use super::synthetic;

/// Bytes written at once: so large that the server costs little beside its clients.
const CHUNK: usize = 256 * 1024;
/// How often a server that keeps a rate sends what is due.
const SLOT: Duration = Duration::from_millis(1);

/// What a server is to send to its next clients.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Frames for each connection.
    pub frames: u64,
    /// How many there are; sending begins when all have come.
    pub connections: usize,
    /// Frames a second for each; 0: as fast as they are read.
    pub rate: u64,
    /// Marked frames a second beside those, each with the time it was sent in its names.
    pub marks: u64,
}

/// What stands in front of the time in a marked name, in microseconds since the Unix epoch, and
/// what behind it.
pub const MARK: (&str, &str) = ("sent-", ".latency-probe.example");

/// A server, gone when dropped.
pub struct Blaster {
    child: Child,
    orders: ChildStdin,
    reports: mpsc::Receiver<String>,
    port: u16,
    tls: bool,
    /// Frames that it has; it begins with the first again.
    pub frames: u64,
    folder: tempfile::TempDir,
}

impl Blaster {
    /// Starts a server of `stream`.
    pub fn start(stream: Stream, tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.arg("blast").arg(stream.name()).arg(folder.path().join("ca.pem"));
        command.arg(if tls { "tls" } else { "plain" });
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let orders = child.stdin.take().expect("piped");
        let reports = lines_of(child.stdout.take().expect("piped"));
        let ready = reports.recv().expect("a server that is ready");
        let (port, frames) = ready.split_once(' ').expect("port and frames");
        let (port, frames) = (port.parse().expect("a port"), frames.parse().expect("a number"));
        Self { child, orders, reports, port, tls, frames, folder }
    }

    /// Where it is; each client may have a `path` of its own.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://localhost:{}/{path}", self.port)
    }

    /// The authority of its certificate; without TLS no such file.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Lets it wait for clients and send.
    pub fn order(&mut self, order: Order) {
        let Order { frames, connections, rate, marks } = order;
        writeln!(self.orders, "{frames} {connections} {rate} {marks}").expect("it runs");
    }

    /// Waits until its clients have come and it begins to send; `look` is called meanwhile.
    pub fn begun(&self, look: impl FnMut()) {
        assert_eq!(self.report(look), "begun");
    }

    /// The seconds from the first frame until all were read, once that is known; `look` is called
    /// meanwhile.
    pub fn read_all(&self, look: impl FnMut()) -> f64 {
        self.report(look).parse().expect("seconds")
    }

    fn report(&self, mut look: impl FnMut()) -> String {
        loop {
            match self.reports.recv_timeout(Duration::from_millis(20)) {
                Ok(report) => return report,
                Err(mpsc::RecvTimeoutError::Timeout) => look(),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    look();
                    panic!("the server has ended");
                }
            }
        }
    }
}

impl Drop for Blaster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that come from `source`, read on a thread of their own.
fn lines_of(source: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(source).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}

/// The server's own process: obeys the orders on stdin, one after another, until that ends.
pub fn serve(stream: &str, ca_file: &Path, tls: bool) {
    let stream = Stream::named(stream);
    let frames = Frames::of(stream);
    let acceptor = tls.then(|| acceptor(ca_file));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    println!("{} {}", listener.local_addr().expect("bound").port(), frames.len());
    for order in io::stdin().lock().lines() {
        let order = order.expect("text");
        let numbers: Vec<u64> =
            order.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [count, connections, rate, marks] = numbers[..] else { panic!("{order}") };
        let order = Order { frames: count, connections: connections as usize, rate, marks };
        let begin = &Barrier::new(order.connections + 1);
        thread::scope(|scope| {
            let (report, reports) = mpsc::channel();
            for _ in 0..order.connections {
                let (tcp, _) = listener.accept().expect("a client");
                tcp.set_nodelay(true).expect("an option of TCP");
                let sender = Sender { frames: &frames, order, stream, report: report.clone() };
                let acceptor = acceptor.as_ref();
                scope.spawn(move || sender.secure_and_serve(tcp, acceptor, begin));
            }
            drop(report);
            begin.wait();
            println!("begun");
            let took: Vec<f64> = reports.iter().collect();
            assert_eq!(took.len(), order.connections, "a client was lost");
            println!("{}", took.into_iter().fold(0.0, f64::max));
        });
    }
}

/// An identity for localhost, whose authority is written to `ca_file`.
fn acceptor(ca_file: &Path) -> TlsAcceptor {
    let authority = crate::certificates::Authority::named("bench");
    fs::write(ca_file, &authority.pem).expect("a writable folder");
    TlsAcceptor::new(authority.identity(&["localhost"], false)).expect("a good identity")
}

/// Serves one client.
struct Sender<'f> {
    frames: &'f Frames,
    order: Order,
    stream: Stream,
    /// Where the seconds go that the client took.
    report: mpsc::Sender<f64>,
}

impl Sender<'_> {
    fn secure_and_serve(self, tcp: TcpStream, acceptor: Option<&TlsAcceptor>, begin: &Barrier) {
        match acceptor {
            None => self.serve(tcp, begin),
            Some(acceptor) => self.serve(acceptor.accept(tcp).expect("a handshake"), begin),
        }
    }

    /// Sends all, and reports the seconds until the client has read it.
    fn serve(self, stream: impl Read + Write, begin: &Barrier) {
        let mut socket = tungstenite::accept(stream).expect("an upgrade");
        begin.wait();
        let started = Instant::now();
        let sent = match self.order.rate {
            0 => self.send_all(socket.get_mut()),
            rate => self.keep(rate, socket.get_mut(), started),
        };
        sent.expect("a client that reads");
        socket.send(Message::Ping(Bytes::from_static(b"end"))).expect("a client that reads");
        while !matches!(socket.read(), Ok(Message::Pong(_))) {}
        self.report.send(started.elapsed().as_secs_f64()).expect("somebody waits for it");
        // No further report comes from here.
        drop(self);
        // Until the client leaves, which it may do as it likes.
        while socket.read().is_ok() {}
    }

    fn send_all(&self, out: &mut impl Write) -> io::Result<()> {
        let (all, mut left) = (self.frames.len(), self.order.frames as usize);
        while left > 0 {
            let now = left.min(all);
            self.frames.range(0..now).chunks(CHUNK).try_for_each(|chunk| out.write_all(chunk))?;
            left -= now;
        }
        Ok(())
    }

    fn keep(&self, rate: u64, out: &mut impl Write, started: Instant) -> io::Result<()> {
        let marks = synthetic::templates(self.stream);
        let (mut sent, mut marked) = (0, 0);
        while sent < self.order.frames {
            let elapsed = started.elapsed().as_secs_f64();
            let due = ((elapsed * rate as f64) as u64).min(self.order.frames);
            while sent < due {
                let first = (sent % self.frames.len() as u64) as usize;
                let last = (first + (due - sent) as usize).min(self.frames.len());
                out.write_all(self.frames.range(first..last))?;
                sent += (last - first) as u64;
            }
            if elapsed * self.order.marks as f64 > marked as f64 {
                let template = &marks[marked % marks.len()];
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a set clock");
                let name = |place| format!("{}{}{}{}", MARK.0, now.as_micros(), place, MARK.1);
                let mut frame = Frames::default();
                frame.push(template.fill(marked as u64, name).as_bytes());
                out.write_all(frame.range(0..1))?;
                marked += 1;
            }
            thread::sleep(SLOT);
        }
        Ok(())
    }
}
