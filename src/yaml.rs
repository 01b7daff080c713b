//! YAML with places: every value knows its line, every complaint its file, line and key.
//!
//! Owns the reading of YAML into a tree and the typed access to it. What keys there are and what
//! they mean is `config`'s and `rule`'s business.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::error::{Error, Result};

/// A value as YAML has it.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Value>>),
    Table(Vec<(Spanned<String>, Spanned<Value>)>),
}

impl Value {
    /// What it is, for whoever wrote it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a group of keys",
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_element()? {
            list.push(member);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Value::Table(table))
    }
}

/// A YAML document.
#[derive(Debug)]
pub struct Document<'f> {
    root: Spanned<Value>,
    file: &'f Path,
}

impl<'f> Document<'f> {
    /// Reads the bytes of `file`.
    ///
    /// # Errors
    /// Where it is no UTF-8 or no YAML, or repeats a key.
    pub fn read(bytes: &[u8], file: &'f Path) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count();
            Error::usage("the file is not UTF-8")
                .in_file(file)
                .at_line(line as u64)
                .remedy("save it as UTF-8")
        })?;
        let root = serde_saphyr::from_str(text).map_err(|error| {
            let located = error.location();
            let what = error.without_snippet().to_string();
            let what = what.lines().next().unwrap_or("not YAML").to_owned();
            let fault = Error::usage(what)
                .in_file(file)
                .remedy("write `key: value` lines, nested keys indented by two spaces");
            match located {
                Some(at) => fault.at_line(at.line()).at_column(at.column()),
                None => fault,
            }
        })?;
        Ok(Self { root, file })
    }

    /// The whole document as one value.
    #[must_use]
    pub fn root(&self) -> Field<'_> {
        Field { value: &self.root, file: self.file, key: String::new() }
    }
}

/// A value within a document, under its dotted key.
#[derive(Clone, Debug)]
pub struct Field<'d> {
    value: &'d Spanned<Value>,
    file: &'d Path,
    key: String,
}

impl<'d> Field<'d> {
    /// The line it stands on, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.value.referenced.line()
    }

    /// A complaint about this value, with its place.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Error {
        let fault = Error::usage(what)
            .in_file(self.file)
            .at_line(self.value.referenced.line())
            .at_column(self.value.referenced.column());
        if self.key.is_empty() { fault } else { fault.at_key(&self.key) }
    }

    fn wrong(&self, wanted: &str, example: &str) -> Error {
        self.fault(format!("{wanted} is wanted here, not {}", self.value.value.kind()))
            .remedy(format!("write, for example: {example}"))
    }

    fn last_key(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or_default()
    }

    /// Whether nothing was written after the key.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value.value, Value::Null)
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.value.value, Value::List(_))
    }

    /// Whether it is plain text (or a number, which text may be).
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.value.value, Value::Text(_) | Value::Number(_) | Value::Flag(_))
    }

    /// Its text, which is not empty.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self) -> Result<String> {
        match &self.value.value {
            Value::Text(text) | Value::Number(text) if !text.is_empty() => Ok(text.clone()),
            Value::Flag(flag) => Ok(flag.to_string()),
            _ => Err(self.wrong("text", &format!("{}: 'text'", self.last_key()))),
        }
    }

    /// A yes or no, in any of the spellings YAML 1.1 has.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self) -> Result<bool> {
        match &self.value.value {
            Value::Flag(flag) => return Ok(*flag),
            Value::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return Ok(true),
                "false" | "no" | "off" => return Ok(false),
                _ => {}
            },
            _ => {}
        }
        Err(self.wrong("true or false", &format!("{}: true", self.last_key())))
    }

    /// A whole number of at least `least`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, least: usize) -> Result<usize> {
        match &self.value.value {
            Value::Number(text) => text.parse().ok().filter(|number| *number >= least),
            _ => None,
        }
        .ok_or_else(|| {
            self.wrong(
                &format!("a whole number from {least} up"),
                &format!("{}: {}", self.last_key(), least.max(4)),
            )
        })
    }

    /// A size: a number of bytes, or one with `KiB`, `MiB` or `GiB` behind it.
    ///
    /// # Errors
    /// When it is something else.
    pub fn size(&self) -> Result<usize> {
        let wrong = || self.wrong("a size", &format!("{}: 16 MiB", self.last_key()));
        let (Value::Text(text) | Value::Number(text)) = &self.value.value else {
            return Err(wrong());
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kib" | "k" => 1 << 10,
            "mib" | "m" => 1 << 20,
            "gib" | "g" => 1 << 30,
            _ => return Err(wrong()),
        };
        number.parse::<usize>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)
    }

    /// One of a few words.
    ///
    /// # Errors
    /// When it is another word, which the error lists.
    pub fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.fault(format!("`{text}` is not known here"))
                .remedy(format!("write one of: {}", words.join(", ")))
        })
    }

    /// Its members, or itself alone where it is no list; none where nothing was written.
    #[must_use]
    pub fn members(&self) -> Vec<Field<'d>> {
        match &self.value.value {
            Value::Null => Vec::new(),
            Value::List(members) => members
                .iter()
                .enumerate()
                .map(|(index, value)| Field {
                    value,
                    file: self.file,
                    key: format!("{}[{}]", self.key, index + 1),
                })
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// Its keys, of which only `known` ones may stand here.
    ///
    /// # Errors
    /// When it is no group of keys, or one is unknown or stands twice.
    pub fn table(&self, known: &[&str]) -> Result<Table<'d>> {
        let entries = match &self.value.value {
            Value::Table(entries) => entries.as_slice(),
            Value::Null => &[],
            _ => {
                let example = format!("{}: …", known.first().unwrap_or(&"key"));
                return Err(self.wrong("a group of keys", &example));
            }
        };
        let mut seen = HashSet::new();
        for (name, value) in entries {
            let field = self.below(name, value);
            let fault = |what: String| {
                Error::usage(what)
                    .in_file(self.file)
                    .at_line(name.referenced.line())
                    .at_column(name.referenced.column())
                    .at_key(&field.key)
            };
            if !known.contains(&name.value.as_str()) {
                return Err(fault("unknown key".to_owned()).remedy(suggest(&name.value, known)));
            }
            if !seen.insert(name.value.as_str()) {
                return Err(fault("this key stands twice".to_owned()).remedy("keep one of them"));
            }
        }
        Ok(Table { of: self.clone(), entries })
    }

    fn below(&self, name: &Spanned<String>, value: &'d Spanned<Value>) -> Field<'d> {
        let key = if self.key.is_empty() {
            name.value.clone()
        } else {
            format!("{}.{}", self.key, name.value)
        };
        Field { value, file: self.file, key }
    }
}

/// A group of keys, all of them known.
#[derive(Clone, Debug)]
pub struct Table<'d> {
    of: Field<'d>,
    entries: &'d [(Spanned<String>, Spanned<Value>)],
}

impl<'d> Table<'d> {
    /// The value of `key`, unless it is missing or nothing was written after it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Field<'d>> {
        self.entries
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(name, value)| self.of.below(name, value))
            .filter(|field| !field.is_null())
    }
}

/// What to write instead of an unknown key.
fn suggest(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|candidate| distance(key, candidate));
    match nearest {
        Some(nearest) if 3 * distance(key, nearest) <= key.len() => {
            format!("did you mean `{nearest}`?")
        }
        _ => format!("known here: {}", known.join(", ")),
    }
}

/// How many letters must be added, dropped or replaced to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, read: impl Fn(&Field<'_>) -> Result<()>) -> String {
        let file = Path::new("c.yaml");
        Document::read(text.as_bytes(), file)
            .and_then(|document| read(&document.root()))
            .expect_err(text)
            .to_string()
    }

    #[test]
    fn complaints_name_file_line_key_and_remedy() {
        let read = |root: &Field<'_>| {
            let table = root.table(&["server", "size", "on", "count"])?;
            table.get("server").map(|field| field.text()).transpose()?;
            table.get("size").map(|field| field.size()).transpose()?;
            table.get("on").map(|field| field.flag()).transpose()?;
            table.get("count").map(|field| field.number(1)).transpose()?;
            Ok(())
        };
        let table = [
            ("a: 1\n", "c.yaml:1:1: a: unknown key\n  remedy: known here: server, size, on, count"),
            ("\nsever: x\n", "c.yaml:2:1: sever: unknown key\n  remedy: did you mean `server`?"),
            ("server: [x]\n", "c.yaml:1:9: server: text is wanted here, not a list"),
            ("size: lots\n", "c.yaml:1:7: size: a size is wanted here, not text"),
            ("on: 3\n", "c.yaml:1:5: on: true or false is wanted here, not a number"),
            ("count: 0\n", "c.yaml:1:8: count: a whole number from 1 up is wanted here"),
            ("- x\n", "c.yaml:1:1: a group of keys is wanted here, not a list"),
        ];
        for (text, expected) in table {
            let shown = fault(text, read);
            assert!(shown.starts_with(expected), "{text}: {shown}");
            assert!(shown.contains("remedy: "), "{text}: {shown}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        let accept = |_: &Field<'_>| Ok(());
        for (text, line) in [
            ("a: [1\nb: 2\n", "c.yaml:"),
            ("a: 1\na: 2\n", "c.yaml:2"),
            ("a: 1\n b: 2\n", "c.yaml:2"),
        ] {
            let shown = fault(text, accept);
            assert!(shown.starts_with(line), "{text}: {shown}");
        }
        let error = Document::read(b"a: 1\nb: \xff\n", Path::new("c.yaml")).expect_err("not UTF-8");
        assert!(error.to_string().starts_with("c.yaml:2: the file is not UTF-8"), "{error}");
    }

    #[test]
    fn sizes_and_flags_in_their_spellings() {
        let text = "a: 16 MiB\nb: 4096\nc: 2gib\nd: True\ne: yes\nf: 'off'\n";
        let document = Document::read(text.as_bytes(), Path::new("c.yaml")).expect("is YAML");
        let table = document.root().table(&["a", "b", "c", "d", "e", "f"]).expect("is a table");
        let size = |key| table.get(key).expect("is there").size().expect("is a size");
        assert_eq!((size("a"), size("b"), size("c")), (16 << 20, 4096, 2 << 30));
        let flag = |key| table.get(key).expect("is there").flag().expect("is a flag");
        assert_eq!((flag("d"), flag("e"), flag("f")), (true, true, false));
    }
}
