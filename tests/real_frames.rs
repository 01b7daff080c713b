//! Frames as real servers wrote them parse to the right names. What is right is derived by
//! serde_json, which shares no code with the reader under test.

use std::path::Path;

use certstream::update::{Message, UpdateReader};
use serde_json::Value;

/// The names and the kind of a frame, by plain look-ups.
fn expected(frame: &str) -> (&'static str, Vec<String>) {
    let frame: Value = serde_json::from_str(frame).expect("a real frame is JSON");
    let (kind, list) = match frame["message_type"].as_str() {
        Some("certificate_update") => ("update", &frame["data"]["leaf_cert"]["all_domains"]),
        Some("dns_entries") => ("update", &frame["data"]),
        Some("heartbeat") => ("heartbeat", &Value::Null),
        other => panic!("a message type no real server has: {other:?}"),
    };
    let names = list.as_array().into_iter().flatten();
    (kind, names.map(|name| name.as_str().expect("a real name is text").to_owned()).collect())
}

fn found(reader: &mut UpdateReader, frame: &str) -> (&'static str, Vec<String>) {
    reader
        .read(frame.as_bytes(), |message| match message {
            Message::Update(names) => ("update", names.iter().map(str::to_owned).collect()),
            Message::Heartbeat => ("heartbeat", Vec::new()),
            Message::Unknown => ("unknown", Vec::new()),
            Message::Blank => ("blank", Vec::new()),
        })
        .unwrap_or_else(|fault| panic!("refused as {fault:?}: {frame}"))
}

/// Reads every line of `file` and returns how many there were.
fn check(file: &Path) -> usize {
    let frames = std::fs::read_to_string(file).expect("the frames are readable");
    let mut reader = UpdateReader::default();
    let mut count = 0;
    for (index, frame) in frames.lines().enumerate() {
        assert_eq!(found(&mut reader, frame), expected(frame), "line {}", index + 1);
        check_evidence(&mut reader, frame, index + 1);
        count += 1;
    }
    count
}

/// The evidence that can be compared without knowing how it is brought into one form.
fn check_evidence(reader: &mut UpdateReader, frame: &str, line: usize) {
    let written: Value = serde_json::from_str(frame).expect("a real frame is JSON");
    let evidence = reader.evidence(frame.as_bytes());
    assert_eq!(evidence.is_some(), written["message_type"] == "certificate_update", "line {line}");
    let Some(evidence) = evidence else { return };
    let (data, leaf) = (&written["data"], &written["data"]["leaf_cert"]);
    let text = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let hex = |value: &Value| text(value).map(|s| s.replace(':', "").to_lowercase());

    assert_eq!(evidence.cert_index, data["cert_index"].as_i64(), "line {line}");
    assert_eq!(evidence.cert_link.as_deref().map(str::to_owned), text(&data["cert_link"]));
    assert_eq!(evidence.log_name.as_deref().map(str::to_owned), text(&data["source"]["name"]));
    assert_eq!(evidence.subject_cn.as_deref().map(str::to_owned), text(&leaf["subject"]["CN"]));
    assert_eq!(evidence.fingerprint.as_deref().map(str::to_owned), hex(&leaf["fingerprint"]));
    assert_eq!(evidence.sha256.as_deref().map(str::to_owned), hex(&leaf["sha256"]), "line {line}");
    assert_eq!(evidence.not_before, leaf["not_before"].as_f64().map(|s| s as i64), "line {line}");
    assert_eq!(evidence.not_after, leaf["not_after"].as_f64().map(|s| s as i64), "line {line}");
    let seen = data["seen"].as_f64().map(|s| (s * 1e6).round() as i64);
    assert_eq!(evidence.seen, seen, "line {line}");
}

#[test]
fn frames_of_every_server_parse_to_their_names() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/real_frames.jsonl");
    assert_eq!(check(&data), 41);
}

#[test]
fn so_do_those_of_the_corpus() {
    let corpus =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/real_frames.jsonl"));
    if !corpus.exists() {
        eprintln!("skipped: {} is absent", corpus.display());
        return;
    }
    assert_eq!(check(corpus), 175);
}
