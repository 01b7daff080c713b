//! The stages, each with the input that it is counted for.
//!
//! Frames are those of `tests/data`, so that every checkout has the same; rules and rows are made up from
//! fixed numbers.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certstream::batch::{Batch, BatchSender, Origin};
use certstream::domain::sanitise;
use certstream::feed::{Intake, Ledger};
use certstream::matcher::Engine;
use certstream::rule::{Anchor, Loader, RuleEntry};
use certstream::update::{Message, NameList, Parse, UpdateReader, scan};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::rows;

/// Frames, or names, of a stage are gone through as often as it takes to be this many.
const ELEMENTS: usize = 2_000;
/// Rows that are inserted.
const ROWS: u64 = 2_000;
const RULES: usize = 1_000;

/// Work, and how much of it.
pub struct Stage {
    /// What is counted by.
    pub element: &'static str,
    pub elements: usize,
    /// Bytes that go in.
    pub bytes: usize,
    /// Makes ready what the next run uses up.
    pub before: Box<dyn FnMut()>,
    /// What it returns keeps the compiler from leaving the work out.
    pub run: Box<dyn FnMut() -> usize>,
}

impl Stage {
    fn new(
        element: &'static str,
        (elements, bytes): (usize, usize),
        run: impl FnMut() -> usize + 'static,
    ) -> Self {
        Self { element, elements, bytes, before: Box::new(|| ()), run: Box::new(run) }
    }

    fn after(self, before: impl FnMut() + 'static) -> Self {
        Self { before: Box::new(before), ..self }
    }
}

/// Prepares a stage's input, which is not counted.
pub type MakeStage = fn() -> Stage;

/// Every stage, in the order in which a frame comes through them: its name, and what makes it.
pub const ALL: [(&str, MakeStage); 13] = [
    ("scan full", || scanning(Stream::Full)),
    ("judge full", || judging(Stream::Full)),
    ("scan lite", || scanning(Stream::Lite)),
    ("judge lite", || judging(Stream::Lite)),
    ("scan domains-only", || scanning(Stream::Domains)),
    ("judge domains-only", || judging(Stream::Domains)),
    ("evidence lite", evidence),
    ("hand-off lite", hand_off),
    ("feed lite", intake),
    ("sanitise", sanitising),
    ("match 1000 rules", matching),
    ("insert new", || insert(|round, n| round * ROWS + n)),
    ("insert again", || insert(|_, n| n)),
];

fn scanning(stream: Stream) -> Stage {
    let (frames, mut list) = (frames(stream), NameList::default());
    Stage::new("frame", size(&frames), move || {
        list.clear(usize::MAX);
        frames.iter().filter(|frame| scan(frame, &mut list).is_some()).count() + list.size()
    })
}

fn judging(stream: Stream) -> Stage {
    let (frames, mut list) = (frames(stream), NameList::default());
    let mut reader = UpdateReader::default();
    Stage::new("frame", size(&frames), move || {
        list.clear(usize::MAX);
        for frame in frames.iter() {
            let _ = reader.read(frame, |message| {
                if let Message::Update(names) = message {
                    names.iter().for_each(|name| list.push(name));
                }
            });
        }
        list.size()
    })
}

fn evidence() -> Stage {
    let (frames, mut reader) = (frames(Stream::Lite), UpdateReader::default());
    Stage::new("frame", size(&frames), move || {
        frames.iter().filter_map(|frame| reader.evidence(frame)).map(|found| found.size()).sum()
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Stream {
    Full,
    Lite,
    Domains,
}

type Lines = Rc<Vec<Vec<u8>>>;

fn frames(stream: Stream) -> Lines {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    let text = std::fs::read(path).expect("the frames are readable");
    let has = |frame: &[u8], key: &[u8]| frame.windows(key.len()).any(|part| part == key);
    let kind = |frame: &[u8]| match () {
        () if has(frame, b"dns_entries") => Some(Stream::Domains),
        () if !has(frame, b"certificate_update") => None,
        () if has(frame, b"\"as_der\"") => Some(Stream::Full),
        () => Some(Stream::Lite),
    };
    let all: Vec<&[u8]> =
        text.split(|byte| *byte == b'\n').filter(|frame| kind(frame) == Some(stream)).collect();
    Rc::new(all.iter().cycle().take(ELEMENTS).map(|frame| frame.to_vec()).collect())
}

fn size(lines: &Lines) -> (usize, usize) {
    (lines.len(), lines.iter().map(Vec::len).sum())
}

/// Names as seen, of lite frames.
fn names() -> Lines {
    let mut list = NameList::default();
    for frame in frames(Stream::Lite).iter() {
        let _ = scan(frame, &mut list);
    }
    Rc::new(list.iter().take(ELEMENTS).map(<[u8]>::to_vec).collect())
}

/// A channel of batches with a way back, and its receiver, all on this thread.
fn sender() -> (BatchSender, Receiver<Batch>, Sender<Batch>) {
    let (batches, received) = bounded(8);
    let (give_back, empties) = bounded(10);
    (BatchSender::new(Origin::default(), batches, empties, None), received, give_back)
}

/// Takes what has come, and gives it back; how many frames it was.
fn take(received: &Receiver<Batch>, give_back: &Sender<Batch>) -> usize {
    let mut frames = 0;
    for batch in received.try_iter() {
        frames += batch.frames().len();
        let _ = give_back.try_send(batch);
    }
    frames
}

fn hand_off() -> Stage {
    let frames = frames(Stream::Lite);
    let (mut out, received, give_back) = sender();
    let names = ["*.shop-0123456789.example.com", "www.shop-0123456789.example.com.au"];
    Stage::new("frame", size(&frames), move || {
        let mut handed = 0;
        for (frame, position) in frames.iter().zip(1..) {
            out.push(position, frame, names.into_iter()).expect("the receiver stands");
            handed += take(&received, &give_back);
        }
        out.flush().expect("the receiver stands");
        handed + take(&received, &give_back)
    })
}

/// All that a feed does with a frame: scan, ledger, counters, hand-off.
fn intake() -> Stage {
    let frames = frames(Stream::Lite);
    let size = size(&frames);
    let state = Rc::new(RefCell::new(None));
    let made = Rc::clone(&state);
    let run = move || {
        let mut state = state.borrow_mut();
        let (intake, received, give_back): &mut (Intake, Receiver<Batch>, Sender<Batch>) =
            state.as_mut().expect("was made");
        let mut handed = 0;
        let now = Instant::now();
        for frame in frames.iter() {
            intake.tick(now).expect("the receiver stands");
            intake.frame(frame).expect("the receiver stands");
            handed += take(received, give_back);
        }
        intake.flush().expect("the receiver stands");
        handed + take(received, give_back)
    };
    Stage::new("frame", size, run).after(move || {
        let (out, received, give_back) = sender();
        let intake = Intake::new(Arc::default(), out, 0).parsing(Parse::Fast).expect("is open");
        let ledger = Ledger::new(Vec::new(), Duration::from_secs(30));
        *made.borrow_mut() = Some((intake.with_ledger(ledger), received, give_back));
    })
}

fn sanitising() -> Stage {
    let (names, mut block) = (names(), Vec::new());
    Stage::new("name", size(&names), move || {
        block.clear();
        names.iter().filter(|name| sanitise(name.as_slice(), &mut block).is_ok()).count()
    })
}

fn matching() -> Stage {
    let mut random = fastrand::Rng::with_seed(17);
    let mut word = || -> String { (0..random.usize(5..11)).map(|_| random.lowercase()).collect() };
    let entry = |n: usize| {
        let pattern = match n % 5 {
            0 => format!("{}|{}", word(), word()),
            1 => format!("(^|[.-]){}[0-9]*\\.", word()),
            2 => format!("{}\\.(com|net|xyz)$", word()),
            _ => word(),
        };
        RuleEntry { pattern, ..RuleEntry::default() }
    };
    let entries: Vec<RuleEntry> = (0..RULES).map(entry).collect();
    let mut loader = Loader::new(Anchor::Search);
    loader.entries(&entries, Path::new("bench")).expect("rules compile");
    let engine = Engine::build(loader.finish().expect("rules")).expect("builds");

    let (mut text, mut ends) = (Vec::new(), Vec::new());
    for name in names().iter() {
        if sanitise(name.as_slice(), &mut text).is_ok() {
            ends.push(text.len() as u32);
            text.push(b'\n');
        }
    }
    let text = String::from_utf8(text).expect("domains are ASCII");
    let (mut scratch, size) = (engine.scratch(), (ends.len(), text.len()));
    Stage::new("domain", size, move || {
        let mut hits = 0;
        engine.hits(&text, &ends, &mut scratch, |_, _| hits += 1) + hits
    })
}

/// Rows with a certificate each, through the writer, into a database that has as many already;
/// `number` gives the domain and the certificate of a row by its round.
fn insert(number: fn(u64, u64) -> u64) -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Some(rows::open(folder.path()));
    let waiting = Rc::new(RefCell::new(Vec::new()));
    let made = Rc::clone(&waiting);
    let mut round = 0;
    let bytes = rows::messages(1, ROWS, |n| n, Some).iter().map(|message| message.bytes).sum();
    let run = move || {
        // The folder goes with the stage.
        let _ = &folder;
        let messages = std::mem::take(&mut *waiting.borrow_mut());
        let (after, took) = rows::write(store.take().expect("was handed back"), messages);
        store = Some(after);
        took.subsec_nanos() as usize
    };
    Stage::new("row", (ROWS as usize, bytes), run).after(move || {
        let first = 1 + round * ROWS / rows::MESSAGE;
        let of = |n| number(round, n);
        *made.borrow_mut() = rows::messages(first, ROWS, of, |n| Some(of(n)));
        round += 1;
    })
}
