//! What is found and what is not.

use super::*;
use crate::rule::{BrandEntry, Techniques};

fn brands(names: &[&str]) -> Vec<(RuleIndex, Arc<Brand>)> {
    let brand = |name: &&str| {
        let techniques = Techniques::ALL;
        let (name, own) = ((*name).to_owned(), vec![format!("{name}.com")]);
        let entry = BrandEntry { name, own, keywords: Vec::new(), techniques };
        Arc::new(Brand::new(&entry).expect("a brand"))
    };
    (0..).zip(names.iter().map(brand)).collect()
}

fn found(texts: &TokenTexts, lines: &[String]) -> Vec<Candidate> {
    let block: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    let ends: Vec<u32> = block.match_indices('\n').map(|(at, _)| at as u32).collect();
    let mut found = Vec::new();
    texts.candidates(block.as_bytes(), &ends, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

/// Every text of every brand, at the places where a line or a block begins and ends.
#[test]
fn every_text_is_found_wherever_it_stands() {
    let all = ["ing", "ebay", "apple", "icloud", "microsoft", "coca-cola", "a-b-c-d", "payypal"];
    for names in [&all[..1], &all[1..3], &all[3..5], &all] {
        let brands = brands(names);
        let texts = TokenTexts::new(brands.clone()).expect("few");
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        for (rule, brand) in &brands {
            brand.each_token_text(|text| {
                let text = std::str::from_utf8(text).expect("ASCII");
                let line = match lines.len() % 4 {
                    0 => format!("{text}.com"),
                    1 => format!("my-{text}.com"),
                    2 => format!("a.b-login.{text}.com"),
                    _ => format!("{text}.com.login-a.{text}.com"),
                };
                expected.push((lines.len() as u32, *rule));
                lines.push(line);
            });
        }
        let found = found(&texts, &lines);
        for candidate in expected {
            let line = &lines[candidate.0 as usize];
            assert!(found.binary_search(&candidate).is_ok(), "{candidate:?}: {line}");
            assert_eq!(found_in(&texts, line, candidate.1), [candidate.1], "{line}");
        }
    }
}

/// The same line as a block of its own, for the one rule.
fn found_in(texts: &TokenTexts, line: &str, rule: RuleIndex) -> Vec<RuleIndex> {
    let found = found(texts, &[line.to_owned()]).into_iter().map(|(_, rule)| rule);
    found.filter(|found| *found == rule).collect()
}

#[test]
fn what_is_far_from_every_brand_is_no_candidate() {
    let texts = TokenTexts::new(brands(&["microsoft", "paypal", "ing"])).expect("few");
    let lines = ["www.example.com", "soft-micro.de", "paypixel.com", "ign.de", "king.net", ""];
    assert_eq!(found(&texts, &lines.map(str::to_owned)), []);
    let none = TokenTexts::new(Vec::new()).expect("none");
    assert_eq!(found(&none, &["paypal.com".to_owned()]), []);
}

#[test]
fn beside_unusual_bytes_a_short_brand_is_looked_for_as_it_is() {
    let texts = TokenTexts::new(brands(&["ing", "paypal"])).expect("few");
    let lines = ["a.org", "shopping.com", "\u{e9}ing.com", "x.ing'x.com"];
    assert_eq!(found(&texts, &lines.map(str::to_owned)), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(found(&texts, &lines[..2].iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()), []);
}

#[test]
fn bytes_that_part_are_those_below_the_digits() {
    for byte in 0..=u8::MAX {
        let mut block = vec![b'a'; 200];
        block[130] = byte;
        block[7] = b'.';
        block[199] = b'\n';
        let mut found = Vec::new();
        each_parting(&block, |at| found.push(at));
        let expected: &[usize] = if byte < PARTING { &[7, 130, 199] } else { &[7, 199] };
        assert_eq!(found, expected, "{byte}");
    }
}
