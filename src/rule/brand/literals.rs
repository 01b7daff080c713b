//! The literals of a brand: what every domain that passes for it contains.
//!
//! Owns their choice. There are two kinds, since the brand itself may stand anywhere and what is
//! an edit away has to be whole tokens: texts that are looked for at every byte, of which there are
//! few, and texts that are looked up once a token, of which there may be a thousand. `judge` says
//! what a *token* is.

use super::{Brand, edit, glyph, passes, windows};

impl Brand {
    /// The texts that may stand anywhere, without repeats. In a form that is not made of letters,
    /// digits and `-_.` alone, a short brand's name is one more.
    #[must_use]
    pub fn contained(&self) -> Vec<Vec<u8>> {
        if !self.is_short() {
            return vec![self.name.clone()];
        }
        // What makes it no token of its own, and is no letter.
        let beside = b"_0123456789".map(|byte| [byte]);
        let behind = beside.iter().map(|byte| [&self.name, &byte[..]].concat());
        let before = beside.iter().map(|byte| [&byte[..], &self.name].concat());
        behind.chain(before).collect()
    }

    /// Its name, in lower case.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Calls `add` with every text of whole tokens: each domain that passes for the brand holds one
    /// of them, or one that may stand anywhere. A text may come more than once.
    pub fn each_token_text(&self, mut add: impl FnMut(&[u8])) {
        edit::each_variant(&self.name, &mut add);
        let windows = windows(&self.name);
        glyph::each_variant(&self.name, &mut |text| {
            if windows.contains(&text.len()) {
                add(text);
            }
        });
        if !self.is_short() {
            return;
        }
        add(&self.name);
        let alphanumeric = (b'a'..=b'z').chain(b'0'..=b'9').map(|byte| vec![byte]);
        for beside in self.keywords.iter().cloned().chain(alphanumeric) {
            add(&[&self.name, &beside[..]].concat());
            add(&[&beside[..], &self.name].concat());
        }
    }

    /// Whether whole tokens may pass for the brand, `rest` being what follows them in the domain;
    /// what may stand anywhere is left aside.
    pub fn may_pass<'r>(&self, tokens: &[u8], rest: impl FnOnce() -> &'r [u8]) -> bool {
        let has = |beside: Option<&[u8]>| {
            beside.is_some_and(|beside| beside.is_empty() || self.keywords.contains(beside))
        };
        let anywhere = !self.is_short() && !self.is_word(tokens);
        (anywhere || self.is_own_suffix(rest())) && passes(&self.name, tokens)
            || self.is_short()
                && (has(tokens.strip_prefix(&self.name[..]))
                    || has(tokens.strip_suffix(&self.name[..])))
    }

    /// Whether `rest`, the end of a domain, is one of the brand's own suffixes and its dot.
    fn is_own_suffix(&self, rest: &[u8]) -> bool {
        let suffix = rest.strip_prefix(b".");
        suffix.is_some_and(|rest| self.suffixes.iter().any(|own| own.as_bytes() == rest))
    }
}
