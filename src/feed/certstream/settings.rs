//! Which server is watched and how, checked before anything runs.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tungstenite::http::{HeaderValue, Uri};

use crate::connect::{Proxy, Route, Target, Trust};
use crate::error::{Error, Result};

/// The streams a server usually offers, for remedies.
pub(super) const STREAMS: &str = "`/` (lite), `/full-stream` or `/domains-only`";

/// A certstream server to watch. Whoever holds one knows that its URL, token and CA file are
/// usable.
pub struct Settings {
    uri: Uri,
    target: Target,
    /// None for `ws://`.
    trust: Option<Trust>,
    proxy: Option<Proxy>,
    /// Secret: marked as such, and so shown by no one.
    authorization: Option<HeaderValue>,
    /// How long things may take.
    pub timings: Timings,
}

/// How long things may take. Each is the deadline of one thing the feed waits for.
#[derive(Clone, Debug)]
pub struct Timings {
    /// Connecting, TLS and upgrade together.
    pub connect: Duration,
    /// From one of our pings to the next, at least; a third is added at random. Every known
    /// server keeps us with a ping each 15 to 20 s.
    pub ping: Duration,
    /// How long the server may leave unread what we send.
    pub unread: Duration,
    /// How long no certificate may come before the connection counts as stalled. The logs
    /// together publish hundreds a second: a server without any has lost them.
    pub silent: Duration,
    /// The longest pause before the first reconnect; it doubles from one to the next.
    pub pause: Duration,
    /// The longest pause of all, unless the server asks for more.
    pub longest_pause: Duration,
    /// How long a server that we have been connected to may turn us away (403, 404) before the
    /// feed ends.
    pub refused: Duration,
    /// A connection on which certificates came for this long starts the pauses afresh.
    pub healthy: Duration,
    /// How late an entry may come after others of its log, and still not be missed.
    pub settle_after: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            ping: Duration::from_secs(15),
            unread: Duration::from_secs(10),
            silent: Duration::from_secs(60),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            refused: Duration::from_secs(600),
            healthy: Duration::from_secs(60),
            settle_after: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Checks the settings of a server: a `ws://` or `wss://` URL, the access token if it wants
    /// one, a PEM file of further authorities if its certificate needs them.
    ///
    /// # Errors
    /// What is wrong with which of them, and what to write instead.
    pub fn new(url: &str, token: Option<&str>, ca_file: Option<&Path>) -> Result<Self> {
        let uri = parse(url)?;
        let secure = uri.scheme_str() == Some("wss");
        let target = target(&uri, url, secure)?;
        if !secure && ca_file.is_some() {
            return Err(Error::usage(format!("`ca_file` has no effect on {}", shown(url)))
                .remedy("write wss:// for a server with TLS, or remove `ca_file`"));
        }
        let trust = if secure { Some(Trust::load(ca_file)?) } else { None };
        let authorization = token.map(authorization).transpose()?;
        Ok(Self { uri, target, trust, proxy: None, authorization, timings: Timings::default() })
    }

    /// The same server by way of `proxy`; without one, as the environment says (`HTTPS_PROXY`,
    /// `NO_PROXY`).
    ///
    /// # Errors
    /// When the environment names something that is no HTTP proxy.
    pub fn through(mut self, proxy: Option<Proxy>) -> Result<Self> {
        self.proxy = match proxy {
            Some(proxy) => Some(proxy),
            None => Proxy::of_environment(&self.target)?,
        };
        Ok(self)
    }

    /// The feed's name, as stored in `positions` and `gaps`: the URL without its query, which may
    /// hold a secret.
    #[must_use]
    pub fn feed_name(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{}", self.uri.path())
    }

    /// What is known to be unwise about these settings, to be said at the start.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.target.host.eq_ignore_ascii_case("certstream.calidog.io") {
            warnings.push(format!(
                "{}: this public server has been down since November 2025; run a server of your \
                 own (certstream-server-go, certstream-server-rust) and write its URL, such as \
                 ws://127.0.0.1:8080/",
                self.feed_name()
            ));
        }
        if self.authorization.is_some() && self.trust.is_none() {
            warnings.push(format!(
                "{}: the token is sent unencrypted; write wss:// if the server offers TLS",
                self.feed_name()
            ));
        }
        warnings
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn route(&self) -> Route<'_> {
        Route { target: &self.target, trust: self.trust.as_ref(), proxy: self.proxy.as_ref() }
    }

    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("uri", &self.feed_name())
            .field("proxy", &self.proxy)
            .field("token", &self.authorization.as_ref().map(|_| "(secret)"))
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}

/// A URL as it may be shown: without its query.
pub(super) fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Reads the URL. A URL that may hold a password is never shown.
fn parse(url: &str) -> Result<Uri> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| {
        Error::usage("the server's URL has no scheme")
            .remedy("begin it with wss:// (or ws:// for a server without TLS)")
    })?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Error::usage("the server's URL holds a user name or password").remedy(
            "remove it; a token goes into an environment variable named by `token_env`, or \
                 into a file named by `token_file`",
        ));
    }
    let instead = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "wss" => None,
        "http" => Some("ws"),
        "https" => Some("wss"),
        _ => Some("wss"),
    };
    if let Some(instead) = instead {
        return Err(Error::usage(format!("{} is not the URL of a WebSocket", shown(url)))
            .remedy(format!("write {instead}://{}", shown(rest))));
    }
    url.parse().map_err(|error| {
        Error::usage(format!("{} is not a URL: {error}", shown(url)))
            .remedy("write it as wss://HOST[:PORT]/STREAM")
    })
}

fn target(uri: &Uri, url: &str, secure: bool) -> Result<Target> {
    let host = uri.host().unwrap_or_default();
    if host.is_empty() {
        return Err(Error::usage(format!("{} names no host", shown(url)))
            .remedy("write it as wss://HOST[:PORT]/STREAM"));
    }
    let default = if secure { 443 } else { 80 };
    let port = match uri.authority().map(|authority| &authority.as_str()[host.len()..]) {
        None | Some("") => default,
        // A port the URL library cannot read is no port to it.
        Some(_) => uri.port_u16().filter(|port| *port != 0).ok_or_else(|| {
            Error::usage(format!("{} has no usable port", shown(url)))
                .remedy("write a port from 1 to 65535")
        })?,
    };
    Ok(Target { host: host.trim_matches(['[', ']']).to_owned(), port })
}

fn authorization(token: &str) -> Result<HeaderValue> {
    let unusable = |what: &str| {
        Error::usage(format!("the access token {what}")).remedy(
            "check the environment variable that `token_env` names, or the file of `token_file`",
        )
    };
    if token.trim().is_empty() {
        return Err(unusable("is empty"));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|_| unusable("holds characters that HTTP cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        Settings::new(url, None, None).unwrap()
    }

    fn refusal(url: &str) -> String {
        Settings::new(url, None, None).unwrap_err().to_string()
    }

    #[test]
    fn a_url_leads_to_host_and_port() {
        for (url, host, port) in [
            ("ws://example.com", "example.com", 80),
            ("wss://example.com/full-stream", "example.com", 443),
            ("ws://example.com:4000/domains-only", "example.com", 4000),
            ("WS://[::1]:4000/", "::1", 4000),
        ] {
            assert_eq!(settings(url).target, Target { host: host.into(), port }, "{url}");
        }
        assert_eq!(settings("ws://example.com").feed_name(), "ws://example.com/");
    }

    #[test]
    fn a_wrong_url_is_refused_with_what_to_write() {
        for (url, what) in [
            ("https://example.com/full-stream", "write wss://example.com/full-stream"),
            ("http://example.com", "write ws://example.com"),
            ("example.com", "begin it with wss://"),
            ("ws:///stream", "is not a URL"),
            ("ws://example.com:99999/", "write a port from 1 to 65535"),
            ("ws://exa mple.com/", "is not a URL"),
        ] {
            let refusal = refusal(url);
            assert!(refusal.contains(what), "{url}: {refusal}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_shown() {
        let refusal = refusal("wss://me:sesame@example.com/");
        assert!(refusal.contains("token_env") && !refusal.contains("sesame"), "{refusal}");
    }

    #[test]
    fn a_secret_in_the_query_is_asked_with_and_not_shown() {
        let url = "ws://certstream.calidog.io/lite?key=sesame";
        let settings = Settings::new(url, Some("token"), None).unwrap();
        assert_eq!(settings.uri().to_string(), url);
        assert_eq!(settings.feed_name(), "ws://certstream.calidog.io/lite");
        let shown = format!("{settings:?} {:?}", settings.warnings());
        assert!(!shown.contains("sesame"), "{shown}");
        for url in ["https://a.org/?sesame", "ws://a.org:99999/?sesame", "ws://a b.org/?sesame"] {
            let refusal = refusal(url);
            assert!(!refusal.contains("sesame"), "{refusal}");
        }
        let ca_file = Path::new("ca.pem");
        let refusal = Settings::new("ws://a.org/?sesame", None, Some(ca_file)).unwrap_err();
        assert!(!refusal.to_string().contains("sesame"), "{refusal}");
    }

    #[test]
    fn the_token_is_never_shown() {
        let settings = Settings::new("ws://example.com/", Some("sesame"), None).unwrap();
        assert!(!format!("{settings:?}").contains("sesame"));
        let error = Settings::new("ws://example.com/", Some("sesame\n\u{1}"), None).unwrap_err();
        assert!(!error.to_string().contains("sesame"), "{error}");
        assert!(Settings::new("ws://example.com/", Some(" "), None).is_err());
    }

    #[test]
    fn what_is_unwise_is_said() {
        assert_eq!(settings("ws://example.com/").warnings(), Vec::<String>::new());
        let down = settings("ws://certstream.calidog.io/").warnings();
        assert!(down[0].contains("down since November 2025"), "{down:?}");
        let open = Settings::new("ws://example.com/", Some("sesame"), None).unwrap().warnings();
        assert!(open[0].contains("unencrypted") && !open[0].contains("sesame"), "{open:?}");
    }
}
