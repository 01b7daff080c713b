//! `explain`: which rules hit a name, and why; which nearly hit, and why not.
//!
//! Owns the explanation as a value and its two renderings. It asks the same engine that matches,
//! so it cannot tell another story.

use std::ops::Range;

use serde_json::{Value, json};

use crate::domain;
use crate::matcher::{Engine, Miss, Plain, Proof};
use crate::record::{escape, escape_json};
use crate::rule::{Rule, RuleIndex, Typosquat};

/// What the rules say to one name.
#[derive(Debug)]
pub struct Explanation {
    name: String,
    /// The domain behind the name, or why there is none.
    domain: Result<String, &'static str>,
    rules: Vec<Explained>,
}

/// What one rule says.
#[derive(Debug, PartialEq, Eq)]
pub struct Explained {
    rule: String,
    pattern: String,
    place: String,
    /// The literals that made it a candidate, with where each begins; none for a rule that is
    /// tried on every domain.
    literals: Vec<(usize, String)>,
    verdict: Verdict,
}

/// Whether a rule hit.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did, on these bytes of the domain.
    Hit {
        /// First byte, from 0.
        start: usize,
        /// Behind the last.
        end: usize,
        /// How it passes for the rule's brand, where that is one.
        typosquat: Option<Typosquat>,
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
        let rules = domain.as_ref().map(|domain| explain(domain, engine)).unwrap_or_default();
        Self { name: name.to_owned(), domain, rules }
    }

    /// Whether some rule hits.
    #[must_use]
    pub fn is_hit(&self) -> bool {
        self.rules.iter().any(|rule| !matches!(rule.verdict, Verdict::NoHit(_)))
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
        if self.rules.is_empty() {
            text.push_str("  no rule has a literal in it, and none without a literal matches\n");
        }
        for rule in &self.rules {
            let says = match &rule.verdict {
                Verdict::Hit { start, end, typosquat } => {
                    let text = &domain[*start..*end];
                    let how = typosquat.map_or_else(String::new, |squat| {
                        format!(", technique {}, distance {}", squat.technique, squat.distance)
                    });
                    format!("hit at {start}..{end}, `{text}`, view a-label{how}")
                }
                Verdict::GaveUp => "gave up at its step limit: kept for review".to_owned(),
                Verdict::NoHit(why) => format!("no hit: {why}"),
            };
            text.push_str(&format!("  {} ({}): {says}\n", escape(&rule.rule), rule.place));
            text.push_str(&format!("    pattern  {}\n", escape(&rule.pattern)));
            let literals: Vec<String> =
                rule.literals.iter().map(|(at, literal)| format!("`{literal}` at {at}")).collect();
            let literals = if literals.is_empty() {
                "none: the rule is tried on every domain".to_owned()
            } else {
                literals.join(", ")
            };
            text.push_str(&format!("    literal  {literals}\n"));
        }
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
            "name": self.name, "domain": domain, "dropped": dropped, "hit": self.is_hit(),
            "rules": rules,
        });
        format!("{}\n", escape_json(&all.to_string()))
    }
}

impl Explained {
    fn json(&self) -> Value {
        let literals: Vec<Value> = self
            .literals
            .iter()
            .map(|(at, literal)| json!({ "literal": literal, "at": at }))
            .collect();
        let typosquat = match &self.verdict {
            Verdict::Hit { typosquat, .. } => *typosquat,
            Verdict::GaveUp | Verdict::NoHit(_) => None,
        };
        let (hit, span, why) = match &self.verdict {
            Verdict::Hit { start, end, .. } => (true, Some([start, end]), None),
            Verdict::GaveUp => (true, None, Some("gave up at its step limit")),
            Verdict::NoHit(why) => (false, None, Some(why.as_str())),
        };
        json!({
            "rule": self.rule, "pattern": self.pattern, "place": self.place, "hit": hit,
            "span": span, "view": hit.then_some("a-label"), "literals": literals, "why": why,
            "technique": typosquat.map(|squat| squat.technique.word()),
            "distance": typosquat.map(|squat| squat.distance),
        })
    }
}

fn explain(domain: &str, engine: &Engine) -> Vec<Explained> {
    let mut scratch = engine.scratch();
    let candidates = engine.candidates(domain, &mut scratch);
    candidates
        .into_iter()
        .map(|index| {
            let rule = &engine.rules().rules[index as usize];
            let literals = literals(domain, engine, index);
            let verdict = match engine.judge(domain, index, &mut scratch) {
                Ok(Proof { gave_up: true, .. }) => Verdict::GaveUp,
                Ok(Proof { found, .. }) => span(rule, domain).map_or(Verdict::GaveUp, |at| {
                    let typosquat = found.map(|found| found.typosquat);
                    Verdict::Hit { start: at.start, end: at.end, typosquat }
                }),
                Err(miss) => Verdict::NoHit(why(miss, rule, !literals.is_empty())),
            };
            Explained {
                rule: rule.name.clone(),
                pattern: rule.pattern.written.clone(),
                place: format!("{}:{}", rule.place.file.display(), rule.place.line),
                literals,
                verdict,
            }
        })
        .collect()
}

fn literals(domain: &str, engine: &Engine, rule: RuleIndex) -> Vec<(usize, String)> {
    engine.literals_in(domain, rule).map(|(at, literal)| (at, literal.to_owned())).collect()
}

/// Where a rule that hits does so: the leftmost match.
fn span(rule: &Rule, domain: &str) -> Option<Range<usize>> {
    let plain = Plain::new(&rule.pattern.syntax)?;
    rule.scope.find(domain, |start, part| {
        let at = plain.find(part).ok()??;
        Some(start + at.start..start + at.end)
    })
}

fn why(miss: Miss, rule: &Rule, has_literal: bool) -> String {
    match miss {
        Miss::Own => "the domain is one of the brand's own".to_owned(),
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
