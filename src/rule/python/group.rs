//! What begins with `(`: groups, look-around, conditions, comments and inline flags.
//!
//! Owns their rewriting up to where their content begins; the content is rewritten as any other.

use super::{Fault, Rewriter};

/// Openings that the backtracking engine takes as they are.
const BACKTRACKING: [&str; 5] = ["=", "!", "<=", "<!", ">"];

impl Rewriter<'_> {
    /// After `(`.
    pub(super) fn group(&mut self, column: u64) -> Result<(), Fault> {
        self.outer_verbose.push(self.verbose);
        if !self.take("?") {
            self.groups += 1;
            self.out.pattern.push('(');
            return Ok(());
        }
        if self.take("#") {
            self.outer_verbose.pop();
            return self.until(')', column).map(drop);
        }
        if self.take("P=") {
            self.outer_verbose.pop();
            let name = self.until(')', column)?;
            self.out.pattern.push_str(&format!(r"(?:\k<{name}>)"));
            self.out.backtracking = true;
            return Ok(());
        }
        if self.take("(") {
            return self.condition(column);
        }
        if let Some(opening) = BACKTRACKING.into_iter().find(|opening| self.take(opening)) {
            self.out.pattern.push_str(&format!("(?{opening}"));
            self.out.backtracking = true;
            return Ok(());
        }
        // A named group, as Python or as Rust writes it.
        if let Some(opening) = ["P<", "<"].into_iter().find(|opening| self.take(opening)) {
            let name = self.until('>', column)?;
            self.groups += 1;
            self.out.pattern.push_str(&format!("(?{opening}{name}>"));
            return Ok(());
        }
        self.flags(column)
    }

    /// After `)`, or what else ends a group: flags set inside it end with it.
    pub(super) fn group_end(&mut self) {
        self.out.pattern.push(')');
        self.verbose = self.outer_verbose.pop().unwrap_or(self.verbose);
    }

    /// After `(?(`: whether a group took part. A name needs angle brackets, or `fancy-regex`
    /// takes it for text that has to follow. The empty look-ahead is always true: with nothing at
    /// all in its branches the condition would become an assertion that the group took part.
    fn condition(&mut self, column: u64) -> Result<(), Fault> {
        let group = self.until(')', column)?;
        if group.is_empty() || !group.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return self.fault(column, "a condition is the number or the name of a group");
        }
        let group = if group.bytes().all(|byte| byte.is_ascii_digit()) {
            self.conditions.push((group.parse().unwrap_or(usize::MAX), column));
            group
        } else {
            format!("<{group}>")
        };
        self.out.pattern.push_str(&format!("(?({group})(?=)"));
        self.out.backtracking = true;
        Ok(())
    }

    /// That there are the groups the conditions ask for: of one that does not exist `fancy-regex`
    /// says now that it took part, now that it did not.
    pub(super) fn check_conditions(&self) -> Result<(), Fault> {
        let exists = |group: usize| (1..=self.groups).contains(&group);
        match self.conditions.iter().find(|(group, _)| !exists(*group)) {
            Some((group, column)) => self
                .fault(*column, format!("the condition asks for group {group}, and there is none")),
            None => Ok(()),
        }
    }

    /// Inline flags, for the rest `(?s)` or for a group `(?s:`.
    ///
    /// Some say nothing here and are left out: `a` and `u`, because names are ASCII; `i`, set or
    /// unset, because rules ignore case; `x`, because blanks and comments are left out instead.
    fn flags(&mut self, column: u64) -> Result<(), Fault> {
        let (mut set, mut unset, mut is_unset, mut any) =
            (String::new(), String::new(), false, false);
        let end = loop {
            match self.next() {
                Some(end @ (':' | ')')) => break end,
                Some('a' | 'u' | 'i') => {}
                Some('x') => self.verbose = !is_unset,
                Some('-') if !is_unset => is_unset = true,
                Some(c @ ('m' | 's' | 'U' | 'R')) if is_unset => unset.push(c),
                Some(c @ ('m' | 's' | 'U' | 'R')) => set.push(c),
                Some('L') => {
                    return self.fault(column, "the flag L is for Python's bytes patterns");
                }
                Some(c) => return self.fault(column, format!("(?{c} opens no known group")),
                None => return self.fault(column, "the pattern ends inside (?"),
            }
            any = true;
        };
        if end == ')' {
            // Not a group: what it sets holds to the end of the one around it.
            self.outer_verbose.pop();
        }
        if end == ')' && !any {
            return self.fault(column, "(?) sets no flag");
        }
        if !unset.is_empty() {
            set.push('-');
            set.push_str(&unset);
        }
        if end == ':' || !set.is_empty() {
            self.out.pattern.push_str(&format!("(?{set}{end}"));
        }
        Ok(())
    }

    /// The text up to `end`, which is taken too.
    fn until(&mut self, end: char, column: u64) -> Result<String, Fault> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == end => return Ok(text),
                Some(c) => text.push(c),
                None => return self.fault(column, format!("the pattern ends before a {end}")),
            }
        }
    }
}
