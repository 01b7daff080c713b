//! What an entry's certificate says: its names, and its evidence.
//!
//! Owns which names count and in what order, and the full parse by x509-parser, which decides
//! wherever the fast walk (`der_names`) is unsure. Checks no signature and no validity.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::{Any, FromDer, Oid, Sequence, Tag};
use x509_parser::certificate::{TbsCertificate, TbsCertificateParser, X509CertificateParser};
use x509_parser::extensions::GeneralName;
use x509_parser::nom::Parser;
use x509_parser::oid_registry::{
    OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_ORGANIZATION_NAME,
};
use x509_parser::x509::X509Name;

use super::{Entry, EntryKind, Unsure, der_names};
use crate::domain::sanitise;
use crate::update::{Evidence, MAX_SERIAL, MAX_TEXT, SHOWABLE, issuer_text};

/// The tag of a dNSName within a GeneralName.
const DNS_NAME: Tag = Tag(2);

/// Why not all names of a certificate are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CertificateFault {
    /// It is no certificate, as far as x509-parser can tell.
    Malformed,
    /// Its subjectAltName does not hold together.
    MalformedNames,
}

impl CertificateFault {
    /// Every fault, in the order of their counters.
    pub const ALL: [Self; 2] = [Self::Malformed, Self::MalformedNames];

    /// The fault in a few words, as counters and reports show it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed certificate",
            Self::MalformedNames => "malformed alternative names",
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// The log an entry comes from, as its evidence names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogName<'a> {
    /// Its description in the log list.
    pub name: &'a str,
    /// Its URL: of a tiled log the one it is read from.
    pub url: &'a str,
}

/// Hands the names of `entry`'s certificate to `visit`: each dNSName in the certificate's order,
/// repeats included, then the subject's common name, where it becomes a domain and is not among
/// them.
///
/// A dNSName that is no UTF-8 comes with its bytes escaped (`\xfc`): sanitising refuses and counts
/// it, and no other name is lost for it.
///
/// The names are read without a full parse where the certificate is of the usual form. They count
/// even if x509-parser would refuse the certificate for something else that is wrong with it.
///
/// # Errors
/// Why names may be missing. Those found nevertheless have been visited and count.
pub fn names(entry: &Entry<'_>, mut visit: impl FnMut(&str)) -> Result<(), CertificateFault> {
    match der_names(entry.kind, entry.certificate) {
        Ok(found) => {
            visit_names(found.dns(), found.common_name(), visit);
            Ok(())
        }
        Err(Unsure) => parsed_names(entry, &mut visit),
    }
}

/// Like [`names`], but always by a full parse with x509-parser.
///
/// # Errors
/// As [`names`].
pub fn parsed_names(
    entry: &Entry<'_>,
    mut visit: impl FnMut(&str),
) -> Result<(), CertificateFault> {
    let certificate = parse(entry)?;
    let mut common_names = attributes(&certificate.subject, &OID_X509_COMMON_NAME);
    let alternative =
        certificate.extensions().iter().filter(|ext| ext.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
    let mut fault = None;
    for extension in alternative {
        let read = visit_dns_names(extension.value, |name| {
            common_names.retain(|common_name| !common_name.eq_ignore_ascii_case(name));
            visit(name);
        });
        fault = fault.or(read.err());
    }
    common_names.dedup();
    common_names.iter().filter(|name| is_host_name(name)).for_each(|name| visit(name));
    fault.map_or(Ok(()), Err)
}

/// Visits `dns`, then `common_name` where it becomes a domain and is not among them.
pub(super) fn visit_names<'n>(
    dns: impl Iterator<Item = &'n str>,
    mut common_name: Option<&str>,
    mut visit: impl FnMut(&str),
) {
    for name in dns {
        common_name = common_name.filter(|common_name| !common_name.eq_ignore_ascii_case(name));
        visit(name);
    }
    if let Some(name) = common_name.filter(|name| is_host_name(name)) {
        visit(name);
    }
}

/// Whether a common name is the name of a host: whether it becomes a domain. Most are, some are
/// the name of a person or a product.
fn is_host_name(common_name: &str) -> bool {
    sanitise(common_name, &mut Vec::new()).is_ok()
}

/// Visits the dNSNames of a subjectAltName up to where it does not hold together.
fn visit_dns_names(value: &[u8], mut visit: impl FnMut(&str)) -> Result<(), CertificateFault> {
    let malformed = CertificateFault::MalformedNames;
    let (_, names) = Sequence::from_der(value).map_err(|_| malformed)?;
    let mut rest = &*names.content;
    while !rest.is_empty() {
        let (after, name) = GeneralName::from_der(rest).map_err(|_| malformed)?;
        match name {
            GeneralName::DNSName(name) => visit(name),
            GeneralName::Invalid(DNS_NAME, bytes) => visit(&bytes.escape_ascii().to_string()),
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

fn parse<'a>(entry: &Entry<'a>) -> Result<TbsCertificate<'a>, CertificateFault> {
    // Of the extensions one alone is of use, and a fault in another is none of the names.
    let parsed = match entry.kind {
        EntryKind::X509 => X509CertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(entry.certificate)
            .map(|(_, certificate)| certificate.tbs_certificate),
        EntryKind::Precert => TbsCertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(entry.certificate)
            .map(|(_, certificate)| certificate),
    };
    parsed.map_err(|_| CertificateFault::Malformed)
}

/// What `entry`, which stands at `index` of `log` and can be fetched at `link`, says about its
/// certificate: in the forms certstream servers give, so that a certificate is one whichever feed
/// it comes by.
///
/// Of a precertificate, issuer, serial, subject and validity come from the TBSCertificate, which
/// the log's signature covers; the sha256 is that of the precertificate as submitted, which it
/// does not cover. The SHA-1 fingerprint is left out: issuer and serial identify a certificate.
/// Of a certificate that x509-parser refuses, only what is known without it is given.
#[must_use]
pub fn evidence(entry: &Entry<'_>, index: u64, log: &LogName<'_>, link: &str) -> Evidence {
    let (update_type, hashed) = match entry.kind {
        EntryKind::X509 => ("X509LogEntry", Some(entry.certificate)),
        EntryKind::Precert => ("PrecertLogEntry", entry.submitted),
    };
    let mut evidence = Evidence {
        update_type: Some(update_type.into()),
        sha256: hashed.map(|der| hex(&Sha256::digest(der)).into()),
        log_name: text(log.name),
        log_url: text(log.url),
        cert_index: i64::try_from(index).ok(),
        cert_link: text(link),
        seen: micros(entry.timestamp),
        ..Evidence::default()
    };
    if let Ok(certificate) = parse(entry) {
        evidence.issuer = issuer(&certificate.issuer);
        evidence.subject_cn = common_name(&certificate.subject).as_deref().and_then(text);
        evidence.serial = serial(certificate.raw_serial());
        let seconds = |time: i64| Some(time).filter(|time| SHOWABLE.contains(time));
        evidence.not_before = seconds(certificate.validity.not_before.timestamp());
        evidence.not_after = seconds(certificate.validity.not_after.timestamp());
    }
    evidence
}

/// Microseconds from the milliseconds that a log writes, both since the Unix epoch; nothing where
/// they cannot be shown, and for zero, which means "not known" in every feed.
#[must_use]
pub fn micros(millis: u64) -> Option<i64> {
    let millis = i64::try_from(millis).ok().filter(|millis| *millis > 0)?;
    SHOWABLE.contains(&(millis / 1000)).then(|| millis * 1000)
}

fn text(text: &str) -> Option<Box<str>> {
    (!text.is_empty() && text.len() <= MAX_TEXT).then(|| text.into())
}

fn serial(bytes: &[u8]) -> Option<Box<str>> {
    let mut hex = hex(bytes);
    hex.make_ascii_uppercase();
    match hex.trim_start_matches('0') {
        "" if bytes.is_empty() => None,
        // A serial of zero is its one digit.
        "" => Some("0".into()),
        significant => (significant.len() <= MAX_SERIAL).then(|| significant.into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The issuer as certstream servers give it: several values of a part joined by commas.
fn issuer(name: &X509Name<'_>) -> Option<Box<str>> {
    let joined = |oid| Some(attributes(name, oid).join(",")).filter(|joined| !joined.is_empty());
    let (country, organisation) =
        (joined(&OID_X509_COUNTRY_NAME), joined(&OID_X509_ORGANIZATION_NAME));
    let common_name = common_name(name);
    text(&issuer_text(country.as_deref(), organisation.as_deref(), common_name.as_deref()))
}

/// The common name; of several the last, as certstream servers have it.
fn common_name<'a>(name: &X509Name<'a>) -> Option<Cow<'a, str>> {
    attributes(name, &OID_X509_COMMON_NAME).pop().filter(|name| !name.is_empty())
}

/// The values of an attribute of `name`, as text.
fn attributes<'a>(name: &X509Name<'a>, oid: &Oid<'_>) -> Vec<Cow<'a, str>> {
    name.iter_attributes()
        .filter(|attribute| attribute.attr_type() == oid)
        .map(|attribute| attribute_text(attribute.attr_value()))
        .collect()
}

/// The text of an attribute, whatever its encoding; what is no text is escaped.
fn attribute_text<'a>(value: &Any<'a>) -> Cow<'a, str> {
    if value.tag() == Tag::BmpString {
        let units = value.data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        let text =
            char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
        return Cow::Owned(text.collect());
    }
    match std::str::from_utf8(value.data) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.data.escape_ascii().to_string()),
    }
}

#[cfg(test)]
mod tests;
