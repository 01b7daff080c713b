//! Every class of hostile frames, through the whole product and each of its three doors: what is
//! promised of the class, and what was seen. Prints the table that `tests/README.md` holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use tungstenite::Message;

use crate::testenv::hostile::{Hostile, Promise, assert_harmless};
use crate::testenv::{Folder, Observed, Server, Tls, frame, wait_until};

/// What became of the frames of a class, those good ones apart that stand between them.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    accepted: u64,
    refused: u64,
}

/// The frames of each class.
fn classes() -> BTreeMap<String, Vec<Hostile>> {
    let mut classes: BTreeMap<String, Vec<Hostile>> = BTreeMap::new();
    for hostile in Hostile::all() {
        classes.entry(hostile.class.clone()).or_default().push(hostile);
    }
    classes
}

fn good(class: &str, n: usize) -> String {
    let class = class.replace('_', "-");
    format!("{{\"message_type\":\"dns_entries\",\"data\":[\"good{n}.{class}.good.example\"]}}")
}

/// How frames are read. The promises in numbers are those of strict reading: the quick scan may take
/// a frame that is broken behind its names for an update, of which then nothing is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parse {
    Strict,
    Fast,
}

impl Parse {
    fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Fast => "fast",
        }
    }
}

/// Checks the promises of `frames` in numbers.
fn check_counts(place: &str, frames: &[&Hostile], seen: Seen, parse: Parse) {
    let [accepted, refused] = promised(frames);
    if parse == Parse::Strict {
        assert!((accepted.0..=accepted.1).contains(&seen.accepted), "{place}: {seen:?}");
        assert!((refused.0..=refused.1).contains(&seen.refused), "{place}: {seen:?}");
    }
}

/// The promises of `frames` in numbers: at least and at most so many accepted, and refused.
fn promised(frames: &[&Hostile]) -> [(u64, u64); 2] {
    let count = |promise| frames.iter().filter(|frame| frame.promise == promise).count() as u64;
    let (open, ignored) = (count(Promise::Either), count(Promise::Ignore));
    let may_refuse = |frame: &&&Hostile| {
        let fine =
            frame.note.contains("reject is fine") || frame.note.contains("rejecting is fine");
        frame.promise == Promise::Ignore && fine
    };
    let refusable = frames.iter().filter(may_refuse).count() as u64;
    let (accept, reject) = (count(Promise::Accept), count(Promise::Reject));
    // What is to be ignored may also pass as an update without a name.
    [(accept, accept + open + ignored), (reject, reject + open + refusable)]
}

/// Checks the domains that `frames` left.
fn check_domains(place: &str, frames: &[&Hostile], domains: &BTreeSet<String>) {
    let of = |wanted: &dyn Fn(&Hostile) -> bool| -> BTreeSet<String> {
        let frames = frames.iter().filter(|frame| wanted(frame));
        frames.flat_map(|frame| frame.domains.clone().unwrap_or_default()).collect()
    };
    let must = of(&|frame| frame.promise == Promise::Accept);
    let lost: Vec<_> = must.difference(domains).collect();
    assert!(lost.is_empty(), "{place}: lost {lost:?}");
    // Where all is settled nothing more may be there.
    if frames.iter().all(|frame| frame.domains.is_some() || frame.promise == Promise::Ignore) {
        let may = of(&|_| true);
        let made_up: Vec<_> = domains.difference(&may).collect();
        assert!(made_up.is_empty(), "{place}: made up {made_up:?}");
    }
    for domain in domains {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        assert!(domain.bytes().all(plain) && domain.len() <= 253, "{place}: {domain:?}");
    }
}

/// The domains of a database, those of good frames apart; these are counted.
fn stored(folder: &Folder, database: &str) -> (BTreeSet<String>, usize) {
    assert_eq!(folder.texts(database, "PRAGMA integrity_check"), ["ok"]);
    let all = folder.texts(database, "SELECT domain FROM domains");
    let (good, rest): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|domain| domain.ends_with(".good.example"));
    (rest.into_iter().collect(), good.len())
}

/// One class from a capture, as a file or at stdin.
fn replayed(class: &str, frames: &[Hostile], stdin: bool, parse: Parse) -> Seen {
    let folder = Folder::new();
    folder.write("rules.txt", ".\n");
    let frames: Vec<&Hostile> = frames.iter().filter(|frame| frame.fits_a_line()).collect();
    let mut capture = Vec::new();
    for (n, hostile) in frames.iter().enumerate() {
        capture.extend_from_slice(&hostile.bytes);
        capture.extend_from_slice(format!("\n{}\n", good(class, n)).as_bytes());
    }
    let capture = folder.write("c.jsonl", capture);
    let source = if stdin { "-" } else { "c.jsonl" };
    let words = ["replay", "--rules=rules.txt", "--database=d.db", "--parse", parse.word(), source];
    let input = std::fs::File::open(capture).unwrap();
    let mut program = folder.start_with(&words, Stdio::null(), input.into());
    let (code, peak) = program.end_watched();
    let said = folder.stderr();
    assert_eq!(code, 0, "{class}: {said}");
    assert!(peak < 200, "{class}: {peak} MiB");
    assert_harmless(class, &said);
    let (domains, goods) = stored(&folder, "d.db");
    assert_eq!(goods, frames.len(), "{class}: good frames");
    // `read 26 frames, 14 certificates, …`
    let certificates =
        said.split(" certificates, ").next().and_then(|head| head.rsplit(' ').next());
    let certificates: u64 = certificates.unwrap().parse().unwrap();
    let refused = "SELECT ifnull(sum(count), 0) FROM refused WHERE reason NOT LIKE 'names %'";
    let seen = Seen {
        accepted: certificates - goods as u64,
        refused: folder.number("d.db", refused).unwrap() as u64,
    };
    let place = format!("{class} from {source}, {parse:?}");
    check_counts(&place, &frames, seen, parse);
    check_domains(&place, &frames, &domains);
    seen
}

/// A server of some frames of a class, of which only the last may end its connection; the first of
/// them is number `first` of its class.
fn server(class: &str, first: usize, frames: &[Hostile]) -> Server {
    let (class, frames) = (class.to_owned(), frames.to_vec());
    Server::start(Tls::Off, move |visit| {
        let number = visit.number;
        let mut peer = visit.upgrade()?;
        let frames = if number == 0 { frames.as_slice() } else { &[] };
        for (hostile, n) in frames.iter().zip(first..) {
            peer.send([Message::text(good(&class, n))])?;
            peer.send_bytes(&frame(true, if hostile.binary { 2 } else { 1 }, &hostile.bytes))?;
        }
        // What comes after them tells that they are read.
        peer.send([Message::text(good(&class, 1000 + first))])?;
        peer.keep_open()
    })
}

/// The servers of a class: each frame that ends its connection is the last of its server's, since
/// a client that is thrown out again and again takes its time to come back.
fn servers(class: &str, frames: &[Hostile]) -> Vec<Server> {
    let mut first = 0;
    let parts = frames.split_inclusive(Hostile::ends_connection);
    let start = |part: &[Hostile]| {
        let server = server(class, first, part);
        first += part.len();
        server
    };
    parts.map(start).collect()
}

/// All classes over sockets, each from servers of its own.
fn watched(classes: &BTreeMap<String, Vec<Hostile>>, parse: Parse) -> BTreeMap<String, Seen> {
    let folder = Folder::new();
    folder.write("rules.txt", ".\n");
    let servers: Vec<(&String, Vec<Server>)> =
        classes.iter().map(|(class, frames)| (class, servers(class, frames))).collect();
    let all_servers = servers.iter().flat_map(|(_, servers)| servers);
    let urls: Vec<String> = all_servers.map(|server| server.url("/")).collect();
    let config = format!(
        "certstream: {{server: {urls:?}, input: rules.txt}}\nobserve: {{listen: '127.0.0.1:0'}}\n\
         engine: {{parse: {}}}\n",
        parse.word()
    );
    folder.write("config.yaml", config);
    let mut program = folder.start(&[]);
    let all: usize = classes.values().map(Vec::len).sum();
    let goods = "SELECT count(*) FROM domains WHERE domain LIKE '%.good.example'";
    wait_until("every good frame is stored, and of every server what comes after them", || {
        folder.number("certstream.db", goods) == Some((all + urls.len()) as i64)
    });
    let observed = Observed::of(&folder);
    let metrics = observed.get("/metrics").1;
    assert_harmless("metrics", &metrics);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_harmless("stderr", &folder.stderr());
    assert_harmless("stdout", &folder.stdout());

    let (domains, _) = stored(&folder, "certstream.db");
    let mut seen = BTreeMap::new();
    for (class, servers) in &servers {
        let feeds: Vec<String> =
            servers.iter().map(|server| format!("{{feed=\"{}\"", server.url("/"))).collect();
        let sum = |name: &str| -> u64 {
            let ours = |line: &&str| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| feeds.iter().any(|feed| rest.starts_with(feed)))
            };
            let values = metrics.lines().filter(ours);
            values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
        };
        let frames = &classes[*class];
        let ended = frames.iter().filter(|frame| frame.ends_connection()).count() as u64;
        let of_class = Seen {
            accepted: sum("certstream_certificates_total") - (frames.len() + servers.len()) as u64,
            refused: sum("certstream_refused_frames_total"),
        };
        assert_eq!(sum("certstream_gaps_total"), ended, "{class}: a gap for each connection lost");
        let settled: BTreeSet<String> = frames
            .iter()
            .filter(|frame| frame.promise == Promise::Accept)
            .flat_map(|frame| frame.domains.clone().unwrap_or_default())
            .collect();
        assert!(settled.is_subset(&domains), "{class}: {:?}", settled.difference(&domains));
        check_counts(class, &frames.iter().collect::<Vec<_>>(), of_class, parse);
        seen.insert((*class).clone(), of_class);
    }
    seen
}

/// Frames of up to 6 MB, of the project's large corpus.
#[test]
fn the_big_ones_do_by_every_door() {
    let table =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/hostile_big.jsonl.zst"));
    let Ok(packed) = std::fs::read(table) else {
        println!("SKIPPED: {} is absent", table.display());
        return;
    };
    let text = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let classes = BTreeMap::from([("big".to_owned(), Hostile::read(&text))]);
    for parse in [Parse::Strict, Parse::Fast] {
        let frames = &classes["big"];
        println!("{} frames: over sockets {:?}", frames.len(), watched(&classes, parse)["big"]);
        for stdin in [false, true] {
            println!("from a capture {:?}", replayed("big", frames, stdin, parse));
        }
    }
}

#[test]
fn read_in_haste_each_class_leaves_the_same_domains() {
    let classes = classes();
    watched(&classes, Parse::Fast);
    for (class, frames) in &classes {
        replayed(class, frames, false, Parse::Fast);
    }
}

#[test]
fn each_class_comes_to_what_is_promised_by_every_door() {
    let classes = classes();
    assert_eq!(classes.len(), 33, "the big ones are a file of their own");
    let watched = watched(&classes, Parse::Strict);
    println!(
        "| class | frames | promised: accept, reject, ignore, either | socket | capture | stdin |"
    );
    println!("|---|---:|---|---|---|---|");
    for (class, frames) in &classes {
        let file = replayed(class, frames, false, Parse::Strict);
        let stdin = replayed(class, frames, true, Parse::Strict);
        let count = |promise| frames.iter().filter(|frame| frame.promise == promise).count();
        let lines = frames.iter().filter(|frame| frame.fits_a_line()).count() as u64;
        let shown = |seen: Seen, of: u64| {
            format!("{}, {}, {}", seen.accepted, seen.refused, of - seen.accepted - seen.refused)
        };
        println!(
            "| {class} | {} | {}, {}, {}, {} | {} | {} | {} |",
            frames.len(),
            count(Promise::Accept),
            count(Promise::Reject),
            count(Promise::Ignore),
            count(Promise::Either),
            shown(watched[class], frames.len() as u64),
            shown(file, lines),
            shown(stdin, lines),
        );
    }
}
