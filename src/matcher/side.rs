//! The side block: the other forms of a block's internationalised domains, a line each.
//!
//! Owns the text of those lines and whose they are. Which domains have a label `xn--`, and which
//! rules a line matches, is `engine`'s business.

use super::engine::domain_at;
use crate::domain::{Forms, Views};

/// The lines beside a block. Filled anew for the next block in the same memory.
#[derive(Debug, Default)]
pub struct SideBlock {
    /// Newline-joined, as the block.
    text: String,
    /// Where each line ends in `text`, before its newline.
    ends: Vec<u32>,
    /// By line: the domain it is a form of (ascending) and the view it belongs to. A domain's
    /// Unicode form stands before its look-alike form.
    lines: Vec<(u32, Views)>,
    invalid_labels: usize,
    forms: Forms,
}

impl SideBlock {
    /// Makes the lines of a block's domains; `ends` holds where each of them ends, `encoded` the
    /// indices of those with `xn--` in them, ascending.
    pub fn fill(&mut self, block: &str, ends: &[u32], encoded: &[u32]) {
        self.text.clear();
        self.ends.clear();
        self.lines.clear();
        self.invalid_labels = 0;
        for domain in encoded {
            self.add(domain_at(block, ends, *domain as usize), *domain);
        }
    }

    fn add(&mut self, domain: &str, index: u32) {
        self.forms.make(domain);
        self.invalid_labels += self.forms.invalid_labels();
        for (view, form) in self.forms.iter() {
            self.text.push_str(form);
            self.ends.push(self.text.len() as u32);
            self.text.push('\n');
            self.lines.push((index, view));
        }
    }

    /// The lines, newline-joined.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where each line ends in the text.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether no domain of the block has another form.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The line at `index`, with the domain that it is a form of and its view.
    pub fn line(&self, index: usize) -> (&str, u32, Views) {
        let (domain, view) = self.lines[index];
        (domain_at(&self.text, &self.ends, index), domain, view)
    }

    /// The Unicode form of a domain of the block, if it has one.
    pub fn unicode_form(&self, domain: u32) -> Option<&str> {
        let first = self.lines.partition_point(|(other, _)| *other < domain);
        let is_its_own = self.lines.get(first) == Some(&(domain, Views::UNICODE));
        is_its_own.then(|| domain_at(&self.text, &self.ends, first))
    }

    /// Labels of the block that begin `xn--` and do not decode.
    pub fn invalid_labels(&self) -> usize {
        self.invalid_labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(domains: &[&str]) -> (SideBlock, Vec<(String, u32, Views)>) {
        let (mut block, mut ends) = (String::new(), Vec::new());
        for domain in domains {
            block.push_str(domain);
            ends.push(block.len() as u32);
            block.push('\n');
        }
        let mut side = SideBlock::default();
        let encoded = domains.iter().zip(0..).filter(|(domain, _)| domain.contains("xn--"));
        side.fill(&block, &ends, &encoded.map(|(_, index)| index).collect::<Vec<_>>());
        let lines = (0..side.ends().len()).map(|index| {
            let (line, domain, view) = side.line(index);
            (line.to_owned(), domain, view)
        });
        let lines = lines.collect();
        (side, lines)
    }

    #[test]
    fn each_internationalised_domain_has_its_lines_once() {
        let domains = ["a.org", "xn--mnchen-3ya.xn--p1ai", "axn--mnchen-3ya.de", "b.xn--fsq.cn"];
        let (side, lines) = filled(&domains);
        let expected = [
            ("münchen.рф", 1, Views::UNICODE),
            ("munchen.pɸ", 1, Views::LOOK_ALIKE),
            ("b.例.cn", 3, Views::UNICODE),
        ];
        assert_eq!(lines, expected.map(|(line, domain, view)| (line.to_owned(), domain, view)));
        let unicode: Vec<Option<&str>> = (0..4).map(|domain| side.unicode_form(domain)).collect();
        assert_eq!(unicode, [None, Some("münchen.рф"), None, Some("b.例.cn")]);
    }

    #[test]
    fn what_does_not_decode_is_counted_and_makes_no_line() {
        let (side, lines) = filled(&["xn--\u{7f}.de", "xn--.xn--abc-.org", "x.xn--99999999"]);
        assert_eq!((lines.len(), side.invalid_labels()), (0, 4));
    }
}
