//! The fast way to a certificate's names: a walk over its DER that reads nothing else.
//!
//! Owns the walk. It vouches for the names alone, checks only what stands on the way to them, and
//! declines whatever it does not fully understand; what it declines, x509-parser decides
//! (`certificate`). The contract: where both read a certificate, they read the same names.

use super::EntryKind;

/// DER tags on the way.
mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const OCTET_STRING: u8 = 0x04;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const PRINTABLE_STRING: u8 = 0x13;
    pub const TELETEX_STRING: u8 = 0x14;
    pub const IA5_STRING: u8 = 0x16;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    pub const VERSION: u8 = 0xa0;
    pub const EXTENSIONS: u8 = 0xa3;
    /// Within a GeneralName.
    pub const DNS_NAME: u8 = 0x82;
}

/// Object identifier 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// Object identifier 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The walk does not vouch for this certificate's names. It says nothing about the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsure;

/// Where the names of a certificate stand.
#[derive(Clone, Copy, Debug)]
pub struct DerNames<'a> {
    /// The alternative names: GeneralNames, checked.
    alternative: &'a [u8],
    /// The subject's one common name.
    common_name: Option<&'a str>,
}

impl<'a> DerNames<'a> {
    /// The alternative names that are DNS names, in the certificate's order.
    pub fn dns(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.alternative;
        std::iter::from_fn(move || {
            loop {
                // Neither can fail: the walk has been here.
                let (tag, name, after) = element(rest).ok()?;
                rest = after;
                if tag == tag::DNS_NAME {
                    return std::str::from_utf8(name).ok();
                }
            }
        })
    }

    /// The subject's common name, whatever it is.
    #[must_use]
    pub fn common_name(&self) -> Option<&'a str> {
        self.common_name
    }
}

/// Finds the names in `der`: a certificate, or the TBSCertificate of a precertificate.
///
/// # Errors
/// [`Unsure`] where the DER, the order of its parts or the kind of its texts is not the usual one.
pub fn der_names(kind: EntryKind, der: &[u8]) -> Result<DerNames<'_>, Unsure> {
    let tbs = match kind {
        EntryKind::X509 => expect(tag::SEQUENCE, only(tag::SEQUENCE, der)?)?.0,
        EntryKind::Precert => only(tag::SEQUENCE, der)?,
    };
    let (_version, rest) = expect(tag::VERSION, tbs)?;
    let (_serial, rest) = expect(tag::INTEGER, rest)?;
    let (_signature, rest) = expect(tag::SEQUENCE, rest)?;
    let (_issuer, rest) = expect(tag::SEQUENCE, rest)?;
    let (_validity, rest) = expect(tag::SEQUENCE, rest)?;
    let (subject, rest) = expect(tag::SEQUENCE, rest)?;
    let (_public_key, rest) = expect(tag::SEQUENCE, rest)?;
    let common_name = common_name(subject)?;
    if rest.is_empty() {
        return Ok(DerNames { alternative: &[], common_name });
    }
    let extensions = only(tag::SEQUENCE, only(tag::EXTENSIONS, rest)?)?;
    Ok(DerNames { alternative: alternative_names(extensions)?, common_name })
}

/// The common name in `subject`, of which there may be one at most.
fn common_name(subject: &[u8]) -> Result<Option<&str>, Unsure> {
    let mut found = None;
    let mut parts = subject;
    while !parts.is_empty() {
        let (mut attributes, after) = expect(tag::SET, parts)?;
        parts = after;
        while !attributes.is_empty() {
            let (attribute, after) = expect(tag::SEQUENCE, attributes)?;
            attributes = after;
            let (oid, value) = expect(tag::OBJECT_IDENTIFIER, attribute)?;
            let (tag, text, rest) = element(value)?;
            if !rest.is_empty() {
                return Err(Unsure);
            }
            if oid != COMMON_NAME {
                continue;
            }
            let is_text = matches!(
                tag,
                tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::TELETEX_STRING | tag::IA5_STRING
            );
            let text = std::str::from_utf8(text).map_err(|_| Unsure)?;
            if !is_text || found.replace(text).is_some() {
                return Err(Unsure);
            }
        }
    }
    Ok(found)
}

/// The content of the one subjectAltName among `extensions`, checked; empty where there is none.
fn alternative_names(mut extensions: &[u8]) -> Result<&[u8], Unsure> {
    let mut found = None;
    while !extensions.is_empty() {
        let (extension, after) = expect(tag::SEQUENCE, extensions)?;
        extensions = after;
        let (oid, mut value) = expect(tag::OBJECT_IDENTIFIER, extension)?;
        if oid != SUBJECT_ALT_NAME {
            continue;
        }
        if let Ok((_critical, rest)) = expect(tag::BOOLEAN, value) {
            value = rest;
        }
        let names = only(tag::SEQUENCE, only(tag::OCTET_STRING, value)?)?;
        if found.replace(names).is_some() {
            return Err(Unsure);
        }
    }
    let names = found.unwrap_or_default();
    check_general_names(names)?;
    Ok(names)
}

fn check_general_names(mut names: &[u8]) -> Result<(), Unsure> {
    while !names.is_empty() {
        let (tag, name, after) = element(names)?;
        names = after;
        match tag {
            tag::DNS_NAME if std::str::from_utf8(name).is_ok() => {}
            // Other name, e-mail, X.400, directory, EDI party, URI, IP address, registered ID.
            0xa0 | 0x81 | 0xa3 | 0xa4 | 0xa5 | 0x86 | 0x87 | 0x88 => {}
            _ => return Err(Unsure),
        }
    }
    Ok(())
}

/// The content of the element that `bytes` are, with nothing after it.
fn only(tag: u8, bytes: &[u8]) -> Result<&[u8], Unsure> {
    match expect(tag, bytes)? {
        (content, []) => Ok(content),
        _ => Err(Unsure),
    }
}

/// The content of the element that `bytes` begin with, and what follows it.
fn expect(tag: u8, bytes: &[u8]) -> Result<(&[u8], &[u8]), Unsure> {
    match element(bytes)? {
        (found, content, rest) if found == tag => Ok((content, rest)),
        _ => Err(Unsure),
    }
}

/// Tag and content of the element that `bytes` begin with, and what follows it. Only definite
/// lengths in their shortest form, and tags of one byte.
fn element(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Unsure> {
    let (&[tag, first], rest) = bytes.split_first_chunk().ok_or(Unsure)?;
    if tag & 0x1f == 0x1f {
        return Err(Unsure);
    }
    let (length, rest) = match (first, rest) {
        (0..=0x7f, rest) => (usize::from(first), rest),
        (0x81, &[a @ 0x80..=0xff, ref rest @ ..]) => (usize::from(a), rest),
        (0x82, &[a @ 1..=0xff, b, ref rest @ ..]) => {
            (usize::from(u16::from_be_bytes([a, b])), rest)
        }
        (0x83, &[a @ 1..=0xff, b, c, ref rest @ ..]) => {
            (usize::from(a) << 16 | usize::from(u16::from_be_bytes([b, c])), rest)
        }
        _ => return Err(Unsure),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(Unsure)?;
    Ok((tag, content, rest))
}
