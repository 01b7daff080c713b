//! The `ct:` block: which CT logs are read, from where on, and how they are checked.
//!
//! Owns its keys, defaults and messages. What the settings do is `feed::ctlog`'s business.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::error::Result;
use crate::yaml::{Field, Table};

use super::{members, proxy, set};

pub(super) const KEYS: [&str; 13] = [
    "enabled",
    "log_list",
    "list_refresh",
    "let_go_after",
    "operators",
    "source",
    "start",
    "verify",
    "max_delay",
    "timeout",
    "contact",
    "ca_file",
    "proxy",
];

/// The words for what is fetched of a log.
pub const SOURCES: [(&str, CtSource); 2] = [("data", CtSource::Data), ("names", CtSource::Names)];
/// The words for how a log is checked.
pub const VERIFICATIONS: [(&str, Verification); 2] =
    [("full", Verification::Full), ("checkpoint", Verification::Checkpoint)];

/// Where Chrome's list of logs is published; it changes about once a day.
pub const CHROME: &str = "https://www.gstatic.com/ct/log_list/v3/log_list.json";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Which CT logs are read, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ct {
    /// Whether they are read at all.
    pub enabled: bool,
    /// Where the list of logs comes from.
    pub log_list: LogListPlace,
    /// How often a list at a URL is fetched.
    pub list_refresh: Duration,
    /// How long a log that has ended, or left the list, may fail to answer before the rest of it is
    /// given up.
    pub let_go_after: Duration,
    /// Names of the operators whose logs are read; empty: all.
    pub operators: Vec<String>,
    /// What is fetched of a log.
    pub source: CtSource,
    /// Where a log is begun that has not been read before.
    pub start: Start,
    /// How what is fetched is checked.
    pub verify: Verification,
    /// How old the oldest entry of a tile that is still filling may get before it is fetched.
    pub max_delay: Duration,
    /// What one request may take, the last byte of its answer included.
    pub timeout: Duration,
    /// E-mail address or `https://` URL by which log operators can reach whoever runs this.
    pub contact: Option<String>,
    /// Further certificate authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// HTTP CONNECT proxy, `http://host:port`; none: as the environment says.
    pub proxy: Option<String>,
}

/// Where the list of logs comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogListPlace {
    /// The snapshot within the program.
    Embedded,
    /// A file, read again when it changes.
    File(PathBuf),
    /// A URL, fetched now and then.
    Url(String),
}

/// What is fetched of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CtSource {
    /// The entries: names and evidence, covered by the log's signature.
    #[default]
    Data,
    /// Where a log has them the names alone, for thin links; evidence follows for what matched.
    Names,
}

/// How what is fetched is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Signature, consistency between tree heads, and that every entry stands in the signed tree.
    #[default]
    Full,
    /// Signature, and consistency between tree heads.
    Checkpoint,
}

/// Where a log is begun that has not been read before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Its current end.
    #[default]
    End,
    /// Its first entry.
    Beginning,
    /// The entry of this index.
    Index(u64),
    /// The first entry that the log took in at this time or later, in milliseconds since the Unix
    /// epoch.
    Time(u64),
}

impl Default for Ct {
    fn default() -> Self {
        Self {
            enabled: false,
            log_list: LogListPlace::Url(CHROME.to_owned()),
            list_refresh: DAY,
            let_go_after: DAY,
            operators: Vec::new(),
            source: CtSource::Data,
            start: Start::End,
            verify: Verification::Full,
            max_delay: Duration::from_secs(60),
            timeout: Duration::from_secs(60),
            contact: None,
            ca_file: None,
            proxy: None,
        }
    }
}

impl Ct {
    /// Reads the block; that it is there turns the logs on, unless it says otherwise.
    pub(super) fn read(table: &Table<'_>, folder: &Path) -> Result<Self> {
        let mut ct = Self { enabled: true, ..Self::default() };
        set(&mut ct.enabled, table.get("enabled"), |field| field.flag())?;
        set(&mut ct.log_list, table.get("log_list"), |field| {
            Ok(LogListPlace::of(&field.text()?, folder))
        })?;
        set(&mut ct.list_refresh, table.get("list_refresh"), |field| field.duration())?;
        set(&mut ct.let_go_after, table.get("let_go_after"), |field| field.duration())?;
        for operator in members(table, "operators") {
            ct.operators.push(operator.text()?);
        }
        set(&mut ct.source, table.get("source"), |field| field.one_of(&SOURCES))?;
        set(&mut ct.start, table.get("start"), start)?;
        set(&mut ct.verify, table.get("verify"), |field| field.one_of(&VERIFICATIONS))?;
        set(&mut ct.max_delay, table.get("max_delay"), |field| field.duration())?;
        set(&mut ct.timeout, table.get("timeout"), |field| field.duration())?;
        set(&mut ct.contact, table.get("contact"), |field| contact(field).map(Some))?;
        set(&mut ct.ca_file, table.get("ca_file"), |f| Ok(Some(folder.join(f.text()?))))?;
        let instead = "set HTTPS_PROXY in the environment instead, and leave this key out";
        set(&mut ct.proxy, table.get("proxy"), |field| proxy(field, instead).map(Some))?;
        Ok(ct)
    }
}

impl LogListPlace {
    /// The place that `text` names; a relative path starts from `folder`.
    #[must_use]
    pub fn of(text: &str, folder: &Path) -> Self {
        if text == "embedded" {
            Self::Embedded
        } else if text.starts_with("https://") || text.starts_with("http://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(folder.join(text))
        }
    }
}

impl Start {
    /// The start that `text` means; none when it is no such thing.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        match text {
            "end" => Some(Self::End),
            "beginning" => Some(Self::Beginning),
            _ => text.parse().ok().map(Self::Index).or_else(|| {
                let time: Timestamp = text.parse().ok()?;
                u64::try_from(time.as_millisecond()).ok().map(Self::Time)
            }),
        }
    }
}

fn start(field: &Field<'_>) -> Result<Start> {
    let text = field.text()?;
    Start::of(&text).ok_or_else(|| {
        field
            .fault(format!("`{text}` is no place in a log"))
            .remedy("write one of: end, beginning, an index, a time such as 2026-11-24T00:00:00Z")
    })
}

fn contact(field: &Field<'_>) -> Result<String> {
    let text = field.text()?;
    let is_url = text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
    let is_mail = text
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    // It goes into a header of every request.
    if (is_url || is_mail) && text.bytes().all(|b| b.is_ascii_graphic() && !b"()\\".contains(&b)) {
        return Ok(text);
    }
    Err(field
        .fault(format!("`{text}` is neither an e-mail address nor an https:// URL"))
        .remedy("write how log operators can reach you, for example: contact: soc@example.com"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<Ct> {
        Config::parse(text.as_bytes(), Path::new("/etc/ct/config.yaml")).map(|config| config.ct)
    }

    #[test]
    fn without_a_block_no_log_is_read_and_an_empty_one_turns_them_on() {
        assert_eq!(read("").expect("reads"), Ct::default());
        let on = read("ct: {}\n").expect("reads");
        assert!(on.enabled && on.start == Start::End && on.verify == Verification::Full);
        assert!(!read("ct: {enabled: no}\n").expect("reads").enabled);
    }

    #[test]
    fn every_key_is_read() {
        let ct = read(
            "ct:\n  log_list: lists/mine.json\n  list_refresh: 6 h\n  let_go_after: 2 h\n  operators: [Google, \"Let's Encrypt\"]\n  \
             source: names\n  start: 2026-11-24T00:00:00Z\n  verify: checkpoint\n  \
             max_delay: 5 min\n  timeout: 2 min\n  contact: soc@example.com\n  ca_file: ca.pem\n  \
             proxy: 'http://proxy.example.com:3128'\n",
        );
        let expected = Ct {
            enabled: true,
            log_list: LogListPlace::File(PathBuf::from("/etc/ct/lists/mine.json")),
            list_refresh: Duration::from_secs(6 * 3600),
            let_go_after: Duration::from_secs(2 * 3600),
            operators: vec!["Google".to_owned(), "Let's Encrypt".to_owned()],
            source: CtSource::Names,
            start: Start::Time(1_795_478_400_000),
            verify: Verification::Checkpoint,
            max_delay: Duration::from_secs(300),
            timeout: Duration::from_secs(120),
            contact: Some("soc@example.com".to_owned()),
            ca_file: Some(PathBuf::from("/etc/ct/ca.pem")),
            proxy: Some("http://proxy.example.com:3128".to_owned()),
        };
        assert_eq!(ct.expect("reads"), expected);
    }

    #[test]
    fn a_list_is_a_url_a_file_or_the_embedded_one() {
        let folder = Path::new("/f");
        assert_eq!(LogListPlace::of("embedded", folder), LogListPlace::Embedded);
        let url = "https://lists.example/v3.json";
        assert_eq!(LogListPlace::of(url, folder), LogListPlace::Url(url.to_owned()));
        let file = LogListPlace::File(PathBuf::from("/f/list.json"));
        assert_eq!(LogListPlace::of("list.json", folder), file);
    }

    #[test]
    fn mistakes_name_line_key_and_remedy() {
        let table = [
            ("ct: {start: yesterday}\n", "1:13: ct.start: `yesterday` is no place in a log"),
            ("ct: {verify: no}\n", "ct.verify: `no` is not known here"),
            ("ct: {contact: me}\n", "ct.contact: `me` is neither an e-mail address nor"),
            ("ct: {contact: 'a@b.c\\r\\n'}\n", "is neither an e-mail address nor"),
            ("ct: {max_delay: soon}\n", "ct.max_delay: a duration above zero is wanted here"),
            ("ct: {proxy: 'http://me:secret@proxy'}\n", "a proxy's password has no place"),
            ("ct: {proxy: 'socks5://proxy'}\n", "`socks5://proxy` is no proxy"),
            ("ct: {sources: data}\n", "ct.sources: unknown key\n  remedy: did you mean `source`?"),
        ];
        for (text, expected) in table {
            let shown = read(text).expect_err(text).to_string();
            assert!(shown.contains(expected), "{text}: {shown}");
        }
    }
}
