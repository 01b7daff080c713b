//! Look-alike digits and pairs, written into a pattern: `paypal` also finds `paypa1`.
//!
//! Owns the widening of a syntax tree. What looks alike beyond ASCII is the look-alike view's
//! business; a plain name pays nothing for this, because the rule is widened and not the name.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Repetition};

/// Single characters that pass for each other.
const ALIKE: [&[u8]; 2] = [b"0o", b"1il"];
/// Pairs that pass for one character.
const PAIRS: [(&[u8; 2], u8); 2] = [(b"rn", b'm'), (b"vv", b'w')];
/// Members up to which a class is widened. Beyond, it says which characters are meant by their
/// kind (`[a-z]`, `[^0]`), and not by their looks.
const MAX_CLASS: usize = 10;

/// The same pattern, in which each `o` is also `0`, each of `l`, `i`, `1` any of them, `m` also
/// `rn` and `w` also `vv`, and all of it the other way round. Expects a tree in byte mode.
pub(super) fn widened(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Literal(literal) => text(&literal.0),
        HirKind::Class(Class::Bytes(bytes)) => class(bytes),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(widened(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(widened).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(widened).collect()),
        HirKind::Capture(capture) => widened(&capture.sub),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => hir.clone(),
    }
}

fn text(bytes: &[u8]) -> Hir {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        let pair = PAIRS.iter().find(|(pair, _)| rest.starts_with(*pair));
        if let Some((pair, one)) = pair {
            parts.push(either(*one, pair));
            rest = &rest[pair.len()..];
        } else {
            parts.push(class(&ClassBytes::new([ClassBytesRange::new(first, first)])));
            rest = behind;
        }
    }
    Hir::concat(parts)
}

fn either(one: u8, pair: &[u8; 2]) -> Hir {
    Hir::alternation(vec![Hir::literal([one]), Hir::literal(*pair)])
}

fn class(class: &ClassBytes) -> Hir {
    let members: Vec<u8> =
        class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect();
    if members.len() > MAX_CLASS {
        return Hir::class(Class::Bytes(class.clone()));
    }
    let mut wider = class.clone();
    let alike = ALIKE.iter().filter(|alike| alike.iter().any(|byte| members.contains(byte)));
    for byte in alike.copied().flatten() {
        wider.push(ClassBytesRange::new(*byte, *byte));
    }
    let mut choices = vec![Hir::class(Class::Bytes(wider))];
    let pairs = PAIRS.iter().filter(|(_, one)| members.contains(one));
    choices.extend(pairs.map(|(pair, _)| Hir::literal(**pair)));
    Hir::alternation(choices)
}

#[cfg(test)]
mod tests {
    use crate::rule::{Anchor, Pattern, Syntax};
    use regex_automata::meta::Regex;

    fn matches(written: &str, domain: &str) -> bool {
        let pattern = Pattern::parse(written, Anchor::Search).and_then(Pattern::widened);
        let Syntax::Regular(hir) = pattern.expect(written).syntax else { panic!("{written}") };
        Regex::builder().build_from_hir(&hir).expect(written).is_match(domain)
    }

    #[test]
    fn what_looks_alike_matches_both_ways() {
        for (written, domain) in [
            ("paypal", "paypa1.com"),
            ("paypa1", "paypai.com"),
            ("^google$", "g00g1e"),
            ("microsoft", "rnicr0soft.com"),
            ("born", "b0m.de"),
            ("tvvitter", "twitter.com"),
            ("wells(fargo)?", "vve11sfarg0.com"),
            ("[mx]ail", "rnail.com"),
            ("P[ao]yPal", "p0ypa1.com"),
        ] {
            assert!(matches(written, domain), "{written}: {domain}");
            assert!(!matches(written, "example.net"), "{written}");
        }
    }

    #[test]
    fn a_class_that_means_a_kind_of_character_stays() {
        assert!(!matches("^x[a-z]y$", "x0y") && !matches("^x[^0]y$", "x0y"));
        assert!(matches("^x[^0]y$", "xoy"));
    }
}
