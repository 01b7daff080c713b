//! The rendering of a profile: what each rule cost and brought on the names of a capture.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::matcher::{Profile, RuleCost};
use crate::record::{escape, escape_json};
use crate::rule::{Rule, RuleSet};

/// A line for each rule, the dearest first, and one for all together. `json` shows each as an
/// object.
#[must_use]
pub fn rendered(profile: &Profile, rules: &RuleSet, json: bool) -> String {
    let mut measured: Vec<(&Rule, &RuleCost)> = rules.rules.iter().zip(&profile.rules).collect();
    // What costs the same stays in the order of the rules.
    measured.sort_by_key(|(_, cost)| std::cmp::Reverse((cost.verifying, cost.candidates)));
    let all = profile.prefilter + profile.verifying();
    let mut text = String::new();
    for (rule, cost) in measured {
        text.push_str(&if json { json_line(rule, cost, all) } else { line(rule, cost, all) });
    }
    text.push_str(&if json { json_total(profile, all) } else { total(profile, all) });
    text
}

fn line(rule: &Rule, cost: &RuleCost, all: Duration) -> String {
    let (file, line) = (rule.place.file.display(), rule.place.line);
    let kind = if cost.hits == 0 { "never-hit" } else { "profile" };
    let mut text = format!(
        "{file}:{line}: {kind}: `{}`: {} candidates, {} hits",
        escape(&rule.name),
        cost.candidates,
        cost.hits
    );
    if cost.gave_up > 0 {
        let _ = write!(text, " ({} given up on)", cost.gave_up);
    }
    let share = 100.0 * share(cost.verifying, all);
    let _ = writeln!(text, ", {:.3} ms verifying, {share:.1} % of all", millis(cost.verifying));
    text
}

fn total(profile: &Profile, all: Duration) -> String {
    let verifying = profile.verifying();
    let each = all.as_nanos() as f64 / profile.domains.max(1) as f64;
    format!(
        "{} domains, {:.3} ms ({each:.0} ns each): {:.3} ms searching for candidates, {:.3} ms \
         verifying them; {} of {} rules never hit\n",
        profile.domains,
        millis(all),
        millis(profile.prefilter),
        millis(verifying),
        never_hit(profile),
        profile.rules.len()
    )
}

fn json_line(rule: &Rule, cost: &RuleCost, all: Duration) -> String {
    let line = json!({
        "kind": "profile", "rule": rule.name, "file": rule.place.file.display().to_string(),
        "line": rule.place.line, "candidates": cost.candidates, "hits": cost.hits,
        "gave_up": cost.gave_up, "verifying_ms": millis(cost.verifying),
        "share": share(cost.verifying, all),
    });
    format!("{}\n", escape_json(&line.to_string()))
}

fn json_total(profile: &Profile, all: Duration) -> String {
    let line = json!({
        "kind": "profile-total", "domains": profile.domains, "ms": millis(all),
        "prefilter_ms": millis(profile.prefilter), "verifying_ms": millis(profile.verifying()),
        "rules": profile.rules.len(), "never_hit": never_hit(profile),
    });
    format!("{line}\n")
}

fn never_hit(profile: &Profile) -> usize {
    profile.rules.iter().filter(|cost| cost.hits == 0).count()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn share(part: Duration, all: Duration) -> f64 {
    if all.is_zero() { 0.0 } else { part.as_secs_f64() / all.as_secs_f64() }
}
