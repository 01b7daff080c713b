//! Brands beside plain rules: as many, of the same words.

use std::time::Instant;

use certstream::matcher::Engine;
use certstream::rule::{BrandEntry, RuleEntry, RuleSet, Techniques};

use crate::contenders::Contender;
use crate::{DOMAINS, compare, corpus};

/// Makes so many rules.
type Rules = fn(usize) -> RuleSet;

/// Prints the table; with `only`, runs the contenders whose names begin so, for a profile.
pub fn beside_plain_rules(count: usize, only: Option<&String>) {
    let sets: [(&str, Rules); 3] = [
        ("plain rules of the words", |count| of_words(count, pattern)),
        ("rules of the corpus with a literal", |count| corpus::with_literal(&corpus::rules(count))),
        ("brands of the words", rules),
    ];
    let mut contenders = Vec::new();
    for (name, rules) in sets {
        if only.is_some_and(|only| !name.starts_with(only.as_str())) {
            continue;
        }
        let start = Instant::now();
        let engine = Engine::build(rules(count)).expect("builds");
        let literals = engine.literals().len();
        println!("{name}: {literals} literals, loaded in {:.2?}", start.elapsed());
        contenders.push(Contender::engine(format!("{name}, {:?}", engine.regime()), engine));
    }
    let blocks = corpus::blocks_of(&corpus::domains(DOMAINS));
    println!("\n### {count} brands beside {count} plain rules, names as they come\n");
    compare(&mut contenders, &blocks);
}

/// So many brands.
pub fn rules(count: usize) -> RuleSet {
    of_words(count, brand)
}

fn of_words(count: usize, entry: fn(String) -> RuleEntry) -> RuleSet {
    let words = corpus::watch_words(count);
    assert_eq!(words.len(), count, "the corpus has fewer watch words");
    corpus::entries(&words.into_iter().map(entry).collect::<Vec<_>>())
}

fn pattern(pattern: String) -> RuleEntry {
    RuleEntry { pattern, ..RuleEntry::default() }
}

fn brand(name: String) -> RuleEntry {
    let techniques = Techniques::ALL;
    let rule_name = Some(name.clone());
    let brand = BrandEntry { name, own: Vec::new(), keywords: Vec::new(), techniques };
    RuleEntry { name: rule_name, brand: Some(brand), ..RuleEntry::default() }
}
