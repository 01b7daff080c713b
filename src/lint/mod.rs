//! `lint`: what is wrong with a rule set, as findings.
//!
//! Owns the checks and the wording. Finding something never changes how a rule runs.

mod profile;
mod subsumed;

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::json;

use crate::matcher::Engine;
use crate::record::{escape, escape_json};
use crate::rule::{Pattern, Place, Rule, Syntax};
pub use profile::rendered as rendered_profile;

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every domain is verified against it: slow.
    NoLiteral,
    /// It matches everything, or nearly so.
    TooBroad,
    /// The same name and pattern stand before it.
    Duplicate,
    /// The same pattern stands before it under another name.
    SamePattern,
    /// Whatever it matches, another rule matches too.
    Subsumed,
    /// No host name can match it.
    Dead,
    /// It matches a domain on the allow list, which is then not reported.
    MatchesAllowed,
}

impl Kind {
    /// The word for it in both renderings.
    fn word(self) -> &'static str {
        match self {
            Self::NoLiteral => "no-literal",
            Self::TooBroad => "too-broad",
            Self::Duplicate => "duplicate",
            Self::SamePattern => "same-pattern",
            Self::Subsumed => "subsumed",
            Self::Dead => "dead",
            Self::MatchesAllowed => "matches-allowed",
        }
    }
}

/// One thing that is wrong with one rule.
#[derive(Debug)]
pub struct Finding {
    kind: Kind,
    rule: String,
    place: Place,
    why: String,
}

impl Finding {
    fn of(rule: &Rule, kind: Kind, why: String) -> Self {
        Self { kind, rule: rule.name.clone(), place: rule.place.clone(), why }
    }

    /// For people: one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (file, line) = (self.place.file.display(), self.place.line);
        let (rule, kind) = (escape(&self.rule), self.kind.word());
        format!("{file}:{line}: {kind}: `{rule}`: {}\n", escape(&self.why))
    }

    /// For programs: one JSON object on a line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = self.place.file.display().to_string();
        let finding = json!({
            "kind": self.kind.word(), "rule": self.rule, "file": file, "line": self.place.line,
            "why": self.why,
        });
        format!("{}\n", escape_json(&finding.to_string()))
    }
}

/// Names that share nothing a rule could be after: what hits most of them hits nearly everything.
const ORDINARY: [&str; 8] = [
    "example.com",
    "mail.kirche-bad-homburg.de",
    "x7.q2zk.net",
    "a.b.c.d.cloud.jp",
    "2019.fishpond.co.uk",
    "www-3.vitte.fr",
    "_dmarc.organisation.org",
    "xn--80akhbyknj4f.xn--p1ai",
];

/// The rules that match each of the ordinary names: what they find is everything that is issued.
#[must_use]
pub fn matching_everything(engine: &Engine) -> Vec<&Rule> {
    let text = ORDINARY.map(|name| format!("{name}\n")).concat();
    let ends: Vec<u32> = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32).collect();
    let rules = &engine.rules().rules;
    let mut hit = vec![0; rules.len()];
    engine.hits(&text, &ends, &mut engine.scratch(), |_, found| hit[found.rule as usize] += 1);
    let all = ORDINARY.len();
    rules.iter().zip(hit).filter(|(_, hit)| *hit == all).map(|(rule, _)| rule).collect()
}

/// Everything that is wrong with the rules of an engine, in the order of the rules.
#[must_use]
pub fn findings(engine: &Engine) -> Vec<Finding> {
    let rules = engine.rules();
    let mut findings = Vec::new();
    let mut scratch = engine.scratch();
    let without: Vec<(&Rule, &str)> = engine.without_literal().collect();
    let subsumers = subsumed::subsumers(engine);
    let mut patterns = std::collections::HashMap::new();
    for (rule, index) in rules.rules.iter().zip(0..) {
        if is_dead(&rule.pattern) {
            let why = "no host name can match it".to_owned();
            findings.push(Finding::of(rule, Kind::Dead, why));
            continue;
        }
        let hits = |domain: &&&str, scratch: &mut _| engine.hits_rule(domain, index, scratch);
        let ordinary = ORDINARY.iter().filter(|domain| hits(domain, &mut scratch)).count();
        if 2 * ordinary > ORDINARY.len() {
            let why = format!("it matches {ordinary} of {} ordinary names", ORDINARY.len());
            findings.push(Finding::of(rule, Kind::TooBroad, why));
        } else if let Some((_, reason)) = without.iter().find(|(r, _)| r.hash == rule.hash) {
            let why = format!("every domain is tried against it: {reason}");
            findings.push(Finding::of(rule, Kind::NoLiteral, why));
        }
        if let Some(before) = patterns.insert(rule.pattern.written.as_str(), rule) {
            let why = format!("`{}` on line {} has this pattern", before.name, before.place.line);
            findings.push(Finding::of(rule, Kind::SamePattern, why));
        }
        if let Some(wider) = subsumers[index as usize] {
            let wider = &rules.rules[wider as usize];
            let (file, line) = (wider.place.file.display(), wider.place.line);
            let why = format!("whatever it matches, `{}` ({file}:{line}) matches too", wider.name);
            findings.push(Finding::of(rule, Kind::Subsumed, why));
        }
        for own in rules.allow.iter().filter(|own| engine.hits_pattern(own, index, &mut scratch)) {
            let why = format!("it matches `{own}`, which is on the allow list");
            findings.push(Finding::of(rule, Kind::MatchesAllowed, why));
        }
    }
    for (name, place) in &rules.repeated {
        findings.push(Finding {
            kind: Kind::Duplicate,
            rule: name.clone(),
            place: place.clone(),
            why: "the same name and pattern stand before it".to_owned(),
        });
    }
    findings
}

/// Whether every match would need a byte that no form of a domain holds.
fn is_dead(pattern: &Pattern) -> bool {
    let hir = match &pattern.syntax {
        Syntax::Regular(hir) | Syntax::Backtracking { outline: hir, .. } => hir,
        // Made of the bytes that domains hold.
        Syntax::Brand(_) => return false,
    };
    // What no A-label holds, a Unicode form may.
    let in_unicode = || !pattern.may_have_other_literals() || dead_in_unicode(pattern);
    needs_the_impossible(hir) && in_unicode()
}

fn dead_in_unicode(pattern: &Pattern) -> bool {
    pattern.unicode().is_none_or(|hir| needs_the_impossible(&hir))
}

fn needs_the_impossible(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(|byte| !is_possible(*byte)),
        HirKind::Class(Class::Bytes(class)) => {
            !class.ranges().iter().any(|range| (range.start()..=range.end()).any(is_possible))
        }
        HirKind::Repetition(repetition) => {
            repetition.min > 0 && needs_the_impossible(&repetition.sub)
        }
        HirKind::Capture(capture) => needs_the_impossible(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_the_impossible),
        HirKind::Alternation(parts) => parts.iter().all(needs_the_impossible),
        HirKind::Class(Class::Unicode(_)) | HirKind::Empty | HirKind::Look(_) => false,
    }
}

/// Whether a sanitised domain, or its Unicode form, can hold the byte.
fn is_possible(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Anchor, Loader, RuleEntry};
    use std::path::Path;

    fn kinds(patterns: &[&str], allow: &[&str]) -> Vec<(String, Kind)> {
        let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
        let mut loader = Loader::new(Anchor::Search);
        let entries: Vec<RuleEntry> = patterns.iter().map(entry).collect();
        loader.entries(&entries, Path::new("r.txt")).expect("rules compile");
        let allow: Vec<String> = allow.iter().map(|domain| (*domain).to_owned()).collect();
        loader.allow(&allow);
        let engine = Engine::build(loader.finish().expect("rules")).expect("builds");
        findings(&engine).into_iter().map(|found| (found.rule, found.kind)).collect()
    }

    #[test]
    fn each_fault_is_found_and_a_sound_rule_is_not() {
        let table = [
            (".", Kind::TooBroad),
            (r"\.[a-z]+$", Kind::TooBroad),
            ("^[0-9]{25,}", Kind::NoLiteral),
            ("pay pal", Kind::Dead),
            ("[!%]|paypal!", Kind::Dead),
        ];
        for (pattern, kind) in table {
            assert_eq!(kinds(&[pattern], &[]), [(pattern.to_owned(), kind)], "{pattern}");
        }
        let sound = ["paypal", "(secure|login).*bank", "é", "[éè]x", r"\p{Cyrillic}{3}", "ä(?=x)"];
        assert!(kinds(&sound[..2], &["example.com"]).is_empty());
        // What no A-label holds, a Unicode form may: such a rule is not dead.
        for pattern in sound {
            assert!(
                kinds(&[pattern], &[]).iter().all(|(_, kind)| *kind != Kind::Dead),
                "{pattern}"
            );
        }
    }

    #[test]
    fn json_shows_nothing_a_terminal_acts_on() {
        let place = Place { file: "r.yaml".into(), line: 1 };
        let rule = "n\u{9b}\u{202e}".to_owned();
        let finding = Finding { kind: Kind::Dead, rule, place, why: String::new() };
        let json = finding.to_json();
        assert!(json.contains(r#""n\u009b\u202e""#), "{json}");
    }

    #[test]
    fn repeats_and_own_domains_are_found() {
        assert_eq!(kinds(&["pay", "pay"], &[]), [("pay".to_owned(), Kind::Duplicate)]);
        let own = kinds(&["pay"], &["paypal.com", "example.com"]);
        assert_eq!(own, [("pay".to_owned(), Kind::MatchesAllowed)]);
    }
}
