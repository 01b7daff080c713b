//! The one record that stdout, CSV and JSON Lines show, field for field the same.
//!
//! Owns the record, its JSON form, and the escaping of attacker-written text for terminals and
//! logs. Where records come from is `store`'s and `export`'s business.

/// A domain with the rules it matched and the evidence. Times are microseconds since the Unix
/// epoch here and RFC 3339 UTC wherever they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The sanitised domain.
    pub domain: String,
    /// Public suffix plus one label.
    pub registered_domain: Option<String>,
    /// Names of the rules that hit, sorted.
    pub rules: Vec<String>,
    /// Views of the domain that some rule matched.
    pub views: Vec<&'static str>,
    /// Whether a (domain, rule) pair is new: in this run for stdout, in the asked span for export.
    pub new: bool,
    /// First and last sighting, by the source's own time where it gives one.
    pub first_seen: Option<i64>,
    /// See `first_seen`.
    pub last_seen: Option<i64>,
    /// Frames or log entries that held it.
    pub sightings: u64,
    /// Names as seen in certificates, those apart that equal the domain.
    pub names_as_seen: Vec<String>,
    /// The issuer's name.
    pub issuer: Option<String>,
    /// The subject's common name.
    pub subject_cn: Option<String>,
    /// Serial number, upper-case hex.
    pub serial: Option<String>,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: Option<String>,
    /// Begin of validity, seconds since the Unix epoch.
    pub not_before: Option<i64>,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: Option<i64>,
    /// `X509LogEntry` or `PrecertLogEntry`.
    pub update_type: Option<String>,
    /// The log's name.
    pub log: Option<String>,
    /// Index of the entry in its log.
    pub index: Option<i64>,
    /// Where the entry can be fetched.
    pub link: Option<String>,
}
