//! The judgement: whether a domain passes for a brand, by which technique, how far from it.
//!
//! Owns where in a domain the brand, or what looks like it, has to stand. Nothing counts inside
//! the public suffix: everybody's names end in it (`example.ing`, `example.github.io`).
//!
//! A *token* is what stands between dots and hyphens. The brand itself may stand anywhere, a
//! brand of up to [`CONTAINED`] characters only where no letter touches it or a keyword follows.
//! What is an edit away has to be whole tokens, a short brand's the whole of a label in front of
//! one of its own suffixes: `ing.nl` is imitated as `ign.nl`, and not as `ign.example`. So has an
//! ordinary word that is an edit away: `cloud.com` may pass for `icloud.com`, `cloud.example` not.

use std::cell::OnceCell;
use std::ops::Range;

use super::technique::{Technique, Typosquat};
use super::{Brand, edit, glyph, windows};

/// Characters up to which a brand within a word says nothing: `purchase`, `pineapple`.
const CONTAINED: usize = 5;

/// What passes for a brand in a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How.
    pub typosquat: Typosquat,
    /// Where, in bytes.
    pub span: Range<usize>,
}

/// A domain under judgement, and where its suffix begins: asked for only once something is found,
/// because most candidates end before.
struct Site<'d> {
    domain: &'d str,
    suffix: OnceCell<usize>,
}

impl Brand {
    /// What in `domain` passes for the brand: of several the one at the smallest distance, then
    /// the one whose technique comes first. Own domains are judged like any other.
    #[must_use]
    pub fn judge(&self, domain: &str) -> Option<Found> {
        let site = Site { domain, suffix: OnceCell::new() };
        let mut best: Option<Found> = None;
        let mut keep = |found: Found| {
            let wanted = self.written.techniques.contains(found.typosquat.technique);
            if wanted && best.as_ref().is_none_or(|best| found.typosquat < best.typosquat) {
                best = Some(found);
            }
        };
        for at in self.finder.find_iter(domain.as_bytes()) {
            self.judge_exact(&site, at..at + self.name.len(), &mut keep);
        }
        site.each_window(windows(&self.name), |window| self.judge_window(&site, window, &mut keep));
        best
    }

    /// The brand itself stands at `at`.
    fn judge_exact(&self, site: &Site<'_>, at: Range<usize>, keep: &mut impl FnMut(Found)) {
        let label = site.label(&at);
        let bytes = site.domain.as_bytes();
        let touches = |byte: Option<&u8>| byte.is_some_and(|byte| !matches!(byte, b'-' | b'.'));
        let before = at.start.checked_sub(1).and_then(|before| bytes.get(before));
        let within_word = touches(before) || touches(bytes.get(at.end));
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
        let letters = is_letter(before) || is_letter(bytes.get(at.end));
        if at.end > site.suffix() {
            return;
        }
        let technique = if label == at && at.end == site.suffix() {
            Technique::TldSwap
        } else if label == at {
            Technique::Subdomain
        } else if self.has_keyword_beside(site, &label, &at) {
            Technique::Combosquat
        } else if within_word && letters && self.name.len() <= CONTAINED {
            return;
        } else {
            Technique::Contains
        };
        keep(Found { typosquat: Typosquat { distance: 0, technique }, span: at });
    }

    /// Whether a keyword stands beside the brand in its label.
    fn has_keyword_beside(&self, site: &Site<'_>, label: &Range<usize>, at: &Range<usize>) -> bool {
        let bytes = site.domain.as_bytes();
        let split = |side: Range<usize>| bytes[side].split(|byte| *byte == b'-');
        let left = split(label.start..at.start).next_back().unwrap_or_default();
        let right = split(at.end..label.end).next().unwrap_or_default();
        if self.name.len() <= CONTAINED && !(left.is_empty() && right.is_empty()) {
            // Nothing but the two: `applelogin`. In front of three letters nearly every keyword
            // makes another word (`banking`), so that the place has to speak for it.
            let front = self.name.len() > 3 || self.is_own_place(site, label);
            return (left.is_empty() && self.keywords.contains(right))
                || (right.is_empty() && front && self.keywords.contains(left));
        }
        split(label.start..at.start)
            .chain(split(at.end..label.end))
            .any(|token| self.keywords.contains(token))
    }

    /// Whole tokens stand at `window`: they may be an edit away, or spelled in look-alikes.
    fn judge_window(&self, site: &Site<'_>, window: Range<usize>, keep: &mut impl FnMut(Found)) {
        let text = &site.domain.as_bytes()[window.clone()];
        let edited = edit::technique(&self.name, text).map(|technique| (1, technique));
        let spelled =
            glyph::distance(&self.name, text).map(|distance| (distance, Technique::Homoglyph));
        for (distance, technique) in edited.into_iter().chain(spelled) {
            if self.may_stand_at(site, &window, technique) {
                let typosquat = Typosquat { distance, technique };
                keep(Found { typosquat, span: window.clone() });
            }
        }
    }

    fn may_stand_at(&self, site: &Site<'_>, window: &Range<usize>, technique: Technique) -> bool {
        let label = site.label(window);
        let whole = label == *window;
        if site.domain[label.clone()].starts_with("xn--") {
            // Its ASCII part is what is left when the look-alikes are taken out.
            return false;
        }
        let text = &site.domain.as_bytes()[window.clone()];
        if self.is_short() || self.is_word(text) {
            return whole && self.is_own_place(site, window);
        }
        if window.end > site.suffix() {
            // `instagr.am`: the dot of the suffix is the one that was put inside.
            return technique == Technique::Subdomain && window.end == site.domain.len();
        }
        technique != Technique::Subdomain || whole
    }
}

impl Brand {
    /// Whether `span` ends in front of one of the brand's own suffixes.
    fn is_own_place(&self, site: &Site<'_>, span: &Range<usize>) -> bool {
        let suffix = site.domain.get(site.suffix() + 1..).unwrap_or_default();
        span.end == site.suffix() && self.suffixes.iter().any(|own| own == suffix)
    }
}

impl Site<'_> {
    /// Where the dot before the public suffix stands.
    fn suffix(&self) -> usize {
        *self.suffix.get_or_init(|| {
            let suffix = psl::suffix_str(self.domain).unwrap_or_default();
            (self.domain.len() - suffix.len()).saturating_sub(1)
        })
    }

    /// The labels that `span` stands in.
    fn label(&self, span: &Range<usize>) -> Range<usize> {
        let bytes = self.domain.as_bytes();
        let start = memchr::memrchr(b'.', &bytes[..span.start]).map_or(0, |dot| dot + 1);
        let behind = memchr::memchr(b'.', &bytes[span.end..]);
        start..behind.map_or(bytes.len(), |dot| span.end + dot)
    }

    /// Calls `look` with every run of whole tokens whose length lies within `lengths`.
    fn each_window(&self, lengths: Range<usize>, mut look: impl FnMut(Range<usize>)) {
        let bytes = self.domain.as_bytes();
        let mut start = 0;
        for edge in memchr::memchr2_iter(b'.', b'-', bytes).chain([bytes.len()]) {
            // `help---cloud`: nothing stands between the hyphens, so no run begins there.
            if edge > start {
                self.each_end(start, edge, &lengths, &mut look);
            }
            start = edge + 1;
        }
    }

    /// The runs that begin at `start`; `end` is where the first token of them ends.
    fn each_end(
        &self,
        start: usize,
        mut end: usize,
        lengths: &Range<usize>,
        look: &mut impl FnMut(Range<usize>),
    ) {
        let bytes = self.domain.as_bytes();
        while end - start < lengths.end {
            if end - start >= lengths.start {
                look(start..end);
            }
            let Some(behind) = bytes.get(end + 1..) else { return };
            let token = memchr::memchr2(b'.', b'-', behind).unwrap_or(behind.len());
            if token == 0 {
                return;
            }
            end += 1 + token;
        }
    }
}
