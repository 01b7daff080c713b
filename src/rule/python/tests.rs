//! What Python's spellings become, and what the results match.

use regex_automata::meta::Regex;

use super::*;
use crate::rule::{Anchor, Pattern, Syntax, fancy};

fn rust(written: &str) -> String {
    rewrite(written).unwrap_or_else(|fault| panic!("{written}: {fault:?}")).pattern
}

#[test]
fn python_spellings_become_rust_ones() {
    let table = [
        (r"com\Z", r"com\z"),
        (r"(?P<a>x)(?P=a)", r"(?P<a>x)(?:\k<a>)"),
        (r"(x)\1", r"(x)(?:\1)"),
        (r"(x)\10", r"(x)(?:\10)"),
        ("a{,3}", "a{0,3}"),
        ("a{2,}", "a{2,}"),
        ("a{2}", "a{2}"),
        ("a{,}", "a{0,}"),
        ("{", r"\{"),
        ("a{b}", r"a\{b\}"),
        ("a{}", r"a\{\}"),
        ("a{1", r"a\{1"),
        ("[a[b]", r"[a\[b]"),
        ("[]a]", r"[\]a]"),
        ("[^]a]", r"[^\]a]"),
        ("[a&&b]", r"[a\&\&b]"),
        ("[a--b]", r"[a-\-b]"),
        ("[a~~b|c]", r"[a\~\~b\|c]"),
        ("[a-z-9]", r"[a-z\-9]"),
        ("[-a]", r"[\-a]"),
        ("[a-]", r"[a\-]"),
        (r"[\w.-]", r"[\w\.\-]"),
        (r"[\b]", r"[\x08]"),
        ("[[:alpha:]_]", r"[[:alpha:]\_]"),
        ("(?a)x", "x"),
        ("(?u)x", "x"),
        ("(?ai)x", "x"),
        ("(?a:x)", "(?:x)"),
        ("(?i:x)", "(?:x)"),
        ("(?#why)x", "x"),
        ("(?x) a b # c", "ab"),
        ("(?x:a b)c d", "(?:ab)c d"),
        ("(?x)(a b)(?-x:c d) e", "(ab)(?:c d)e"),
        ("(?-i:Pay)", "(?:Pay)"),
        ("(?s-i:x)(?sm-i:y)", "(?s:x)(?sm:y)"),
        ("(?i-s:x)", "(?-s:x)"),
        ("(a)?(?(1)b|c)", "(a)?(?(1)(?=)b|c)"),
        ("(?P<n>a)?(?(n)b)", "(?P<n>a)?(?(<n>)(?=)b)"),
        (r"\012", r"\x{a}"),
        (r"\0", r"\x{0}"),
        (r"pay\-pal\/\_", r"pay\-pal\/\_"),
        ("a]b}", r"a\]b\}"),
        ("pay-pal", r"pay\-pal"),
        (r"\bpay\b", r"\bpay\b"),
        ("a+?b*?", "a+?b*?"),
        (r"\p{Greek}\b{start}", r"\p{Greek}\b{start}"),
        (r"(?<n>a)", r"(?<n>a)"),
        (r"^(?:[^.]+\.)*x$", r"^(?:[^\.]+\.)*x$"),
    ];
    for (written, expected) in table {
        assert_eq!(rust(written), expected, "{written}");
    }
}

#[test]
fn tells_what_needs_backtracking() {
    for hard in ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?>a)", "a++", "(a)?(?(1)b|c)"]
    {
        assert!(rewrite(hard).expect(hard).backtracking, "{hard}");
    }
    for easy in ["a+?", "(?:a)", "(?i)a", "(?P<n>a)", "[(?=)]", r"\(\?="] {
        assert!(!rewrite(easy).expect(easy).backtracking, "{easy}");
    }
}

#[test]
fn faults_name_their_column() {
    let table = [
        ("abc\\", 4),
        ("ab[c", 3),
        ("a**", 2),
        (r"x\N{BULLET}", 2),
        ("(?Pq)", 1),
        ("(?L)", 1),
        ("ab(?#why", 3),
        ("a(?)", 2),
        (r"a\400", 2),
        (r"a[b\777]", 4),
        ("(a)(?(1+)b)", 4),
        ("(?P=a", 1),
        ("b(?(1)a)", 2),
        ("(?:b)(?P<n>c)(?(2)a)", 14),
        ("(b)(?(0)a)", 4),
        ("(b)(?(99999999999999999999)a)", 4),
    ];
    for (written, column) in table {
        assert_eq!(rewrite(written).expect_err(written).column, column, "{written}");
    }
}

/// Patterns with a domain in which Python 3.11's `re.search` finds them, ignoring case, and one in
/// which it does not.
const FOUND: &[(&str, &str, &str)] = &[
    (r"com\Z", "paypal.com", "com.de"),
    (r"\Apay", "pay.de", "xpay.de"),
    (r"(?P<l>[a-z])(?P=l)\.", "aa.de", "ab.de"),
    (r"([a-z])\1\1", "xaaa.de", "xaab.de"),
    (r"(x)y\1?1", "xyx1.de", "xy.x1de"),
    ("^a{,2}b", "aab.de", "aaab.de"),
    ("^a{,}b", "aaab.de", "ca.b"),
    ("^a{2,}b", "aaab.de", "ab.de"),
    ("a{x}|b{|}c|d{1,|pay", "pay.de", "ad.de"),
    ("[[a]b", "ab.de", "b.de"),
    (r"^[]a]+\.", "a.de", "b.de"),
    (r"^[^]a]+\.", "b.de", "a.de"),
    (r"^[a&&b]+\.", "ab.de", "c.de"),
    (r"^[a~~b]+\.", "ab.de", "c.de"),
    ("^[+--]+pay", "-pay.de", "apay.de"),
    (r"^[\w-]+\.de$", "a-b.de", "a.b.de"),
    (r"^[.\-a]+\.x$", "a-a.x", "b.x"),
    (r"^[\b1]+\.", "1.de", "b.de"),
    (r"^[\141-\143]+\.", "abc.de", "d.de"),
    (r"\141\x62\u0063", "abc.de", "141.de"),
    (r"\055pay", "x-pay.de", "pay.de"),
    ("(?i)PAYPAL", "paypal.com", "pay.com"),
    (r"(?a)\w+é|pay", "pay.de", "ab.de"),
    ("(?u)pay", "pay.de", "ab.de"),
    ("(?ims)^PAY.PAL$", "pay.pal", "xpay.pal"),
    ("pay(?#no brand)pal", "paypal.de", "pay.de"),
    ("(?x) ^ pay [ ]? pal  # the brand\n \\.", "paypal.de", "pay.pal.de"),
    ("(?x:p a y)-(?x: p a l )", "pay-pal.de", "pay-al.de"),
    (r#"p\a*\-*\/*\_*\"*ay"#, "p-_ay.de", "p.ay.de"),
    (r"\bpay\b", "a-pay.de", "apay.de"),
    (r"pay\B", "paypal.de", "pay.de"),
    ("pay(?!pal)", "pay.de", "paypal.de"),
    ("pay(?=pal)", "paypal.de", "pay.de"),
    ("(?<!my)bank", "thebank.de", "mybank.de"),
    ("(?<=my)bank", "mybank.de", "bank.de"),
    ("^(?>a|ab)c", "ac.de", "abc.de"),
    ("^[a-z]++-", "ab-c.de", "abc.de"),
    ("^a?+ab", "aab.de", "ab.de"),
    ("^(?:a){1,2}+ab", "aaab.de", "aab.de"),
    (r"^(a)?(?(1)b|c)\.", "ab.de", "b.de"),
    (r"^(?P<w>a)?(?(w)b|c)\.", "c.de", "ac.de"),
    (r"^(?P<w>a)?(?(w)b)\.", "ab.de", "a.de"),
    (r"^(?P<w>a)?x(?(w)(?#nothing)|y)\.", "ax.de", "x.de"),
    (r"^(?P<w>a)?x(?(w)(?#nothing))\.", "x.de", "y.de"),
    (r"a|b|^c\.", "c.de", "xc.de"),
    (r"\d{2,3}?x", "12x.de", "1x.de"),
    (r"^\S+\W\D$", "ab.c", "ab.1"),
];

#[test]
fn what_python_finds_is_found() {
    for (written, hit, miss) in FOUND {
        let parsed = Pattern::parse(written, Anchor::Search).expect(written);
        let finds = |domain: &str| match &parsed.syntax {
            Syntax::Regular(hir) => {
                Regex::builder().build_from_hir(hir).expect(written).is_match(domain)
            }
            Syntax::Backtracking { pattern, .. } => {
                fancy(pattern).expect(written).is_match(domain).expect("within the step limit")
            }
            Syntax::Brand(_) => panic!("{written} is a regex"),
        };
        assert!(finds(hit), "{written} on {hit}");
        assert!(!finds(miss), "{written} on {miss}");
    }
}

#[test]
fn columns_lead_back_to_the_written_pattern() {
    let rewritten = rewrite("é{x}(y").expect("rewrites");
    assert_eq!(rewritten.pattern, r"é\{x\}(y");
    let paren = rewritten.pattern.find('(').expect("stands there");
    assert_eq!(rewritten.column(paren), 5);
}
