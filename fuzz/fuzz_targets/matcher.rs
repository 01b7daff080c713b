//! Any rules over any names: prefilter and verify find what a plain search finds.
//!
//! The input is patterns, one a line, then a blank line, then names.

#![no_main]

use std::collections::BTreeSet;
use std::path::Path;

use certstream::domain::sanitise;
use certstream::matcher::{Engine, Plain};
use certstream::rule::{Anchor, Loader, RuleEntry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Some((patterns, names)) = input.split_once("\n\n") else { return };
    let mut loader = Loader::new(Anchor::Search);
    for pattern in patterns.lines().take(8) {
        let entry = RuleEntry { pattern: pattern.to_owned(), ..RuleEntry::default() };
        // What does not compile is the rule target's business.
        let _ = loader.entries(&[entry], Path::new("fuzz"));
    }
    let Ok(rules) = loader.finish() else { return };
    let Ok(engine) = Engine::build(rules) else { return };

    let (mut block, mut ends) = (Vec::new(), Vec::new());
    for name in names.lines().take(16) {
        if sanitise(name, &mut block).is_ok() {
            ends.push(block.len() as u32);
            block.push(b'\n');
        }
    }
    let block = std::str::from_utf8(&block).expect("domains are ASCII");
    let mut found = BTreeSet::new();
    engine.hits(block, &ends, &mut engine.scratch(), |domain, hit| {
        assert!(found.insert((domain, hit.rule)), "told twice");
    });
    for (index, domain) in block.lines().enumerate() {
        for (rule, number) in engine.rules().rules.iter().zip(0..) {
            let Some(plain) = Plain::new(&rule.pattern.syntax) else { continue };
            if let Ok(matched) = plain.find(domain) {
                let hit = found.contains(&(index, number));
                assert_eq!(hit, matched.is_some(), "{} ~ {domain}", rule.pattern.written);
            }
        }
    }
});
