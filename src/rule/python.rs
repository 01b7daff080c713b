//! Patterns as Python's `re` users write them, rewritten in the syntax of Rust's `regex`.
//!
//! Owns the differences in spelling, and nothing of meaning: the two read the rest alike. Source
//! of the facts: the documentation of Python's `re` module and of the `regex` crate. The table
//! in the README lists what is rewritten; a test each stands below.

mod class;
mod group;

use std::iter::Peekable;
use std::str::Chars;

/// A rewritten pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// In the syntax of `regex`, or of `fancy-regex` where `backtracking` says so.
    pub pattern: String,
    /// Whether it has look-around, a back-reference, an atomic or a conditional part.
    pub backtracking: bool,
    /// For each rewritten piece: where it begins in `pattern` (bytes) and in the written pattern
    /// (characters, from 1).
    columns: Vec<(usize, u64)>,
}

impl Rewritten {
    /// The column of the written pattern, from 1, that stands behind byte `offset` of the
    /// rewritten one.
    #[must_use]
    pub fn column(&self, offset: usize) -> u64 {
        let after = self.columns.partition_point(|(at, _)| *at <= offset);
        after.checked_sub(1).map_or(1, |index| self.columns[index].1)
    }
}

/// Why a pattern cannot be rewritten, and the column (from 1) at which that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In characters of the written pattern, from 1.
    pub column: u64,
    /// What is wrong there.
    pub what: String,
}

/// Rewrites `written` in Rust's syntax.
///
/// # Errors
/// A construct that neither engine has, or an unfinished one.
pub fn rewrite(written: &str) -> Result<Rewritten, Fault> {
    let mut rewriter = Rewriter {
        rest: written.chars().peekable(),
        column: 1,
        out: Rewritten::default(),
        verbose: false,
        outer_verbose: Vec::new(),
        groups: 0,
        conditions: Vec::new(),
    };
    while rewriter.rest.peek().is_some() {
        rewriter.piece()?;
    }
    // Here, because a group may stand behind the condition that asks for it.
    rewriter.check_conditions()?;
    Ok(rewriter.out)
}

struct Rewriter<'p> {
    rest: Peekable<Chars<'p>>,
    /// Of the next character of `rest`.
    column: u64,
    out: Rewritten,
    /// Whether `(?x)` holds: blanks and comments then mean nothing outside classes.
    verbose: bool,
    /// What `verbose` was outside each group that is open, the innermost last.
    outer_verbose: Vec<bool>,
    /// Capturing groups so far.
    groups: usize,
    /// The groups that conditions ask for by number, and the columns they do so at.
    conditions: Vec<(usize, u64)>,
}

impl Rewriter<'_> {
    fn next(&mut self) -> Option<char> {
        self.column += 1;
        self.rest.next()
    }

    /// Takes `wanted` if the rest begins with it.
    fn take(&mut self, wanted: &str) -> bool {
        let begins = self.begins_with(wanted);
        if begins {
            self.skip(wanted.chars().count());
        }
        begins
    }

    /// Whether the rest begins with `prefix`.
    fn begins_with(&self, prefix: &str) -> bool {
        let mut rest = self.rest.clone();
        prefix.chars().all(|c| rest.next() == Some(c))
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }

    fn fault<T>(&self, column: u64, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { column, what: what.into() })
    }

    /// Writes a literal character, escaped wherever Rust might read more into it.
    fn literal(&mut self, c: char) {
        match c {
            '<' | '>' => self.out.pattern.push(c),
            c if c.is_ascii_punctuation() => self.out.pattern.extend(['\\', c]),
            c if c.is_ascii_control() => {
                self.out.pattern.push_str(&format!(r"\x{:02x}", u32::from(c)));
            }
            c => self.out.pattern.push(c),
        }
    }

    /// Rewrites one piece: a character, an escape, a class, a group's opening, a quantifier.
    fn piece(&mut self) -> Result<(), Fault> {
        let column = self.column;
        self.out.columns.push((self.out.pattern.len(), column));
        let Some(c) = self.next() else { return Ok(()) };
        match c {
            '\\' => self.escape(column),
            '[' => self.class(column),
            '(' => self.group(column),
            '*' | '+' | '?' => {
                self.out.pattern.push(c);
                self.quantifier_suffix(column)
            }
            '{' => self.brace(column),
            ')' => {
                self.group_end();
                Ok(())
            }
            '.' | '^' | '$' | '|' => {
                self.out.pattern.push(c);
                Ok(())
            }
            ' ' | '\t'..='\r' if self.verbose => Ok(()),
            '#' if self.verbose => {
                while self.next().is_some_and(|c| c != '\n') {}
                Ok(())
            }
            c => {
                self.literal(c);
                Ok(())
            }
        }
    }

    /// After a quantifier: lazy, possessive, or a second quantifier, which Python refuses.
    fn quantifier_suffix(&mut self, column: u64) -> Result<(), Fault> {
        match self.rest.peek() {
            Some('?') => {
                self.next();
                self.out.pattern.push('?');
            }
            Some('+') => {
                self.next();
                self.out.pattern.push('+');
                self.out.backtracking = true;
            }
            Some('*') => return self.fault(column, "one quantifier follows another"),
            _ => {}
        }
        Ok(())
    }

    /// A `{`: a quantifier where it reads as one, else a literal.
    fn brace(&mut self, column: u64) -> Result<(), Fault> {
        let mut ahead = self.rest.clone();
        let mut inside = String::new();
        for c in ahead.by_ref() {
            if c == '}' {
                break;
            }
            inside.push(c);
            if !(c.is_ascii_digit() || c == ',') {
                break;
            }
        }
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let closed = self.rest.clone().nth(inside.chars().count()) == Some('}');
        let (least, most) = match inside.split_once(',') {
            Some((least, most)) if digits(least) && digits(most) => (least, Some(most)),
            None if !inside.is_empty() && digits(&inside) => (inside.as_str(), None),
            _ => {
                self.literal('{');
                return Ok(());
            }
        };
        if !closed {
            self.literal('{');
            return Ok(());
        }
        let least = if least.is_empty() { "0" } else { least };
        self.out.pattern.push('{');
        self.out.pattern.push_str(least);
        if let Some(most) = most {
            self.out.pattern.push(',');
            self.out.pattern.push_str(most);
        }
        self.out.pattern.push('}');
        self.skip(inside.chars().count() + 1);
        self.quantifier_suffix(column)
    }

    /// After `\` outside a class.
    fn escape(&mut self, column: u64) -> Result<(), Fault> {
        let Some(c) = self.next() else {
            return self.fault(column, "the pattern ends in a backslash");
        };
        match c {
            'Z' => self.out.pattern.push_str(r"\z"),
            '1'..='9' => return self.back_reference(c, column),
            '0' => return self.octal(0, column),
            'N' => return self.fault(column, r"\N{…} names are not known here: write \u and hex"),
            c if c.is_ascii_alphanumeric() || c == '<' || c == '>' => self.rust_escape(c),
            c => self.literal(c),
        }
        Ok(())
    }

    /// An escape both know, or only Rust does: `\p{…}`, `\x{…}`, `\b{start}` keep their braces.
    fn rust_escape(&mut self, c: char) {
        self.out.pattern.extend(['\\', c]);
        let braced = match c {
            'p' | 'P' | 'x' | 'u' | 'U' => self.begins_with("{"),
            'b' => ["{start", "{end"].iter().any(|name| self.begins_with(name)),
            _ => false,
        };
        if braced {
            while let Some(inside) = self.next() {
                self.out.pattern.push(inside);
                if inside == '}' {
                    break;
                }
            }
        }
    }

    /// `\1` to `\99`, or three octal digits.
    fn back_reference(&mut self, first: char, column: u64) -> Result<(), Fault> {
        let is_octal = |c: &char| ('0'..='7').contains(c);
        let ahead: Vec<char> = self.rest.clone().take(2).collect();
        if is_octal(&first) && ahead.len() == 2 && ahead.iter().all(is_octal) {
            return self.octal(first.to_digit(8).unwrap_or(0), column);
        }
        let mut group = String::from(first);
        if let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            self.column += 1;
            group.push(digit);
        }
        // Alone in a group of its own: a digit may follow.
        self.out.pattern.push_str(&format!(r"(?:\{group})"));
        self.out.backtracking = true;
        Ok(())
    }

    /// The rest of an octal escape whose first digit was `value`: at most two more digits.
    fn octal(&mut self, mut value: u32, column: u64) -> Result<(), Fault> {
        for _ in 0..2 {
            let Some(digit) = self.rest.next_if(|c| ('0'..='7').contains(c)) else { break };
            self.column += 1;
            value = value * 8 + digit.to_digit(8).unwrap_or(0);
        }
        if value > 0o377 {
            return self.fault(column, r"an octal escape goes no further than \377");
        }
        self.out.pattern.push_str(&format!(r"\x{{{value:x}}}"));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
