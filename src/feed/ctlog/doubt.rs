//! Whether a new list of logs is to be believed.
//!
//! Owns the rule for it. What such a list lets go is counted by the conductor.

use std::collections::BTreeSet;

/// A list that lets more than a third of the logs go is more likely broken than true: it is
/// believed once the next look has found the same.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// What the list in doubt lets go.
    lost: BTreeSet<String>,
}

impl Doubt {
    /// Whether a list is to be believed that lets `lost` go, of `all` logs that are followed.
    pub fn believes(&mut self, lost: BTreeSet<String>, all: usize) -> bool {
        let believed = lost.len() * 3 <= all || lost == self.lost;
        self.lost = if believed { BTreeSet::new() } else { lost };
        believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_lets_many_logs_go_is_believed_the_second_time() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut doubt = Doubt::default();
        assert!(doubt.believes(names(&[]), 3));
        assert!(doubt.believes(names(&["a"]), 3));
        assert!(!doubt.believes(names(&["a", "b"]), 3));
        assert!(!doubt.believes(names(&["b", "c"]), 3), "another one");
        assert!(doubt.believes(names(&["b", "c"]), 3));
        assert!(!doubt.believes(names(&["b", "c"]), 3), "in doubt anew");
    }
}
