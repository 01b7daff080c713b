//! What a certificate update says about its certificate.
//!
//! Owns the [`Evidence`] and how each field is brought into one form, whichever server wrote it.

use simd_json::prelude::*;
use simd_json::tape::Value;

/// Bytes a text of the evidence may have. No server writes more, and a part would mislead: a
/// longer one is left out.
pub const MAX_TEXT: usize = 4096;
/// Hex digits a serial number may have: RFC 5280 allows 40, some authorities wrote more.
pub(crate) const MAX_SERIAL: usize = 128;
/// Seconds since the Unix epoch that RFC 3339 can show: years 1 to 9999.
pub(crate) const SHOWABLE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// What a certificate update says about its certificate, kept for what matched. Every field is
/// optional: servers leave out or null what they do not have, and what is of the wrong type, out
/// of range or longer than [`MAX_TEXT`] counts as not given. Text is attacker-written: escape it
/// before a terminal, a log or a CSV cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `X509LogEntry` or `PrecertLogEntry`.
    pub update_type: Option<Box<str>>,
    /// SHA-1 of the certificate, 40 lower-case hex digits.
    pub fingerprint: Option<Box<str>>,
    /// SHA-256 of the certificate, 64 lower-case hex digits. Of a `PrecertLogEntry` it is that of
    /// the precertificate as submitted, which the log's signature does not cover.
    pub sha256: Option<Box<str>>,
    /// The issuer's name as `C=…, O=…, CN=…`, whichever are present; else the server's own text.
    pub issuer: Option<Box<str>>,
    /// The subject's common name.
    pub subject_cn: Option<Box<str>>,
    /// Serial number, upper-case hex without leading zeros.
    pub serial: Option<Box<str>>,
    /// Begin of validity, seconds since the Unix epoch.
    pub not_before: Option<i64>,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: Option<i64>,
    /// The log's name, as the server gives it.
    pub log_name: Option<Box<str>>,
    /// The log's URL.
    pub log_url: Option<Box<str>>,
    /// Index of the entry in its log.
    pub cert_index: Option<i64>,
    /// Where the server says the entry can be fetched.
    pub cert_link: Option<Box<str>>,
    /// When the server saw the entry, microseconds since the Unix epoch.
    pub seen: Option<i64>,
}

impl Evidence {
    /// Whether anything identifies a certificate: issuer and serial, or a hash.
    #[must_use]
    pub fn identifies_certificate(&self) -> bool {
        (self.issuer.is_some() && self.serial.is_some())
            || self.sha256.is_some()
            || self.fingerprint.is_some()
    }

    /// Roughly the memory this holds, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = [
            &self.update_type,
            &self.fingerprint,
            &self.sha256,
            &self.issuer,
            &self.subject_cn,
            &self.serial,
            &self.log_name,
            &self.log_url,
            &self.cert_link,
        ];
        size_of::<Self>() + texts.iter().filter_map(|t| t.as_ref()).map(|t| t.len()).sum::<usize>()
    }

    /// Reads the `data` of a certificate update. A repeated key counts as it stands last.
    pub(super) fn of(data: &Value<'_, '_>) -> Self {
        let mut evidence = Self::default();
        for (key, value) in members(data) {
            match key {
                "update_type" => evidence.update_type = update_type(&value),
                "cert_index" => evidence.cert_index = index(&value).map(u64::cast_signed),
                "cert_link" => evidence.cert_link = text(&value).map(Into::into),
                "seen" => evidence.seen = micros(&value),
                "source" => evidence.read_source(&value),
                "leaf_cert" => evidence.read_leaf(&value),
                _ => {}
            }
        }
        evidence
    }

    fn read_source(&mut self, source: &Value<'_, '_>) {
        (self.log_name, self.log_url) = (None, None);
        for (key, value) in members(source) {
            match key {
                "name" => self.log_name = text(&value).map(Into::into),
                "url" => self.log_url = text(&value).map(Into::into),
                _ => {}
            }
        }
    }

    fn read_leaf(&mut self, leaf: &Value<'_, '_>) {
        (self.fingerprint, self.sha256, self.serial) = (None, None, None);
        (self.issuer, self.subject_cn) = (None, None);
        (self.not_before, self.not_after) = (None, None);
        for (key, value) in members(leaf) {
            match key {
                "fingerprint" => self.fingerprint = hash(&value, 40),
                "sha256" => self.sha256 = hash(&value, 64),
                "serial_number" => self.serial = serial(&value),
                "not_before" => self.not_before = seconds(&value),
                "not_after" => self.not_after = seconds(&value),
                "issuer" => self.issuer = distinguished_name(&value),
                "subject" => self.subject_cn = common_name(&value),
                _ => {}
            }
        }
    }
}

/// The keys and values of an object; nothing of anything else.
pub(super) fn members<'t, 'f>(
    value: &Value<'t, 'f>,
) -> impl Iterator<Item = (&'f str, Value<'t, 'f>)> + use<'t, 'f> {
    value.as_object().into_iter().flat_map(|object| object.iter())
}

/// Index of an entry in its log: below 2^63.
pub(super) fn index(value: &Value<'_, '_>) -> Option<u64> {
    whole(value).and_then(|index| u64::try_from(index).ok())
}

/// URL and name of the log that is the source; empty where they are not given.
pub(super) fn log<'f>(source: &Value<'_, 'f>) -> (&'f str, &'f str) {
    let (mut url, mut name) = ("", "");
    for (key, value) in members(source) {
        match key {
            "url" => url = text(&value).unwrap_or_default(),
            "name" => name = text(&value).unwrap_or_default(),
            _ => {}
        }
    }
    (url, name)
}

/// Source time in microseconds since the Unix epoch: servers write seconds with a fraction.
pub(super) fn micros(value: &Value<'_, '_>) -> Option<i64> {
    showable_micros(value.cast_f64()?)
}

/// Seconds since the Unix epoch as microseconds, if they tell a time.
pub(super) fn showable_micros(seconds: f64) -> Option<i64> {
    // Zero and below mean "not known". The range check also refuses what is no number.
    let showable = seconds > 0.0 && seconds < *SHOWABLE.end() as f64;
    showable.then(|| (seconds * 1e6).round() as i64)
}

fn seconds(value: &Value<'_, '_>) -> Option<i64> {
    whole(value).filter(|seconds| SHOWABLE.contains(seconds))
}

/// A whole number, also one written as `1.0` or `1e3`.
fn whole(value: &Value<'_, '_>) -> Option<i64> {
    /// The largest double below which every whole number has a double of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < EXACT).map(|n| n as i64)
    })
}

fn text<'f>(value: &Value<'_, 'f>) -> Option<&'f str> {
    value.into_string().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
}

fn update_type(value: &Value<'_, '_>) -> Option<Box<str>> {
    match text(value)? {
        "X509LogEntry" => Some("X509LogEntry".into()),
        // The second spelling is the old Python server's.
        "PrecertLogEntry" | "PreCertEntry" => Some("PrecertLogEntry".into()),
        _ => None,
    }
}

/// `digits` hex digits, lower-case, from text that may separate bytes by colons.
fn hash(value: &Value<'_, '_>, digits: usize) -> Option<Box<str>> {
    hex(value, digits).filter(|hex| hex.len() == digits).map(String::into_boxed_str)
}

fn serial(value: &Value<'_, '_>) -> Option<Box<str>> {
    let mut hex = hex(value, MAX_SERIAL)?;
    hex.make_ascii_uppercase();
    let significant = hex.trim_start_matches('0');
    // A serial of zero is its one digit.
    Some(if significant.is_empty() { "0".into() } else { significant.into() })
}

fn hex(value: &Value<'_, '_>, most: usize) -> Option<String> {
    let text = text(value)?;
    let mut hex = String::with_capacity(most.min(text.len()));
    for char in text.chars().filter(|char| *char != ':') {
        if !char.is_ascii_hexdigit() || hex.len() == most {
            return None;
        }
        hex.push(char.to_ascii_lowercase());
    }
    (!hex.is_empty()).then_some(hex)
}

fn common_name(subject: &Value<'_, '_>) -> Option<Box<str>> {
    let mut name = None;
    for (key, value) in members(subject) {
        if key == "CN" {
            name = text(&value);
        }
    }
    name.map(Into::into)
}

fn distinguished_name(name: &Value<'_, '_>) -> Option<Box<str>> {
    let (mut country, mut organisation, mut common_name, mut aggregated) = (None, None, None, None);
    for (key, value) in members(name) {
        match key {
            "C" => country = text(&value),
            "O" => organisation = text(&value),
            "CN" => common_name = text(&value),
            "aggregated" => aggregated = text(&value),
            _ => {}
        }
    }
    let joined = issuer_text(country, organisation, common_name);
    if joined.is_empty() {
        aggregated.map(Into::into)
    } else {
        (joined.len() <= MAX_TEXT).then(|| joined.into_boxed_str())
    }
}

/// An issuer's name in the one form that unites a certificate across feeds; empty where no part of
/// it is given.
pub(crate) fn issuer_text(
    country: Option<&str>,
    organisation: Option<&str>,
    common_name: Option<&str>,
) -> String {
    let parts: Vec<String> = [("C", country), ("O", organisation), ("CN", common_name)]
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| format!("{key}={value}")))
        .collect();
    parts.join(", ")
}
