//! HTTP requests: one GET, within one deadline and one size.
//!
//! Owns what keeps a server from holding or flooding us, and the telling apart of what can go
//! wrong. `ureq` speaks the protocol and keeps connections alive; TLS is the system's OpenSSL, and
//! certificates are always verified. What is asked for, and whether again, is the caller's
//! business.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ureq::http::header::RETRY_AFTER;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use super::addresses::Addresses;
use super::fault::ConnectFault;
use super::retry_after::retry_after;
use super::tls;
use crate::error::{Error, Result};

/// What a server may ask us to stay away for at most: bounds what a mistake of its costs.
const LONGEST_STAY_AWAY: Duration = Duration::from_secs(24 * 3600);
/// Redirects followed. A log has no reason for any but the odd move to `https`.
const REDIRECTS: u32 = 3;
/// Connections kept open to one host: as many as are fetched at once.
const IDLE: usize = 8;
/// The same to all hosts together: the logs of the world, and as many again that are catching up.
const IDLE_OVERALL: usize = 80;
/// How long an idle one is kept: a quiet log is looked at every 15 s, and then finds it open.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// What a connection reads at once, and writes: it holds both for as long as it is open. A request
/// is some hundred bytes; the head of an answer has to fit in.
const READ_BUFFER: usize = 64 * 1024;
const WRITE_BUFFER: usize = 16 * 1024;
/// Characters of a refusal's own words that are shown.
const WORDS: usize = 200;

/// Why there is no body.
#[derive(Debug)]
pub enum HttpFault {
    /// 404 or 410: it is not there.
    NotFound(u16),
    /// 429 or 503: we are asked to come back later.
    Busy {
        /// The status.
        status: u16,
        /// For how long we are asked to stay away.
        retry_after: Option<Duration>,
    },
    /// Another status of the 400s, and the server's words, escaped.
    Refused(u16, String),
    /// Another status.
    Status(u16),
    /// The body has more bytes than this.
    TooLarge(usize),
    /// The deadline was reached.
    TimedOut,
    /// No connection could be made.
    Connect(ConnectFault),
    /// The answer broke off or is none.
    Broken(String),
}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(status) => write!(f, "not there ({status})"),
            Self::Busy { status, retry_after: Some(wait) } => {
                write!(f, "asked to come back in {} s ({status})", wait.as_secs())
            }
            Self::Busy { status, retry_after: None } => {
                write!(f, "asked to come back later ({status})")
            }
            Self::Refused(status, words) if words.is_empty() => write!(f, "refused ({status})"),
            Self::Refused(status, words) => write!(f, "refused ({status}): {words}"),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {limit} bytes"),
            Self::TimedOut => f.write_str("no whole answer in time"),
            Self::Connect(fault) => fault.fmt(f),
            Self::Broken(what) => write!(f, "the answer is broken: {}", what.escape_default()),
        }
    }
}

impl HttpFault {
    /// What to do about it, where there is anything.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Connect(fault) => fault.remedy(),
            Self::Refused(401 | 403, _) => Some(
                "check the URL, and whether a proxy or a block of this address answers; with \
                 `contact` the server's owner knows whom to ask",
            ),
            Self::Refused(407, _) => Some("the proxy wants a password: set HTTPS_PROXY"),
            _ => None,
        }
    }
}

/// How connections are made.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpSettings<'s> {
    /// Certificate authorities to trust beside the system's, PEM.
    pub ca_file: Option<&'s Path>,
    /// HTTP CONNECT proxy; none: as the environment says (`HTTPS_PROXY`, `NO_PROXY`).
    pub proxy: Option<&'s str>,
    /// How the owner of a server can reach whoever runs this; goes into the `User-Agent`.
    pub contact: Option<&'s str>,
}

/// Asks servers. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

impl Client {
    /// A client of which each request has `deadline` for everything, the last byte included.
    ///
    /// # Errors
    /// When the CA file cannot serve, nobody at all would be trusted, or the proxy is none.
    pub fn new(settings: HttpSettings<'_>, deadline: Duration) -> Result<Self> {
        let proxy = match settings.proxy {
            Some(url) => Some(Proxy::new(url).map_err(|error| {
                Error::usage(format!("`{url}` is no proxy: {error}"))
                    .at_key("ct.proxy")
                    .remedy("write, for example: proxy: 'http://proxy.example.com:3128'")
            })?),
            None => Proxy::try_from_env(),
        };
        let roots = match tls::extra_roots(settings.ca_file)? {
            None => RootCerts::PlatformVerifier,
            Some(roots) => {
                let roots = roots.iter().map(|der| Certificate::from_der(der).to_owned());
                RootCerts::Specific(Arc::new(roots.collect()))
            }
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let config = Agent::config_builder()
            .timeout_global(Some(deadline))
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .max_idle_connections(IDLE_OVERALL)
            .max_idle_connections_per_host(IDLE)
            .max_idle_age(IDLE_FOR)
            .input_buffer_size(READ_BUFFER)
            .output_buffer_size(WRITE_BUFFER)
            .proxy(proxy)
            .tls_config(tls)
            .user_agent(user_agent(settings.contact))
            .build();
        let addresses: Addresses = Addresses::default();
        Ok(Self { agent: Agent::with_parts(config, DefaultConnector::default(), addresses) })
    }

    /// The body at `url`, unpacked where the server packed it, of at most `limit` bytes.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, HttpFault> {
        self.get_about(url, limit, 0)
    }

    /// As [`get`](Self::get), for a body that is expected to have about `expected` bytes: memory
    /// for those is taken at once. A body that grows into its memory leaves twice its size behind.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get_about(
        &self,
        url: &str,
        limit: usize,
        expected: usize,
    ) -> Result<Vec<u8>, HttpFault> {
        let mut answer = self.agent.get(url).call().map_err(|error| fault(error, limit))?;
        let status = answer.status().as_u16();
        match status {
            200 => {
                let mut reader = answer.body_mut().with_config().limit(limit as u64).reader();
                let mut body = Vec::with_capacity(expected.min(limit));
                reader.read_to_end(&mut body).map_err(|error| fault(error.into(), limit))?;
                Ok(body)
            }
            404 | 410 => Err(HttpFault::NotFound(status)),
            429 | 503 => {
                let header = answer.headers().get(RETRY_AFTER);
                let asked = header.and_then(|value| value.to_str().ok());
                let retry_after =
                    asked.and_then(|text| retry_after(text, Timestamp::now(), LONGEST_STAY_AWAY));
                Err(HttpFault::Busy { status, retry_after })
            }
            400..=499 => {
                let body = answer.body_mut().with_config().limit(4096);
                let words = body.read_to_string().unwrap_or_default();
                let words = words.trim().escape_default().take(WORDS).collect();
                Err(HttpFault::Refused(status, words))
            }
            _ => Err(HttpFault::Status(status)),
        }
    }
}

fn user_agent(contact: Option<&str>) -> String {
    let name = concat!("certstream/", env!("CARGO_PKG_VERSION"));
    contact.map_or_else(|| name.to_owned(), |contact| format!("{name} (+{contact})"))
}

fn fault(error: ureq::Error, limit: usize) -> HttpFault {
    use std::io::ErrorKind;
    match error {
        ureq::Error::Timeout(_) => HttpFault::TimedOut,
        ureq::Error::BodyExceedsLimit(_) => HttpFault::TooLarge(limit),
        ureq::Error::NativeTls(error) => HttpFault::Connect(tls::fault(&error)),
        ureq::Error::HostNotFound => HttpFault::Connect(ConnectFault::Unresolved(
            std::io::Error::new(ErrorKind::NotFound, "no such host"),
        )),
        ureq::Error::ConnectionFailed => HttpFault::Connect(ConnectFault::Unreachable(
            std::io::Error::other("the connection failed"),
        )),
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable => HttpFault::Connect(ConnectFault::Unreachable(error)),
            ErrorKind::TimedOut => HttpFault::TimedOut,
            // The resolver's errors have no kind of their own.
            _ if error.to_string().starts_with("failed to lookup address") => {
                HttpFault::Connect(ConnectFault::Unresolved(error))
            }
            _ => wrapped(error, limit),
        },
        other => HttpFault::Broken(other.to_string()),
    }
}

/// A fault that `ureq` has wrapped in an I/O error on its way through a reader.
fn wrapped(error: std::io::Error, limit: usize) -> HttpFault {
    match error.downcast::<ureq::Error>() {
        // Not once more through I/O errors: one wrapping is what there is.
        Ok(ureq::Error::Io(error)) | Err(error) => HttpFault::Broken(error.to_string()),
        Ok(inner) => fault(inner, limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_for_hours_gets_them() {
        use std::io::{BufRead, BufReader, Write};
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            let request = BufReader::new(client.try_clone().unwrap());
            let lines = request.lines().map(Result::unwrap);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7200\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            client.write_all(answer.as_bytes()).unwrap();
        });
        let client = Client::new(HttpSettings::default(), Duration::from_secs(10)).unwrap();
        let asked = match client.get(&url, 100) {
            Err(HttpFault::Busy { status: 429, retry_after }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(asked, Some(Duration::from_secs(7200)));
        serving.join().unwrap();
    }

    #[test]
    fn whoever_runs_this_can_be_reached() {
        let contact = user_agent(Some("soc@example.com"));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(contact, format!("certstream/{version} (+soc@example.com)"));
        assert_eq!(user_agent(None), format!("certstream/{version}"));
    }
}
