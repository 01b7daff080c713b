//! Character classes, from `[` to `]`.
//!
//! Owns what Rust reads into a class and Python does not.

use super::{Fault, Rewriter};

impl Rewriter<'_> {
    /// After `[`. Python knows neither nested classes nor set operations: `[`, `&&`, `--` and
    /// `~~` are plain characters. `[:alpha:]` and its like stay what Rust makes of them.
    pub(super) fn class(&mut self, column: u64) -> Result<(), Fault> {
        self.out.pattern.push('[');
        if self.take("^") {
            self.out.pattern.push('^');
        }
        let mut first = true;
        loop {
            if self.rest.peek().is_none() {
                return self.fault(column, "the class is not closed: a ] is missing");
            }
            if !first && self.take("]") {
                self.out.pattern.push(']');
                return Ok(());
            }
            first = false;
            if let Some(posix) = self.posix_class() {
                self.skip(posix.chars().count());
                self.out.pattern.push_str(&posix);
                continue;
            }
            self.class_member(column)?;
            // A hyphen with something to its right makes a range, else it is a hyphen.
            if self.rest.peek() == Some(&'-') && self.rest.clone().nth(1) != Some(']') {
                self.next();
                self.out.pattern.push('-');
                if self.rest.peek().is_some() {
                    self.class_member(column)?;
                }
            }
        }
    }

    fn posix_class(&self) -> Option<String> {
        let rest: String = self.rest.clone().take(12).collect();
        let name = rest.strip_prefix("[:")?.split_once(":]")?.0;
        let known =
            ["alnum", "alpha", "ascii", "blank", "digit", "lower", "punct", "upper", "word"];
        let plain = name.strip_prefix('^').unwrap_or(name);
        (known.contains(&plain) || plain == "xdigit").then(|| format!("[:{name}:]"))
    }

    /// One character or escape inside a class.
    fn class_member(&mut self, column: u64) -> Result<(), Fault> {
        let at = self.column;
        self.out.columns.push((self.out.pattern.len(), at));
        match self.next() {
            Some('\\') => match self.next() {
                Some('b') => self.out.pattern.push_str(r"\x08"),
                Some(c @ '0'..='7') => self.octal(c.to_digit(8).unwrap_or(0), at)?,
                Some(c) if c.is_ascii_alphanumeric() => self.rust_escape(c),
                Some(c) => self.literal(c),
                None => return self.fault(at, "the pattern ends in a backslash"),
            },
            Some(c) => self.literal(c),
            None => return self.fault(column, "the class is not closed: a ] is missing"),
        }
        Ok(())
    }
}
