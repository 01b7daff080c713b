//! Rules from where the user keeps them: plain files, YAML files, and lists in `config.yaml`.
//!
//! Owns the file formats and the assembly of a [`RuleSet`]. A rule that does not compile stops
//! the start, with its place; so does one that says otherwise than a rule of its identity before
//! it. Those that say the same are kept once, and noted.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::python::Fault;
use super::{Anchor, Brand, Pattern, Place, Rule, RuleEntry, RuleHash, RuleSet, Syntax};
use crate::domain::{self, NameFault};
use crate::error::{Error, Result};
use crate::yaml::Document;

/// Gathers rules into a [`RuleSet`].
#[derive(Debug, Default)]
pub struct Loader {
    anchor: Anchor,
    set: RuleSet,
    /// Where each rule stands in the set.
    known: HashMap<RuleHash, usize>,
}

impl Loader {
    /// A loader whose patterns match from where `anchor` says.
    #[must_use]
    pub fn new(anchor: Anchor) -> Self {
        Self { anchor, ..Self::default() }
    }

    /// Adds the rules of a file: YAML where it is called `.yaml` or `.yml`, else one regex a
    /// line, blank lines and lines beginning with `#` passed over.
    ///
    /// # Errors
    /// When it cannot be read, or a rule does not compile.
    pub fn file(&mut self, file: &Path) -> Result<()> {
        let bytes = fs::read(file).map_err(|error| {
            Error::usage(format!("cannot read the rules: {error}"))
                .in_file(file)
                .remedy("create it with one regex a line, or name another file")
        })?;
        if file.extension().is_some_and(|kind| kind == "yaml" || kind == "yml") {
            let entries = RuleEntry::read_list(&Document::read(&bytes, file)?.root())?;
            self.entries(&entries, file)
        } else {
            self.lines(&bytes, file)
        }
    }

    /// Adds rules written in YAML.
    ///
    /// # Errors
    /// When one does not compile.
    pub fn entries(&mut self, entries: &[RuleEntry], file: &Path) -> Result<()> {
        entries.iter().try_for_each(|entry| self.add(entry, file, Written::InYaml))
    }

    fn lines(&mut self, bytes: &[u8], file: &Path) -> Result<()> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            let line = std::str::from_utf8(line).map_err(|_| {
                Error::usage("the line is not UTF-8")
                    .in_file(file)
                    .at_line(number)
                    .remedy("save the file as UTF-8")
            })?;
            let pattern = line.trim();
            if pattern.is_empty() || pattern.starts_with('#') {
                continue;
            }
            let entry =
                RuleEntry { pattern: pattern.to_owned(), line: number, ..RuleEntry::default() };
            let indent = line.chars().take_while(|c| c.is_whitespace()).count() as u64;
            self.add(&entry, file, Written::OnItsLine { indent })?;
        }
        Ok(())
    }

    fn add(&mut self, entry: &RuleEntry, file: &Path, written: Written) -> Result<()> {
        let name = entry.name.clone().unwrap_or_else(|| entry.pattern.clone());
        let hash = identity(&name, &entry.pattern);
        let place = Place { file: file.to_path_buf(), line: entry.line };
        let rule = self.parse(entry, name, hash, place, written)?;
        if let Some(first) = self.known.get(&hash) {
            let first = &self.set.rules[*first];
            // One of the two would be dropped: its exceptions reported, or more than meant.
            if let Some(differs) = difference(first, &rule) {
                let (file, line) = (first.place.file.display(), first.place.line);
                return Err(Error::usage(format!(
                    "the rule has the name and pattern of {file}:{line}, but another {differs}"
                ))
                .in_file(&rule.place.file)
                .at_line(rule.place.line)
                .remedy("give it another name, or leave one of the two out"));
            }
            self.set.repeated.push((rule.name, rule.place));
            return Ok(());
        }
        self.known.insert(hash, self.set.rules.len());
        self.set.rules.push(rule);
        Ok(())
    }

    fn parse(
        &self,
        entry: &RuleEntry,
        name: String,
        hash: RuleHash,
        place: Place,
        written: Written,
    ) -> Result<Rule> {
        // Which of many, where its place says no more than the line it begins on.
        let what = match &entry.name {
            Some(name) => format!("the rule `{name}`"),
            None => "the rule".to_owned(),
        };
        let pattern = match &entry.brand {
            Some(brand) => Brand::new(brand)
                .map(|brand| Pattern {
                    written: entry.pattern.clone(),
                    anchor: Anchor::Search,
                    widened: false,
                    syntax: Syntax::Brand(Arc::new(brand)),
                })
                .map_err(|(what, remedy)| {
                    Error::usage(what).in_file(&place.file).at_line(place.line).remedy(remedy)
                })?,
            None => Pattern::parse(&entry.pattern, self.anchor)
                .and_then(|pattern| if entry.lookalikes { pattern.widened() } else { Ok(pattern) })
                .map_err(|fault| written.error(&what, fault, &place))?,
        };
        let exclude = entry.exclude.iter().map(|written| Pattern::parse(written, Anchor::Search));
        Ok(Rule {
            pattern,
            exclude: exclude
                .collect::<Result<_, _>>()
                .map_err(|fault| written.error(&format!("an exclude of {what}"), fault, &place))?,
            scope: entry.scope,
            tags: entry.tags.clone(),
            severity: entry.severity.clone(),
            name,
            hash,
            place,
        })
    }

    /// Adds domains, as [`allowed_domain`] gives them, that are never reported, nor what is below
    /// them.
    pub fn allow(&mut self, domains: &[String]) {
        self.set.allow.extend_from_slice(domains);
    }

    /// The rules gathered.
    ///
    /// # Errors
    /// When there are none: watching for nothing is a mistake.
    pub fn finish(self) -> Result<RuleSet> {
        if self.set.rules.is_empty() {
            return Err(Error::usage("there are no rules")
                .remedy("name a file of regexes in certstream.input or with --rules"));
        }
        Ok(self.set)
    }
}

/// How a pattern stands in its file, which decides how an error points at a character of it.
#[derive(Clone, Copy)]
enum Written {
    /// On a line of its own, behind so many blanks.
    OnItsLine { indent: u64 },
    /// In YAML, which may have quoted, escaped or folded it.
    InYaml,
}

impl Written {
    fn error(self, what: &str, fault: Fault, place: &Place) -> Error {
        let Fault { column, what: why } = fault;
        let error = |why: &str| {
            Error::usage(format!("{what} does not compile: {why}"))
                .in_file(&place.file)
                .at_line(place.line)
        };
        match self {
            Self::OnItsLine { indent } => error(&why)
                .at_column(indent + column)
                .remedy("mend the regex, or put # in front of the line to leave it out"),
            Self::InYaml => error(&format!("{why} (at character {column} of the regex)"))
                .remedy("mend the regex, or take the rule out"),
        }
    }
}

/// The domain that an entry of `allow` stands for, sanitised as the names are that it is compared
/// with. None where it is no domain: a URL or an e-mail address would lose more than it says.
#[must_use]
pub fn allowed_domain(written: &str) -> Option<String> {
    if written.contains([':', '/', '@', '?', '#']) {
        return None;
    }
    let plain = written.trim().trim_start_matches("*.").trim_start_matches('.');
    let mut domain = Vec::new();
    match domain::sanitise(plain, &mut domain) {
        Ok(()) => {}
        // A suffix without a dot (`example`, a company's own top-level domain) is one, too.
        Err(NameFault::NoDot) => {
            domain::sanitise(&format!("x.{plain}"), &mut domain).ok()?;
            domain.drain(..2);
        }
        Err(_) => return None,
    }
    String::from_utf8(domain).ok()
}

/// What two rules of one identity disagree about, in the word for its key.
fn difference(first: &Rule, second: &Rule) -> Option<&'static str> {
    let excludes = |rule: &Rule| -> Vec<String> {
        rule.exclude.iter().map(|exclude| exclude.written.clone()).collect()
    };
    if excludes(first) != excludes(second) {
        return Some("exclude");
    }
    if first.scope != second.scope {
        return Some("scope");
    }
    if first.pattern.widened != second.pattern.widened {
        return Some("lookalikes");
    }
    match (&first.pattern.syntax, &second.pattern.syntax) {
        (Syntax::Brand(first), Syntax::Brand(second)) if !first.is_written_as(second) => {
            Some("`own`, `keywords` or `techniques`")
        }
        _ => None,
    }
}

/// The first 16 bytes of SHA-256 over name, a zero byte and pattern.
fn identity(name: &str, pattern: &str) -> RuleHash {
    let digest = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([0])
        .chain_update(pattern.as_bytes())
        .finalize();
    let mut hash = RuleHash::default();
    hash.copy_from_slice(&digest[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, content: &[u8]) -> Result<RuleSet> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        fs::write(&file, content).expect("a file");
        let mut loader = Loader::new(Anchor::Search);
        loader.file(&file)?;
        loader.finish()
    }

    #[test]
    fn plain_files_as_the_ancestor_wrote_them() {
        let set = load("r.txt", b"\xef\xbb\xbfpaypal\r\n\n# no rule\n  icloud  \npaypal\n")
            .expect("loads");
        let names: Vec<&str> = set.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["paypal", "icloud"]);
        assert_eq!(set.rules[1].place.line, 4);
        assert_eq!(set.repeated.len(), 1);
    }

    #[test]
    fn yaml_files_with_names_and_excludes() {
        let yaml = b"- name: bank\n  pattern: 'bank.*login'\n  exclude: '\\.bank\\.com$'\n  tags: [a, b]\n  severity: high\n- paypal\n";
        let set = load("r.yaml", yaml).expect("loads");
        assert_eq!((set.rules[0].name.as_str(), set.rules[1].name.as_str()), ("bank", "paypal"));
        assert_eq!((set.rules[0].exclude.len(), set.rules[0].tags.len()), (1, 2));
        assert_eq!(set.rules[1].place.line, 6);
    }

    #[test]
    fn a_repeated_rule_must_exclude_the_same() {
        let first = "- {name: n, pattern: p, exclude: [a, b]}\n";
        let repeated = |second: &str| load("r.yaml", format!("{first}{second}\n").as_bytes());
        let set = repeated("- {name: n, pattern: p, exclude: [a, b], tags: t}").expect("loads");
        assert_eq!((set.rules.len(), set.repeated.len()), (1, 1));
        for second in ["- {name: n, pattern: p}", "- {name: n, pattern: p, exclude: [a]}"] {
            let refused = repeated(second).expect_err("refused").to_string();
            assert!(
                refused.contains("r.yaml:2: the rule has the name and pattern of"),
                "{refused}"
            );
            assert!(refused.contains("r.yaml:1, but another exclude"), "{refused}");
        }
    }

    #[test]
    fn a_rule_that_does_not_compile_is_named_by_file_line_and_column() {
        let shown = load("r.txt", b"ok\n\npay(pal\n").expect_err("refused").to_string();
        assert!(shown.contains("r.txt:3:4: the rule does not compile: unclosed group"), "{shown}");
        let shown = load("r.txt", b"\t pay(pal\n").expect_err("refused").to_string();
        assert!(shown.contains("r.txt:1:6: "), "{shown}");
        let yaml = b"- {name: x, pattern: 'pay(pal'}\n";
        let shown = load("r.yaml", yaml).expect_err("refused").to_string();
        assert!(
            shown.contains("r.yaml:1: the rule `x` does not compile: unclosed group"),
            "{shown}"
        );
        assert!(shown.contains("(at character 4 of the regex)"), "{shown}");
        assert!(!shown.contains('#'), "{shown}");
        let yaml = b"- {name: x, pattern: a, exclude: [b, '(?=c']}\n";
        let shown = load("r.yaml", yaml).expect_err("refused").to_string();
        assert!(
            shown.contains("an exclude of the rule `x` does not compile: Opening par"),
            "{shown}"
        );
        assert!(shown.contains("(at character 4 of the regex)"), "{shown}");
        let shown = load("r.yaml", b"- name: x\n  patern: y\n").expect_err("refused").to_string();
        assert!(shown.contains("r.yaml:2:3: [1].patern: unknown key"), "{shown}");
        assert!(
            load("r.txt", b"# nothing\n").expect_err("refused").to_string().contains("no rules")
        );
        assert!(
            load("r.txt", b"ok\n\xff\n")
                .expect_err("refused")
                .to_string()
                .contains(":2: the line is not UTF-8")
        );
    }

    #[test]
    fn identity_is_stable_across_reordering_and_tells_name_from_pattern() {
        let forward = load("r.txt", b"a1\nb2\n").expect("loads");
        let backward = load("r.txt", b"b2\na1\n").expect("loads");
        assert_eq!(forward.rules[0].hash, backward.rules[1].hash);
        assert_ne!(identity("ab", "c"), identity("a", "bc"));
    }

    #[test]
    fn allowed_domains_are_what_matched_domains_can_be() {
        for (written, domain) in [
            ("*.Example.com", "example.com"),
            (" example.com. ", "example.com"),
            (".münchen.de", "xn--mnchen-3ya.de"),
            // No domain that is matched begins so.
            ("www.example.com", "example.com"),
            ("www.co.uk", "www.co.uk"),
            ("*.co.uk", "co.uk"),
            ("brand", "brand"),
        ] {
            assert_eq!(allowed_domain(written).as_deref(), Some(domain), "{written}");
        }
        for written in [
            "",
            "*.",
            "not a domain",
            "https://example.com",
            "example.com/",
            "example.com:443",
            "me@example.com",
            "192.0.2.1",
            "a..b",
        ] {
            assert_eq!(allowed_domain(written), None, "{written}");
        }
    }
}
