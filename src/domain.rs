//! The domain: the sanitised form of a name, which is what is matched and stored.
//!
//! Owns the rules of sanitising, the reasons a name is dropped, the registered domain, and the
//! views of an internationalised domain. Knows nothing of certificates or rules.

mod look_alike;
mod plain_host;
mod punycode;
mod views;

use std::borrow::Cow;
use std::net::IpAddr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use psl::Type;

pub(crate) use views::PREFIX;
pub use views::{Forms, Views, is_lower_case, is_mixed_script};

/// Bytes a domain may have (RFC 1035, without the root's dot).
pub const MAX_DOMAIN: usize = 253;
/// Bytes a label may have.
const MAX_LABEL: usize = 63;
/// Bytes beyond which a name with Unicode is not even converted: 253 characters of four bytes.
/// Punycode takes quadratic time, and names are attacker-written.
const MAX_UNICODE_NAME: usize = 4 * MAX_DOMAIN;

/// Why a name is not a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NameFault {
    /// Nothing is left of it.
    Empty,
    /// It has no dot.
    NoDot,
    /// It has more than 253 bytes.
    TooLong,
    /// Two dots meet, or it begins with one.
    EmptyLabel,
    /// A label has more than 63 bytes.
    LabelTooLong,
    /// It is an IP address, or ends as only an IP address can: in a label of digits.
    IpAddress,
    /// It is an e-mail address.
    Email,
    /// A space is inside.
    Space,
    /// A control character is inside.
    Control,
    /// Another byte no host name has: punctuation, a star that is no leading wildcard.
    OtherCharacter,
    /// A wildcard over a whole public suffix: `*.co.uk`.
    PublicSuffix,
    /// Unicode that UTS 46 does not convert.
    NotConvertible,
}

impl NameFault {
    /// Every fault, in the order of their counters.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::NoDot,
        Self::TooLong,
        Self::EmptyLabel,
        Self::LabelTooLong,
        Self::IpAddress,
        Self::Email,
        Self::Space,
        Self::Control,
        Self::OtherCharacter,
        Self::PublicSuffix,
        Self::NotConvertible,
    ];

    /// The fault in a few words, as counters and reports show it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoDot => "no dot",
            Self::TooLong => "too long",
            Self::EmptyLabel => "empty label",
            Self::LabelTooLong => "label too long",
            Self::IpAddress => "IP address",
            Self::Email => "e-mail address",
            Self::Space => "space inside",
            Self::Control => "control character inside",
            Self::OtherCharacter => "character no host name has",
            Self::PublicSuffix => "wildcard over a public suffix",
            Self::NotConvertible => "Unicode that has no A-label",
        }
    }
}

/// The registered domain (public suffix plus one label) of a sanitised domain, if it has one.
#[must_use]
pub fn registered_domain(domain: &str) -> Option<&str> {
    psl::domain_str(domain)
}

/// Appends the domain behind `name` to `out`.
///
/// Trims space and control bytes; removes `http://` or `https://`, then path, user and port;
/// writes ASCII lower case and Unicode labels as A-labels; removes one trailing dot, then a
/// leading `www.` (unless an ICANN suffix would be left), then a leading `*.`. Labels `xn--…`
/// stay as they are, also those that do not decode; so do underscores and hyphens anywhere.
///
/// # Errors
/// The reason `name` is no plausible host name; `out` is then unchanged. Bytes that are no UTF-8
/// are [`NameFault::OtherCharacter`].
pub fn sanitise(name: &(impl AsRef<[u8]> + ?Sized), out: &mut Vec<u8>) -> Result<(), NameFault> {
    // Nearly every name is plain: one pass, nothing to peel off. Whatever is not, is looked at
    // again with all the rules.
    let name = name.as_ref();
    append_plain(name, out).or_else(|_| sanitise_odd(name, out))
}

/// The slow way: peels off what surrounds the host, converts Unicode, then judges.
#[cold]
fn sanitise_odd(name: &[u8], out: &mut Vec<u8>) -> Result<(), NameFault> {
    let name = std::str::from_utf8(name).map_err(|_| NameFault::OtherCharacter)?;
    let host = to_a_labels(host_of(name))?;
    append_plain(host.as_bytes(), out).map_err(|fault| name_fault(&host).unwrap_or(fault))
}

/// What each byte becomes in a domain; 0 for those that a domain cannot hold.
const FORMS: [u8; 256] = {
    let mut forms = [0; 256];
    let mut byte = 0;
    while byte < forms.len() {
        let form = (byte as u8).to_ascii_lowercase();
        if matches!(form, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') {
            forms[byte] = form;
        }
        byte += 1;
    }
    forms
};

/// Appends a host written in plain ASCII: one pass over its bytes, no allocation of its own.
fn append_plain(host: &[u8], out: &mut Vec<u8>) -> Result<(), NameFault> {
    let host = host.strip_suffix(b".").unwrap_or(host);
    let (www, rest) = match host.split_at_checked(4) {
        Some((www, rest)) if www.eq_ignore_ascii_case(b"www.") => (true, rest),
        _ => (false, host),
    };
    let (wildcard, rest) = match rest.strip_prefix(b"*.") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.len() > MAX_DOMAIN {
        return Err(NameFault::TooLong);
    }
    let start = out.len();
    out.extend_from_slice(rest);
    let judged = judge(&mut out[start..]).and_then(|has_dot| {
        if (www || wildcard) && is_icann_suffix(&out[start..]) {
            return if wildcard { Err(NameFault::PublicSuffix) } else { Ok(true) };
        }
        if has_dot { Ok(false) } else { Err(NameFault::NoDot) }
    });
    match judged {
        Ok(false) => Ok(()),
        Ok(true) => {
            // `www.co.uk` is a host of its own: it keeps its `www.`.
            out.splice(start..start, *b"www.");
            Ok(())
        }
        Err(fault) => {
            out.truncate(start);
            Err(fault)
        }
    }
}

/// Brings `host` into its form, in place, and says whether it holds a dot.
fn judge(host: &mut [u8]) -> Result<bool, NameFault> {
    plain_host::judge_plain(host).map_or_else(|| judge_any(host), Ok)
}

/// As [`judge`], of any host.
fn judge_any(host: &mut [u8]) -> Result<bool, NameFault> {
    let mut fault = None;
    let mut label_start = 0;
    let mut odd = false;
    for (at, byte) in host.iter_mut().enumerate() {
        *byte = FORMS[usize::from(*byte)];
        odd |= *byte == 0;
        if *byte == b'.' {
            fault = fault.or(label_fault(at - label_start));
            label_start = at + 1;
        }
    }
    if odd {
        return Err(NameFault::OtherCharacter);
    }
    let last = &host[label_start..];
    match fault.or(label_fault(last.len())) {
        Some(fault) => Err(fault),
        // No top-level domain is a number, so this is an IPv4 address or a part of one.
        None if label_start > 0 && last.iter().all(u8::is_ascii_digit) => Err(NameFault::IpAddress),
        None => Ok(label_start > 0),
    }
}

fn label_fault(length: usize) -> Option<NameFault> {
    match length {
        0 => Some(NameFault::EmptyLabel),
        1..=MAX_LABEL => None,
        _ => Some(NameFault::LabelTooLong),
    }
}

fn is_icann_suffix(host: &[u8]) -> bool {
    psl::suffix(host).is_some_and(|suffix| {
        suffix.as_bytes().len() == host.len() && suffix.typ() == Some(Type::Icann)
    })
}

/// The part of `name` that names a host: no space around, no scheme, path, user or port.
fn host_of(name: &str) -> &str {
    let name = name.trim_matches(|c: char| c <= ' ' || c == '\u{7f}');
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
        let (head, rest) = name.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let authority = after_scheme.unwrap_or(name).split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.rsplit_once('@') {
        // Without a scheme it is an e-mail address, which is dropped as one.
        Some((_user, host)) if after_scheme.is_some() => host,
        _ => authority,
    };
    match host.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && is_port(port) => host,
        _ => host,
    }
}

/// Whether `port` may follow a host's colon: RFC 3986 lets it be empty.
fn is_port(port: &str) -> bool {
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// Writes the labels of `host` that are not ASCII as A-labels (UTS 46, non-transitional).
///
/// Label by label, so that a neighbour that does not decode does not lose the name; a label may
/// itself turn into several (`。` and its like are dots), or into plain ASCII.
fn to_a_labels(host: &str) -> Result<Cow<'_, str>, NameFault> {
    if host.is_ascii() {
        return Ok(Cow::Borrowed(host));
    }
    if host.len() > MAX_UNICODE_NAME {
        return Err(NameFault::TooLong);
    }
    let mut converted = String::with_capacity(host.len());
    for (index, label) in host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).enumerate() {
        if index > 0 {
            converted.push('.');
        }
        if label.is_ascii() {
            converted.push_str(label);
            continue;
        }
        // What ASCII a domain may hold is judged afterwards, on the whole name.
        let label = Uts46::new()
            .to_ascii(label.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
            .map_err(|_| NameFault::NotConvertible)?;
        converted.push_str(&label);
    }
    Ok(Cow::Owned(converted))
}

/// The fault of a host that goes beyond what the plain pass can tell, if it has one.
fn name_fault(host: &str) -> Option<NameFault> {
    let unbracketed = host.trim_start_matches('[').split(']').next().unwrap_or_default();
    if host.trim_end_matches('.').is_empty() {
        // `.` holds no more than the empty name does.
        (host.len() < 2).then_some(NameFault::Empty)
    } else if host.bytes().any(|byte| byte.is_ascii_control()) {
        Some(NameFault::Control)
    } else if host.contains(' ') {
        Some(NameFault::Space)
    } else if host.contains('@') {
        Some(NameFault::Email)
    } else if unbracketed.parse::<IpAddr>().is_ok() {
        Some(NameFault::IpAddress)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
