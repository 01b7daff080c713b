//! Any rules over any names: in every view, prefilter and verify find what a plain search finds,
//! however the literals are looked for.
//!
//! The input is patterns, one a line, then a blank line, then names. A line that begins `brand ` is
//! a brand's name. A name may be written in Unicode; a label that no registry would have is encoded
//! as it stands.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use certstream::domain::{Forms, Views, sanitise};
use certstream::matcher::{Engine, Plain, Regime};
use certstream::rule::{Anchor, BrandEntry, Loader, RuleEntry, Syntax, Techniques};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Some((patterns, names)) = input.split_once("\n\n") else { return };
    let mut loader = Loader::new(Anchor::Search);
    for pattern in patterns.lines().take(8) {
        // What does not compile is the rule target's business.
        let _ = loader.entries(&[entry(pattern)], Path::new("fuzz"));
    }
    let Ok(rules) = loader.finish() else { return };
    // As the number of literals has it, or one way of looking for them, by what the input holds: to
    // build an engine takes most of the time.
    let sum = input.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31) + usize::from(byte));
    let regime = Regime::all().nth(sum % (Regime::all().count() + 1));
    let Ok(engine) = Engine::build_in(rules, regime) else { return };

    let (mut block, mut ends) = (Vec::new(), Vec::new());
    for name in names.lines().take(16) {
        if sanitise(&encoded(name), &mut block).is_ok() {
            ends.push(block.len() as u32);
            block.push(b'\n');
        }
    }
    let block = std::str::from_utf8(&block).expect("domains are ASCII");
    let found = found(&engine, block, &ends);
    for (index, domain) in block.lines().enumerate() {
        let others = Forms::of(domain);
        let forms: Vec<(Views, &str)> =
            std::iter::once((Views::A_LABEL, domain)).chain(others.iter()).collect();
        // The look-alike view may have two.
        for of_view in forms.chunk_by(|one, other| one.0 == other.0) {
            let view = of_view[0].0;
            let texts = || of_view.iter().map(|(_, form)| *form);
            for (rule, number) in engine.rules().rules.iter().zip(0..) {
                let hit = found.get(&(index, number)).copied().unwrap_or_default();
                let hit = hit.union(view) == hit;
                if let Syntax::Brand(brand) = &rule.pattern.syntax {
                    let passes = texts().any(|form| brand.judge(form).is_some());
                    let passes = passes && !brand.owns(domain);
                    assert_eq!(hit, passes, "{} ~ {of_view:?}, {regime:?}", rule.name);
                    continue;
                }
                let matched: Option<Vec<bool>> = texts()
                    .map(|form| {
                        let found = Plain::of_form(&rule.pattern, form)?.find(form).ok()?;
                        Some(found.is_some())
                    })
                    .collect();
                if let Some(matched) = matched {
                    let expected = matched.contains(&true);
                    let written = &rule.pattern.written;
                    assert_eq!(hit, expected, "{written} ~ {of_view:?}, {regime:?}");
                }
            }
        }
    }
});

/// The rule that a line stands for.
fn entry(line: &str) -> RuleEntry {
    let Some(name) = line.strip_prefix("brand ") else {
        return RuleEntry { pattern: line.to_owned(), ..RuleEntry::default() };
    };
    let brand = BrandEntry {
        name: name.to_owned(),
        own: vec![format!("{}.com", name.to_ascii_lowercase())],
        keywords: vec!["xoom".to_owned()],
        techniques: Techniques::ALL,
    };
    RuleEntry {
        name: Some(line.to_owned()),
        pattern: line.to_owned(),
        brand: Some(brand),
        ..RuleEntry::default()
    }
}

/// By domain and rule: the views of what hits.
fn found(engine: &Engine, block: &str, ends: &[u32]) -> BTreeMap<(usize, u32), Views> {
    let mut found = BTreeMap::new();
    engine.hits(block, ends, &mut engine.scratch(), |domain, hit| {
        let repeated = found.insert((domain, hit.rule), hit.views);
        assert!(repeated.is_none(), "told twice");
    });
    found
}

/// `name` with each label that is not ASCII as Punycode, whatever is in it.
fn encoded(name: &str) -> String {
    let labels: Vec<String> = name
        .split('.')
        .map(|label| match idna::punycode::encode_str(&label.to_lowercase()) {
            Some(punycode) if !label.is_ascii() => format!("xn--{punycode}"),
            _ => label.to_owned(),
        })
        .collect();
    labels.join(".")
}
