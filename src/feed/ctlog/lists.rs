//! Where the list of logs comes from, and how it stays true.
//!
//! Owns the fetching, the fall-back to the snapshot within the program, and when to look again.
//! What the list says is `ctlog`'s business.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::config::{CHROME, LogListPlace};
use crate::connect::http::Client;
use crate::ctlog::LogList;
use crate::error::{Error, Result};

/// Bytes a list may have; Chrome's has 40 KB.
const LIMIT: usize = 16 * 1024 * 1024;
/// How often a URL is asked: the list changes about once a day.
const REFRESH: Duration = Duration::from_secs(24 * 3600);
/// When it is asked again where it could not be had.
const REFRESH_AFTER_FAULT: Duration = Duration::from_secs(3600);
/// How often a file is looked at.
const FILE_REFRESH: Duration = Duration::from_secs(1);

/// The list of logs, kept up to date.
#[derive(Debug)]
pub struct Lists {
    place: LogListPlace,
    client: Client,
    next_look: Instant,
    /// When the file was changed last.
    changed: Option<SystemTime>,
}

impl Lists {
    /// The list at `place`, and what it says now.
    ///
    /// # Errors
    /// When it stands in a file that cannot be read or holds no list, or at a URL of the user's
    /// own that cannot be had. Where Chrome's cannot be had the snapshot serves, with a warning.
    pub fn open(place: LogListPlace, client: Client) -> Result<(Self, LogList)> {
        let mut lists = Self { place, client, next_look: Instant::now(), changed: None };
        let list = match lists.place.clone() {
            LogListPlace::Embedded => LogList::embedded(),
            LogListPlace::File(file) => {
                lists.changed = changed(&file);
                read(&file)?
            }
            LogListPlace::Url(url) => {
                match lists.fetch(&url) {
                    Ok(list) => list,
                    Err(what) if url == CHROME => {
                        let list = LogList::embedded();
                        log::warn!(
                            "the list of CT logs cannot be had: {what}; taking the one of {} that \
                         came with certstream",
                            list.date
                        );
                        list
                    }
                    // Whoever names a list of their own does not mean Chrome's.
                    Err(what) => {
                        return Err(Error::failed(format!("the list of CT logs cannot be had: {what}"))
                        .at_key("ct.log_list")
                        .remedy("check the URL; `embedded` takes Chrome's list as it came with certstream"));
                    }
                }
            }
        };
        Ok((lists, list))
    }

    /// When to look again.
    pub fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Looks again; none when there is nothing new. What is wrong is said, and the old list goes
    /// on.
    pub fn look(&mut self) -> Option<LogList> {
        match self.place.clone() {
            LogListPlace::Embedded => {
                self.next_look = Instant::now() + REFRESH;
                None
            }
            LogListPlace::File(file) => {
                self.next_look = Instant::now() + FILE_REFRESH;
                let now = changed(&file);
                if now == self.changed {
                    return None;
                }
                self.changed = now;
                read(&file).map_err(|error| log::error!("{error}\n  the old list goes on")).ok()
            }
            LogListPlace::Url(url) => {
                let list = self.fetch(&url);
                list.map_err(|what| {
                    log::warn!("the list of CT logs cannot be had: {what}; the old one goes on");
                })
                .ok()
            }
        }
    }

    fn fetch(&mut self, url: &str) -> Result<LogList, String> {
        self.next_look = Instant::now() + REFRESH_AFTER_FAULT;
        let json =
            self.client.get(url, LIMIT).map_err(|fault| format!("{}: {fault}", shown(url)))?;
        let list = LogList::parse(&json).map_err(|fault| format!("{}: {fault}", shown(url)))?;
        if list.logs.is_empty() {
            return Err(format!("{}: it has no log that we understand", shown(url)));
        }
        // Not all at the same time of day.
        self.next_look = Instant::now() + REFRESH.mul_f64(0.9 + fastrand::f64() / 5.0);
        Ok(list)
    }
}

/// A URL without its query, which may hold a secret.
fn shown(url: &str) -> &str {
    url.split_once('?').map_or(url, |(shown, _)| shown)
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

fn read(file: &Path) -> Result<LogList> {
    let bytes = fs::read(file).map_err(|error| {
        Error::usage(format!("the list of CT logs cannot be read: {error}"))
            .in_file(file)
            .remedy("check ct.log_list; `embedded` takes the list that came with certstream")
    })?;
    let none = |what: String| {
        Error::usage(format!("this is no list of CT logs: {what}"))
            .in_file(file)
            .remedy("ct.log_list takes Chrome's format, version 3")
    };
    let list = LogList::parse(&bytes).map_err(|fault| none(fault.to_string()))?;
    // A file that is just being written must not end every course.
    if list.logs.is_empty() {
        return Err(none("it has no log that we understand".to_owned()));
    }
    Ok(list)
}
