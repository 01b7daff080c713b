//! The presentation language of RFC 6962 (that of TLS): big-endian numbers, byte strings behind
//! their length.
//!
//! Owns the bounds checks of everything that is written in it. Knows no structure.

use super::EntryFault;

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire<'a>(pub &'a [u8]);

impl<'a> Wire<'a> {
    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], EntryFault> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(EntryFault::CutShort)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next number, of `N` bytes; eight at most.
    pub fn number<const N: usize>(&mut self) -> Result<u64, EntryFault> {
        const { assert!(N <= 8, "fits in 64 bits") };
        let bytes = self.bytes(N)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The next byte string, behind its length of `N` bytes; four at most.
    pub fn string<const N: usize>(&mut self) -> Result<&'a [u8], EntryFault> {
        const { assert!(N <= 4, "a length fits in 32 bits") };
        let length = self.number::<N>()?;
        // What does not fit in memory does not fit in the bytes at hand either.
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }
}
