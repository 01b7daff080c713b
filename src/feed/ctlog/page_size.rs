//! How many entries to ask an RFC 6962 log for at once.
//!
//! Owns what is learnt from the answers: servers give as many as they please, and some give a short
//! answer first, to align those that follow.

use std::time::{Duration, Instant};

/// Entries asked for until the server has shown how many it gives: what the most generous give.
const MOST: u64 = 1000;
/// How often it is tried whether a server gives more by now.
const TRIAL: Duration = Duration::from_secs(3600);
/// Short answers in a row after which a server is believed to give less by now.
const PATIENCE: u32 = 4;

/// Entries to ask for at once.
#[derive(Debug)]
pub(super) struct PageSize {
    entries: u64,
    /// The most that was ever given.
    given: u64,
    /// Short answers in a row to requests for that many.
    short: u32,
    /// When to ask for more than that; none before the server has given less than asked.
    trial: Option<Instant>,
}

impl Default for PageSize {
    fn default() -> Self {
        Self { entries: MOST, given: 0, short: 0, trial: None }
    }
}

impl PageSize {
    /// Entries to ask for at once.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Learns from an answer of `given` entries, of `asked`, at `now`.
    pub fn learn(&mut self, asked: u64, given: u64, now: Instant) {
        if given < asked {
            self.short = if self.entries <= self.given { self.short + 1 } else { 0 };
            if self.short >= PATIENCE {
                (self.given, self.short) = (0, 0);
            }
            self.given = self.given.max(given);
            self.entries = self.given.max(self.entries / 2);
            self.trial = Some(now + TRIAL);
        } else if asked == self.entries {
            self.given = self.given.max(given);
            self.short = 0;
            if self.trial.is_none_or(|trial| trial <= now) {
                self.entries = (self.entries * 2).min(MOST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a server that gives up to `most` entries, up to the next multiple of it where it
    /// aligns, for the entries from `from` on; the sizes of the answers that were short.
    fn ask(page: &mut PageSize, most: u64, aligned: bool, times: u32, now: Instant) -> Vec<u64> {
        let mut from = 7;
        let mut short = Vec::new();
        for _ in 0..times {
            let asked = page.entries();
            let most = if aligned { most - from % most } else { most };
            let given = asked.min(most);
            page.learn(asked, given, now);
            from += given;
            if given < asked {
                short.push(given);
            }
        }
        short
    }

    #[test]
    fn what_a_server_gives_is_learnt_once_and_remembered() {
        let now = Instant::now();
        for aligned in [false, true] {
            let mut page = PageSize::default();
            assert!(ask(&mut page, 32, aligned, 10, now).len() <= 6);
            assert_eq!(page.entries(), 32);
            assert_eq!(ask(&mut page, 32, aligned, 100, now).len(), usize::from(aligned));
            assert_eq!(page.entries(), 32);
        }
        let mut page = PageSize::default();
        assert_eq!(ask(&mut page, 1000, false, 10, now), [0_u64; 0]);
        assert_eq!(page.entries(), MOST);
    }

    #[test]
    fn once_an_hour_it_is_tried_whether_there_is_more_and_less_is_noticed() {
        let now = Instant::now();
        let mut page = PageSize::default();
        ask(&mut page, 32, false, 10, now);
        // Two answers: the full one after which more is tried, and the short one that came of it.
        assert_eq!(ask(&mut page, 32, false, 50, now + TRIAL), [32]);
        assert_eq!(page.entries(), 32);
        let later = now + 3 * TRIAL;
        assert_eq!(ask(&mut page, 300, false, 50, later), [300]);
        assert_eq!(page.entries(), 300);
        assert!(ask(&mut page, 10, false, 50, later).len() < 15);
        assert_eq!(page.entries(), 10);
    }

    #[test]
    fn the_rest_of_a_log_says_nothing_about_the_server() {
        let now = Instant::now();
        let mut page = PageSize::default();
        page.learn(3, 3, now);
        assert_eq!(page.entries(), MOST);
    }
}
