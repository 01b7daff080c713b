//! What each log is asked and read with.
//!
//! Owns what logs share in that: the bucket of their operator, and the room for what is fetched
//! ahead. When they are asked is their courses' business.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::ctlog::{Log, LogProtocol, NamesTileReader};
use crate::stop::Stop;

use super::bucket::{Asked, Bucket, Priority};
use super::course::Protocol;
use super::fetch::Fetcher;
use super::get_entries::GetEntries;
use super::page_size::PageSize;
use super::room::Room;
use super::settings::Settings;
use super::suspect::Suspect;
use super::tiled::{Place, Tiled};

/// Tiles, or pages, of one log that are fetched at once when it has to catch up.
const TILES_AT_ONCE: usize = 4;
const PAGES_AT_ONCE: usize = 2;

/// How each log is asked and read; those of one operator share its bucket, and all share the room
/// for what is fetched ahead.
#[derive(Debug, Default)]
pub struct Protocols {
    /// By operator and by how its servers may be asked.
    buckets: Mutex<HashMap<(String, Asked), Arc<Bucket>>>,
    room: Arc<Room>,
}

impl Protocols {
    /// How `log` is asked and read.
    pub(super) fn of(&self, log: &Log, settings: &Settings, stop: &Arc<Stop>) -> Protocol {
        let asked = Asked::at(log.url(), settings.identified);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry((log.operator.clone(), asked))
            .or_insert_with(|| Arc::new(Bucket::new(asked, Instant::now())));
        let fetcher = |parallel| Fetcher {
            client: settings.client.clone(),
            bucket: Arc::clone(bucket),
            priority: Priority::Normal,
            room: Arc::clone(&self.room),
            parallel,
        };
        let (verify, stop) = (settings.verify, Arc::clone(stop));
        match &log.protocol {
            LogProtocol::Tiled { monitoring_url, .. } => Protocol::Tiled(Box::new(Tiled {
                origin: log.origin().to_owned(),
                key: log.key.clone(),
                source: settings.source,
                has_names: false,
                verify,
                place: Place {
                    prefix: monitoring_url.clone(),
                    fetcher: fetcher(TILES_AT_ONCE),
                    stop,
                },
                names: NamesTileReader::default(),
                frontier: None,
                suspect: Suspect::default(),
            })),
            LogProtocol::Rfc6962 { url } => Protocol::GetEntries(Box::new(GetEntries {
                url: url.clone(),
                key: log.key.clone(),
                verify,
                fetcher: fetcher(PAGES_AT_ONCE),
                stop,
                page: PageSize::default(),
                frontier: None,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Ct, LogListPlace};

    #[test]
    fn the_logs_of_one_operator_share_a_bucket_and_no_other() {
        let settings = Settings::new(&Ct { log_list: LogListPlace::Embedded, ..Ct::default() });
        let settings = settings.expect("the embedded list");
        let stop = Arc::new(Stop::new().expect("a pipe"));
        let protocols = Protocols::default();
        let mut buckets: HashMap<String, Vec<Arc<Bucket>>> = HashMap::new();
        for log in &settings.list().logs {
            let bucket = match protocols.of(log, &settings, &stop) {
                Protocol::Tiled(tiled) => tiled.place.fetcher.bucket,
                Protocol::GetEntries(log) => log.fetcher.bucket,
            };
            buckets.entry(log.operator.clone()).or_default().push(bucket);
        }
        assert!(buckets.values().any(|buckets| buckets.len() > 1), "one has several logs");
        let firsts: Vec<&Arc<Bucket>> = buckets.values().map(|buckets| &buckets[0]).collect();
        for (at, first) in firsts.iter().enumerate() {
            assert!(firsts[..at].iter().all(|other| !Arc::ptr_eq(other, first)));
        }
        // Who heals asks the same servers, and less often.
        let asks = |log, low: bool| {
            let protocol = protocols.of(log, &settings, &stop);
            let protocol = if low { protocol.at_low_priority() } else { protocol };
            match protocol {
                Protocol::Tiled(tiled) => tiled.place.fetcher,
                Protocol::GetEntries(log) => log.fetcher,
            }
        };
        for log in &settings.list().logs {
            let (follows, heals) = (asks(log, false), asks(log, true));
            assert_eq!((follows.priority, heals.priority), (Priority::Normal, Priority::Low));
            assert!(Arc::ptr_eq(&follows.bucket, &heals.bucket));
        }
        for buckets in buckets.values() {
            assert!(buckets.iter().all(|bucket| Arc::ptr_eq(bucket, &buckets[0])));
        }
    }
}
