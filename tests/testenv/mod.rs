//! The one harness of the integration tests: real servers on loopback, certificates made on the
//! fly, CT logs, feeds that run as in production. Waits for conditions, never for time to pass.

mod certificates;
pub mod ctwatch;
mod feed;
pub mod hostile;
pub mod log;
mod observed;
mod phase;
mod place;
mod program;
mod server;
pub mod stream;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};

pub use feed::Watching;
pub use observed::Observed;
pub use phase::Phase;
pub use place::{SmallDisk, start_unprivileged};
pub use program::{Folder, Program};
pub use server::{Peer, Server, Tls, certificate, frame};

/// Longer than anything takes, even on a machine that is busy with other builds.
pub const LONG: Duration = Duration::from_secs(60);

/// Waits until `condition` holds; fails the test when it does not within [`LONG`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain waited until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A port that neither accepts nor refuses: its queue is full, so that packets are dropped.
pub struct DeafPort {
    listener: TcpListener,
    /// What fills the queue.
    _queue: Vec<TcpStream>,
}

impl DeafPort {
    pub fn open() -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let attempt = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let queue = std::iter::from_fn(attempt).collect();
        Self { listener, _queue: queue }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/", self.listener.local_addr().unwrap())
    }
}
