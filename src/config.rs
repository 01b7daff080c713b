//! `config.yaml`, read into settings that cannot be wrong.
//!
//! Owns the file's keys, their defaults and the messages about mistakes in it. Acts on nothing:
//! opening, connecting and compiling are the business of those who get the values.

mod certstream;
mod ct;
mod engine;
mod heal;
mod observe;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::rule::{Anchor, RuleEntry, allowed_domain};
use crate::update::Parse;
use crate::yaml::{Document, Field, Table};

pub use certstream::{MODES, Mode, SecretPlace, Server};
pub use ct::{CHROME, Ct, CtSource, LogListPlace, Start, Verification};
pub use engine::Engine;
pub use heal::Heal;

/// Where a config is looked for when none is named. The second is the ancestor's.
const PLACES: [&str; 2] = ["config.yaml", "input/config.yaml"];

const KEYS: [&str; 10] = [
    "certstream",
    "ct",
    "heal",
    "rules",
    "rule_files",
    "allow",
    "database",
    "engine",
    "observe",
    "export",
];
const CERTSTREAM_KEYS: [&str; 5] = ["server", "mode", "input", "output", "anchor"];
const DATABASE_KEYS: [&str; 5] = ["filename", "purge", "synchronous", "cache", "backlog"];
const EXPORT_KEYS: [&str; 2] = ["on_exit", "format"];

/// Matcher threads that a run may have. Each costs memory, and no machine has more cores.
pub const MAX_MATCHERS: usize = 1024;

/// The words for a place to match from.
pub const ANCHORS: [(&str, Anchor); 2] = [("search", Anchor::Search), ("start", Anchor::Start)];
/// The words for who reads the names of frames.
pub const PARSES: [(&str, Parse); 2] = [("fast", Parse::Fast), ("strict", Parse::Strict)];
/// The words for a format.
pub const FORMATS: [(&str, Format); 3] =
    [("text", Format::Text), ("csv", Format::Csv), ("jsonl", Format::JsonLines)];
const SYNCHRONOUS: [(&str, Synchronous); 2] =
    [("normal", Synchronous::Normal), ("full", Synchronous::Full)];

/// The settings of a run, before the command line overrides some of them.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file they came from; none when defaults alone are used.
    pub file: Option<PathBuf>,
    /// Certstream servers to watch.
    pub servers: Vec<Server>,
    /// What several of them are for.
    pub mode: Mode,
    /// CT logs to read.
    pub ct: Ct,
    /// Fetching of what the servers' feeds missed.
    pub heal: Heal,
    /// The ancestor's rule file: one regex a line.
    pub input: Option<PathBuf>,
    /// Further rule files, in either format.
    pub rule_files: Vec<PathBuf>,
    /// Rules written in the config itself.
    pub rules: Vec<RuleEntry>,
    /// Domains and suffixes never reported, sanitised.
    pub allow: Vec<String>,
    /// Where patterns may begin to match.
    pub anchor: Anchor,
    /// Where the domains are exported to.
    pub output: PathBuf,
    /// The database.
    pub database: Database,
    /// How many threads match, where threads run, who reads the names of frames.
    pub engine: Engine,
    /// Where metrics and health are served; none: nowhere.
    pub listen: Option<SocketAddr>,
    /// Whether to export when the run ends.
    pub export_on_exit: bool,
    /// In which format.
    pub export_format: Format,
}

/// The database's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The SQLite file.
    pub filename: PathBuf,
    /// Whether `watch` sets the old database aside at its start.
    pub purge: bool,
    /// What a power loss may cost.
    pub synchronous: Synchronous,
    /// Page cache of the writer, in bytes.
    pub cache: usize,
    /// Bound of what is matched and not yet committed, in bytes.
    pub backlog: usize,
}

/// SQLite's `synchronous` setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Survives SIGKILL; a power loss may cost the last commits, rows and position together.
    #[default]
    Normal,
    /// A power loss costs nothing.
    Full,
}

/// Format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One domain a line.
    #[default]
    Text,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Config {
    /// The defaults, with relative paths taken from `folder`.
    #[must_use]
    pub fn defaults(folder: &Path) -> Self {
        Self {
            file: None,
            servers: Vec::new(),
            mode: Mode::Union,
            ct: Ct::default(),
            heal: Heal::default(),
            input: None,
            rule_files: Vec::new(),
            rules: Vec::new(),
            allow: Vec::new(),
            anchor: Anchor::Search,
            output: folder.join("certstream.txt"),
            database: Database {
                filename: folder.join("certstream.db"),
                purge: false,
                synchronous: Synchronous::Normal,
                cache: 16 << 20,
                backlog: 256 << 20,
            },
            engine: Engine::default(),
            listen: None,
            export_on_exit: true,
            export_format: Format::Text,
        }
    }

    /// The config file of a run in `folder`: the named one, else the first that is found.
    ///
    /// # Errors
    /// When none was named and none is found.
    pub fn find(named: Option<&Path>, folder: &Path) -> Result<PathBuf> {
        if let Some(named) = named {
            return Ok(named.to_path_buf());
        }
        let found = PLACES.iter().map(|place| folder.join(place)).find(|file| file.exists());
        found.ok_or_else(|| {
            Error::usage(format!("there is neither {} nor {} here", PLACES[0], PLACES[1])).remedy(
                "name one with --config, or create config.yaml with\n    \
                 certstream: {server: 'wss://your-server/', input: rules.txt}",
            )
        })
    }

    /// Reads a config file.
    ///
    /// # Errors
    /// When it cannot be read, or holds anything that is not understood.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).map_err(|error| {
            Error::usage(format!("cannot read the config: {error}"))
                .in_file(file)
                .remedy("check the path given with --config, and the file's permissions")
        })?;
        Self::parse(&bytes, file)
    }

    /// Reads `bytes` as what stands in the config `file`.
    ///
    /// # Errors
    /// When they hold anything that is not understood.
    pub fn parse(bytes: &[u8], file: &Path) -> Result<Self> {
        let document = Document::read(bytes, file)?;
        let folder = folder_of(file);
        let mut config = Self { file: Some(file.to_path_buf()), ..Self::defaults(&folder) };
        let root = document.root().table(&KEYS)?;
        if let Some(certstream) = root.get("certstream") {
            config.read_certstream(&certstream.table(&CERTSTREAM_KEYS)?, &folder)?;
        }
        if let Some(ct) = root.get("ct") {
            config.ct = Ct::read(&ct.table(&ct::KEYS)?, &folder)?;
        }
        set(&mut config.heal, root.get("heal"), |f| Heal::read(&f.table(&heal::KEYS)?))?;
        if let Some(rules) = root.get("rules") {
            config.rules = RuleEntry::read_list(&rules)?;
        }
        for rule_file in members(&root, "rule_files") {
            config.rule_files.push(folder.join(rule_file.text()?));
        }
        for domain in members(&root, "allow") {
            let written = domain.text()?;
            config.allow.push(allowed_domain(&written).ok_or_else(|| {
                domain
                    .fault(format!("`{written}` is no domain"))
                    .remedy("write `example.com`: it stands for itself and all below it")
            })?);
        }
        if let Some(database) = root.get("database") {
            config.database.read(&database.table(&DATABASE_KEYS)?, &folder)?;
        }
        set(&mut config.engine, root.get("engine"), engine::read)?;
        set(&mut config.listen, root.get("observe"), observe::read)?;
        if let Some(export) = root.get("export") {
            let export = export.table(&EXPORT_KEYS)?;
            set(&mut config.export_on_exit, export.get("on_exit"), |field| field.flag())?;
            set(&mut config.export_format, export.get("format"), |field| field.one_of(&FORMATS))?;
        }
        Ok(config)
    }

    fn read_certstream(&mut self, table: &Table<'_>, folder: &Path) -> Result<()> {
        for server in members(table, "server") {
            self.servers.push(Server::read(&server, folder)?);
        }
        set(&mut self.mode, table.get("mode"), |field| field.one_of(&MODES))?;
        if let Some(input) = table.get("input") {
            self.input = Some(folder.join(input.text()?));
        }
        set(&mut self.output, table.get("output"), |field| Ok(folder.join(field.text()?)))?;
        set(&mut self.anchor, table.get("anchor"), |field| field.one_of(&ANCHORS))
    }
}

impl Database {
    fn read(&mut self, table: &Table<'_>, folder: &Path) -> Result<()> {
        set(&mut self.filename, table.get("filename"), |field| Ok(folder.join(field.text()?)))?;
        set(&mut self.purge, table.get("purge"), |field| field.flag())?;
        set(&mut self.synchronous, table.get("synchronous"), |f| f.one_of(&SYNCHRONOUS))?;
        set(&mut self.cache, table.get("cache"), |field| field.size())?;
        set(&mut self.backlog, table.get("backlog"), |field| field.size())
    }
}

/// Replaces a default by what a field says, if it stands there.
fn set<T>(
    value: &mut T,
    field: Option<Field<'_>>,
    read: impl Fn(&Field<'_>) -> Result<T>,
) -> Result<()> {
    if let Some(field) = field {
        *value = read(&field)?;
    }
    Ok(())
}

fn members<'d>(table: &Table<'d>, key: &str) -> Vec<Field<'d>> {
    table.get(key).map(|field| field.members()).unwrap_or_default()
}

/// The folder that relative paths start from: the config's own; for the ancestor's
/// `input/config.yaml` the one above it.
fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let ancestors = file.ends_with("input/config.yaml");
    let folder = if ancestors { folder.parent().unwrap_or(Path::new("")) } else { folder };
    folder.to_path_buf()
}

/// An HTTP CONNECT proxy, `http://host:port`; `instead` says where its password goes.
fn proxy(field: &Field<'_>, instead: &str) -> Result<String> {
    let text = field.text()?;
    let host = text.strip_prefix("http://").unwrap_or_default();
    if text.contains('@') {
        return Err(field.fault("a proxy's password has no place in the config").remedy(instead));
    }
    if host.is_empty() {
        return Err(field
            .fault(format!("`{text}` is no proxy"))
            .remedy("write, for example: proxy: 'http://proxy.example.com:3128'"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Reads `text` as the config called `name` in a folder of its own.
    fn read(name: &str, text: &str) -> (tempfile::TempDir, Result<Config>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("has one")).expect("a folder");
        fs::write(&file, text).expect("a file");
        let config = Config::read(&file);
        (folder, config)
    }

    #[test]
    fn the_ancestors_config_keeps_its_meaning() {
        let (folder, config) = read(
            "input/config.yaml",
            "certstream:\n  server: 'wss://certstream.calidog.io'  # a comment\n  \
             input: 'input/input_regex.txt'\n  output: 'logs/CertStream.txt'\n\n\
             database:\n  purge: True\n  filename: 'logs/CertStream.db'",
        );
        let config = config.expect("reads");
        assert_eq!(config.servers[0].url, "wss://certstream.calidog.io");
        assert_eq!(config.input, Some(folder.path().join("input/input_regex.txt")));
        assert_eq!(config.output, folder.path().join("logs/CertStream.txt"));
        assert_eq!(config.database.filename, folder.path().join("logs/CertStream.db"));
        assert!(config.database.purge);
    }

    #[test]
    fn every_key_is_read() {
        let (folder, config) = read(
            "config.yaml",
            "certstream:\n  server: [ws://a/, ws://b/]\n  anchor: start\nrules:\n  - {name: n, pattern: p}\n\
             rule_files: [more.txt]\nallow: [example.com]\ndatabase: {synchronous: full, \
             cache: 8 MiB, backlog: 1 MiB}\nengine: {matchers: 3}\n\
             heal: {enabled: no, max_entries: 5, settle_after: 2 s}\nexport: {on_exit: no, format: csv}\n",
        );
        let config = config.expect("reads");
        assert_eq!(config.servers.len(), 2);
        assert_eq!(config.anchor, Anchor::Start);
        assert_eq!((config.rules.len(), config.rules[0].line), (1, 5));
        assert_eq!(config.rule_files, [folder.path().join("more.txt")]);
        assert_eq!(config.allow, ["example.com"]);
        assert_eq!(config.database.synchronous, Synchronous::Full);
        assert_eq!((config.database.cache, config.database.backlog), (8 << 20, 1 << 20));
        assert_eq!(config.engine.matchers, Some(3));
        let settle_after = Duration::from_secs(2);
        assert_eq!(config.heal, Heal { enabled: false, max_entries: 5, settle_after });
        assert_eq!((config.export_on_exit, config.export_format), (false, Format::Csv));
        assert_eq!(config.output, folder.path().join("certstream.txt"));
    }

    /// The file that ships is the first one a user edits: it must start a run as it stands.
    #[test]
    fn the_shipped_config_reads_the_logs_with_rules_that_compile() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.yaml");
        let config = Config::read(&file).expect("reads");
        assert_eq!((config.servers.len(), config.ct), (0, Ct { enabled: true, ..Ct::default() }));
        let defaults = Config::defaults(&folder_of(&file));
        assert_eq!((&config.output, &config.database), (&defaults.output, &defaults.database));
        let mut loader = crate::rule::Loader::new(config.anchor);
        loader.entries(&config.rules, &file).expect("compile");
        loader.allow(&config.allow);
        assert_eq!(loader.finish().expect("has rules").rules.len(), 4);
    }

    #[test]
    fn a_pattern_is_taken_as_it_is_written() {
        let (_folder, config) =
            read("config.yaml", "rules: [0123, {name: No, pattern: 1.0, severity: 3}, on]\n");
        let rules = config.expect("reads").rules;
        let patterns: Vec<&str> = rules.iter().map(|rule| rule.pattern.as_str()).collect();
        assert_eq!(patterns, ["0123", "1.0", "on"]);
        assert_eq!(rules[1].name.as_deref(), Some("No"));
    }

    #[test]
    fn mistakes_name_line_key_and_remedy() {
        let table = [
            (
                "certstream:\n  sever: x\n",
                ":2:3: certstream.sever: unknown key\n  remedy: did you mean `server`?",
            ),
            (
                "database:\n  purge: maybe\n",
                ":2:10: database.purge: true or false is wanted here, not `maybe`",
            ),
            (
                "certstream: {anchor: end}\n",
                ":1:22: certstream.anchor: `end` is not known here\n  remedy: write one of: search, start",
            ),
            (
                "engine: {pin: {writer: 3-1}}\n",
                ":1:24: engine.pin.writer: `3-1` is no list of cores\n  \
                 remedy: write it as taskset -c does, for example '2-3' or '0,4'",
            ),
            (
                "engine: {pin: {feeds: 1023}}\n",
                ":1:23: engine.pin.feeds: this machine does not let CertStream run on core 1023",
            ),
            ("engine: {matchers: 1025}\n", ":1:20: engine.matchers: at most 1024 matchers can run"),
            (
                "engine: {matchers: 0}\n",
                ":1:20: engine.matchers: a whole number from 1 up is wanted",
            ),
            (
                "database: {cache: big}\n",
                ":1:19: database.cache: a size above zero is wanted here, not `big`",
            ),
            (
                "database: {backlog: 0}\n",
                ":1:21: database.backlog: a size above zero is wanted here, not `0`\n  \
                 remedy: write, for example: backlog: 16 MiB",
            ),
            (
                "certstream:\n  server: ws://a/\n  server: ws://b/\n",
                ":3:3: certstream.server: this key stands on line 2 already\n  remedy: keep one",
            ),
            (
                "outbox: {listen: x}\n",
                ":1:1: outbox: unknown key\n  remedy: known here: certstream, ct, heal, rules, rule_files",
            ),
            (
                "observe: {listen: 'localhost:1'}\n",
                ":1:19: observe.listen: `localhost:1` is no address to listen at\n  remedy: write an IP",
            ),
            (
                "certstream: {input: ''}\n",
                ":1:21: certstream.input: text is wanted here, not empty",
            ),
            ("rules:\n- pattern: *.example\n", ":2:12: alias references unknown anchor\n  remedy:"),
            ("rules: [{name: x}]\n", ": rules[1]: the rule has no pattern"),
            ("export: {format: xml}\n", "remedy: write one of: text, csv, jsonl"),
        ];
        for (text, expected) in table {
            let (_folder, config) = read("config.yaml", text);
            let shown = config.expect_err(text).to_string();
            assert!(shown.contains(expected), "{text}: {shown}");
        }
        let missing = Config::read(Path::new("/nowhere/config.yaml")).expect_err("missing");
        assert!(missing.to_string().contains("/nowhere/config.yaml: cannot read the config"));
    }

    #[test]
    fn the_first_config_found_counts_and_none_is_an_error() {
        let (folder, _) = read("input/config.yaml", "");
        let found = Config::find(None, folder.path()).expect("found");
        assert!(found.ends_with("input/config.yaml"));
        fs::write(folder.path().join("config.yaml"), "").expect("a file");
        let found = Config::find(None, folder.path()).expect("found");
        assert_eq!(found, folder.path().join("config.yaml"));
        let empty = tempfile::tempdir().expect("a folder");
        let error = Config::find(None, empty.path()).expect_err("none").to_string();
        assert!(error.contains("neither config.yaml nor input/config.yaml"), "{error}");
    }
}
