//! The `certstream:` block: which servers are watched, and how each is reached.
//!
//! Owns the servers' keys and the messages about them. The block's other keys, the ancestor's
//! among them, are the config's own. What the settings do is `feed::certstream`'s business.

use std::path::{Path, PathBuf};

use crate::error::{Origin, Result};
use crate::yaml::{Field, Table};

use super::proxy;

const SERVER_KEYS: [&str; 8] = [
    "url",
    "stream",
    "token_env",
    "token_file",
    "ca_file",
    "proxy",
    "proxy_auth_env",
    "proxy_auth_file",
];

const STREAMS: [(&str, &str); 3] =
    [("full", "/full-stream"), ("lite", "/"), ("domains-only", "/domains-only")];

/// The words for what several servers are for.
pub const MODES: [(&str, Mode); 2] = [("union", Mode::Union), ("failover", Mode::Failover)];

/// What several servers are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All are watched at once.
    #[default]
    Union,
    /// One is watched, the first in the list that is to be had; the others stand by.
    Failover,
}

/// A certstream server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `ws://` or `wss://` URL with the path of the stream.
    pub url: String,
    /// Where the access token is.
    pub token: Option<SecretPlace>,
    /// Further certificate authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// HTTP CONNECT proxy, `http://host:port`; none: as the environment says.
    pub proxy: Option<String>,
    /// Where the proxy's credentials (`USER:PASSWORD`) are.
    pub proxy_auth: Option<SecretPlace>,
    /// Where the URL was written; none for one from the command line.
    pub origin: Option<Origin>,
}

/// Where a secret is kept: never in the config itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// An environment variable.
    Variable(String),
    /// A file that holds nothing else.
    File(PathBuf),
}

impl Server {
    /// The server at `url`, with nothing special about it.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            ca_file: None,
            proxy: None,
            proxy_auth: None,
            origin: None,
        }
    }

    pub(super) fn read(field: &Field<'_>, folder: &Path) -> Result<Self> {
        if field.is_text() {
            return Ok(Self { origin: Some(field.origin()), ..Self::at(field.text()?) });
        }
        let table = field.table(&SERVER_KEYS)?;
        let Some(url) = table.get("url") else {
            return Err(field.fault("the server has no url").remedy("add `url: 'wss://host/'`"));
        };
        let path = table.get("stream").map(|stream| stream.one_of(&STREAMS)).transpose()?;
        let instead = "name it without them, and say where USER:PASSWORD is with `proxy_auth_env` \
                       or `proxy_auth_file`";
        let server = Self {
            url: with_path(url.text()?, path),
            token: secret_place(&table, ["token_env", "token_file"], folder)?,
            ca_file: match table.get("ca_file") {
                Some(file) => Some(folder.join(file.text()?)),
                None => None,
            },
            proxy: table.get("proxy").map(|field| proxy(&field, instead)).transpose()?,
            proxy_auth: secret_place(&table, ["proxy_auth_env", "proxy_auth_file"], folder)?,
            origin: Some(url.origin()),
        };
        if server.proxy_auth.is_some() && server.proxy.is_none() {
            return Err(field
                .fault("there are credentials for a proxy, but no proxy")
                .remedy("add `proxy: 'http://host:port'`, or remove them"));
        }
        Ok(server)
    }
}

/// The place that one of two keys names, a variable's or a file's.
fn secret_place(
    table: &Table<'_>,
    [variable, file]: [&str; 2],
    folder: &Path,
) -> Result<Option<SecretPlace>> {
    match (table.get(variable), table.get(file)) {
        (None, None) => Ok(None),
        (Some(name), None) => Ok(Some(SecretPlace::Variable(name.text()?))),
        (None, Some(path)) => Ok(Some(SecretPlace::File(folder.join(path.text()?)))),
        (Some(_), Some(second)) => Err(second
            .fault(format!("`{variable}` stands beside `{file}`"))
            .remedy("keep the one that holds the secret")),
    }
}

/// `url` with the path of its stream, where it has no path of its own; a query stays behind it.
fn with_path(url: String, path: Option<&str>) -> String {
    let Some(path) = path else { return url };
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    let (server, rest) = url.split_at(end);
    let after = rest.strip_prefix('/').unwrap_or(rest);
    if after.is_empty() || after.starts_with(['?', '#']) {
        format!("{server}{path}{after}")
    } else {
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<Config> {
        Config::parse(text.as_bytes(), Path::new("/etc/ct/config.yaml"))
    }

    fn server(text: &str) -> Server {
        read(&format!("certstream: {{server: {text}}}\n")).expect("reads").servers.remove(0)
    }

    #[test]
    fn every_key_is_read() {
        let text = "certstream:\n  server:\n    - ws://a/\n    - {url: 'wss://b', stream: full, \
                    token_env: T, ca_file: ca.pem,\n       proxy: 'http://p:3128', \
                    proxy_auth_file: p.secret}\n  mode: failover\n";
        let config = read(text).expect("reads");
        let second = Server {
            url: "wss://b/full-stream".to_owned(),
            token: Some(SecretPlace::Variable("T".to_owned())),
            ca_file: Some(PathBuf::from("/etc/ct/ca.pem")),
            proxy: Some("http://p:3128".to_owned()),
            proxy_auth: Some(SecretPlace::File(PathBuf::from("/etc/ct/p.secret"))),
            origin: Some(Origin {
                file: PathBuf::from("/etc/ct/config.yaml"),
                line: 4,
                column: 13,
                key: "certstream.server[2].url".to_owned(),
            }),
        };
        assert_eq!((config.servers.len(), &config.servers[1]), (2, &second));
        assert_eq!(config.mode, Mode::Failover);
        assert_eq!(read("certstream: {server: ws://a/}\n").expect("reads").mode, Mode::Union);
        let token = server("{url: ws://a/, token_file: t}").token;
        assert_eq!(token, Some(SecretPlace::File(PathBuf::from("/etc/ct/t"))));
    }

    #[test]
    fn a_stream_is_a_path_where_the_url_has_none() {
        let table = [
            ("ws://a", "full", "ws://a/full-stream"),
            ("wss://a:8080/", "domains-only", "wss://a:8080/domains-only"),
            ("ws://a", "lite", "ws://a/"),
            ("ws://a?key=1", "full", "ws://a/full-stream?key=1"),
            ("ws://a/?next=/b", "full", "ws://a/full-stream?next=/b"),
            ("ws://a/own/", "full", "ws://a/own/"),
        ];
        for (url, stream, expected) in table {
            let server = server(&format!("{{url: '{url}', stream: {stream}}}"));
            assert_eq!(server.url, expected);
        }
    }

    #[test]
    fn mistakes_name_line_key_and_remedy() {
        let table = [
            ("[{stream: lite}]", "certstream.server[1]: the server has no url"),
            (
                "{url: ws://a/, token_env: A, token_file: b}",
                "certstream.server.token_file: `token_env` stands beside `token_file`",
            ),
            (
                "{url: ws://a/, proxy: 'http://me:sesame@p'}",
                "certstream.server.proxy: a proxy's password has no place in the config\n  \
                 remedy: name it without them, and say where USER:PASSWORD is",
            ),
            ("{url: ws://a/, proxy: 'socks5://p'}", "`socks5://p` is no proxy"),
            (
                "{url: ws://a/, proxy_auth_env: P}",
                "there are credentials for a proxy, but no proxy",
            ),
            ("{url: ws://a/, token: sesame}", "token: unknown key"),
        ];
        for (text, expected) in table {
            let text = format!("certstream: {{server: {text}}}\n");
            let shown = read(&text).expect_err(&text).to_string();
            assert!(shown.contains(expected), "{text}: {shown}");
            assert!(!shown.contains("sesame"), "{shown}");
        }
        let shown = read("certstream: {mode: both}\n").expect_err("no mode").to_string();
        assert!(shown.contains("remedy: write one of: union, failover"), "{shown}");
    }
}
