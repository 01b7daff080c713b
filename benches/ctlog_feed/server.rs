//! The server of the bench: HTTP/1.1 on loopback, connections kept open, a thread for each, and
//! each answer one write. It serves the logs and lets them grow; it ends with the bench.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::json;

use crate::ct_log::Log;

/// The answer to whatever is not there.
pub const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// The answer that has `body`, with `headers` (each with its line end).
pub fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Serves `logs`, writes their list to `list`, and returns the URL they stand below.
pub fn serve(logs: &Arc<Vec<Log>>, list: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let operators: Vec<_> = logs.iter().map(|log| log.listed(&base)).collect();
    let text = json!({ "version": "1.0", "operators": operators }).to_string();
    std::fs::write(list, text).expect("a writable folder");
    let logs = Arc::clone(logs);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let logs = Arc::clone(&logs);
            // A client that leaves ends its connection, and nothing else.
            thread::spawn(move || connection.and_then(|connection| converse(connection, &logs)));
        }
    });
    base
}

fn converse(connection: TcpStream, logs: &[Log]) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut out = connection.try_clone()?;
    let mut requests = BufReader::new(connection);
    let (mut request, mut header) = (String::new(), String::new());
    loop {
        request.clear();
        if requests.read_line(&mut request)? == 0 {
            return Ok(());
        }
        while header != "\r\n" {
            header.clear();
            if requests.read_line(&mut header)? == 0 {
                return Ok(());
            }
        }
        header.clear();
        let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
        let (name, path) = path.split_once('/').unwrap_or((path, ""));
        match logs.iter().find(|log| log.name() == name) {
            Some(log) => log.answer(path, |answer| out.write_all(answer))?,
            None => out.write_all(NOT_FOUND)?,
        }
    }
}
