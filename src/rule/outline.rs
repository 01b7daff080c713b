//! The outline of a pattern with look-around: a regular expression that matches wherever the
//! pattern may.
//!
//! Owns one promise: never narrower than the pattern. Literals are taken from the outline, so a
//! part that need not stand in a match (a look-around, whatever a back-reference or a condition
//! decides) must not contribute any.

use fancy_regex::{AstNode, BacktrackingControlVerb, Expr};
use regex_syntax::hir::{Hir, Repetition};

use super::pattern::{anything, parser};

/// How the parts of a pattern are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// In byte mode; in Unicode mode those that need it.
    Bytes,
    /// In Unicode mode.
    Unicode,
}

/// The outline of `pattern`, in `fancy-regex` syntax.
pub(super) fn of(pattern: &str, mode: Mode) -> Hir {
    match Expr::parse_tree(pattern) {
        // Accepting early makes everything behind it optional.
        Ok(tree) if !tree.expr.has_descendant_or_self(accepts_early) => outline(&tree.expr, mode),
        _ => anything(),
    }
}

fn accepts_early(expr: &Expr) -> bool {
    matches!(expr, Expr::BacktrackingControlVerb(BacktrackingControlVerb::Accept))
}

fn outline(expr: &Expr, mode: Mode) -> Hir {
    let outline = |expr: &Expr| outline(expr, mode);
    let parsed = |pattern: &str| parsed(pattern, mode);
    match expr {
        Expr::Empty | Expr::Assertion(_) | Expr::LookAround(..) | Expr::KeepOut => Hir::empty(),
        Expr::Literal { val, .. } => parsed(&regex_syntax::escape(val)),
        Expr::Delegate { inner, .. } => parsed(inner),
        Expr::Concat(parts) => Hir::concat(parts.iter().map(outline).collect()),
        Expr::Alt(parts) => Hir::alternation(parts.iter().map(outline).collect()),
        Expr::Group(inner) => outline(inner),
        Expr::AtomicGroup(inner) => outline(inner),
        Expr::AstNode(AstNode::AstGroup { inner, .. }, _) => outline(inner),
        Expr::Repeat { child, lo, hi, greedy } => repeated(outline(child), *lo, *hi, *greedy),
        _ => anything(),
    }
}

fn parsed(pattern: &str, mode: Mode) -> Hir {
    let parse = |unicode| parser(unicode).parse(pattern).ok();
    let bytes = if mode == Mode::Bytes { parse(false) } else { None };
    bytes.or_else(|| parse(true)).unwrap_or_else(anything)
}

fn repeated(sub: Hir, least: usize, most: usize, greedy: bool) -> Hir {
    let bound = |n: usize| u32::try_from(n).ok();
    match (bound(least), bound(most)) {
        (Some(min), most) => {
            Hir::repetition(Repetition { min, max: most, greedy, sub: Box::new(sub) })
        }
        (None, _) => anything(),
    }
}

#[cfg(test)]
mod tests {
    use regex_automata::meta::Regex;

    use crate::rule::{Anchor, Pattern, Syntax, fancy};

    /// Patterns in which something that need not stand in a match is easily taken for required.
    const PATTERNS: [&str; 22] = [
        "pay(?=pal)",
        "(?!www)pay",
        "(?<=secure-)pay|bank",
        r"^(?!.*\.paypal\.com$).*paypal",
        r"(pay|bank)-\1",
        r"(?P<a>pay|bank)-(?P=a)",
        "(?>pay|paypal)pal",
        "(?:pay)?+pal",
        "[a-z]++-",
        "(?P<a>pay)?(?(a)pal|bank)",
        "(secure-)?(?(1)pay|bank)",
        "(?(1)x|pay)(x)?",
        "(?:pay(?!pal)|bank){1,2}",
        r"(?:(?!-)[\w.])+$",
        "(?-i:[^P])ay(?!x)",
        "(?-i:PAY)(?=-)",
        r"pay\Kpal(?=x)|bank(?=-)",
        r"\Gpay(?=-)",
        r"(?s).(?=ay)",
        r"[^\W_]+(?<!x)",
        r"(?=\bpay)|(?!)",
        r"(a{0})(?=.)|é(?!a)",
    ];
    const DOMAINS: [&str; 9] = [
        "pay.com",
        "paypal.com",
        "secure-pay.de",
        "pay-pay.org",
        "bank-bank.bank",
        "secure-bank.a",
        "www.paypalx.com",
        "x-1.example",
        "okay.b",
    ];

    #[test]
    fn is_never_narrower_than_the_pattern() {
        for written in PATTERNS {
            for anchor in [Anchor::Search, Anchor::Start] {
                let parsed = Pattern::parse(written, anchor).expect(written);
                let Syntax::Backtracking { pattern, outline } = parsed.syntax else {
                    panic!("{written} needs backtracking")
                };
                let exact = fancy(&pattern).expect(written);
                let outline = Regex::builder().build_from_hir(&outline).expect(written);
                let found = DOMAINS.iter().filter(|domain| {
                    let found = exact.is_match(domain).expect("within the step limit");
                    assert!(!found || outline.is_match(domain), "{written} on {domain}");
                    found
                });
                // Of a pattern that finds nothing every outline is wide enough.
                assert!(found.count() > 0 || anchor == Anchor::Start, "{written}");
            }
        }
    }

    #[test]
    fn keeps_what_every_match_holds() {
        let table = [
            (r"^(?!.*\.paypal\.com$).*paypal", "paypal.com", "example.com"),
            ("(?<![a-z])flickr(?![a-z])", "xflickr.de", "flick.de"),
            (r"(?:bank)(\w)\1", "banks", "ban.k"),
        ];
        for (written, inside, outside) in table {
            let parsed = Pattern::parse(written, Anchor::Search).expect(written);
            let Syntax::Backtracking { outline, .. } = parsed.syntax else {
                panic!("{written} needs backtracking")
            };
            let outline = Regex::builder().build_from_hir(&outline).expect(written);
            assert!(outline.is_match(inside) && !outline.is_match(outside), "{written}");
        }
    }
}
