//! What is stored is exactly what an independent search finds: by replay, over `ws://` and over
//! `wss://`, with any number of matcher threads.
//!
//! The large captures and their expected lists (Python's `re`, rule by rule) stand beside the
//! checkout where the project's corpus is; without it the small capture alone is compared.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tungstenite::Message;

use crate::testenv::{Folder, Server, Tls};

/// Names that the expected lists hold and that are no host names, or a whole public suffix: the
/// list sanitises as the ancestor did, the product more strictly. Nothing else may differ.
const STRICTER: [&str; 5] = [
    "c*.netflix.com",                // a star inside a label
    "cloudflare origin certificate", // free text
    "cloudflare server",             // free text
    "gouv.ml",                       // `*.gouv.ml`: a wildcard over a public suffix
    "netflix:com",                   // `www.netflix:com`: no port, no host
];

fn corpus(path: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(path);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn unpack(path: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// How frames reach the binary.
#[derive(Clone, Copy, Debug)]
enum Way {
    Replay,
    Stdin,
    Socket(Tls),
}

/// Runs the binary over `frames` and returns the domains that it exported and that match as they
/// stand: the corpus's lists know no other view. Those that match in another view alone have an
/// `xn--` label.
fn stored(way: Way, frames: &Path, rules: &Path, matchers: usize) -> Vec<String> {
    let folder = Folder::new();
    let matchers = matchers.to_string();
    let common = [
        &["--rules", rules.to_str().unwrap(), "--matchers", &matchers, "--output", "out.txt", "-q"],
        &["--database", "certstream.db"][..],
    ]
    .concat();
    match way {
        Way::Replay | Way::Stdin => {
            let stdin = match way {
                Way::Stdin => std::fs::File::open(frames).unwrap().into(),
                _ => Stdio::null(),
            };
            let source = if matches!(way, Way::Stdin) { "-" } else { frames.to_str().unwrap() };
            let words = [&["replay", source], &common[..]].concat();
            let status = folder.start_with(&words, Stdio::null(), stdin).end();
            assert_eq!(status.code(), Some(0), "{}", folder.stderr());
        }
        Way::Socket(tls) => {
            let text = match frames.extension() {
                Some(kind) if kind == "zst" => unpack(frames),
                _ => std::fs::read_to_string(frames).unwrap(),
            };
            let count = text.lines().count() as i64;
            let server = Server::start(tls, move |visit| {
                let mut peer = visit.upgrade()?;
                peer.send(text.lines().map(Message::text))?;
                peer.keep_open()
            });
            let url = server.url("/");
            let mut words = [&["watch", "--server", &url], &common[..]].concat();
            if let Some(ca_file) = server.ca_file() {
                words.extend(["--ca-file", ca_file.to_str().unwrap()]);
            }
            let mut program = folder.start(&words);
            folder.wait_for_position("certstream.db", count);
            assert_eq!(program.stop(), 0, "{}", folder.stderr());
        }
    }
    let exported = folder.lines("out.txt");
    let all = "SELECT domain FROM domains ORDER BY domain";
    assert_eq!(exported, folder.texts("certstream.db", all));
    let as_it_stands = "EXISTS (SELECT 1 FROM matches WHERE domain_id = d.id AND views & 1)";
    let others = format!("SELECT domain FROM domains d WHERE NOT {as_it_stands}");
    for other in folder.texts("certstream.db", &others) {
        assert!(other.split('.').any(|label| label.starts_with("xn--")), "{other}");
    }
    let these = format!("SELECT domain FROM domains d WHERE {as_it_stands} ORDER BY domain");
    folder.texts("certstream.db", &these)
}

/// Compares a run over corpus frames with the corpus's list.
fn compare(way: Way, frames: &str, rules: &str, matchers: usize) {
    let Some(capture) = corpus(&format!("{frames}.jsonl.zst")) else { return };
    let Some(list) = corpus(&format!("expected/{frames}__{rules}__nowww.txt.zst")) else { return };
    let Some(rules) = corpus(&format!("rules/{rules}.txt")) else { return };
    let stored = stored(way, &capture, &rules, matchers);
    let expected = unpack(&list);
    let strict = |name: &&str| !STRICTER.contains(name) && name.len() <= 253;
    let expected: Vec<&str> = expected.lines().filter(strict).collect();
    let differs = stored.iter().zip(&expected).find(|(ours, theirs)| ours != theirs);
    assert_eq!(stored.len(), expected.len(), "{way:?} {frames} {matchers}: first {differs:?}");
    assert!(differs.is_none(), "{way:?} {frames} {matchers}: {differs:?}");
    println!("{way:?} {frames} {} matchers {matchers}: {} equal", rules.display(), stored.len());
}

#[test]
fn replayed_captures_give_the_expected_domains() {
    for (index, frames) in ["frames_full", "frames_lite", "frames_domains"].iter().enumerate() {
        compare(Way::Replay, frames, "rules_100", 1 << index);
        compare(Way::Replay, frames, "rules_1000", 4 >> index);
    }
}

#[test]
fn watched_servers_give_the_expected_domains() {
    compare(Way::Socket(Tls::Off), "frames_full", "rules_1000", 2);
    compare(Way::Socket(Tls::Good), "frames_full", "rules_100", 4);
}

#[test]
#[ignore = "slow: each of the 54 combinations, minutes; run it with --release"]
fn the_whole_matrix() {
    for frames in ["frames_full", "frames_lite", "frames_domains"] {
        for rules in ["rules_100", "rules_1000"] {
            for way in [Way::Replay, Way::Socket(Tls::Off), Way::Socket(Tls::Good)] {
                for matchers in [1, 2, 4] {
                    compare(way, frames, rules, matchers);
                }
            }
        }
    }
}

/// What a naive reading of the small capture finds: `serde_json`, the plainest sanitising, and a
/// search for text.
fn naive(text: &str, needles: &[&str]) -> Vec<String> {
    let mut domains = Vec::new();
    for line in text.lines() {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        let names = match frame["message_type"].as_str() {
            Some("certificate_update") => &frame["data"]["leaf_cert"]["all_domains"],
            Some("dns_entries") => &frame["data"],
            _ => continue,
        };
        for name in names.as_array().into_iter().flatten().filter_map(|name| name.as_str()) {
            let name = name.to_ascii_lowercase();
            let name = name.trim_start_matches("www.").trim_start_matches("*.");
            if name.contains('.') && !name.contains(' ') && needles.iter().any(|n| name.contains(n))
            {
                domains.push(name.to_owned());
            }
        }
    }
    domains.sort_unstable();
    domains.dedup();
    domains
}

#[test]
fn the_small_capture_by_every_way_and_packing() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    let text = std::fs::read_to_string(&capture).unwrap();
    let folder = Folder::new();
    let rules = folder.write("rules.txt", "example\nmyfritz|sslip\nworkday\n");
    let expected = naive(&text, &["example", "myfritz", "sslip", "workday"]);
    assert!(expected.len() > 5, "{expected:?}");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    let gzip = folder.write("capture.gz", gzip.finish().unwrap());
    let zst = folder.write("capture.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    for matchers in [1, 2, 4] {
        for frames in [&capture, &gzip, &zst] {
            assert_eq!(stored(Way::Replay, frames, &rules, matchers), expected, "{frames:?}");
        }
        for way in [Way::Stdin, Way::Socket(Tls::Off), Way::Socket(Tls::Good)] {
            assert_eq!(stored(way, &capture, &rules, matchers), expected, "{way:?}");
        }
    }
}
