//! What the CT logs are read with: the list of them, which are wanted, and how they are asked.
//!
//! Owns what can be wrong before anything starts.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::{Ct, CtSource, Start, Verification};
use crate::connect::http::{Client, HttpSettings};
use crate::ctlog::{Log, LogList, Standing};
use crate::error::{Error, Result};

use super::Lists;

/// What a start waits for the list before it takes the snapshot.
const LIST_DEADLINE: Duration = Duration::from_secs(15);

/// How the CT logs are read.
#[derive(Debug)]
pub struct Settings {
    pub(super) client: Client,
    pub(super) lists: Lists,
    /// The list as it was at the start.
    pub(super) list: LogList,
    pub(super) operators: Vec<String>,
    pub(super) source: CtSource,
    pub(super) start: Start,
    pub(super) verify: Verification,
    pub(super) max_delay: Duration,
    pub(super) let_go_after: Duration,
    /// Whether the operators can reach whoever runs this.
    pub(super) identified: bool,
    /// The one range to read, instead of following the logs.
    pub(super) range: Option<Range>,
}

/// A range of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The log's [`Log::origin`].
    pub origin: String,
    /// Where it begins.
    pub from: Start,
    /// The entry it ends before.
    pub to: Start,
    /// What the user wrote, which the name of the feed is made of.
    pub written: String,
}

/// The name of the feed that follows `log`, under which its position is stored.
#[must_use]
pub fn feed_name(log: &Log) -> String {
    format!("log {}", log.origin())
}

/// Whether `feed` is the name of one that follows a log.
pub(super) fn is_feed_of_log(feed: &str) -> bool {
    feed.starts_with("log ")
}

/// The name of the feed that verifies what matched in `log` by names alone.
#[must_use]
pub fn verifier_name(log: &Log) -> String {
    format!("verify {}", log.origin())
}

impl Settings {
    /// Checks `ct`, and gets the list of logs.
    ///
    /// # Errors
    /// When the CA file, the proxy or the list cannot serve, or an operator is in no list.
    pub fn new(ct: &Ct) -> Result<Self> {
        let http = HttpSettings {
            ca_file: ct.ca_file.as_deref(),
            proxy: ct.proxy.as_deref(),
            contact: ct.contact.as_deref(),
        };
        let client = Client::new(http, ct.timeout)?;
        let client_for_lists = Client::new(http, LIST_DEADLINE)?;
        let (lists, list) = Lists::open(ct.log_list.clone(), client_for_lists, ct.list_refresh)?;
        let settings = Self {
            client,
            lists,
            list,
            operators: ct.operators.clone(),
            source: ct.source,
            start: ct.start,
            verify: ct.verify,
            max_delay: ct.max_delay,
            let_go_after: ct.let_go_after,
            identified: ct.contact.is_some(),
            range: None,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Whether there is any log to follow at `now`, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When there is none.
    pub fn check_that_any_is_current(&self, now: i64) -> Result<()> {
        if self.wanted(&self.list).any(|log| log.standing(now) == Standing::Current) {
            return Ok(());
        }
        Err(Error::usage("no log in the list is worth reading now")
            .at_key("ct.log_list")
            .remedy("see `certstream logs --all`; take a newer list"))
    }

    /// Reads `range` and ends.
    #[must_use]
    pub fn only(mut self, range: Range) -> Self {
        self.range = Some(range);
        self
    }

    /// The list of logs.
    #[must_use]
    pub fn list(&self) -> &LogList {
        &self.list
    }

    /// The logs of `list` that are wanted, whatever their standing.
    pub fn wanted<'l>(&self, list: &'l LogList) -> impl Iterator<Item = &'l Log> {
        let ours = |log: &&Log| {
            self.operators.is_empty()
                || self.operators.iter().any(|name| name.eq_ignore_ascii_case(&log.operator))
        };
        list.logs.iter().filter(ours)
    }

    fn check(&self) -> Result<()> {
        for (name, what) in &self.list.left_out {
            log::warn!("the log {} is left out of the list: {what}", name.escape_default());
        }
        let known: BTreeSet<&str> = self.list.logs.iter().map(|log| &*log.operator).collect();
        for name in &self.operators {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let known: Vec<&str> = known.into_iter().collect();
                return Err(Error::usage(format!("no log in the list is run by `{name}`"))
                    .at_key("ct.operators")
                    .remedy(format!("write one of: {}", known.join(", "))));
            }
        }
        Ok(())
    }
}
