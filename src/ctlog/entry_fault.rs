//! Why an entry of a log cannot be read.

use std::fmt;

/// Why an entry of a log cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryFault {
    /// It ends before all of it was there.
    CutShort,
    /// Something follows where it should end.
    TrailingBytes,
    /// Neither a certificate nor a precertificate.
    UnknownType,
    /// Larger than [`MAX_ENTRY`](super::MAX_ENTRY).
    TooLarge,
    /// Its place in the tile is not there: the tile holds fewer entries.
    TooFewEntries,
    /// It stands behind the tile's last place: the tile holds more entries.
    TooManyEntries,
    /// Not JSON.
    NotJson,
    /// JSON of another shape.
    WrongShape,
    /// Text that should be base64 and is not.
    NotBase64,
    /// A leaf of another version or type than RFC 6962 has.
    UnknownLeaf,
}

impl EntryFault {
    /// Every fault, in the order of their counters.
    pub const ALL: [Self; 10] = [
        Self::CutShort,
        Self::TrailingBytes,
        Self::UnknownType,
        Self::TooLarge,
        Self::TooFewEntries,
        Self::TooManyEntries,
        Self::NotJson,
        Self::WrongShape,
        Self::NotBase64,
        Self::UnknownLeaf,
    ];

    /// Whether it is the log's own doing: bytes that were lost or added on the way look otherwise.
    #[must_use]
    pub fn is_in_the_log(self) -> bool {
        self == Self::UnknownType
    }

    /// The fault in a few words, as counters and reports show it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::CutShort => "entry cut short",
            Self::TrailingBytes => "bytes after the entry",
            Self::UnknownType => "unknown entry type",
            Self::TooLarge => "entry too large",
            Self::TooFewEntries => "too few entries",
            Self::TooManyEntries => "too many entries",
            Self::NotJson => "not JSON",
            Self::WrongShape => "JSON of another shape",
            Self::NotBase64 => "not base64",
            Self::UnknownLeaf => "unknown leaf version or type",
        }
    }
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_counter() {
        for (index, fault) in EntryFault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
    }
}
