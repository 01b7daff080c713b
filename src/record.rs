//! The one record that stdout, CSV and JSON Lines show, field for field the same.
//!
//! Owns the record, the names and order of its fields, its JSON and its one-line form, and the
//! escaping of attacker-written text for terminals and logs. Where records come from is `store`'s
//! and `export`'s business.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use serde_json::Value;

/// A domain with the rules it matched and the evidence. Times are microseconds since the Unix
/// epoch here and RFC 3339 UTC wherever they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The sanitised domain.
    pub domain: String,
    /// Public suffix plus one label.
    pub registered_domain: Option<String>,
    /// Names of the rules that hit, sorted.
    pub rules: Vec<String>,
    /// How the domain passes for a brand, rule by rule; none for rules that are no brands.
    pub techniques: Vec<Option<String>>,
    /// How many edits it is from the brand, rule by rule.
    pub distances: Vec<Option<u8>>,
    /// What is to be known of a hit, rule by rule; none where it is proven, [`GAVE_UP`] where the
    /// rule reached its step limit, so that a person has to look.
    pub verdicts: Vec<Option<String>>,
    /// Views of the domain that some rule matched.
    pub views: Vec<&'static str>,
    /// Whether a label of the domain mixes scripts, as one with Cyrillic among Latin letters.
    pub mixed_script: bool,
    /// Whether a (domain, rule) pair is new: in this run for stdout, in the asked span for export.
    pub new: bool,
    /// First and last sighting, by the source's own time where it gives one.
    pub first_seen: Option<i64>,
    /// See `first_seen`.
    pub last_seen: Option<i64>,
    /// Frames or log entries that held it.
    pub sightings: u64,
    /// Names as seen in certificates, those apart that equal the domain.
    pub names_as_seen: Vec<String>,
    /// The issuer's name.
    pub issuer: Option<String>,
    /// The subject's common name.
    pub subject_cn: Option<String>,
    /// Serial number, upper-case hex.
    pub serial: Option<String>,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: Option<String>,
    /// Begin of validity, seconds since the Unix epoch.
    pub not_before: Option<i64>,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: Option<i64>,
    /// `X509LogEntry` or `PrecertLogEntry`.
    pub update_type: Option<String>,
    /// The log's name.
    pub log: Option<String>,
    /// Index of the entry in its log.
    pub index: Option<i64>,
    /// Where the entry can be fetched.
    pub link: Option<String>,
}

/// One rule that hit, as a record shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHit {
    /// The rule's name.
    pub rule: String,
    /// See [`Record::techniques`].
    pub technique: Option<String>,
    /// See [`Record::distances`].
    pub distance: Option<u8>,
    /// See [`Record::verdicts`].
    pub verdict: Option<String>,
}

/// The verdict on a hit whose rule reached its step limit: nobody knows whether it matches.
pub const GAVE_UP: &str = "gave up";

/// How many fields a record has.
pub const FIELDS: usize = 23;

impl Record {
    /// Enters the rules that hit, sorted and without repeats: a rule whose pattern was changed has
    /// two rows of one name.
    pub fn set_rules(&mut self, mut hits: Vec<RuleHit>) {
        // What names a technique stands before what does not, what is proven before what is not,
        // and is kept.
        hits.sort_unstable_by(|a, b| {
            let names = a.rule.cmp(&b.rule).then(b.technique.cmp(&a.technique));
            names.then(a.verdict.cmp(&b.verdict))
        });
        hits.dedup_by(|later, earlier| later.rule == earlier.rule);
        for hit in hits {
            self.rules.push(hit.rule);
            self.techniques.push(hit.technique);
            self.distances.push(hit.distance);
            self.verdicts.push(hit.verdict);
        }
    }

    /// The fields by name, in the order in which every format shows them. What is missing is
    /// null, and so is a time beyond the year 9999; text stands as it came, not yet escaped.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, Value); FIELDS] {
        let seen = |micros: Option<i64>| Value::from(micros.and_then(time_of_micros));
        let validity = |seconds: Option<i64>| Value::from(seconds.and_then(time_of_seconds));
        let text = |text: &Option<String>| Value::from(text.as_deref());
        [
            ("domain", Value::from(self.domain.as_str())),
            ("registered_domain", text(&self.registered_domain)),
            ("rules", Value::from(self.rules.as_slice())),
            ("techniques", self.techniques.iter().map(|technique| technique.as_deref()).collect()),
            ("distances", self.distances.iter().copied().collect()),
            ("verdicts", self.verdicts.iter().map(|verdict| verdict.as_deref()).collect()),
            ("views", Value::from(self.views.as_slice())),
            ("mixed_script", Value::from(self.mixed_script)),
            ("new", Value::from(self.new)),
            ("first_seen", seen(self.first_seen)),
            ("last_seen", seen(self.last_seen)),
            ("sightings", Value::from(self.sightings)),
            ("names_as_seen", Value::from(self.names_as_seen.as_slice())),
            ("issuer", text(&self.issuer)),
            ("subject_cn", text(&self.subject_cn)),
            ("serial", text(&self.serial)),
            ("sha256", text(&self.sha256)),
            ("not_before", validity(self.not_before)),
            ("not_after", validity(self.not_after)),
            ("update_type", text(&self.update_type)),
            ("log", text(&self.log)),
            ("index", Value::from(self.index)),
            ("link", text(&self.link)),
        ]
    }

    /// The record as one line of JSON, without the newline. Safe to show on a terminal: what
    /// [`escape`] would escape is written as `\u` and four hex digits.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(512);
        for (name, value) in self.fields() {
            let separator = if json.is_empty() { '{' } else { ',' };
            push(&mut json, format_args!("{separator}\"{name}\":{value}"));
        }
        json.push('}');
        escape_json(&json).into_owned()
    }

    /// The record as one line of text, without the newline: domain, rules, issuer and last
    /// sighting, with tabs between them and `-` for what is missing. A verdict stands in brackets
    /// behind its rule.
    #[must_use]
    pub fn to_line(&self) -> String {
        let verdicts = self.verdicts.iter().map(Option::as_deref).chain(std::iter::repeat(None));
        let told = |(rule, verdict): (&String, Option<&str>)| match verdict {
            Some(verdict) => format!("{rule} ({verdict})"),
            None => rule.clone(),
        };
        let rules: Vec<String> = self.rules.iter().zip(verdicts).map(told).collect();
        let last_seen = self.last_seen.map(rfc3339);
        let issuer = self.issuer.as_deref().filter(|issuer| !issuer.is_empty());
        format!(
            "{}\t{}\t{}\t{}",
            escape(&self.domain),
            escape(&rules.join(", ")),
            escape(issuer.unwrap_or("-")),
            last_seen.as_deref().unwrap_or("-"),
        )
    }
}

/// `text` made safe for terminals, logs and lines: characters that act on a terminal (control
/// characters), reorder what is read (bidi controls), break lines, or are not visible at all are
/// written as `\u{…}`. For showing only: a backslash stays as it is.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    rewrite(text, |escaped, unsafe_char| {
        push(escaped, format_args!("\\u{{{:x}}}", u32::from(unsafe_char)));
    })
}

/// JSON that a terminal shows and does not act on; it says the same.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    // What is unsafe in JSON on one line is no ASCII but DEL, so it stands inside strings only.
    rewrite(json, |json, unsafe_char| {
        for unit in unsafe_char.encode_utf16(&mut [0; 2]) {
            push(json, format_args!("\\u{unit:04x}"));
        }
    })
}

/// The time `micros` microseconds after the Unix epoch, as RFC 3339 UTC.
#[must_use]
pub fn rfc3339(micros: i64) -> String {
    time_of_micros(micros).unwrap_or_else(|| format!("{micros} µs after 1970"))
}

fn time_of_micros(micros: i64) -> Option<String> {
    time_after_epoch(SignedDuration::from_micros(micros))
}

fn time_of_seconds(seconds: i64) -> Option<String> {
    time_after_epoch(SignedDuration::from_secs(seconds))
}

/// None beyond four-digit years, which RFC 3339 ends at.
fn time_after_epoch(after: SignedDuration) -> Option<String> {
    // A civil time, because jiff's timestamps end a day before 9999-12-31T23:59:59, which is
    // what certificates without an end of validity say (RFC 5280).
    const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
    let time = EPOCH.checked_add(after).ok().filter(|time| time.year() >= 0)?;
    Some(format!("{time}Z"))
}

/// `text` with `write` in place of each unsafe character.
fn rewrite(text: &str, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    let Some(first) = text.find(is_unsafe) else { return Cow::Borrowed(text) };
    let mut rewritten = String::with_capacity(text.len() + 16);
    rewritten.push_str(&text[..first]);
    for character in text[first..].chars() {
        if is_unsafe(character) {
            write(&mut rewritten, character);
        } else {
            rewritten.push(character);
        }
    }
    Cow::Owned(rewritten)
}

/// Whether a character does something other than show itself.
fn is_unsafe(character: char) -> bool {
    match character {
        ' '..='~' => false,
        // Bidi marks, embeddings, overrides and isolates; line and paragraph separators.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        // Zero-width spaces and joiners, invisible operators, deprecated format characters; the
        // isolates are among them.
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => true,
        // Soft hyphen, grapheme joiner, Mongolian and other selectors, fillers without a glyph.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' => true,
        // Interlinear annotation, shorthand and musical format controls, tags.
        '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            domain: "login.paypal.example".to_owned(),
            registered_domain: Some("paypal.example".to_owned()),
            rules: vec!["login".to_owned(), r"pay\.?pal".to_owned()],
            techniques: vec![None, Some("omission".to_owned())],
            distances: vec![None, Some(1)],
            verdicts: vec![Some(GAVE_UP.to_owned()), None],
            views: vec!["a-label"],
            mixed_script: false,
            new: true,
            first_seen: Some(1_764_000_000_250_000),
            last_seen: Some(1_764_000_060_000_000),
            sightings: 2,
            names_as_seen: vec!["*.login.paypal.example".to_owned()],
            issuer: Some("/C=US/O=Let's Encrypt/CN=R13".to_owned()),
            not_before: Some(1_763_999_000),
            not_after: Some(253_402_300_799),
            index: Some(7),
            ..Record::default()
        }
    }

    #[test]
    fn json_has_every_field_in_order() {
        assert_eq!(
            record().to_json(),
            concat!(
                r#"{"domain":"login.paypal.example","registered_domain":"paypal.example","#,
                r#""rules":["login","pay\\.?pal"],"techniques":[null,"omission"],"#,
                r#""distances":[null,1],"verdicts":["gave up",null],"views":["a-label"],"#,
                r#""mixed_script":false,"new":true,"#,
                r#""first_seen":"2025-11-24T16:00:00.25Z","last_seen":"2025-11-24T16:01:00Z","#,
                r#""sightings":2,"names_as_seen":["*.login.paypal.example"],"#,
                r#""issuer":"/C=US/O=Let's Encrypt/CN=R13","subject_cn":null,"serial":null,"#,
                r#""sha256":null,"not_before":"2025-11-24T15:43:20Z","#,
                r#""not_after":"9999-12-31T23:59:59Z","update_type":null,"log":null,"#,
                r#""index":7,"link":null}"#
            )
        );
    }

    #[test]
    fn json_shows_nothing_a_terminal_acts_on_and_loses_nothing() {
        let hostile = "a\u{1b}[2J\n\u{7f}\u{9b}\u{202e}\u{200b}\u{2028}\u{feff}\u{e0041}\"\\é";
        let record = Record { issuer: Some(hostile.to_owned()), ..record() };
        let json = record.to_json();
        assert!(
            json.contains(r#""a\u001b[2J\n\u007f\u009b\u202e\u200b\u2028\ufeff\udb40\udc41\"\\é""#)
        );
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["issuer"], hostile);
    }

    #[test]
    fn a_line_has_four_columns_whatever_is_in_them() {
        assert_eq!(
            record().to_line(),
            "login.paypal.example\tlogin (gave up), pay\\.?pal\t/C=US/O=Let's Encrypt/CN=R13\t\
             2025-11-24T16:01:00Z"
        );
        let hostile = Record {
            domain: "a\tb\r\nc".to_owned(),
            issuer: Some(String::new()),
            ..Record::default()
        };
        assert_eq!(hostile.to_line(), "a\\u{9}b\\u{d}\\u{a}c\t\t-\t-");
    }

    #[test]
    fn escapes_what_acts_and_leaves_what_shows() {
        for plain in ["", "xn--pypal-4ve.example", "Ünïcödé παράδειγμα 例え", r"\u{1b}"]
        {
            assert!(matches!(escape(plain), Cow::Borrowed(same) if same == plain));
        }
        for (hostile, escaped) in [
            ("\u{0}x", r"\u{0}x"),
            ("\u{1b}]0;title\u{7}", r"\u{1b}]0;title\u{7}"),
            ("\u{85}\u{9f}", r"\u{85}\u{9f}"),
            ("\u{200e}\u{2066}\u{2069}", r"\u{200e}\u{2066}\u{2069}"),
            ("pay\u{ad}pal\u{3164}", r"pay\u{ad}pal\u{3164}"),
            ("\u{2029}\u{e0001}", r"\u{2029}\u{e0001}"),
        ] {
            assert_eq!(escape(hostile), escaped);
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_not_made_up() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(rfc3339(i64::MAX), "9223372036854775807 µs after 1970");
        let record = Record {
            first_seen: Some(i64::MAX),
            not_before: Some(i64::MIN),
            not_after: Some(i64::MAX),
            ..Record::default()
        };
        let json: Value = serde_json::from_str(&record.to_json()).unwrap();
        for name in ["first_seen", "not_before", "not_after"] {
            assert_eq!(json[name], Value::Null, "{name}");
        }
    }
}
