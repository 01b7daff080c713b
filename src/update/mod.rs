//! A frame read as a certificate update: its names first, its evidence when something matched.
//!
//! Owns the reading of certstream messages (full, lite, domains-only) by simd-json into reused
//! buffers. Told apart by content, never by key order. Knows nothing of sockets or rules.

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameFault {
    /// Not JSON.
    NotJson,
}

impl FrameFault {
    /// Every fault, in the order of their counters.
    pub const ALL: [Self; 1] = [Self::NotJson];
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Message<'f> {
    /// A certificate update or a domains-only message.
    Update(Names<'f>),
    /// A sign of life.
    Heartbeat,
    /// Well-formed, of a type we do not know.
    Unknown,
    /// Nothing but white space, which some servers send while they close.
    Blank,
}

/// The names of a certificate update, as seen. (To be filled in.)
#[derive(Clone, Copy, Debug)]
pub struct Names<'f>(std::marker::PhantomData<&'f str>);

impl<'f> Names<'f> {
    /// The names, in the order of the frame, with repeats.
    pub fn iter(&self) -> impl Iterator<Item = &'f str> + use<'f> {
        std::iter::empty()
    }

    /// When the server saw the entry, in microseconds since the Unix epoch.
    #[must_use]
    pub fn seen(&self) -> Option<i64> {
        None
    }
}

/// Reads frames into buffers that it keeps from one to the next.
#[derive(Debug, Default)]
pub struct UpdateReader {}

impl UpdateReader {
    /// Reads `frame` and hands what it is to `take`.
    ///
    /// # Errors
    /// Why the frame is refused.
    pub fn read<R>(
        &mut self,
        frame: &[u8],
        take: impl FnOnce(Message<'_>) -> R,
    ) -> Result<R, FrameFault> {
        let _ = (frame, take);
        Err(FrameFault::NotJson)
    }

    /// Reads the evidence of a frame that [`read`](Self::read) accepted as an update; nothing
    /// for a domains-only message.
    pub fn evidence(&mut self, frame: &[u8]) -> Option<Evidence> {
        let _ = frame;
        None
    }
}

/// What a certificate update says about its certificate, kept for what matched. Every field is
/// optional: servers leave out or null what they do not have. Text is attacker-written: escape
/// it before a terminal, a log or a CSV cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `X509LogEntry` or `PrecertLogEntry`.
    pub update_type: Option<Box<str>>,
    /// SHA-1 of the certificate, 40 lower-case hex digits.
    pub fingerprint: Option<Box<str>>,
    /// SHA-256 of the certificate, 64 lower-case hex digits.
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
}

impl Evidence {
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
}
