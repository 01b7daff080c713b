//! The limit: tungstenite reading what the program reads, with the same settings, and dropping it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use native_tls::{Certificate, TlsConnector};
use tungstenite::client::client_with_config;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message};

/// The client's own process: reads from `url` until the ping at the end.
pub fn drain(url: &str, ca_file: &Path) {
    let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("a URL");
    let tcp = TcpStream::connect(host).expect("the server is there");
    tcp.set_nodelay(true).expect("an option of TCP");
    if url.starts_with("wss:") {
        let pem = std::fs::read(ca_file).expect("the authority's certificate");
        let mut builder = TlsConnector::builder();
        builder.add_root_certificate(Certificate::from_pem(&pem).expect("PEM"));
        let connector = builder.build().expect("TLS");
        read(url, connector.connect("localhost", tcp).expect("a handshake"));
    } else {
        read(url, tcp);
    }
}

fn read(url: &str, stream: impl Read + Write) {
    // As the program has it.
    let config = WebSocketConfig::default().read_buffer_size(32 * 1024);
    let upgraded = client_with_config(url, stream, Some(config));
    let (mut socket, _) = upgraded.unwrap_or_else(|error| panic!("no upgrade: {error}"));
    loop {
        match socket.read() {
            Ok(Message::Ping(_)) => break,
            Ok(message) => drop(std::hint::black_box(message)),
            Err(Error::ConnectionClosed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    socket.flush().expect("the pong leaves");
}
