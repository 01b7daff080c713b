//! Why a connection could not be made, each reason with its own words.

use std::fmt;
use std::io;

/// Why a connection could not be made.
#[derive(Debug)]
pub enum ConnectFault {
    /// The stop was requested meanwhile.
    Stopped,
    /// The deadline was reached while doing this.
    TimedOut(&'static str),
    /// The host's name leads to no address.
    Unresolved(io::Error),
    /// No address of the host could be connected to; the last one's reason.
    Unreachable(io::Error),
    /// The server's certificate is for another host.
    WrongHost,
    /// The server's certificate has expired.
    Expired,
    /// The server's certificate is not valid yet (or our clock is behind).
    NotYetValid,
    /// The server's certificate leads to no authority we trust.
    UnknownAuthority,
    /// TLS failed in another way; OpenSSL's words.
    Tls(String),
    /// The proxy itself could not be reached.
    ProxyUnreachable(Box<ConnectFault>),
    /// The proxy wants credentials, or others than were sent.
    ProxyCredentials {
        /// Whether any were sent.
        sent: bool,
    },
    /// The proxy refused the tunnel; its status and words.
    ProxyRefused(String),
    /// What was taken for a proxy answered like none.
    NotAProxy(String),
    /// This machine cannot open connections now (descriptors, threads).
    Local(io::Error),
}

impl ConnectFault {
    /// Whether the settings are the likely reason: a server seldom changes its name or authority,
    /// a proxy whom it lets through.
    #[must_use]
    pub fn suggests_wrong_settings(&self) -> bool {
        matches!(self, Self::WrongHost | Self::UnknownAuthority | Self::ProxyCredentials { .. })
    }

    /// What to do about it, where there is anything.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Unresolved(_) => Some("check the host in the URL, and this machine's DNS"),
            Self::Unreachable(_) => Some("check host and port in the URL, and the firewall"),
            Self::WrongHost => Some("write the host name that the server's certificate is for"),
            Self::Expired => Some("the server's owner must renew it; check this machine's clock"),
            Self::NotYetValid => Some("check this machine's clock"),
            Self::UnknownAuthority => {
                Some("if the server is your own, name its authority's certificate in `ca_file`")
            }
            Self::Tls(_) => Some("check that the port speaks TLS, as wss:// and https:// say"),
            Self::ProxyUnreachable(_) => {
                Some("check host and port of `proxy` (or HTTPS_PROXY), and the firewall")
            }
            Self::ProxyCredentials { sent: true } => Some(
                "check USER:PASSWORD where `proxy_auth_env` or `proxy_auth_file` says (or in \
                 HTTPS_PROXY)",
            ),
            Self::ProxyCredentials { sent: false } => Some(
                "put USER:PASSWORD into an environment variable and name that as \
                 `proxy_auth_env`, or into a file and name that as `proxy_auth_file`",
            ),
            Self::ProxyRefused(_) => Some(
                "ask its operator to let this machine CONNECT to the server's host and port; many \
                 proxies allow port 443 alone",
            ),
            Self::NotAProxy(_) => Some("check that `proxy` (or HTTPS_PROXY) names an HTTP proxy"),
            Self::Local(_) => Some("check this process's limits (open files, threads)"),
            Self::Stopped | Self::TimedOut(_) => None,
        }
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped while connecting"),
            Self::TimedOut(doing) => write!(f, "time ran out while {doing}"),
            Self::Unresolved(error) => write!(f, "the host's name cannot be resolved: {error}"),
            Self::Unreachable(error) => write!(f, "the host cannot be reached: {error}"),
            Self::WrongHost => f.write_str("the server's certificate is for another host"),
            Self::Expired => f.write_str("the server's certificate has expired"),
            Self::NotYetValid => f.write_str("the server's certificate is not valid yet"),
            Self::UnknownAuthority => f.write_str(
                "the server's certificate is from an authority this machine does not know",
            ),
            Self::Tls(words) => write!(f, "TLS failed: {}", words.escape_default()),
            Self::ProxyUnreachable(fault) => write!(f, "no way to the proxy: {fault}"),
            Self::ProxyCredentials { sent: true } => {
                f.write_str("the proxy does not accept the credentials (407)")
            }
            Self::ProxyCredentials { sent: false } => {
                f.write_str("the proxy wants credentials (407)")
            }
            Self::ProxyRefused(words) => {
                write!(f, "the proxy refuses the tunnel: {}", words.escape_default())
            }
            Self::NotAProxy(what) => {
                write!(f, "the proxy does not answer like one: {}", what.escape_default())
            }
            Self::Local(error) => write!(f, "no connection can be opened: {error}"),
        }
    }
}

impl std::error::Error for ConnectFault {}
