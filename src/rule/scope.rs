//! Scopes: which part of a domain a rule is tried on.
//!
//! Owns the parting of a domain. The public suffix list is `domain`'s business.

use std::ops::Range;

use crate::domain::registered_domain;

/// The part of a domain that a rule is tried on. `^` and `$` are the ends of the part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    #[default]
    Domain,
    /// The registered domain: public suffix plus one label.
    Registered,
    /// Each label by itself.
    Label,
    /// What stands before the registered domain, without the dot between them.
    Subdomain,
}

impl Scope {
    /// Every scope with the word for it.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("domain", Self::Domain),
        ("registered", Self::Registered),
        ("label", Self::Label),
        ("subdomain", Self::Subdomain),
    ];

    /// The first answer of `ask` that is one, asked about each part in turn: where the part
    /// begins, and the part. A domain may have no such part: `co.uk` has no registered domain.
    pub fn find<T>(self, domain: &str, mut ask: impl FnMut(usize, &str) -> Option<T>) -> Option<T> {
        match self {
            Self::Domain => ask(0, domain),
            Self::Label => {
                let mut start = 0;
                domain.split('.').find_map(|label| {
                    let at = start;
                    start += label.len() + 1;
                    ask(at, label)
                })
            }
            Self::Registered | Self::Subdomain => {
                let start = domain.len() - registered_domain(domain)?.len();
                let part: Range<usize> = match self {
                    Self::Registered => start..domain.len(),
                    _ => 0..start.checked_sub(1)?,
                };
                ask(part.start, &domain[part])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_has_its_parts() {
        let parts = |scope: Scope, domain: &str| {
            let mut parts = Vec::new();
            let none = scope.find(domain, |at, part| {
                assert_eq!(&domain[at..at + part.len()], part);
                parts.push(part.to_owned());
                None::<()>
            });
            assert_eq!(none, None);
            parts
        };
        let domain = "login.paypal.example.co.uk";
        assert_eq!(parts(Scope::Domain, domain), [domain]);
        assert_eq!(parts(Scope::Registered, domain), ["example.co.uk"]);
        assert_eq!(parts(Scope::Subdomain, domain), ["login.paypal"]);
        assert_eq!(parts(Scope::Label, domain), ["login", "paypal", "example", "co", "uk"]);
        assert!(parts(Scope::Subdomain, "example.co.uk").is_empty());
        assert!(parts(Scope::Registered, "co.uk").is_empty());
    }
}
