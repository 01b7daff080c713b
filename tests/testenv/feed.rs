//! A certstream feed that runs as in production, with a stand-in for the stages behind it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use certstream::batch::{Batch, BatchSender, GapEvent, Origin};
use certstream::error::Result;
use certstream::feed::Intake;
use certstream::feed::certstream::{Settings, feed_name, run};
use certstream::stats::FeedStats;
use certstream::stop::Stop;

use super::{Server, wait_until};

/// A feed being watched.
pub struct Watching {
    stop: Arc<Stop>,
    pub stats: Arc<FeedStats>,
    taken: Arc<Mutex<Taken>>,
    feed: Option<JoinHandle<Result<()>>>,
    /// Where the kernel says how the feed's thread is.
    thread: PathBuf,
    stage: Option<JoinHandle<()>>,
}

/// What has come through the channel.
#[derive(Default)]
struct Taken {
    frames: Vec<Vec<u8>>,
    gaps: Vec<GapEvent>,
}

impl Watching {
    /// The settings of a feed from `path` on `server`, with short pauses.
    pub fn settings(server: &Server, path: &str) -> Settings {
        let settings = Settings::new(&server.url(path), None, server.ca_file()).unwrap();
        Self::hasty(settings)
    }

    /// Short pauses, so that tests need not wait.
    pub fn hasty(mut settings: Settings) -> Settings {
        settings.timings.pause = Duration::from_millis(20);
        settings.timings.longest_pause = settings.timings.pause;
        settings
    }

    /// Starts the feed.
    pub fn start(settings: Settings) -> Self {
        Self::start_failover(vec![settings])
    }

    /// Starts a feed of several servers, read one at a time.
    pub fn start_failover(servers: Vec<Settings>) -> Self {
        let stop = Arc::new(Stop::new().unwrap());
        let stats = Arc::new(FeedStats::named(feed_name(&servers), false));
        let (batches, received) = crossbeam_channel::bounded::<Batch>(4);
        let (give_back, empties) = crossbeam_channel::bounded(4);
        let taken = Arc::new(Mutex::new(Taken::default()));
        let stage = thread::spawn({
            let taken = Arc::clone(&taken);
            move || {
                for batch in received {
                    let mut taken = taken.lock().unwrap();
                    taken.frames.extend(batch.frames().iter().map(<[u8]>::to_vec));
                    taken.gaps.extend(batch.gap.clone());
                    let _ = give_back.try_send(batch);
                }
            }
        });
        let (tell, told) = mpsc::channel();
        let feed = thread::spawn({
            let (stop, stats) = (Arc::clone(&stop), Arc::clone(&stats));
            let out = BatchSender::new(Origin::default(), batches, empties, None);
            move || {
                tell.send(fs::read_link("/proc/thread-self").unwrap()).unwrap();
                run(&servers, Intake::new(stats, out, 0), &stop)
            }
        });
        let thread = PathBuf::from("/proc").join(told.recv().unwrap()).join("stat");
        Self { thread, stop, stats, taken, feed: Some(feed), stage: Some(stage) }
    }

    /// The frames so far.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        self.taken.lock().unwrap().frames.clone()
    }

    /// The begins and ends of gaps so far.
    pub fn gaps(&self) -> Vec<GapEvent> {
        self.taken.lock().unwrap().gaps.clone()
    }

    /// The particulars of the first gap, once it is open.
    #[track_caller]
    pub fn first_gap(&self) -> String {
        wait_until("a gap is open", || !self.gaps().is_empty());
        match &self.gaps()[0] {
            GapEvent::Opened { detail, .. } => detail.clone(),
            gap => panic!("no gap begins with {gap:?}"),
        }
    }

    /// Waits until `count` frames have come through, and not one more.
    #[track_caller]
    pub fn wait_for_frames(&self, count: usize) -> Vec<Vec<u8>> {
        wait_until("all frames have come through", || self.frames().len() >= count);
        self.frames()
    }

    /// Waits until the feed's thread sleeps: it has come to where it waits.
    #[track_caller]
    pub fn wait_until_asleep(&self) {
        // After the name in parentheses stands the state.
        let asleep = || fs::read_to_string(&self.thread).unwrap().contains(") S ");
        wait_until("the feed sleeps", asleep);
    }

    /// Requests the stop; how long the feed took to return, and with what.
    pub fn stop(mut self) -> (Duration, Result<()>) {
        let requested = Instant::now();
        self.stop.request();
        let outcome = self.feed.take().unwrap().join().unwrap();
        (requested.elapsed(), outcome)
    }

    /// Waits for the feed to return by itself; with what, and the gaps it has noted.
    pub fn end(mut self) -> (Result<()>, Vec<GapEvent>) {
        let outcome = self.feed.take().unwrap().join().unwrap();
        self.stage.take().unwrap().join().unwrap();
        (outcome, self.gaps())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.request();
    }
}
