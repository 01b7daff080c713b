//! The outline of a pattern with look-around: a regular expression that matches wherever the
//! pattern may.
//!
//! Owns one promise: never narrower than the pattern. Literals are taken from the outline, so a
//! part that need not stand in a match (a look-around, whatever a back-reference or a condition
//! decides) must not contribute any.

use fancy_regex::{AstNode, BacktrackingControlVerb, Expr};
use regex_syntax::hir::{Hir, Repetition};

use super::pattern::{anything, parser};

/// The outline of `pattern`, in `fancy-regex` syntax.
pub(super) fn of(pattern: &str) -> Hir {
    match Expr::parse_tree(pattern) {
        // Accepting early makes everything behind it optional.
        Ok(tree) if !tree.expr.has_descendant_or_self(accepts_early) => outline(&tree.expr),
        _ => anything(),
    }
}

fn accepts_early(expr: &Expr) -> bool {
    matches!(expr, Expr::BacktrackingControlVerb(BacktrackingControlVerb::Accept))
}

fn outline(expr: &Expr) -> Hir {
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

fn parsed(pattern: &str) -> Hir {
    let parse = |unicode| parser(unicode).parse(pattern).ok();
    parse(false).or_else(|| parse(true)).unwrap_or_else(anything)
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
