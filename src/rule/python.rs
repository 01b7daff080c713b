//! Patterns as Python's `re` users write them, rewritten in the syntax of Rust's `regex`.
//!
//! Owns the differences in spelling, and nothing of meaning: the two read the rest alike. Source
//! of the facts: the documentation of Python's `re` module and of the `regex` crate. The table
//! in the README lists what is rewritten; a test each stands below.

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
    };
    while rewriter.rest.peek().is_some() {
        rewriter.piece()?;
    }
    Ok(rewriter.out)
}

struct Rewriter<'p> {
    rest: Peekable<Chars<'p>>,
    /// Of the next character of `rest`.
    column: u64,
    out: Rewritten,
    /// Whether `(?x)` was seen: blanks and comments then mean nothing outside classes.
    verbose: bool,
}

impl Rewriter<'_> {
    fn next(&mut self) -> Option<char> {
        self.column += 1;
        self.rest.next()
    }

    /// Takes the next character if it is `wanted`.
    fn take(&mut self, wanted: char) -> bool {
        self.rest.peek() == Some(&wanted) && self.next().is_some()
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
            ' ' => self.out.pattern.push_str(r"\x20"),
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
            '.' | '^' | '$' | '|' | ')' => {
                self.out.pattern.push(c);
                Ok(())
            }
            c if self.verbose && c.is_whitespace() => Ok(()),
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
            '1'..='9' => self.back_reference(c),
            '0' => self.octal(0),
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
    fn back_reference(&mut self, first: char) {
        let is_octal = |c: &char| ('0'..='7').contains(c);
        let ahead: Vec<char> = self.rest.clone().take(2).collect();
        if is_octal(&first) && ahead.len() == 2 && ahead.iter().all(is_octal) {
            return self.octal(first.to_digit(8).unwrap_or(0));
        }
        let mut group = String::from(first);
        if let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            self.column += 1;
            group.push(digit);
        }
        // Alone in a group of its own: a digit may follow.
        self.out.pattern.push_str(&format!(r"(?:\{group})"));
        self.out.backtracking = true;
    }

    /// The rest of an octal escape whose first digit was `value`: at most two more digits.
    fn octal(&mut self, mut value: u32) {
        for _ in 0..2 {
            let Some(digit) = self.rest.next_if(|c| ('0'..='7').contains(c)) else { break };
            self.column += 1;
            value = value * 8 + digit.to_digit(8).unwrap_or(0);
        }
        self.out.pattern.push_str(&format!(r"\x{{{value:x}}}"));
    }

    /// After `(`.
    fn group(&mut self, column: u64) -> Result<(), Fault> {
        if !self.take('?') {
            self.out.pattern.push('(');
            return Ok(());
        }
        if self.begins_with("#") {
            while self.next().is_some_and(|c| c != ')') {}
            return Ok(());
        }
        if self.begins_with("P=") {
            self.skip(2);
            let name = self.until(')', column)?;
            self.out.pattern.push_str(&format!(r"(?:\k<{name}>)"));
            self.out.backtracking = true;
            return Ok(());
        }
        if self.take(':') {
            self.out.pattern.push_str("(?:");
            return Ok(());
        }
        let hard = ["=", "!", "<=", "<!", ">"];
        if let Some(opening) = hard.iter().find(|opening| self.begins_with(opening)) {
            self.skip(opening.len());
            self.out.pattern.push_str("(?");
            self.out.pattern.push_str(opening);
            self.out.backtracking = true;
            return Ok(());
        }
        if self.begins_with("(") {
            self.skip(1);
            let condition = self.until(')', column)?;
            self.out.pattern.push_str(&format!("(?({condition})"));
            self.out.backtracking = true;
            return Ok(());
        }
        // A named group, as Python or as Rust writes it.
        let named = ["P<", "<"].into_iter().find(|opening| self.begins_with(opening));
        if let Some(opening) = named {
            self.skip(opening.len());
            let name = self.until('>', column)?;
            self.out.pattern.push_str(&format!("(?{opening}{name}>"));
            return Ok(());
        }
        self.flags(column)
    }

    /// Inline flags, for the rest `(?i)` or for a group `(?i:`. Python's `a` and `u` say what is
    /// so here anyway: names are ASCII. `-i` is left out: names hold no upper case, so a pattern
    /// that asks for it would never match.
    fn flags(&mut self, column: u64) -> Result<(), Fault> {
        let mut flags = String::new();
        let mut minds_case = false;
        loop {
            match self.next() {
                Some('a' | 'u') => {}
                Some('i') if flags.contains('-') => minds_case = true,
                Some('L') => {
                    return self.fault(column, "the flag L is for Python's bytes patterns");
                }
                Some(c @ ('i' | 'm' | 's' | 'x' | '-' | 'U' | 'R')) => {
                    self.verbose |= c == 'x' && !flags.contains('-');
                    flags.push(c);
                }
                Some(end @ (':' | ')')) => {
                    if minds_case && flags.ends_with('-') {
                        flags.pop();
                    }
                    if end == ':' || !flags.is_empty() {
                        self.out.pattern.push_str(&format!("(?{flags}{end}"));
                    }
                    return Ok(());
                }
                Some(c) => return self.fault(column, format!("(?{c} opens no known group")),
                None => return self.fault(column, "the pattern ends inside (?"),
            }
        }
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

    /// After `[`. Python knows neither nested classes nor set operations: `[`, `&&`, `--` and
    /// `~~` are plain characters. `[:alpha:]` and its like stay what Rust makes of them.
    fn class(&mut self, column: u64) -> Result<(), Fault> {
        self.out.pattern.push('[');
        if self.take('^') {
            self.out.pattern.push('^');
        }
        let mut first = true;
        loop {
            if self.rest.peek().is_none() {
                return self.fault(column, "the class is not closed: a ] is missing");
            }
            if !first && self.take(']') {
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
        match self.next() {
            Some('\\') => match self.next() {
                Some('b') => self.out.pattern.push_str(r"\x08"),
                Some(c @ '0'..='7') => self.octal(c.to_digit(8).unwrap_or(0)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(written: &str) -> String {
        rewrite(written).unwrap_or_else(|fault| panic!("{written}: {fault:?}")).pattern
    }

    #[test]
    fn python_spellings_become_rust_ones() {
        let table = [
            (r"com\Z", r"com\z"),
            (r"(?P<a>x)(?P=a)", r"(?P<a>x)(?:\k<a>)"),
            (r"(x)\1", r"(x)(?:\1)"),
            (r"(x)\10", r"(x)(?:\10)"),
            ("a{,3}", "a{0,3}"),
            ("a{2,}", "a{2,}"),
            ("a{2}", "a{2}"),
            ("a{,}", "a{0,}"),
            ("{", r"\{"),
            ("a{b}", r"a\{b\}"),
            ("a{}", r"a\{\}"),
            ("a{1", r"a\{1"),
            ("[a[b]", r"[a\[b]"),
            ("[]a]", r"[\]a]"),
            ("[^]a]", r"[^\]a]"),
            ("[a&&b]", r"[a\&\&b]"),
            ("[a--b]", r"[a-\-b]"),
            ("[a~~b|c]", r"[a\~\~b\|c]"),
            ("[a-z-9]", r"[a-z\-9]"),
            ("[-a]", r"[\-a]"),
            ("[a-]", r"[a\-]"),
            (r"[\w.-]", r"[\w\.\-]"),
            (r"[\b]", r"[\x08]"),
            ("[[:alpha:]_]", r"[[:alpha:]\_]"),
            ("(?a)x", "x"),
            ("(?u)x", "x"),
            ("(?ai)x", "(?i)x"),
            ("(?a:x)", "(?:x)"),
            ("(?i:x)", "(?i:x)"),
            ("(?-i:X)", "(?:X)"),
            ("(?-i)X", "X"),
            ("(?s-ix:X)", "(?s-x:X)"),
            ("(?-xi:X)", "(?-x:X)"),
            ("(?#why)x", "x"),
            ("(?x) a b # c", "(?x)ab"),
            (r"\012", r"\x{a}"),
            (r"\0", r"\x{0}"),
            (r"pay\-pal\/\_", r"pay\-pal\/\_"),
            ("a]b}", r"a\]b\}"),
            ("pay-pal", r"pay\-pal"),
            (r"\bpay\b", r"\bpay\b"),
            ("a+?b*?", "a+?b*?"),
            (r"\p{Greek}\b{start}", r"\p{Greek}\b{start}"),
            (r"(?<n>a)", r"(?<n>a)"),
            (r"^(?:[^.]+\.)*x$", r"^(?:[^\.]+\.)*x$"),
        ];
        for (written, expected) in table {
            assert_eq!(rust(written), expected, "{written}");
        }
    }

    #[test]
    fn tells_what_needs_backtracking() {
        for hard in
            ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?>a)", "a++", "(a)?(?(1)b|c)"]
        {
            assert!(rewrite(hard).expect(hard).backtracking, "{hard}");
        }
        for easy in ["a+?", "(?:a)", "(?i)a", "(?P<n>a)", "[(?=)]", r"\(\?="] {
            assert!(!rewrite(easy).expect(easy).backtracking, "{easy}");
        }
    }

    #[test]
    fn faults_name_their_column() {
        let table =
            [("abc\\", 4), ("ab[c", 3), ("a**", 2), (r"x\N{BULLET}", 2), ("(?Pq)", 1), ("(?L)", 1)];
        for (written, column) in table {
            assert_eq!(rewrite(written).expect_err(written).column, column, "{written}");
        }
    }

    #[test]
    fn columns_lead_back_to_the_written_pattern() {
        let rewritten = rewrite("é{x}(y").expect("rewrites");
        assert_eq!(rewritten.pattern, r"é\{x\}(y");
        let paren = rewritten.pattern.find('(').expect("stands there");
        assert_eq!(rewritten.column(paren), 5);
    }
}
