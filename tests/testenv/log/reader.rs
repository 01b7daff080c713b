//! A plain HTTP client of a log, for the tests of the server itself.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Proxy};

use super::{Entry, Key, LogServer, Synthetic, TestLog, entries_of_tile};
use crate::testenv::Tls;

/// A client of one server; keeps its connections.
pub struct Reader {
    agent: Agent,
    base: String,
}

impl Reader {
    /// Trusts the server's authority.
    pub fn new(server: &LogServer) -> Self {
        Self::through(server, None)
    }

    /// Goes through a proxy, where there is one, given as a URL.
    pub fn through(server: &LogServer, proxy: Option<&str>) -> Self {
        let roots = server.ca_file().map_or(RootCerts::PlatformVerifier, |file| {
            [Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap()].into()
        });
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy.map(|url| Proxy::new(url).unwrap()))
            .tls_config(tls)
            .timeout_global(Some(Duration::from_secs(5)))
            .user_agent("reader (tests@log.example)")
            .build()
            .new_agent();
        Self { agent, base: server.url("") }
    }

    /// The status, a header, and the body unpacked.
    pub fn ask(&self, path: &str, header: &str) -> Result<(u16, String, Vec<u8>), ureq::Error> {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call()?;
        let value = answer.headers().get(header).map(|value| value.to_str().unwrap().to_owned());
        let body = answer.body_mut().with_config().limit(10_000_000).read_to_vec()?;
        Ok((answer.status().as_u16(), value.unwrap_or_default(), body))
    }

    /// The status alone.
    #[track_caller]
    pub fn status(&self, path: &str) -> u16 {
        self.ask(path, "").unwrap().0
    }

    /// The body, unpacked, of an answer that must be there.
    #[track_caller]
    pub fn body(&self, path: &str) -> Vec<u8> {
        let (status, _, body) = self.ask(path, "").unwrap();
        assert_eq!(status, 200, "{path}");
        body
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.body(path)).unwrap()
    }

    /// The entries of a tile of the log `alpha`.
    pub fn entries(&self, tile: &str) -> Vec<Entry> {
        let names = self.body(&format!("/alpha/tile/names/{tile}"));
        let data = self.body(&format!("/alpha/tile/data/{tile}"));
        entries_of_tile(&data, &String::from_utf8(names).unwrap())
    }
}

/// A log called `alpha` with so many made-up entries, its server, and a client.
pub fn alpha(size: u64) -> (TestLog, LogServer, Reader) {
    let log = TestLog::new("alpha", Key::Ecdsa);
    log.append(Synthetic::new(1).entries(0..size));
    let server = LogServer::start(Tls::Off, &[&log]);
    let reader = Reader::new(&server);
    (log, server, reader)
}

/// Base64 in JSON.
pub fn decoded(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap()).unwrap()
}
