//! Connections on loopback, a thread for each, over TCP or TLS; all gone when dropped. What is
//! said on them is not its business.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use native_tls::TlsAcceptor;
use rustix::net::sockopt::set_socket_linger;

use crate::testenv::server::Stream;

/// A listening socket and its connections; their end, when dropped.
pub struct Listener {
    address: SocketAddr,
    open: Arc<Open>,
    accepting: Option<JoinHandle<()>>,
}

/// What is open.
#[derive(Default)]
struct Open {
    connections: Mutex<HashMap<usize, TcpStream>>,
    closing: Mutex<bool>,
    /// Told when `closing` becomes true.
    closed: Condvar,
}

impl Listener {
    /// Plays `script` for each connection. What it returns is not looked at: clients may leave
    /// at any moment.
    pub fn start(
        acceptor: Option<TlsAcceptor>,
        script: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Open::default());
        let accepting = thread::spawn({
            let (open, script) = (Arc::clone(&open), Arc::new(script));
            move || {
                let mut visits: Vec<JoinHandle<()>> = Vec::new();
                for (number, tcp) in listener.incoming().map(Result::unwrap).enumerate() {
                    if *open.closing.lock().unwrap() {
                        break;
                    }
                    for ended in visits.extract_if(.., |visit| visit.is_finished()) {
                        ended.join().unwrap();
                    }
                    tcp.set_nodelay(true).unwrap();
                    open.connections.lock().unwrap().insert(number, tcp.try_clone().unwrap());
                    let (open, script) = (Arc::clone(&open), Arc::clone(&script));
                    let acceptor = acceptor.clone();
                    visits.push(thread::spawn(move || {
                        let _listed = Listed { number, open: &open };
                        let Ok(stream) = Stream::accept(tcp, acceptor.as_ref()) else { return };
                        let stream = BufReader::new(stream);
                        let _ = script(&mut Visit { number, stream, open: &open });
                    }));
                }
                for connection in open.connections.lock().unwrap().values() {
                    let _ = connection.shutdown(Shutdown::Both);
                }
                visits.into_iter().for_each(|visit| visit.join().unwrap());
            }
        });
        Self { address, open, accepting: Some(accepting) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        *self.open.closing.lock().unwrap() = true;
        self.open.closed.notify_all();
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        // A failed assertion in a script fails the test.
        if self.accepting.take().unwrap().join().is_err() && !thread::panicking() {
            panic!("the server's script has failed, see above");
        }
    }
}

/// Takes a connection off the list, whatever ends its visit; with that its socket closes.
struct Listed<'a> {
    number: usize,
    open: &'a Open,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.open.connections.lock().unwrap().remove(&self.number);
    }
}

/// One connection.
pub struct Visit<'a> {
    /// Counts connections, from 0.
    pub number: usize,
    pub stream: BufReader<Stream>,
    open: &'a Open,
}

impl Visit<'_> {
    /// Waits; an error when the server closes meanwhile.
    pub fn pause(&self, time: Duration) -> io::Result<()> {
        let closing = self.open.closing.lock().unwrap();
        let told = self.open.closed.wait_timeout_while(closing, time, |closing| !*closing).unwrap();
        if *told.0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Lets the connection end with a reset, once this visit ends.
    pub fn reset_at_end(&self) -> io::Result<()> {
        set_socket_linger(self.tcp(), Some(Duration::ZERO))?;
        Ok(())
    }

    /// The socket below.
    pub fn tcp(&self) -> &TcpStream {
        match self.stream.get_ref() {
            Stream::Plain(tcp) => tcp,
            Stream::Secured(tls) => tls.get_ref(),
        }
    }
}

impl Read for Visit<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Visit<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().flush()
    }
}
