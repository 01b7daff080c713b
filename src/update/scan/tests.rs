//! The scan beside simd-json: it may leave a frame to it, never read another one out of it.

use super::super::{Message, UpdateReader};
use super::*;

fn scanned(frame: &str) -> Option<(Vec<String>, Option<i64>)> {
    let mut names = NameList::default();
    names.push("before");
    let found = scan(frame.as_bytes(), &mut names);
    let mut texts = names.iter().map(|name| std::str::from_utf8(name).expect("text").to_owned());
    assert_eq!(texts.next().as_deref(), Some("before"));
    if found.is_none() {
        assert_eq!((names.len(), names.size()), (1, "before\n".len()), "taken back: {frame}");
    }
    Some((texts.collect(), found?.seen()))
}

fn judged(frame: &str) -> Option<(Vec<String>, Option<i64>)> {
    let read = UpdateReader::default().read(frame.as_bytes(), |message| match message {
        Message::Update(names) => Some((names.iter().map(str::to_owned).collect(), names.seen())),
        _ => None,
    });
    read.ok().flatten()
}

fn in_both_orders(data: &str) -> [String; 2] {
    [
        format!(r#"{{"data":{data},"message_type":"certificate_update"}}"#),
        format!(r#"{{"message_type":"certificate_update","data":{data}}}"#),
    ]
}

#[test]
fn the_names_of_every_known_server_are_found() {
    let text = include_str!("../../../tests/data/real_frames.jsonl");
    let mut understood = 0;
    for frame in text.lines() {
        if let Some(found) = scanned(frame) {
            assert_eq!(Some(found), judged(frame), "{frame}");
            understood += 1;
        }
    }
    let updates = text.lines().filter(|frame| judged(frame).is_some()).count();
    assert_eq!(understood, updates, "all of them are understood");
}

#[test]
fn names_are_found_wherever_the_list_stands_in_its_certificate() {
    for before in [
        r#""#,
        r#""subject":{"CN":"{[","aggregated":"/CN=]}","x":[{"y":[]},1]},"#,
        r#""a":1.5e3,"b":null,"c":true,"d":"","e":[],"f":{},"#,
        r#""subject":{"CN":"quoted \"all_domains\":[\"x.example\"]"},"#,
        r#""a\"b":"c\\","#,
        r#""extensions":{"all_domains":["nested.example"]},"#,
        &format!(r#""padding":"{}","#, "p".repeat(1000)),
    ] {
        let leaf = format!(r#"{{{before}"all_domains":["a.example","*.b.example"],"z":{{}}}}"#);
        for frame in
            in_both_orders(&format!(r#"{{"cert_index":7,"leaf_cert":{leaf},"seen":12.5}}"#))
        {
            let expected = (vec!["a.example".into(), "*.b.example".into()], Some(12_500_000));
            assert_eq!(scanned(&frame), Some(expected), "{frame}");
            assert_eq!(scanned(&frame), judged(&frame), "{frame}");
        }
    }
}

#[test]
fn what_is_not_understood_is_left_to_the_judge() {
    let certificates = [
        // Not the names of this certificate.
        r#"{"leaf_cert":{"a":1},"other":{"all_domains":["b.example"]}}"#,
        r#"{"leaf_cert":{"extensions":{"all_domains":["b.example"]}}}"#,
        r#"{"leaf_cert":{"x":["all_domains",{"all_domains":["b.example"]}]}}"#,
        r#"{"x\"leaf_cert":{"all_domains":["b.example"]}}"#,
        // Names that are more than their bytes.
        r#"{"leaf_cert":{"all_domains":["\u0062.example"]}}"#,
        r#"{"leaf_cert":{"all_domains":["bücher.example"]}}"#,
        // A list of more than names, or written otherwise.
        r#"{"leaf_cert":{"all_domains":["b.example",null]}}"#,
        r#"{"leaf_cert":{"all_domains":["b.example", "c.example"]}}"#,
        r#"{"leaf_cert":{"all_domains":null}}"#,
        r#"{"leaf_cert":{"all_domains":[,]}}"#,
        r#"{"leaf_cert":{"all_domains":["b.example",]}}"#,
        r#"{"leaf_cert":{"all_domains":["b.example"#,
        r#"{"leaf_cert":null}"#,
        r#"{}"#,
    ];
    let frames = certificates.iter().flat_map(|data| in_both_orders(data));
    let others = [
        r#"{"message_type":"heartbeat","timestamp":1.5}"#,
        r#"{"data":{"leaf_cert":{"all_domains":["b.example"]}},"message_type":"other"}"#,
        r#"{"data":["a.example"],"message_type":"dns_entries","x":1}"#,
        r#"{"data":["a.example"]],"message_type":"dns_entries"}"#,
        r#"{"data":["a.example","],"message_type":"dns_entries"}"#,
        r#"{"data":[a.example"],"message_type":"dns_entries"}"#,
        r#"{"data":[a.example],"message_type":"dns_entries"}"#,
        r#"{"data":["a.example" "b.example"],"message_type":"dns_entries"}"#,
        "{\"data\":[\"a\tb.example\"],\"message_type\":\"dns_entries\"}",
        r#"{"data":["a.example"],"message_type":"dns_entries""#,
        "",
        "\n",
    ];
    for frame in frames.chain(others.iter().map(|frame| (*frame).to_owned())) {
        assert_eq!(scanned(&frame), None, "{frame}");
    }
}

#[test]
fn a_domains_only_message_is_its_list() {
    for (list, names) in [
        ("", &[][..]),
        (r#""a.example""#, &["a.example"][..]),
        (r#""a.example","],","b.example""#, &["a.example", "],", "b.example"][..]),
        (r#""""#, &[""][..]),
    ] {
        for frame in [
            format!(r#"{{"data":[{list}],"message_type":"dns_entries"}}"#),
            format!(r#"{{"message_type":"dns_entries","data":[{list}]}}"#),
        ] {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(scanned(&frame), Some((names, None)), "{frame}");
            assert_eq!(scanned(&frame), judged(&frame), "{frame}");
        }
    }
}

#[test]
fn a_frame_cut_or_changed_anywhere_gives_the_judges_names_or_its_refusal() {
    let frame = in_both_orders(
        r#"{"leaf_cert":{"subject":{"CN":"a\"b","O":[1,{}]},"all_domains":["a.example","b.example"]},"seen":1.5}"#,
    );
    for frame in frame.iter().flat_map(|frame| {
        let cut = (0..frame.len()).map(|end| frame[..end].to_owned());
        let changed = (0..frame.len()).flat_map(|at| {
            [" ", "\"", "\\", "[", "]", "{", "}", ",", ":", "x"].map(|by| {
                let mut frame = frame.clone();
                frame.replace_range(at..=at, by);
                frame
            })
        });
        cut.chain(changed).collect::<Vec<_>>()
    }) {
        // What no judge accepts is stored by nobody.
        if let (Some(found), Some(judged)) = (scanned(&frame), judged(&frame)) {
            assert_eq!(found, judged, "{frame}");
        }
    }
}

/// A value, and what is nested in it.
fn value(random: &mut fastrand::Rng, depth: u32) -> String {
    match random.u8(0..if depth < 3 { 6 } else { 4 }) {
        0 => r#""{\"]""#.to_owned(),
        1 => format!(r#""{}""#, "[ ".repeat(random.usize(0..40))),
        2 => "-1.5e3".to_owned(),
        3 => "[]".to_owned(),
        4 => format!("{{{}}}", members(random, depth + 1)),
        _ => format!("[{}, {}]", value(random, depth + 1), value(random, depth + 1)),
    }
}

/// Members of an object, of which some are called `k` and some are lists.
fn members(random: &mut fastrand::Rng, depth: u32) -> String {
    let one = |random: &mut fastrand::Rng| {
        let key = random.choice(["k", "a", "\\\"k", "}"]).expect("some");
        format!("\"{key}\":{}", value(random, depth))
    };
    (0..random.usize(0..5)).map(|_| one(random)).collect::<Vec<_>>().join(",")
}

#[test]
fn looking_at_many_bytes_at_once_tells_what_the_walk_tells() {
    const KEY: &[u8] = b"\"k\":[";
    let mut random = fastrand::Rng::with_seed(71);
    let mut found = 0;
    for _ in 0..100_000 {
        let text = members(&mut random, 0) + "}";
        let walked = walk::walk_to_key(text.as_bytes(), KEY);
        assert_eq!(walk::to_key(text.as_bytes(), &Finder::new(KEY)), walked, "{text}");
        found += u32::from(walked.is_some());
    }
    assert!(found > 1000, "{found}");
}

fn places(frame: &str) -> [Option<(String, String, u64)>; 2] {
    let owned = |p: Place<'_>| (p.log_url.to_owned(), p.log_name.to_owned(), p.index);
    let scanned = scan(frame.as_bytes(), &mut NameList::default()).and_then(|found| found.place());
    let judged = UpdateReader::default().read(frame.as_bytes(), |message| match message {
        Message::Update(names) => names.place().map(owned),
        _ => None,
    });
    [scanned.map(owned), judged.ok().flatten()]
}

#[test]
fn where_an_entry_stands_is_found_for_every_known_server() {
    let text = include_str!("../../../tests/data/real_frames.jsonl");
    let mut found = 0;
    for frame in text.lines() {
        let [scanned, judged] = places(frame);
        assert_eq!(scanned, judged, "{frame}");
        found += usize::from(scanned.is_some());
    }
    assert!(found >= 30, "{found}");
}

#[test]
fn a_place_is_the_judges_or_none() {
    let leaf = r#""leaf_cert":{"all_domains":["a.example"]}"#;
    let source = r#""source":{"name":"A","url":"https://a.example/"}"#;
    for (data, is_found) in [
        (format!(r#"{{"cert_index":7,{leaf},{source},"z":1}}"#), true),
        (format!(r#"{{{leaf},"cert_index":9223372036854775807,{source}}}"#), true),
        (
            format!(
                r#"{{{leaf},"cert_index":0,"source":{{"url":"https://a/","timestamp":1.5,"type":"tiled","x":null}}}}"#
            ),
            true,
        ),
        (format!(r#"{{{leaf},"cert_index":9223372036854775808,{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":-7,{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":7.0,{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":"7",{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":null,{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index": 7,{source}}}"#), false),
        (format!(r#"{{{leaf},{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":7}}"#), false),
        (format!(r#"{{{leaf},"cert_index":7,"source":{{}}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":7,"source":{{"name":"","url":""}}}}"#), false),
        (
            format!(
                r#"{{{leaf},"cert_index":7,"source":{{"name":"A \"log\"","url":"https:\/\/a\/"}}}}"#
            ),
            false,
        ),
        (format!(r#"{{{leaf},"cert_index":7,"source":{{"x":{{"url":"b"}},"url":"a"}}}}"#), false),
        // Found by fuzzing: what is nested was passed over up to its first comma.
        (
            format!(r#"{{{leaf},"cert_index":7,"source":{{"url":"a","x":{{"y":1,"name":"b"}}}}}}"#),
            false,
        ),
        (
            format!(
                r#"{{{leaf},"cert_index":7,"source":{{"url":"a","x": {{"y":1,"name":"b"}}}}}}"#
            ),
            false,
        ),
        (format!(r#"{{{leaf},"x\"cert_index":7,{source}}}"#), false),
        (format!(r#"{{{leaf},"cert_index":7,"x\"source":{{"url":"b"}}}}"#), false),
        (format!(r#"{{"cert_index":7,{source},"pad":"{}",{leaf}}}"#, "p".repeat(600)), false),
    ] {
        for frame in in_both_orders(&data) {
            let [scanned, judged] = places(&frame);
            assert_eq!(scanned.is_some(), is_found, "{frame}");
            assert!(scanned.is_none() || scanned == judged, "{frame}: {scanned:?} {judged:?}");
        }
    }
}
