//! YAML with places: every value knows its line, every complaint its file, line and key.
//!
//! Owns the reading of YAML into a tree and the typed access to it. What keys there are and what
//! they mean is `config`'s and `rule`'s business.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy, Spanned};

use crate::error::{Error, Origin, Result};

/// Characters of a value that a complaint repeats.
const SHOWN: usize = 40;

/// What YAML itself refuses is nearly always a missing quote or a wrong indent.
const YAML_REMEDY: &str =
    "indent with spaces only, and write text that holds : # * & [ { or \\ in single quotes";

/// A value as YAML has it. Flags and numbers keep their spelling: the pattern `0123` is not
/// `123`, and `on` is not `true`.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Flag(String),
    Number(String),
    Text(String),
    List(Vec<Spanned<Value>>),
    Table(Vec<(Spanned<String>, Spanned<Value>)>),
}

impl Value {
    /// What it is, for whoever wrote it.
    fn shown(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Text(text) if text.is_empty() => "empty text".to_owned(),
            Self::Flag(text) | Self::Number(text) | Self::Text(text) => {
                let plain = text.chars().count() <= SHOWN && !text.contains(char::is_control);
                if plain { format!("`{text}`") } else { "text".to_owned() }
            }
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a group of keys".to_owned(),
        }
    }
}

/// Puts the spelling of flags and numbers back, of which the parser hands over the value alone.
fn respell(value: &mut Spanned<Value>, source: &str) {
    // An alias stands where it is used; what it stands for was written at its anchor.
    let span = value.defined.span();
    match &mut value.value {
        Value::Flag(text) | Value::Number(text) => {
            let start = span.byte_offset().and_then(|start| usize::try_from(start).ok());
            let length = span.byte_len().and_then(|length| usize::try_from(length).ok());
            let written = start.zip(length).and_then(|(at, length)| source.get(at..at + length));
            if let Some(written) = written {
                written.clone_into(text);
            }
        }
        Value::List(members) => members.iter_mut().for_each(|member| respell(member, source)),
        Value::Table(entries) => entries.iter_mut().for_each(|(_, value)| respell(value, source)),
        Value::Null | Value::Text(_) => {}
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
        Ok(Value::Flag(flag.to_string()))
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
        let options = serde_saphyr::options! {
            // `table` refuses them, with their dotted key.
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            // `.inf` is text to everyone here.
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        };
        let mut root = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| not_yaml(&error, file))?;
        respell(&mut root, text);
        Ok(Self { root, file })
    }

    /// The whole document as one value.
    #[must_use]
    pub fn root(&self) -> Field<'_> {
        Field { value: &self.root, file: self.file, key: String::new() }
    }
}

fn not_yaml(error: &serde_saphyr::Error, file: &Path) -> Error {
    let fault = match error.without_snippet() {
        serde_saphyr::Error::MultipleDocuments { .. } => {
            Error::usage("a second document begins here")
                .remedy("keep one, and remove the `---` in between")
        }
        error => {
            let shown = error.to_string();
            let what = shown.lines().next().unwrap_or("not YAML");
            // The place stands in front of the complaint already.
            let what = what.rsplit_once(" at line ").map_or(what, |(what, _)| what);
            Error::usage(what).remedy(YAML_REMEDY)
        }
    };
    let fault = fault.in_file(file);
    match error.location() {
        Some(at) => fault.at_line(at.line()).at_column(at.column()),
        None => fault,
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

    /// The dotted key it stands under, list members counted from 1: `rules[3].pattern`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it was written.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            file: self.file.to_path_buf(),
            line: self.value.referenced.line(),
            column: self.value.referenced.column(),
            key: self.key.clone(),
        }
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
        self.fault(format!("{wanted} is wanted here, not {}", self.value.value.shown()))
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
            Value::Text(text) | Value::Number(text) | Value::Flag(text) if !text.is_empty() => {
                Ok(text.clone())
            }
            _ => Err(self.wrong("text", &format!("{}: 'text'", self.last_key()))),
        }
    }

    /// A yes or no, in any of the spellings YAML 1.1 has.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self) -> Result<bool> {
        if let Value::Flag(text) | Value::Text(text) = &self.value.value {
            match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => return Ok(true),
                "false" | "no" | "off" => return Ok(false),
                _ => {}
            }
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

    /// A size above zero: a number of bytes, or one with `KiB`, `MiB` or `GiB` behind it.
    ///
    /// # Errors
    /// When it is something else.
    pub fn size(&self) -> Result<usize> {
        let wrong = || self.wrong("a size above zero", &format!("{}: 16 MiB", self.last_key()));
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
        let size = number.parse::<usize>().ok().and_then(|n| n.checked_mul(factor));
        size.filter(|size| *size > 0).ok_or_else(wrong)
    }

    /// A duration above zero: a number of seconds, or one with `s`, `min` or `h` behind it.
    ///
    /// # Errors
    /// When it is something else.
    pub fn duration(&self) -> Result<Duration> {
        let wrong = || self.wrong("a duration above zero", &format!("{}: 60 s", self.last_key()));
        let (Value::Text(text) | Value::Number(text)) = &self.value.value else {
            return Err(wrong());
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return Err(wrong()),
        };
        let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
        seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(wrong)
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
        let mut lines = HashMap::new();
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
            let line = name.referenced.line();
            if let Some(first) = lines.insert(name.value.as_str(), line) {
                return Err(fault(format!("this key stands on line {first} already"))
                    .remedy("keep one of the two"));
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
mod tests;
