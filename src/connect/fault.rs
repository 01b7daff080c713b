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
    /// This machine cannot open connections now (descriptors, threads).
    Local(io::Error),
}

impl ConnectFault {
    /// Whether the settings are the likely reason: a server seldom changes its name or authority.
    #[must_use]
    pub fn suggests_wrong_settings(&self) -> bool {
        matches!(self, Self::WrongHost | Self::UnknownAuthority)
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
            Self::Local(error) => write!(f, "no connection can be opened: {error}"),
        }
    }
}

impl std::error::Error for ConnectFault {}
