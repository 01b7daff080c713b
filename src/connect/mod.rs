//! Outgoing connections: name resolution, TCP, proxies, TLS, deadlines.
//!
//! Owns the opening of every connection this program makes, for all feeds, so that time limits,
//! stop and trust are settled in one place ([`open`]). What is spoken over a connection is the
//! caller's business.

mod addresses;
mod fault;
pub mod http;
mod proxy;
mod retry_after;
mod socket;
mod tls;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use native_tls::TlsStream;
use rustix::event::PollFlags;

pub use fault::ConnectFault;
pub use proxy::Proxy;
pub use retry_after::retry_after;
pub use socket::{Socket, sleep};
pub use tls::Trust;

use crate::stop::Stop;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Target {
    /// `HOST:PORT`, as it stands in a URL.
    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The way to a server.
#[derive(Clone, Copy, Debug)]
pub struct Route<'r> {
    /// The server.
    pub target: &'r Target,
    /// Whom to trust; none: the connection is not secured.
    pub trust: Option<&'r Trust>,
    /// Through which proxy; none: directly.
    pub proxy: Option<&'r Proxy>,
}

/// An open connection, plain or secured.
#[derive(Debug)]
pub enum Connection<'s> {
    /// TCP alone.
    Plain(Socket<'s>),
    /// TLS over TCP.
    Secured(Box<TlsStream<Socket<'s>>>),
}

/// Opens a connection along `route`, before `deadline`.
///
/// Until told otherwise, reads and writes of the connection wait until the same deadline, so
/// that it covers what the caller does first (an upgrade, a request) as well.
///
/// # Errors
/// Why there is no connection; [`ConnectFault::Stopped`] when the stop was requested meanwhile.
pub fn open<'s>(
    route: Route<'_>,
    deadline: Instant,
    stop: &'s Stop,
) -> Result<Connection<'s>, ConnectFault> {
    let socket = reach_through(route, deadline, stop)?;
    let secured = match route.trust {
        None => return Ok(Connection::Plain(socket)),
        Some(trust) => trust.secure(&route.target.host, socket),
    };
    // Whatever the handshake made of it, the stop is the reason.
    secured.map(|stream| Connection::Secured(Box::new(stream))).map_err(|f| or_stopped(f, stop))
}

/// Connects to the server, by way of the proxy where there is one.
fn reach_through<'s>(
    route: Route<'_>,
    deadline: Instant,
    stop: &'s Stop,
) -> Result<Socket<'s>, ConnectFault> {
    let first = route.proxy.map_or(route.target, Proxy::target);
    let tcp = reach(first, deadline, stop).map_err(|fault| match fault {
        ConnectFault::Stopped | ConnectFault::Local(_) => fault,
        fault if route.proxy.is_some() => ConnectFault::ProxyUnreachable(Box::new(fault)),
        fault => fault,
    })?;
    let mut socket = Socket::new(tcp, stop, deadline).map_err(ConnectFault::Local)?;
    if let Some(proxy) = route.proxy {
        proxy.tunnel(&mut socket, route.target).map_err(|fault| or_stopped(fault, stop))?;
    }
    Ok(socket)
}

/// `fault`, unless it is that of a stop.
fn or_stopped(fault: ConnectFault, stop: &Stop) -> ConnectFault {
    if stop.is_requested() { ConnectFault::Stopped } else { fault }
}

/// Resolves and connects on a thread of its own, which nobody joins: `getaddrinfo` can take as
/// long as it likes and cannot be interrupted. A thread left behind ends with it; the caller's
/// back-off keeps them few.
fn reach(target: &Target, deadline: Instant, stop: &Stop) -> Result<TcpStream, ConnectFault> {
    // Nothing is ever written: the end of the thread closes the pipe, and that wakes us, however
    // it ended.
    let (ended, running) = io::pipe().map_err(ConnectFault::Local)?;
    let (report, outcome) = mpsc::channel();
    let host = (target.host.clone(), target.port);
    thread::Builder::new()
        .name("connect".into())
        .spawn(move || {
            // Nobody listens any more after a deadline or a stop.
            let _ = report.send(connect_to_some(&host, deadline));
            drop(running);
        })
        .map_err(ConnectFault::Local)?;
    loop {
        if stop.is_requested() {
            return Err(ConnectFault::Stopped);
        }
        match outcome.try_recv() {
            Ok(outcome) => return outcome,
            Err(mpsc::TryRecvError::Disconnected) => {
                return Err(ConnectFault::Local(io::Error::other("the connecting thread is lost")));
            }
            Err(mpsc::TryRecvError::Empty) if Instant::now() >= deadline => {
                return Err(ConnectFault::TimedOut("resolving the host's name and connecting"));
            }
            Err(mpsc::TryRecvError::Empty) => {
                socket::wait(ended.as_fd(), PollFlags::IN, deadline, stop)
                    .map_err(ConnectFault::Local)?;
            }
        }
    }
}

/// Tries the host's addresses one after another.
fn connect_to_some(host: &(String, u16), deadline: Instant) -> Result<TcpStream, ConnectFault> {
    let addresses: Vec<SocketAddr> =
        (host.0.as_str(), host.1).to_socket_addrs().map_err(ConnectFault::Unresolved)?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        // A fair share each, so that an address that swallows packets leaves time for the rest.
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        if share.is_zero() {
            return Err(ConnectFault::TimedOut("connecting"));
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(ConnectFault::Unreachable(last))
}

impl<'s> Connection<'s> {
    /// The socket below, to set how it waits.
    pub fn socket(&mut self) -> &mut Socket<'s> {
        match self {
            Self::Plain(socket) => socket,
            Self::Secured(stream) => stream.get_mut(),
        }
    }
}

impl Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Secured(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;

    fn target(host: &str, port: u16) -> Target {
        Target { host: host.into(), port }
    }

    /// Opens a connection without TLS or proxy.
    fn connect<'s>(
        target: &Target,
        deadline: Instant,
        stop: &'s Stop,
    ) -> Result<Connection<'s>, ConnectFault> {
        open(Route { target, trust: None, proxy: None }, deadline, stop)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_name_with_several_addresses_is_tried_at_each() {
        // `localhost` is ::1 and 127.0.0.1 on most machines; only one of them listens here.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Stop::new().unwrap();
        assert!(connect(&target("localhost", port), soon(), &stop).is_ok());
    }

    #[test]
    fn a_closed_port_and_an_unknown_name_are_told_apart() {
        let stop = Stop::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let closed = connect(&target("127.0.0.1", port), soon(), &stop).unwrap_err();
        assert!(matches!(closed, ConnectFault::Unreachable(_)), "{closed}");
        // Not a name at all, so that no resolver is asked.
        let unknown = connect(&target("no host", 80), soon(), &stop).unwrap_err();
        assert!(matches!(unknown, ConnectFault::Unresolved(_)), "{unknown}");
    }

    #[test]
    fn a_stop_is_noticed_before_anything_is_connected() {
        let stop = Stop::new().unwrap();
        stop.request();
        let stopped = connect(&target("127.0.0.1", 9), soon(), &stop).unwrap_err();
        assert!(matches!(stopped, ConnectFault::Stopped), "{stopped}");
    }

    #[test]
    fn a_deadline_bounds_the_connecting() {
        let stop = Stop::new().unwrap();
        let late = connect(&target("127.0.0.1", 9), Instant::now(), &stop).unwrap_err();
        assert!(matches!(late, ConnectFault::TimedOut(_)), "{late}");
    }
}
