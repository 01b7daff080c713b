//! What a rule says to one form of a domain: what it was asked, and why it hits or does not.
//!
//! Owns the words only; the judgement is `engine`'s.

use crate::domain::Views;
use crate::matched::Hit;
use crate::rule::{Found, RuleIndex};

/// What a domain is called: its A-label form, and its Unicode form where that is another. What it
/// looks like is no name of it.
#[derive(Clone, Copy, Debug)]
pub struct Called<'d> {
    /// As it is stored.
    pub domain: &'d str,
    /// As it is shown.
    pub unicode: Option<&'d str>,
}

/// Why a candidate is no hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The pattern does not match.
    Pattern,
    /// It passes for the brand, whose own domain it is.
    Own,
    /// It matches, and so does the exclude at this index.
    Excluded(usize),
    /// It matches, and the domain is allowed.
    Allowed,
}

/// What speaks for a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The engine of the pattern gave up on it.
    pub gave_up: bool,
    /// What passes for the brand, where the rule is one.
    pub found: Option<Found>,
}

impl Proof {
    /// The hit that it proves, in these views.
    pub(super) fn hit(&self, rule: RuleIndex, views: Views) -> Hit {
        let typosquat = self.found.as_ref().map(|found| found.typosquat);
        Hit { rule, views, gave_up: self.gave_up, typosquat }
    }
}
