//! Where the list of logs comes from, and how it stays true.
//!
//! Owns the fetching, the fall-back to the snapshot within the program, and when to look again.
//! What the list says is `ctlog`'s business.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use crate::config::{CHROME, LogListPlace};
use crate::connect::http::Client;
use crate::ctlog::LogList;
use crate::error::{Error, Result};

/// Bytes a list may have; Chrome's has 40 KB.
const LIMIT: usize = 16 * 1024 * 1024;
/// When a URL is asked again that could not be had, or whose list is in doubt.
const REFRESH_AFTER_FAULT: Duration = Duration::from_secs(3600);
/// How often a file is looked at.
const FILE_REFRESH: Duration = Duration::from_secs(1);

/// The list of logs, kept up to date.
#[derive(Debug)]
pub struct Lists {
    place: LogListPlace,
    client: Client,
    /// How often a URL is asked.
    refresh: Duration,
    next_look: Instant,
    /// When the file was changed last.
    changed: Option<SystemTime>,
    /// The list that is being fetched.
    coming: Option<Receiver<Result<LogList, String>>>,
}

impl Lists {
    /// The list at `place`, and what it says now.
    ///
    /// # Errors
    /// When it stands in a file that cannot be read or holds no list, or at a URL of the user's
    /// own that cannot be had. Where Chrome's cannot be had the snapshot serves, with a warning.
    pub fn open(place: LogListPlace, client: Client, refresh: Duration) -> Result<(Self, LogList)> {
        let next_look = Instant::now() + spread(refresh);
        let mut lists = Self { place, client, refresh, next_look, changed: None, coming: None };
        let list = match lists.place.clone() {
            LogListPlace::Embedded => LogList::embedded(),
            LogListPlace::File(file) => {
                lists.next_look = Instant::now() + FILE_REFRESH;
                lists.changed = changed(&file);
                read(&file)?
            }
            LogListPlace::Url(url) => {
                match fetch(&lists.client, &url) {
                    Ok(list) => list,
                    Err(what) if url == CHROME => {
                        lists.next_look = Instant::now() + lists.soon();
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

    /// Looks again, when it is time to; none when there is nothing new. Never waits: a URL is
    /// fetched meanwhile, and what came of it is told by a later call. What is wrong is said, and
    /// the old list goes on.
    pub fn look(&mut self) -> Option<LogList> {
        if self.coming.is_some() {
            return self.take_what_has_come();
        }
        if Instant::now() < self.next_look {
            return None;
        }
        match self.place.clone() {
            LogListPlace::Embedded => {
                self.next_look = Instant::now() + self.refresh;
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
                self.coming = Some(self.begin_to_fetch(url));
                None
            }
        }
    }

    /// The list that was told last is in doubt: it is looked at once more before its time.
    pub fn look_twice(&mut self) {
        self.changed = None;
        self.next_look = self.next_look.min(Instant::now() + self.soon());
    }

    /// A thread of its own fetches the list: at a stop it is left behind.
    fn begin_to_fetch(&self, url: String) -> Receiver<Result<LogList, String>> {
        let (list, coming) = bounded(1);
        let client = self.client.clone();
        let work = move || {
            // Nobody may be waiting for it any more.
            let _ = list.send(fetch(&client, &url));
        };
        // A thread that cannot be started is one that is lost: the channel is closed.
        let _ = thread::Builder::new().name("log list".into()).spawn(work);
        coming
    }

    fn take_what_has_come(&mut self) -> Option<LogList> {
        let outcome = match self.coming.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err("no thread to fetch it with".to_owned()),
            Ok(outcome) => outcome,
        };
        self.coming = None;
        let pause = if outcome.is_ok() { spread(self.refresh) } else { self.soon() };
        self.next_look = Instant::now() + pause;
        let lament = |what| {
            log::warn!("the list of CT logs cannot be had: {what}; the old one goes on");
        };
        outcome.map_err(lament).ok()
    }

    fn soon(&self) -> Duration {
        REFRESH_AFTER_FAULT.min(self.refresh)
    }
}

/// Not all at the same time of day.
fn spread(refresh: Duration) -> Duration {
    refresh.mul_f64(0.9 + fastrand::f64() / 5.0)
}

fn fetch(client: &Client, url: &str) -> Result<LogList, String> {
    let json = client.get(url, LIMIT).map_err(|fault| {
        let remedy = fault.remedy().map(|remedy| format!(" (remedy: {remedy})"));
        format!("{}: {fault}{}", shown(url), remedy.unwrap_or_default())
    })?;
    let list = LogList::parse(&json).map_err(|fault| format!("{}: {fault}", shown(url)))?;
    if list.logs.is_empty() {
        return Err(format!("{}: it has no log that we understand", shown(url)));
    }
    Ok(list)
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
