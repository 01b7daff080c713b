//! Why a log is not being read, and what that means for its course.
//!
//! Owns the four ways there are: the run is ending, it may pass, what came is not what the log has
//! signed, and the log itself has broken its promise.

use crate::batch::Closed;
use crate::ctlog::HashFault;

/// Why a round of a log's course ended early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The stop was requested.
    Stopped,
    /// No matcher is left: the run is ending.
    Closed,
    /// Trying again may help. For a person, escaped.
    Passing(String),
    /// What came is not what the log has signed: nothing of it is stored, and it is asked for
    /// again. For a person, escaped.
    Refuted(String),
    /// The log has shown two trees that are not one: it is not read any further.
    Broken {
        /// In a few fixed words, for the gap.
        reason: &'static str,
        /// For a person.
        what: String,
    },
}

impl From<HashFault> for Trouble {
    fn from(fault: HashFault) -> Self {
        Self::Refuted(fault.to_string())
    }
}

impl From<Closed> for Trouble {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}
