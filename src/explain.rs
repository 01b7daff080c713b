//! `explain`: which rules hit a name, in which view and why; which nearly hit, and why not.
//!
//! Owns the explanation as a value and its two renderings. It asks the same engine that matches,
//! so it cannot tell another story.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use crate::domain::{self, Forms, Views};
use crate::matcher::{Called, Engine, Miss, Plain};
use crate::record::{escape, escape_json};
use crate::rule::{Rule, RuleIndex};

/// What the rules say to one name.
#[derive(Debug)]
pub struct Explanation {
    name: String,
    /// The domain behind the name, or why there is none.
    domain: Result<String, &'static str>,
    /// Its other forms.
    forms: Forms,
    rules: Vec<Explained>,
}

/// What one rule says in one view.
#[derive(Debug, PartialEq, Eq)]
pub struct Explained {
    rule: String,
    pattern: String,
    place: String,
    view: Views,
    /// The literals that made it a candidate, with where each begins; none for a rule that is
    /// tried on every domain.
    literals: Vec<(usize, String)>,
    verdict: Verdict,
}

/// Whether a rule hit.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did, on these bytes of the form.
    Hit {
        /// First byte, from 0.
        start: usize,
        /// Behind the last.
        end: usize,
        /// What stands there.
        text: String,
    },
    /// Its engine reached the step limit.
    GaveUp,
    /// It did not; why.
    NoHit(String),
}

impl Explanation {
    /// Asks the engine about a name as it stands in a certificate.
    #[must_use]
    pub fn of(name: &str, engine: &Engine) -> Self {
        let mut domain = Vec::new();
        let sanitised = domain::sanitise(name, &mut domain);
        let domain = match sanitised {
            Ok(()) => Ok(String::from_utf8_lossy(&domain).into_owned()),
            Err(fault) => Err(fault.reason()),
        };
        let forms = domain.as_deref().map(Forms::of).unwrap_or_default();
        let rules = domain.as_ref().map(|domain| explain(domain, &forms, engine));
        Self { name: name.to_owned(), rules: rules.unwrap_or_default(), domain, forms }
    }

    /// Whether some rule hits.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.rules.iter().any(|rule| rule.verdict.is_hit())
    }

    /// For people: a heading and a paragraph a rule.
    #[must_use]
    pub fn to_text(&self) -> String {
        let name = escape(&self.name);
        let domain = match &self.domain {
            Ok(domain) => domain,
            Err(reason) => return format!("{name}: dropped, it is no host name: {reason}\n"),
        };
        let mut text = format!("{name}: matched as {domain}\n");
        for (view, form) in self.forms.iter() {
            text.push_str(&format!("  view {}  {}\n", view_name(view), escape(form)));
        }
        if domain::is_mixed_script(domain) {
            text.push_str("  mixed script: a label is written in more than one\n");
        }
        if self.forms.invalid_labels() > 0 {
            text.push_str("  a label begins xn-- and does not decode: it is tried as it is\n");
        }
        if self.rules.is_empty() {
            text.push_str("  no rule has a literal in it, and none without a literal matches\n");
        }
        self.rules.iter().for_each(|rule| text.push_str(&rule.text()));
        text
    }

    /// For programs: one JSON object on a line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let rules: Vec<Value> = self.rules.iter().map(Explained::json).collect();
        let (domain, dropped) = match &self.domain {
            Ok(domain) => (Some(domain), None),
            Err(reason) => (None, Some(reason)),
        };
        let all = json!({
            "name": self.name, "domain": domain, "dropped": dropped,
            "unicode": self.forms.unicode(), "look_alike": self.forms.look_alike(),
            "mixed_script": domain.map(|domain| domain::is_mixed_script(domain)),
            "invalid_labels": self.forms.invalid_labels(),
            "hit": self.is_hit(), "rules": rules,
        });
        format!("{}\n", escape_json(&all.to_string()))
    }
}

impl Verdict {
    fn is_hit(&self) -> bool {
        !matches!(self, Self::NoHit(_))
    }
}

impl Explained {
    fn text(&self) -> String {
        let view = view_name(self.view);
        let says = match &self.verdict {
            Verdict::Hit { start, end, text } => {
                format!("hit at {start}..{end}, `{}`, view {view}", escape(text))
            }
            Verdict::GaveUp => {
                format!("gave up at its step limit in view {view}: kept for review")
            }
            Verdict::NoHit(why) if self.view == Views::A_LABEL => {
                format!("no hit: {}", escape(why))
            }
            Verdict::NoHit(why) => format!("no hit in view {view}: {}", escape(why)),
        };
        let literals: Vec<String> = self
            .literals
            .iter()
            .map(|(at, literal)| format!("`{}` at {at}", escape(literal)))
            .collect();
        let literals = if literals.is_empty() {
            "none: the rule is tried on every domain".to_owned()
        } else {
            literals.join(", ")
        };
        format!(
            "  {} ({}): {says}\n    pattern  {}\n    literal  {literals}\n",
            escape(&self.rule),
            self.place,
            escape(&self.pattern)
        )
    }

    fn json(&self) -> Value {
        let literals: Vec<Value> = self
            .literals
            .iter()
            .map(|(at, literal)| json!({ "literal": literal, "at": at }))
            .collect();
        let (span, text, why) = match &self.verdict {
            Verdict::Hit { start, end, text } => (Some([start, end]), Some(text.as_str()), None),
            Verdict::GaveUp => (None, None, Some("gave up at its step limit")),
            Verdict::NoHit(why) => (None, None, Some(why.as_str())),
        };
        json!({
            "rule": self.rule, "pattern": self.pattern, "place": self.place,
            "hit": self.verdict.is_hit(), "view": view_name(self.view), "span": span,
            "text": text, "literals": literals, "why": why,
        })
    }
}

fn view_name(view: Views) -> &'static str {
    view.names().next().unwrap_or_default()
}

/// Every rule that hits in some view or nearly does, in each view where it hits; a near hit is
/// told once, of the first view that shows it, and only of rules that hit in none.
fn explain(domain: &str, forms: &Forms, engine: &Engine) -> Vec<Explained> {
    let mut scratch = engine.scratch();
    let called = Called { domain, unicode: forms.unicode() };
    let mut told: BTreeMap<RuleIndex, Vec<Explained>> = BTreeMap::new();
    for (view, form) in std::iter::once((Views::A_LABEL, domain)).chain(forms.iter()) {
        for index in engine.candidates(form, &mut scratch) {
            let rule = &engine.rules().rules[index as usize];
            let literals = literals(form, engine, index);
            let verdict = match engine.judge(called, form, index, &mut scratch) {
                Ok(true) => Verdict::GaveUp,
                Ok(false) => span(rule, form).map_or(Verdict::GaveUp, |at| Verdict::Hit {
                    start: at.start,
                    end: at.end,
                    text: form[at].to_owned(),
                }),
                Err(miss) => Verdict::NoHit(why(miss, rule, !literals.is_empty())),
            };
            let so_far = told.entry(index).or_default();
            if verdict.is_hit() {
                so_far.retain(|other| other.verdict.is_hit());
            } else if !so_far.is_empty() || (view != Views::A_LABEL && literals.is_empty()) {
                continue;
            }
            so_far.push(Explained {
                rule: rule.name.clone(),
                pattern: rule.pattern.written.clone(),
                place: format!("{}:{}", rule.place.file.display(), rule.place.line),
                view,
                literals,
                verdict,
            });
        }
    }
    told.into_values().flatten().collect()
}

fn literals(form: &str, engine: &Engine, rule: RuleIndex) -> Vec<(usize, String)> {
    engine.literals_in(form, rule).map(|(at, literal)| (at, literal.to_owned())).collect()
}

/// Where a rule that hits does so: the leftmost match.
fn span(rule: &Rule, form: &str) -> Option<Range<usize>> {
    Plain::of_form(&rule.pattern, form)?.find(form).ok()?
}

fn why(miss: Miss, rule: &Rule, has_literal: bool) -> String {
    match miss {
        Miss::Pattern if !has_literal => "the pattern does not match".to_owned(),
        Miss::Pattern => "the literal is there, the pattern around it does not match".to_owned(),
        Miss::Excluded(index) => format!("excluded by `{}`", rule.exclude[index].written),
        Miss::Allowed => "the domain is on the allow list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Anchor, Loader, RuleEntry};
    use std::path::Path;

    fn engine() -> Engine {
        let entry = |pattern: &str, exclude: &[&str]| RuleEntry {
            pattern: pattern.to_owned(),
            exclude: exclude.iter().map(|written| (*written).to_owned()).collect(),
            line: 3,
            ..RuleEntry::default()
        };
        let entries =
            [entry("(secure|login).*paypal", &[]), entry("paypal", &["^my"]), entry("^x+y", &[])];
        let mut loader = Loader::new(Anchor::Search);
        loader.entries(&entries, Path::new("r.yaml")).expect("rules compile");
        Engine::build(loader.finish().expect("rules")).expect("builds")
    }

    #[test]
    fn a_hit_shows_span_literal_and_view() {
        let text = Explanation::of("www.Login-PayPal.com", &engine()).to_text();
        assert!(text.starts_with("www.Login-PayPal.com: matched as login-paypal.com\n"), "{text}");
        assert!(text.contains("(r.yaml:3): hit at 0..12, `login-paypal`, view a-label"), "{text}");
        assert!(text.contains("literal  `paypal` at 6"), "{text}");
    }

    #[test]
    fn a_near_hit_shows_why_not() {
        let explanation = Explanation::of("mypaypal.com", &engine());
        assert!(!explanation.is_hit());
        let text = explanation.to_text();
        assert!(
            text.contains("no hit: the literal is there, the pattern around it does not match")
        );
        assert!(text.contains("no hit: excluded by `^my`"), "{text}");
        let json: Value = serde_json::from_str(&explanation.to_json()).expect("is JSON");
        assert_eq!(json["rules"][1]["why"], "excluded by `^my`");
    }

    #[test]
    fn a_rule_without_a_literal_does_not_speak_of_one() {
        let entry = RuleEntry { pattern: "[bcd](?=z)".to_owned(), ..RuleEntry::default() };
        let mut loader = Loader::new(Anchor::Search);
        loader.entries(&[entry], Path::new("r.yaml")).expect("compiles");
        let engine = Engine::build(loader.finish().expect("a rule")).expect("builds");
        let text = Explanation::of("abcd.com", &engine).to_text();
        assert!(text.contains("no hit: the pattern does not match\n"), "{text}");
        assert!(text.contains("literal  none: the rule is tried on every domain"), "{text}");
    }

    #[test]
    fn a_look_alike_shows_its_forms_and_the_view_that_hits() {
        let explanation = Explanation::of("login-xn--pypal-4ve.xn--pypal-4ve.com", &engine());
        let text = explanation.to_text();
        for line in [
            "  view unicode  login-xn--pypal-4ve.p\u{430}ypal.com\n",
            "  view look-alike  login-xn--pypal-4ve.paypal.com\n",
            "  mixed script: a label is written in more than one\n",
            "hit at 20..26, `paypal`, view look-alike\n",
            "literal  `paypal` at 20\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let json: Value = serde_json::from_str(&explanation.to_json()).expect("is JSON");
        assert_eq!(json["look_alike"], "login-xn--pypal-4ve.paypal.com");
        assert_eq!(json["mixed_script"], true);
        let hit = &json["rules"][1];
        assert_eq!((&hit["view"], &hit["text"]), (&json!("look-alike"), &json!("paypal")));
        assert_eq!(hit["span"], json!([20, 26]));
    }

    #[test]
    fn forms_are_shown_escaped() {
        // a, a C1 control character that moves the cursor, b.
        let label = idna::punycode::encode_str("a\u{9b}\u{202e}b").expect("short");
        let explanation = Explanation::of(&format!("xn--{label}.com"), &engine());
        let (text, json) = (explanation.to_text(), explanation.to_json());
        assert!(text.contains(r"view unicode  a\u{9b}\u{202e}b.com"), "{text}");
        for shown in [text, json] {
            assert!(!shown.contains(['\u{9b}', '\u{202e}']), "{shown}");
        }
    }

    #[test]
    fn a_label_that_does_not_decode_is_told() {
        let text = Explanation::of("xn--99999999.com", &engine()).to_text();
        assert!(text.contains("begins xn-- and does not decode"), "{text}");
        assert!(!text.contains("view unicode"), "{text}");
    }

    #[test]
    fn what_is_no_host_name_is_dropped_with_its_reason_and_shown_escaped() {
        let text = Explanation::of("evil\u{1b}[2J", &engine()).to_text();
        assert!(text.contains("dropped, it is no host name: "), "{text}");
        assert!(!text.contains('\u{1b}'));
        let hostile = "a\u{9b}b\u{202e}c\u{7f}";
        let json = Explanation::of(hostile, &engine()).to_json();
        assert!(json.contains(r"a\u009bb\u202ec\u007f"), "{json}");
        let read: Value = serde_json::from_str(&json).expect("is JSON");
        assert_eq!(read["name"], hostile);
    }
}
