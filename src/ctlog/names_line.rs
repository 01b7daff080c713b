//! A line of a names tile in the one form that Sunlight writes for most entries, read without a
//! JSON parser.
//!
//! Owns the recognition of that form, and refuses every other: what it reads, a JSON parser reads
//! as the same (the test beside it and a fuzz target hold it to that). What it refuses may be good
//! JSON all the same, which is for `names_tile` to find out.

/// Digits that a time may have: as many as fit in 64 bits whatever they are.
const MAX_DIGITS: usize = 18;

/// A line of exactly this form, with nothing between the tokens:
///
/// `{"Timestamp":1,"Subject":{"CommonName":"a"},"DNS":["a","b"]}`
///
/// in which `Subject`, `DNS`, or both may be missing, and every text is printable ASCII without a
/// backslash, so that it stands for itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlainLine<'t> {
    pub timestamp: u64,
    pub common_name: Option<&'t str>,
    pub dns: PlainNames<'t>,
}

/// `tile` as text, where everything in it but the line ends is plain.
pub(super) fn plain_tile(tile: &[u8]) -> Option<&str> {
    text_where(tile, |byte| is_plain(byte) | (byte == b'\n'))
}

/// `line` as text, where everything in it is plain.
pub(super) fn plain_line(line: &[u8]) -> Option<&str> {
    text_where(line, is_plain)
}

/// Printable ASCII, but for the backslash.
fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) & (byte != b'\\')
}

/// `bytes` as text, where all of them are `fit`. Looks at all of them: without an early end, the
/// compiler makes it a few instructions for many bytes.
fn text_where(bytes: &[u8], fit: impl Fn(u8) -> bool) -> Option<&str> {
    let all = bytes.iter().fold(true, |all, byte| all & fit(*byte));
    // ASCII, as was just seen: no more than a check.
    all.then(|| std::str::from_utf8(bytes).ok()).flatten()
}

impl<'t> PlainLine<'t> {
    /// Reads `line`, everything in which is plain; none where it is of another form.
    pub fn read(line: &'t str) -> Option<Self> {
        let rest = line.strip_prefix("{\"Timestamp\":")?;
        let (timestamp, mut rest) = number(rest)?;
        let mut common_name = None;
        if let Some(subject) = rest.strip_prefix(",\"Subject\":{\"CommonName\":\"") {
            let (name, behind) = text(subject)?;
            common_name = Some(name);
            rest = behind.strip_prefix('}')?;
        }
        let mut dns = PlainNames(None);
        if let Some(list) = rest.strip_prefix(",\"DNS\":[\"") {
            (dns, rest) = names(list)?;
        }
        (rest == "}").then_some(Self { timestamp, common_name, dns })
    }
}

/// Names as they stand in a line: `a","b","c`, without a quote in any of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlainNames<'t>(Option<&'t str>);

impl<'t> Iterator for PlainNames<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let names = self.0?;
        match memchr::memchr(b'"', names.as_bytes()) {
            Some(end) => {
                self.0 = names.get(end + "\",\"".len()..);
                names.get(..end)
            }
            None => self.0.take(),
        }
    }
}

/// The number that `rest` begins with, and what is behind it. JSON has no zero in front.
fn number(rest: &str) -> Option<(u64, &str)> {
    let (mut number, mut digits) = (0, 0);
    for digit in rest.bytes().take_while(u8::is_ascii_digit).take(MAX_DIGITS + 1) {
        number = number * 10 + u64::from(digit - b'0');
        digits += 1;
    }
    if digits == 0 || digits > MAX_DIGITS || (digits > 1 && rest.starts_with('0')) {
        return None;
    }
    Some((number, rest.get(digits..)?))
}

/// The text that `rest` begins with, up to its quote, and what is behind that.
fn text(rest: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr(b'"', rest.as_bytes())?;
    Some((rest.get(..end)?, rest.get(end + 1..)?))
}

/// The names that `list` begins with, behind the quote of the first, and what is behind the list.
fn names(list: &str) -> Option<(PlainNames<'_>, &str)> {
    let mut rest = list;
    loop {
        let (_, behind) = text(rest)?;
        match behind.strip_prefix(",\"") {
            Some(next) => rest = next,
            None => {
                let end = list.len() - behind.len() - 1;
                return Some((PlainNames(list.get(..end)), behind.strip_prefix(']')?));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// What a JSON parser reads of `line`: its time, its common name, its names.
    fn parsed(line: &[u8]) -> Option<(u64, Option<String>, Vec<String>)> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let string = |value: &Value| value.as_str().map(str::to_owned);
        let names = match line.get("DNS") {
            None => Vec::new(),
            Some(names) => names.as_array()?.iter().map(string).collect::<Option<_>>()?,
        };
        let common_name = line.get("Subject").and_then(|subject| subject.get("CommonName"));
        Some((line.get("Timestamp")?.as_u64()?, common_name.and_then(string), names))
    }

    fn read(line: &[u8]) -> Option<(u64, Option<String>, Vec<String>)> {
        let line = PlainLine::read(plain_line(line)?)?;
        let names = line.dns.map(str::to_owned).collect();
        Some((line.timestamp, line.common_name.map(str::to_owned), names))
    }

    /// Whether `line` is read; then it must be read as JSON has it.
    fn is_read(line: &[u8]) -> bool {
        let found = read(line);
        if found.is_some() {
            assert_eq!(found, parsed(line), "{}", line.escape_ascii());
        }
        found.is_some()
    }

    const WHOLE: &str = r#"{"Timestamp":12,"Subject":{"CommonName":"a"},"DNS":["a.com","b",""]}"#;

    #[test]
    fn the_form_that_sunlight_writes_is_read() {
        for line in [
            WHOLE,
            r#"{"Timestamp":0}"#,
            r#"{"Timestamp":999999999999999999,"DNS":["a.com"]}"#,
            r#"{"Timestamp":5,"Subject":{"CommonName":"A, B [x] {y}: z"}}"#,
        ] {
            assert!(is_read(line.as_bytes()), "{line}");
        }
        let real = include_bytes!("../../tests/data/ct/names_tile.jsonl");
        for line in real.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            assert!(is_read(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for line in [
            "",
            "{}",
            r#"{"Timestamp":}"#,
            r#"{"Timestamp":01}"#,
            r#"{"Timestamp":-1}"#,
            r#"{"Timestamp":1.0}"#,
            r#"{"Timestamp":1e3}"#,
            r#"{"Timestamp":1000000000000000000}"#,
            r#"{"Timestamp": 1}"#,
            r#"{"Timestamp":1} "#,
            r#"{"Timestamp":1}}"#,
            r#"{"Timestamp":1,"DNS":[]}"#,
            r#"{"Timestamp":1,"DNS":["a",]}"#,
            r#"{"Timestamp":1,"DNS":["a" ,"b"]}"#,
            r#"{"Timestamp":1,"DNS":["a",5]}"#,
            r#"{"Timestamp":1,"DNS":["a\u0062"]}"#,
            r#"{"Timestamp":1,"DNS":["ä"]}"#,
            "{\"Timestamp\":1,\"DNS\":[\"a\tb\"]}",
            "{\"Timestamp\":1,\"DNS\":[\"\x7f\"]}",
            r#"{"Timestamp":1,"DNS":["a"],"DNS":["b"]}"#,
            r#"{"Timestamp":1,"DNS":["a"],"Subject":{"CommonName":"b"}}"#,
            r#"{"Timestamp":1,"Subject":{"CommonName":"b","Organization":["O"]}}"#,
            r#"{"DNS":["a"],"Timestamp":1}"#,
        ] {
            assert!(!is_read(line.as_bytes()), "{line}");
        }
    }

    /// Every line that is one or two bytes off is refused, or read as JSON has it.
    #[test]
    fn a_line_that_was_altered_is_never_read_wrongly() {
        let bytes = b" \"\\,:[]{}0a9\n\x00\x7f\xff";
        let mut read = 0;
        for at in 0..WHOLE.len() {
            for (put, next) in bytes.iter().flat_map(|a| bytes.iter().map(move |b| (*a, *b))) {
                let mut line = WHOLE.as_bytes().to_vec();
                line[at] = put;
                read += usize::from(is_read(&line));
                if let Some(byte) = line.get_mut(at + 1) {
                    *byte = next;
                }
                read += usize::from(is_read(&line));
                line.insert(at, next);
                read += usize::from(is_read(&line));
                line.drain(at..(at + 3).min(WHOLE.len()));
                read += usize::from(is_read(&line));
            }
            assert!(!is_read(&WHOLE.as_bytes()[..at]));
        }
        assert!(read > 1000, "many of them are still of the form: {read}");
    }
}
