//! A real WebSocket server on loopback, over TCP or TLS, that does to each client what the test's
//! script says.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use native_tls::{TlsAcceptor, TlsStream};
use tempfile::TempDir;
use tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tungstenite::{Message, WebSocket};

use super::certificates::Authority;

/// How a server secures its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Off,
    /// As it should be.
    Good,
    /// With a certificate for another host.
    WrongHost,
    /// With a certificate that has expired.
    Expired,
    /// With a certificate from an authority that is not in the CA file.
    Stranger,
}

/// A server; gone, with all its connections, when dropped.
pub struct Server {
    address: SocketAddr,
    tls: Tls,
    ca_file: PathBuf,
    _folder: TempDir,
    seen: Arc<Seen>,
    listening: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

/// What a server has seen so far.
#[derive(Default)]
struct Seen {
    closing: AtomicBool,
    /// One for each visit, until it is over: a thousand left open would be too many.
    connections: Mutex<Vec<Option<TcpStream>>>,
    requests: Mutex<Vec<Request>>,
    messages: Mutex<Vec<Message>>,
}

impl Server {
    /// Starts a server that plays `script` for each connection, each on a thread of its own.
    /// What the script returns is not looked at: clients may leave at any moment.
    pub fn start(
        tls: Tls,
        script: impl Fn(Visit) -> tungstenite::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        let acceptor = acceptor(tls, &ca_file);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let listening = thread::spawn({
            let (seen, script) = (Arc::clone(&seen), Arc::new(script));
            move || {
                let mut visits = Vec::new();
                for (number, tcp) in listener.incoming().map(Result::unwrap).enumerate() {
                    if seen.closing.load(Ordering::Acquire) {
                        break;
                    }
                    seen.connections.lock().unwrap().push(Some(tcp.try_clone().unwrap()));
                    let visit =
                        Visit { number, tcp, acceptor: acceptor.clone(), seen: Arc::clone(&seen) };
                    let script = Arc::clone(&script);
                    let seen = Arc::clone(&seen);
                    visits.push(thread::spawn(move || {
                        let _ = script(visit);
                        // Dropping alone would not end it: `seen` holds it too.
                        if let Some(end) = seen.connections.lock().unwrap()[number].take() {
                            let _ = end.shutdown(Shutdown::Both);
                        }
                    }));
                }
                visits
            }
        });
        Self { address, tls, ca_file, _folder: folder, seen, listening: Some(listening) }
    }

    /// The URL of `path` on this server.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.tls == Tls::Off { "ws" } else { "wss" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The CA file that makes a client trust this server; none without TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        (self.tls != Tls::Off).then_some(self.ca_file.as_path())
    }

    /// How many connections have been accepted.
    pub fn connections(&self) -> usize {
        self.seen.connections.lock().unwrap().len()
    }

    /// The requests for an upgrade so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The messages read by [`Peer::keep_open`] so far.
    pub fn messages(&self) -> Vec<Message> {
        self.seen.messages.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.closing.store(true, Ordering::Release);
        // Wakes the listening thread.
        let _ = TcpStream::connect(self.address);
        let visits = self.listening.take().unwrap().join().unwrap();
        for connection in self.seen.connections.lock().unwrap().iter().flatten() {
            let _ = connection.shutdown(Shutdown::Both);
        }
        for visit in visits {
            // A failed assertion in a script fails the test.
            if visit.join().is_err() && !thread::panicking() {
                panic!("the server's script has failed, see above");
            }
        }
    }
}

/// What secures the connections; the authority's certificate goes to `ca_file`.
pub(super) fn acceptor(tls: Tls, ca_file: &Path) -> Option<TlsAcceptor> {
    let authority = Authority::named("certstream tests");
    std::fs::write(ca_file, &authority.pem).unwrap();
    let here = ["127.0.0.1", "localhost"];
    let identity = match tls {
        Tls::Off => return None,
        Tls::Good => authority.identity(&here, false),
        Tls::WrongHost => authority.identity(&["elsewhere.example"], false),
        Tls::Expired => authority.identity(&here, true),
        Tls::Stranger => Authority::named("a stranger").identity(&here, false),
    };
    Some(TlsAcceptor::new(identity).unwrap())
}

/// One connection, before anything has been said.
pub struct Visit {
    /// Counts connections, from 0.
    pub number: usize,
    tcp: TcpStream,
    acceptor: Option<TlsAcceptor>,
    seen: Arc<Seen>,
}

impl Visit {
    /// Says nothing, not even in TLS, until the client leaves.
    pub fn stay_silent(mut self) -> tungstenite::Result<()> {
        io::copy(&mut self.tcp, &mut io::sink())?;
        Ok(())
    }

    /// Answers the request with `status` and `headers` (lines) instead of the upgrade.
    pub fn refuse(self, status: &str, headers: &[&str]) -> tungstenite::Result<()> {
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n");
        for header in headers {
            answer.push_str(&format!("{header}\r\n"));
        }
        answer.push_str("\r\n");
        self.say(answer.as_bytes())
    }

    /// Answers the request with `answer`, whatever that is.
    pub fn say(self, answer: &[u8]) -> tungstenite::Result<()> {
        let mut stream = self.secured()?;
        read_head(&mut stream)?;
        stream.write_all(answer)?;
        Ok(())
    }

    /// Answers the request with a head that never ends, a byte each `interval`.
    pub fn trickle(self, interval: Duration) -> tungstenite::Result<()> {
        let mut stream = self.secured()?;
        read_head(&mut stream)?;
        for byte in b"HTTP/1.1 101 Switching Protocols\r\nX-Patience: "
            .iter()
            .chain(std::iter::repeat(&b'x'))
        {
            stream.write_all(&[*byte])?;
            thread::sleep(interval);
        }
        Ok(())
    }

    /// Agrees to the upgrade.
    pub fn upgrade(self) -> tungstenite::Result<Peer> {
        let seen = Arc::clone(&self.seen);
        let stream = self.secured()?;
        let socket = tungstenite::accept_hdr(stream, Note(Arc::clone(&seen)))
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Peer { socket, seen })
    }

    fn secured(self) -> io::Result<Stream> {
        Stream::accept(self.tcp, self.acceptor.as_ref())
    }
}

/// Reads a request up to the blank line.
fn read_head(stream: &mut Stream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    Ok(())
}

/// Notes the request for an upgrade and grants it.
struct Note(Arc<Seen>);

impl Callback for Note {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        self.0.requests.lock().unwrap().push(request.clone());
        Ok(response)
    }
}

/// A client after the upgrade.
pub struct Peer {
    socket: WebSocket<Stream>,
    seen: Arc<Seen>,
}

impl Peer {
    /// Sends messages one after another, as fast as the client reads them.
    pub fn send(&mut self, messages: impl IntoIterator<Item = Message>) -> tungstenite::Result<()> {
        for message in messages {
            self.socket.write(message)?;
        }
        self.socket.flush()
    }

    /// Sends a certificate, and keeps the connection open: a server as it should be.
    pub fn serve(&mut self) -> tungstenite::Result<()> {
        self.send([certificate("www.example.com")])?;
        self.keep_open()
    }

    /// Sends bytes as they are, which need not be a frame.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> tungstenite::Result<()> {
        self.socket.get_mut().write_all(bytes)?;
        Ok(())
    }

    /// Closes the connection in order, with a code and a reason.
    pub fn close(&mut self, code: u16, reason: &str) -> tungstenite::Result<()> {
        let frame = tungstenite::protocol::CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame))?;
        self.keep_open()
    }

    /// Notes what the client sends, and answers its pings, until it leaves.
    pub fn keep_open(&mut self) -> tungstenite::Result<()> {
        loop {
            let message = self.socket.read()?;
            self.seen.messages.lock().unwrap().push(message);
        }
    }
}

/// A message of a domains-only stream.
pub fn certificate(name: &str) -> Message {
    Message::text(format!(r#"{{"message_type":"dns_entries","data":["{name}"]}}"#))
}

/// An unmasked WebSocket frame.
pub fn frame(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(is_final) << 7 | opcode];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).unwrap()),
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// The bytes of a connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Speaks TLS first where there is an acceptor.
    pub(super) fn accept(tcp: TcpStream, acceptor: Option<&TlsAcceptor>) -> io::Result<Self> {
        Ok(match acceptor {
            None => Self::Plain(tcp),
            Some(acceptor) => Self::Secured(Box::new(
                acceptor.accept(tcp).map_err(|error| io::Error::other(error.to_string()))?,
            )),
        })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Secured(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Secured(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Secured(tls) => tls.flush(),
        }
    }
}
