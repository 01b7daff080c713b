//! Rules that another rule makes needless: whatever they match, it matches too.
//!
//! Owns the proof, which is one-sided: a rule it names is subsumed, one it does not name may still
//! be. It rests on the literals: every match of a rule contains one of its literals, so another
//! rule that matches each of these texts, and goes on matching whatever surrounds them, matches
//! wherever the first does.

use crate::matcher::{Called, Engine, Miss, Scratch};
use crate::rule::{Rule, RuleIndex, Scope, Syntax};

/// By rule: the first other rule that matches whatever it matches. Of rules that match the same,
/// the first is kept; rules with the same pattern are another finding's business.
pub(super) fn subsumers(engine: &Engine) -> Vec<Option<RuleIndex>> {
    let rules = &engine.rules().rules;
    let mut scratch = engine.scratch();
    let wider: Vec<Vec<RuleIndex>> =
        (0..).zip(rules).map(|(index, rule)| wider(engine, index, rule, &mut scratch)).collect();
    let subsumer = |(index, wider_ones): (RuleIndex, &Vec<RuleIndex>)| {
        let keeps =
            |other: &&RuleIndex| **other < index || !wider[**other as usize].contains(&index);
        wider_ones.iter().find(keeps).copied()
    };
    (0..).zip(&wider).map(subsumer).collect()
}

/// The other rules that match every text that `rule` needs, ascending.
fn wider(engine: &Engine, index: RuleIndex, rule: &Rule, scratch: &mut Scratch) -> Vec<RuleIndex> {
    let mut wider: Option<Vec<RuleIndex>> = None;
    for literal in engine.required(index).unwrap_or_default() {
        // A literal that is no text stands in no domain.
        let Ok(text) = std::str::from_utf8(literal) else { continue };
        let called = Called { domain: text, unicode: None };
        let mut of_text = engine.candidates(text, scratch);
        if let Some(others) = &wider {
            of_text.retain(|other| others.contains(other));
        }
        of_text.retain(|other| {
            let candidate = &engine.rules().rules[*other as usize];
            *other != index
                && candidate.pattern.written != rule.pattern.written
                && matches_whatever_surrounds(candidate)
                && engine.required(*other).is_some()
                && engine.judge(called, text, *other, scratch) != Err(Miss::Pattern)
        });
        wider = Some(of_text);
    }
    wider.unwrap_or_default()
}

/// Whether a text that the rule matches makes it match every domain that contains the text:
/// nothing in its pattern looks at what is around, nothing is excluded, and it
/// is tried on all of the domain.
fn matches_whatever_surrounds(rule: &Rule) -> bool {
    match &rule.pattern.syntax {
        Syntax::Regular(hir) => {
            hir.properties().look_set().is_empty()
                && rule.exclude.is_empty()
                && rule.scope == Scope::Domain
        }
        Syntax::Backtracking { .. } | Syntax::Brand(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Anchor, Loader, RuleEntry};
    use std::path::Path;

    fn of(patterns: &[&str]) -> Vec<Option<RuleIndex>> {
        let entry = |p: &&str| RuleEntry { pattern: (*p).to_owned(), ..RuleEntry::default() };
        let entries: Vec<RuleEntry> = patterns.iter().map(entry).collect();
        let mut loader = Loader::new(Anchor::Search);
        loader.entries(&entries, Path::new("r.txt")).expect("rules compile");
        subsumers(&Engine::build(loader.finish().expect("rules")).expect("builds"))
    }

    #[test]
    fn a_rule_that_another_always_matches_too_names_it() {
        let narrow = [
            "paypal-login",
            "^paypal",
            "(secure|login).*paypal",
            r"paypal\.(com|net)$",
            "paypal(?!x)",
            "mypaypal|paypals",
            "p[a]ypal-x",
        ];
        for narrow in narrow {
            assert_eq!(of(&["paypal", narrow]), [None, Some(0)], "{narrow}");
            assert_eq!(of(&[narrow, "paypal"]), [Some(1), None], "{narrow}");
        }
        assert_eq!(of(&["pay[a-z]al", "paypal"]), [None, Some(0)]);
        assert_eq!(of(&["p[a4]ypal", "paypal.*login", "p4ypal"]), [None, Some(0), Some(0)]);
    }

    #[test]
    fn a_rule_that_may_match_alone_names_none() {
        for wide in ["^pay", "pay(?!s)", r"\bpay", "pay-", "pay[0-9]al"] {
            assert_eq!(of(&[wide, "paypal"]), [None, None], "{wide}");
        }
        // One of two texts it needs is not enough.
        assert_eq!(of(&["paypal", "paypal-x|icloud"]), [None, None]);
        // In a Unicode form it may match what holds no `munchen`.
        assert_eq!(of(&["munchen", "m[uü]nchen"]), [None, None]);
        // What has no literal is not what makes others needless: it is a fault of its own.
        assert_eq!(of(&["[a-z]+", "paypal"]), [None, None]);
    }

    #[test]
    fn of_rules_that_match_the_same_the_first_stays() {
        assert_eq!(of(&["ab|cd", "cd|ab", "(cd|ab)"]), [None, Some(0), Some(0)]);
    }

    #[test]
    fn an_exclude_keeps_a_rule_from_standing_for_another() {
        let entries = [
            RuleEntry {
                pattern: "pay".to_owned(),
                exclude: vec!["paypal".to_owned()],
                ..RuleEntry::default()
            },
            RuleEntry { pattern: "paypal".to_owned(), ..RuleEntry::default() },
        ];
        let mut loader = Loader::new(Anchor::Search);
        loader.entries(&entries, Path::new("r.yaml")).expect("rules compile");
        let engine = Engine::build(loader.finish().expect("rules")).expect("builds");
        assert_eq!(subsumers(&engine), [None, None]);
    }
}
