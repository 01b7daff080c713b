//! Which literals patterns need, and which are refused.

use super::*;
use crate::rule::{Anchor, Pattern, Syntax};

fn literals(written: &str) -> Literals {
    match Pattern::parse(written, Anchor::Search).expect(written).syntax {
        Syntax::Regular(hir) => Literals::of(&hir),
        Syntax::Backtracking { outline, .. } => match Literals::of(&outline) {
            Literals::Exact(set) => Literals::Required(set),
            other => other,
        },
        Syntax::Brand(brand) => Literals::Required(brand.contained()),
    }
}

fn texts(set: &[Vec<u8>]) -> Vec<&str> {
    let mut texts: Vec<&str> =
        set.iter().map(|literal| std::str::from_utf8(literal).expect("text")).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn finite_patterns_are_exact() {
    let table: [(&str, &[&str]); 6] = [
        ("paypal", &["paypal"]),
        ("(?i)PayPal", &["paypal"]),
        ("dbsbank|dbs-bank", &["dbs-bank", "dbsbank"]),
        ("p[a4]yp[a4]l", &["p4yp4l", "p4ypal", "payp4l", "paypal"]),
        ("apple-?id", &["apple-id", "appleid"]),
        ("go{2,3}gle", &["google", "gooogle"]),
    ];
    for (written, expected) in table {
        match literals(written) {
            Literals::Exact(set) => assert_eq!(texts(&set), expected, "{written}"),
            other => panic!("{written}: {other:?}"),
        }
    }
}

#[test]
fn the_strongest_part_is_required() {
    let table: [(&str, &[&str]); 16] = [
        ("pu+bnub", &["ubnub"]),
        ("ecl+ick", &["eclick", "ecll"]),
        ("aub(u)+s", &["aubus", "aubuu"]),
        ("xk(?:ab){2,}c", &["xkabab"]),
        ("info.*(track|parcel|qqpost)", &["parcel", "qqpost", "track"]),
        ("qphone.*unlock|unlock.*qphone|unlock.*zzz", &["unlock"]),
        ("kr[a4][01]{7}", &["kr40", "kr41", "kra0", "kra1"]),
        (".*ab.*", &["ab"]),
        ("(secure|login|verify).*paypal", &["paypal"]),
        ("bank.*of.*america", &["america"]),
        ("(^|-)google|google(-|\\.)", &["google"]),
        (r"\bpaypal\b", &["paypal"]),
        (r"\.(tk|ml)$", &[".ml", ".tk"]),
        ("^(?!.*\\.paypal\\.com$).*paypal", &["paypal"]),
        ("(?:bank)+[a-z]{3}", &["bank"]),
        ("x?yz[a-z]*(?:sekure|lokin)", &["lokin", "sekure"]),
    ];
    for (written, expected) in table {
        match literals(written) {
            Literals::Required(set) => assert_eq!(texts(&set), expected, "{written}"),
            other => panic!("{written}: {other:?}"),
        }
    }
}

#[test]
fn too_many_variants_keep_those_of_the_end() {
    let Literals::Required(set) = literals("[ab]x[cd]x[ef]x[gh]x[ij]x[kl]x[mn]xjj.*") else {
        panic!("there are 128")
    };
    assert!(set.len() <= MAX_LITERALS && set.iter().all(|literal| literal.len() > 10));
}

#[test]
fn no_literal_reaches_into_the_next_domain() {
    let Literals::Exact(set) = literals(r"pay[\s-]pal") else { panic!("it is finite") };
    assert!(set.iter().all(|literal| !literal.contains(&b'\n')));
    assert!(matches!(literals(r"\n"), Literals::None { .. }));
}

#[test]
fn a_long_list_of_words_is_exact() {
    let words: Vec<String> = (0..400).map(|n| format!("brand{n:03}x")).collect();
    let Literals::Exact(set) = literals(&words.join("|")) else { panic!("it is finite") };
    assert_eq!(set.len(), 400);
}

#[test]
fn copies_beyond_the_length_of_a_domain_are_not_counted_out() {
    // Nothing, four thousand million times: this ends at once, or the test never does.
    for written in ["(?:[é]?){4000000000}", "[é]{0,4000000000}"] {
        assert!(matches!(literals(written), Literals::None { .. }), "{written}");
    }
}

#[test]
fn a_refusal_says_why() {
    for written in ["^[0-9]{6,}\\.", ".", "^[a-z0-9]{25,}\\.", "a*", "x|", "[0-9]+", "(?!a)b*"] {
        assert!(matches!(literals(written), Literals::None { .. }), "{written}");
    }
    let Literals::None { reason } = literals("x") else { panic!("one byte is refused") };
    assert_eq!(reason, "its shortest required literal is only `x`");
}
