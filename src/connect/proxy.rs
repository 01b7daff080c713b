//! A tunnel through an HTTP proxy (`CONNECT`).
//!
//! Owns the asking and what a proxy's refusal means. Which connections go through a proxy, and
//! where its credentials come from, is the caller's business, but for the environment's say.

use std::fmt;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ureq::ProxyProtocol;

use super::Target;
use super::fault::ConnectFault;
use super::socket::Socket;
use crate::error::{Error, Result};

/// Bytes that a proxy's answer may have.
const LONGEST_ANSWER: usize = 16 * 1024;
/// The port of a proxy whose URL names none.
const DEFAULT_PORT: u16 = 80;

/// An HTTP proxy that tunnels to other hosts.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    target: Target,
    /// Secret: the value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl Proxy {
    /// The proxy at `url` (`http://HOST[:PORT]`), with credentials (`USER:PASSWORD`) if it wants
    /// them.
    ///
    /// # Errors
    /// When the URL is none of an HTTP proxy, or the credentials are no such pair. They are never
    /// shown.
    pub fn new(url: &str, credentials: Option<&str>) -> Result<Self> {
        let unusable = |what: &str| {
            Error::usage(what).remedy("write, for example: proxy: 'http://proxy.example.com:3128'")
        };
        if url.contains('@') {
            return Err(Error::usage("the proxy's URL holds a user name or password").remedy(
                "remove it; USER:PASSWORD goes into an environment variable named by \
                 `proxy_auth_env`, or into a file named by `proxy_auth_file`",
            ));
        }
        let none = || unusable(&format!("`{url}` is no HTTP proxy"));
        let uri: ureq::http::Uri = url.parse().map_err(|_| none())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(none)?;
        let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
        if uri.scheme_str() != Some("http") || !bare {
            return Err(none());
        }
        let has_port = uri.authority().is_some_and(|all| all.as_str().len() > host.len());
        let port = match uri.port_u16() {
            Some(port) if port != 0 => port,
            None if !has_port => DEFAULT_PORT,
            _ => return Err(unusable(&format!("`{url}` has no usable port"))),
        };
        let target = Target { host: host.trim_matches(['[', ']']).to_owned(), port };
        let authorization = credentials.map(basic).transpose()?;
        Ok(Self { target, authorization })
    }

    /// The proxy that the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, but for the hosts
    /// of `NO_PROXY`) has for connections to `target`; none to this machine itself.
    ///
    /// # Errors
    /// When that is no HTTP proxy.
    pub fn of_environment(target: &Target) -> Result<Option<Self>> {
        ureq::Proxy::try_from_env().map_or(Ok(None), |proxy| Self::chosen(&proxy, target))
    }

    /// `proxy`, as far as it is for `target`.
    fn chosen(proxy: &ureq::Proxy, target: &Target) -> Result<Option<Self>> {
        if is_this_machine(&target.host) {
            return Ok(None);
        }
        let uri = format!("http://{}", target.authority()).parse();
        if uri.is_ok_and(|uri| proxy.is_no_proxy(&uri)) {
            return Ok(None);
        }
        if proxy.protocol() != ProxyProtocol::Http {
            return Err(Error::usage("the proxy that the environment names is no HTTP proxy")
                .remedy("write http://HOST:PORT into HTTPS_PROXY, or the host into NO_PROXY"));
        }
        let credentials = proxy.username().map(|user| {
            let password = proxy.password().unwrap_or_default();
            format!("{user}:{password}")
        });
        let host = proxy.host().trim_matches(['[', ']']).to_owned();
        let authorization = credentials.as_deref().map(basic).transpose()?;
        Ok(Some(Self { target: Target { host, port: proxy.port() }, authorization }))
    }

    /// Where the proxy is.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Asks for a tunnel to `target` over `socket`, which leads to the proxy and waits until its
    /// deadline. From then on what is written to `socket` arrives there.
    pub(super) fn tunnel(
        &self,
        socket: &mut Socket<'_>,
        target: &Target,
    ) -> Result<(), ConnectFault> {
        let authority = target.authority();
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        let answer = ask(socket, request.as_bytes()).map_err(|error| match error.kind() {
            // The socket waits by itself: it gives up at the deadline alone.
            io::ErrorKind::WouldBlock => ConnectFault::TimedOut("waiting for the proxy's answer"),
            _ => ConnectFault::NotAProxy(error.to_string()),
        })?;
        let line = String::from_utf8_lossy(answer.split(|&b| b == b'\r').next().unwrap_or(&answer));
        match status(&line) {
            Some((200..=299, _)) => Ok(()),
            Some((407, _)) => {
                Err(ConnectFault::ProxyCredentials { sent: self.authorization.is_some() })
            }
            Some((_, words)) => Err(ConnectFault::ProxyRefused(words.to_owned())),
            None => Err(ConnectFault::NotAProxy(format!("it answered {line:.80}"))),
        }
    }
}

/// Where the proxy is; never its credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("target", &self.target)
            .field("authorization", &self.authorization.as_ref().map(|_| "(secret)"))
            .finish()
    }
}

/// Sends `request` and reads the head of the answer. A byte at a time, so that nothing is taken
/// from what comes after: it is short, and asked for once a connection.
fn ask(socket: &mut Socket<'_>, request: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(request)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_ANSWER {
            return Err(io::Error::other("its answer does not end"));
        }
        let mut byte = [0];
        if socket.read(&mut byte)? == 0 {
            return Err(io::Error::other("it closed the connection without an answer"));
        }
        head.extend_from_slice(&byte);
    }
    Ok(head)
}

/// Status code of an answer's first line, and the line from there on.
fn status(line: &str) -> Option<(u16, &str)> {
    let words = line.strip_prefix("HTTP/1.")?.get(1..)?.trim_start();
    let code = words.split(' ').next()?;
    (code.len() == 3).then(|| code.parse().ok()).flatten().map(|code| (code, words))
}

/// The header value that carries `USER:PASSWORD` (RFC 7617).
fn basic(credentials: &str) -> Result<String> {
    let credentials = credentials.trim_end_matches(['\r', '\n']);
    if !credentials.contains(':') || credentials.chars().any(char::is_control) {
        return Err(Error::usage("the proxy's credentials are not USER:PASSWORD").remedy(
            "check the environment variable that `proxy_auth_env` names, or the file that \
             `proxy_auth_file` names",
        ));
    }
    Ok(format!("Basic {}", BASE64.encode(credentials)))
}

/// Whether a host is this machine, as far as its name tells.
fn is_this_machine(host: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: u16) -> Target {
        Target { host: host.to_owned(), port }
    }

    #[test]
    fn a_url_leads_to_the_proxy() {
        for (url, host, port) in [
            ("http://proxy.example.com:3128", "proxy.example.com", 3128),
            ("http://proxy.example.com/", "proxy.example.com", 80),
            ("http://[::1]:8080", "::1", 8080),
        ] {
            assert_eq!(Proxy::new(url, None).unwrap().target, target(host, port), "{url}");
        }
        for url in ["proxy:3128", "https://proxy", "socks5://proxy", "http://", "http://p/path"] {
            let shown = Proxy::new(url, None).unwrap_err().to_string();
            assert!(shown.contains("is no HTTP proxy") && shown.contains("remedy: "), "{shown}");
        }
        let shown = Proxy::new("http://p:99999", None).unwrap_err().to_string();
        assert!(shown.contains("no usable port") || shown.contains("is no HTTP proxy"), "{shown}");
    }

    #[test]
    fn credentials_are_never_shown() {
        let shown = Proxy::new("http://me:sesame@proxy", None).unwrap_err().to_string();
        assert!(shown.contains("proxy_auth_env") && !shown.contains("sesame"), "{shown}");
        let proxy = Proxy::new("http://proxy", Some("me:sesame\n")).unwrap();
        assert_eq!(proxy.authorization.as_deref(), Some("Basic bWU6c2VzYW1l"));
        let shown = format!("{proxy:?}");
        assert!(!shown.contains("sesame") && !shown.contains("bWU6"), "{shown}");
        for credentials in ["sesame", "", "me:ses\r\name"] {
            let shown = Proxy::new("http://proxy", Some(credentials)).unwrap_err().to_string();
            assert!(shown.contains("not USER:PASSWORD") && !shown.contains("ses"), "{shown}");
        }
    }

    #[test]
    fn the_environments_proxy_is_not_for_every_host() {
        let builder = || ureq::Proxy::builder(ProxyProtocol::Http).host("proxy").port(3128);
        let proxy = builder().username("me").password("s").no_proxy("*.local").build().unwrap();
        let chosen = |host: &str| Proxy::chosen(&proxy, &target(host, 443)).unwrap();
        let expected = Proxy::new("http://proxy:3128", Some("me:s")).unwrap();
        assert_eq!(chosen("certstream.example.com"), Some(expected));
        for host in ["ct.local", "localhost", "127.0.0.1", "::1"] {
            assert_eq!(chosen(host), None, "{host}");
        }
        let secure = ureq::Proxy::builder(ProxyProtocol::Https).host("proxy").build().unwrap();
        let shown = Proxy::chosen(&secure, &target("a.example", 80)).unwrap_err().to_string();
        assert!(shown.contains("no HTTP proxy") && shown.contains("HTTPS_PROXY"), "{shown}");
    }

    #[test]
    fn a_status_line_is_told_from_anything_else() {
        assert_eq!(
            status("HTTP/1.1 200 Connection established"),
            Some((200, "200 Connection established"))
        );
        assert_eq!(status("HTTP/1.0 407"), Some((407, "407")));
        for line in ["HTTP/2 200", "SSH-2.0-OpenSSH_9", "HTTP/1.1 2000", "HTTP/1.", "", "HTTP/1.1"]
        {
            assert_eq!(status(line), None, "{line}");
        }
    }
}
