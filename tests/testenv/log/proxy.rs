//! An HTTP CONNECT proxy that notes where clients want to go.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::http::Head;
use super::listener::{Listener, Visit};

/// A proxy; gone, with all its tunnels, when dropped.
pub struct Proxy {
    listener: Listener,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts a proxy; with credentials (`user:password`) it answers 407 to those without.
    pub fn start(credentials: Option<&str>) -> Self {
        let targets = Arc::new(Mutex::new(Vec::new()));
        let demanded =
            credentials.map(|credentials| format!("Basic {}", BASE64.encode(credentials)));
        let listener = Listener::start(None, {
            let targets = Arc::clone(&targets);
            move |visit| {
                let Some(head) = Head::read(&mut visit.stream)? else { return Ok(()) };
                if head.method != "CONNECT" {
                    return visit.write_all(b"HTTP/1.1 405 CONNECT Only\r\n\r\n");
                }
                targets.lock().unwrap().push(head.target.clone());
                if demanded.is_some() && head.header("proxy-authorization") != demanded.as_deref() {
                    return visit.write_all(REFUSAL);
                }
                tunnel(visit, &head.target)
            }
        });
        Self { listener, targets }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The targets (`host:port`) of all CONNECTs so far, refused ones included.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

const REFUSAL: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
    Proxy-Authenticate: Basic realm=\"tests\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Connects the two sides until both have ended.
fn tunnel(visit: &mut Visit, target: &str) -> io::Result<()> {
    let Ok(server) = TcpStream::connect(target) else {
        return visit.write_all(b"HTTP/1.1 502 No Connection\r\nContent-Length: 0\r\n\r\n");
    };
    visit.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let client = visit.tcp().try_clone()?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &server, &mut &client);
            let _ = client.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut visit.stream, &mut &server);
        let _ = server.shutdown(Shutdown::Both);
    });
    Ok(())
}
