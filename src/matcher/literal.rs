//! The literals a pattern needs: byte strings of which every match contains at least one.
//!
//! Owns their extraction from a pattern's syntax tree, and the refusal where there are none worth
//! having. The promise is one-sided: a domain without any of the literals cannot match; one with
//! a literal may. Only where the set is *exact* does containing a literal already mean a match.

mod words;

use regex_syntax::hir::{Class, ClassBytesRange, ClassUnicodeRange, Hir, HirKind, Repetition};

/// Most literals a rule may bring: typo classes multiply (`p[a4]yp[a4][l1i]` makes 12), and each
/// further literal costs states in the prefilter.
const MAX_LITERALS: usize = 64;
/// Most literals of an alternation: these the user wrote out, so they only add up. A list of
/// brands on one line stays in the prefilter; beyond this, comparing them pairwise takes long.
const MAX_ALTERNATIVES: usize = 512;
/// Bytes in the shortest literal of a usable set. One byte stands in nearly every name, so it
/// would let everything through; `.tk` and `-id` are worth having.
const MIN_LENGTH: usize = 2;
/// Share of positions at which a usable set may be expected: one that stands in every third name
/// makes more candidates than trying the rule on every domain costs.
const MAX_SHARE: f64 = 0.006;
/// The share of a literal at least, however long and rare its letters: of two words nobody knows
/// which is the commoner, so the smaller set is the better one.
const MIN_SHARE: f64 = 1e-6;
/// Sets that are kept of a part, for the alternation it may stand in.
const MAX_CHOICES: usize = 4;
/// Branches of an alternation up to which sets are looked for that several have.
const MAX_SHARING: usize = 16;
/// Members up to which a class is multiplied out. Digits are; `[a-z]` says next to nothing.
const MAX_CLASS: usize = 10;

/// What a pattern's literals are good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literals {
    /// Every match contains one of them; the pattern still has to be verified.
    Required(Vec<Vec<u8>>),
    /// A domain matches exactly when it contains one of them: nothing is left to verify.
    Exact(Vec<Vec<u8>>),
    /// There are none worth having; the reason is for the user.
    None {
        /// Why, in words that end a sentence.
        reason: String,
    },
}

impl Literals {
    /// Extracts the literals of a pattern.
    #[must_use]
    pub fn of(hir: &Hir) -> Self {
        let found = walk(hir);
        if let Some(exact) = found.exact
            && hir.properties().look_set().is_empty()
            && usable(&exact)
        {
            return Self::Exact(minimised(&exact));
        }
        match found.choices.into_iter().next().map(|choice| choice.set) {
            Some(best) => {
                let shortest = best.iter().min_by_key(|literal| literal.len());
                let shortest = String::from_utf8_lossy(shortest.map_or(&[][..], |s| s));
                let reason = if shortest.len() < MIN_LENGTH {
                    format!("its shortest required literal is only `{shortest}`")
                } else if share_let_through(&best) > MAX_SHARE {
                    format!("its required literals, as `{shortest}`, stand in too many names")
                } else {
                    return Self::Required(best);
                };
                Self::None { reason }
            }
            None => Self::None {
                reason: format!(
                    "no text, nor one of {MAX_ALTERNATIVES} texts, has to stand in every match of it"
                ),
            },
        }
    }
}

/// A set of which every match contains a member, and roughly the share of positions at which one
/// stands.
#[derive(Clone, Debug)]
struct Choice {
    set: Vec<Vec<u8>>,
    share: f64,
}

/// What is known of a part of a pattern.
#[derive(Default)]
struct Found {
    /// Everything the part matches, where that is finite and small. Zero-width assertions count
    /// as matching the empty string, so this may be wider than the part, never narrower.
    exact: Option<Vec<Vec<u8>>>,
    /// The best sets of which every match of the part contains a member: the best first, at most
    /// [`MAX_CHOICES`].
    choices: Vec<Choice>,
    /// Of a repetition without end: everything that the fewest copies of its part match, and that
    /// one more does.
    copies: Option<Copies>,
}

/// What every match of a repetition both begins and ends with.
struct Copies {
    fewest: Vec<Vec<u8>>,
    /// With one more, for a match that goes on; none where these are too many.
    more: Option<Vec<Vec<u8>>>,
}

impl Found {
    fn exactly(mut set: Vec<Vec<u8>>) -> Self {
        // No domain holds a newline, which in a block parts one from the next: a literal with one
        // in it would match across two of them.
        set.retain(|literal| !literal.contains(&b'\n'));
        set.sort_unstable();
        set.dedup();
        let mut found = Self::default();
        found.offer(minimised(&set));
        found.exact = Some(set);
        found
    }

    fn at_least(set: Vec<Vec<u8>>) -> Self {
        let mut found = Self::default();
        found.offer(set);
        found
    }

    /// Takes a set in among the choices, if it says something and is better than the worst.
    fn offer(&mut self, set: Vec<Vec<u8>>) {
        if !set.is_empty() && set.iter().all(|literal| !literal.is_empty()) {
            let share = share_let_through(&set);
            self.offer_choice(Choice { set, share });
        }
    }

    fn offer_choice(&mut self, choice: Choice) {
        let at = self.choices.partition_point(|known| known.share <= choice.share);
        let is_known = self.choices[..at].last().is_some_and(|known| known.set == choice.set);
        if at < MAX_CHOICES && !is_known {
            self.choices.insert(at, choice);
            self.choices.truncate(MAX_CHOICES);
        }
    }
}

fn walk(hir: &Hir) -> Found {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Found::exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => match literal.0.get(..crate::domain::MAX_DOMAIN) {
            // As much of it as a domain can hold: of 60,000 times the same letter, the automaton
            // of the prefilter takes a minute.
            Some(head) if head.len() < literal.0.len() => Found::at_least(vec![head.to_vec()]),
            _ => Found::exactly(vec![literal.0.to_vec()]),
        },
        HirKind::Class(class) => class_members(class).map_or_else(Found::default, Found::exactly),
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Concat(parts) => concatenated(parts),
        HirKind::Alternation(parts) => alternated(parts),
    }
}

fn class_members(class: &Class) -> Option<Vec<Vec<u8>>> {
    match class {
        Class::Bytes(bytes) => {
            let count: usize = bytes.ranges().iter().map(ClassBytesRange::len).sum();
            let members = bytes.ranges().iter().flat_map(|range| range.start()..=range.end());
            (count <= MAX_CLASS).then(|| members.map(|byte| vec![byte]).collect())
        }
        Class::Unicode(unicode) => {
            let count: usize = unicode.ranges().iter().map(ClassUnicodeRange::len).sum();
            let members = unicode.ranges().iter().flat_map(|range| range.start()..=range.end());
            (count <= MAX_CLASS).then(|| members.map(|c| c.to_string().into_bytes()).collect())
        }
    }
}

fn repeated(repetition: &Repetition) -> Found {
    let sub = walk(&repetition.sub);
    // More copies than a domain has bytes are never crossed out one by one: copies of nothing
    // would go on to four thousand million.
    if let (Some(exact), Some(max)) = (&sub.exact, repetition.max)
        && max as usize <= crate::domain::MAX_DOMAIN
        && let Some(set) = powers(exact, repetition.min, max)
    {
        return Found::exactly(set);
    }
    if repetition.min == 0 {
        return Found::default();
    }
    let copies = sub.exact.as_ref().and_then(|exact| copies(exact, repetition));
    Found { exact: None, choices: sub.choices, copies }
}

/// The fewest copies of a part, or one where these are too many.
fn copies(exact: &[Vec<u8>], repetition: &Repetition) -> Option<Copies> {
    let few = (repetition.min as usize) < crate::domain::MAX_DOMAIN;
    let fewest = few.then(|| powers(exact, repetition.min, repetition.min)).flatten();
    let Some(fewest) = fewest else {
        return powers(exact, 1, 1).map(|fewest| Copies { fewest, more: None });
    };
    let more = powers(exact, repetition.min + 1, repetition.min + 1);
    Some(Copies { fewest, more })
}

/// Everything that `min` to `max` copies of `set` make, where that stays small.
fn powers(set: &[Vec<u8>], min: u32, max: u32) -> Option<Vec<Vec<u8>>> {
    let mut copies = vec![Vec::new()];
    let mut all = Vec::new();
    for count in 0..=max {
        if count >= min {
            all.extend_from_slice(&copies);
        }
        if all.len() > MAX_LITERALS {
            return None;
        }
        if count < max {
            copies = crossed(&copies, set)?;
        }
    }
    Some(all)
}

/// Every member of `heads` with every member of `tails` behind it, where that stays small.
fn crossed(heads: &[Vec<u8>], tails: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    // A single head or tail, as the prefix that all words of a list share, multiplies nothing.
    let multiplied = heads.len() > 1 && tails.len() > 1;
    if multiplied && heads.len().saturating_mul(tails.len()) > MAX_LITERALS {
        return None;
    }
    let long = heads.iter().chain(tails).any(|literal| literal.len() > crate::domain::MAX_DOMAIN);
    let join = |head: &Vec<u8>, tail: &Vec<u8>| [head.as_slice(), tail].concat();
    (!long).then(|| heads.iter().flat_map(|h| tails.iter().map(move |t| join(h, t))).collect())
}

fn concatenated(parts: &[Hir]) -> Found {
    let parts: Vec<Found> = parts.iter().map(walk).collect();
    let mut run = vec![Vec::new()];
    // What the run was made of.
    let mut pieces: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut whole = true;
    let mut found = Found::default();
    if parts.iter().any(|part| part.copies.is_some()) {
        offer_bridges(&parts, &mut found);
    }
    for part in parts {
        if let Some(longer) = part.exact.as_ref().and_then(|exact| crossed(&run, exact)) {
            run = longer;
            pieces.extend(part.exact.filter(|exact| !exact.iter().all(Vec::is_empty)));
            continue;
        }
        whole = false;
        // `pu+bnub` begins with `pu` and ends with `ubnub`.
        let copies = part.copies.map(|copies| copies.fewest);
        let longer = copies.as_ref().and_then(|copies| crossed(&run, copies));
        found.offer(minimised(&longer.unwrap_or(run)));
        part.choices.into_iter().for_each(|choice| found.offer_choice(choice));
        if let Some(exact) = part.exact {
            // `[e3][l1]a[s5][t7]ic[l1]oud`: too many from its beginning on, not from its middle.
            pieces.push(exact);
            run = longest_end(&mut pieces);
        } else {
            run = copies.unwrap_or_else(|| vec![Vec::new()]);
            pieces = vec![run.clone()];
        }
    }
    if whole {
        return Found::exactly(run);
    }
    found.offer(minimised(&run));
    found
}

/// Offers the sets that reach over repetitions: what `ecl+ick` matches contains `eclick` or
/// `ecll`.
fn offer_bridges(parts: &[Found], found: &mut Found) {
    let mut run = vec![Vec::new()];
    // What the run ends with where a repetition in it goes on.
    let mut others: Vec<Vec<u8>> = Vec::new();
    for part in parts {
        if let Some(longer) = part.exact.as_ref().and_then(|exact| crossed(&run, exact)) {
            run = longer;
            continue;
        }
        let bridged = part.copies.as_ref().and_then(|copies| {
            let more = crossed(&run, copies.more.as_ref()?)?;
            Some((crossed(&run, &copies.fewest)?, more))
        });
        match bridged {
            Some((longer, more)) if others.len() + more.len() <= MAX_LITERALS => {
                run = longer;
                others.extend(more);
            }
            _ => {
                run.append(&mut others);
                found.offer(minimised(&run));
                run = vec![Vec::new()];
            }
        }
    }
    run.append(&mut others);
    found.offer(minimised(&run));
}

/// Drops pieces from the front until what is left can be crossed out, and does so. The last one
/// is always left.
fn longest_end(pieces: &mut Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    for first in 1..pieces.len() {
        let crossed_out =
            pieces[first..].iter().try_fold(vec![Vec::new()], |run, piece| crossed(&run, piece));
        if let Some(run) = crossed_out {
            pieces.drain(..first);
            return run;
        }
    }
    pieces.drain(..pieces.len().saturating_sub(1));
    pieces.first().cloned().unwrap_or_else(|| vec![Vec::new()])
}

fn alternated(parts: &[Hir]) -> Found {
    let branches: Vec<Found> = parts.iter().map(walk).collect();
    let total: usize =
        branches.iter().map(|b| b.exact.as_ref().map_or(MAX_ALTERNATIVES + 1, Vec::len)).sum();
    if total <= MAX_ALTERNATIVES {
        return Found::exactly(
            branches.into_iter().flat_map(|b| b.exact.unwrap_or_default()).collect(),
        );
    }
    if branches.iter().any(|branch| branch.choices.is_empty()) {
        return Found::default();
    }
    let union = minimised(&chosen(&branches));
    if union.len() <= MAX_ALTERNATIVES { Found::at_least(union) } else { Found::default() }
}

/// A set for each branch, all together: the best of each, unless several have one in common, as
/// `apple.*id|id.*apple` has `apple`.
fn chosen(branches: &[Found]) -> Vec<Vec<u8>> {
    let mut chosen: Vec<&Choice> = branches.iter().map(|branch| &branch.choices[0]).collect();
    let shares = |chosen: &[&Choice]| -> f64 {
        let is_first = |at: usize| chosen[..at].iter().all(|other| other.set != chosen[at].set);
        (0..chosen.len()).filter(|at| is_first(*at)).map(|at| chosen[at].share).sum()
    };
    if branches.len() <= MAX_SHARING {
        for common in branches.iter().flat_map(|branch| &branch.choices) {
            let has = |branch: &Found| branch.choices.iter().any(|choice| choice.set == common.set);
            let other: Vec<&Choice> = branches
                .iter()
                .zip(&chosen)
                .map(|(branch, chosen)| if has(branch) { common } else { *chosen })
                .collect();
            if shares(&other) < shares(&chosen) {
                chosen = other;
            }
        }
    }
    chosen.iter().flat_map(|choice| choice.set.iter().cloned()).collect()
}

/// The set without the members that contain another: whatever contains `appleid` contains
/// `apple`.
fn minimised(set: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut sorted: Vec<&Vec<u8>> = set.iter().collect();
    sorted.sort_unstable_by_key(|literal| literal.len());
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for literal in sorted {
        if !kept.iter().any(|shorter| memchr::memmem::find(literal, shorter).is_some()) {
            kept.push(literal.clone());
        }
    }
    kept
}

/// Whether a set says anything: no member is empty, and there is a member at all.
fn usable(set: &[Vec<u8>]) -> bool {
    !set.is_empty() && set.iter().all(|literal| literal.len() >= MIN_LENGTH)
}

/// Roughly the share of positions at which some literal of the set stands.
fn share_let_through(set: &[Vec<u8>]) -> f64 {
    let by_letters =
        |literal: &Vec<u8>| -> f64 { literal.iter().map(|byte| frequency(*byte)).product() };
    let share = |literal: &Vec<u8>| words::share(literal).max(by_letters(literal)).max(MIN_SHARE);
    set.iter().map(share).sum()
}

/// Roughly how often a byte stands in host names: enough to tell `q` from `e`.
pub fn frequency(byte: u8) -> f64 {
    match byte {
        b'a' | b'e' | b'i' | b'o' | b'.' => 0.08,
        b'c' | b'l' | b'm' | b'n' | b'r' | b's' | b't' => 0.05,
        b'b' | b'd' | b'g' | b'h' | b'p' | b'u' => 0.03,
        b'f' | b'k' | b'v' | b'w' | b'y' | b'-' => 0.02,
        b'j' | b'q' | b'x' | b'z' => 0.006,
        _ => 0.01,
    }
}

#[cfg(test)]
mod tests;
