//! Names found by the scan: the judge has the last word on whatever is stored, and a server whose
//! frames the scan reads otherwise is parsed strictly from then on.

use crate::testenv::Folder;

/// A frame in which `all_domains` stands twice: the judge takes the last list, the scan the first.
fn twice(first: &str, last: &str) -> String {
    format!(
        r#"{{"data":{{"leaf_cert":{{"all_domains":["{first}"],"x":1,"all_domains":["{last}"]}}}},"message_type":"certificate_update"}}"#
    )
}

fn once(name: &str) -> String {
    format!(
        r#"{{"data":{{"leaf_cert":{{"all_domains":["{name}"]}},"seen":5.5}},"message_type":"certificate_update"}}"#
    )
}

/// What is stored of `frames` by rules for `decoy` and `real`, and what was said.
fn replay(frames: &[String], parse: &str) -> (Vec<String>, String) {
    let folder = Folder::new();
    folder.write("rules.txt", "^decoy\n^real\n");
    folder.write("frames.jsonl", &(frames.join("\n") + "\n"));
    let words = ["replay", "frames.jsonl", "--rules", "rules.txt", "--database", "d.db"];
    let code = folder.run(&[&words[..], &["--output", "out.txt", "-q", "--parse", parse]].concat());
    assert_eq!(code, 0, "{}", folder.stderr());
    (folder.texts("d.db", "SELECT domain FROM domains ORDER BY id"), folder.stderr())
}

/// How often the change to strict parsing was logged.
fn warnings(stderr: &str) -> usize {
    stderr.matches("from here on this feed is parsed strictly").count()
}

#[test]
fn what_is_stored_are_the_names_that_the_judge_has_read() {
    let frames: Vec<String> =
        (1..=9).map(|n| twice(&format!("decoy{n}.example"), &format!("real{n}.example"))).collect();
    let expected: Vec<String> = (1..=9).map(|n| format!("real{n}.example")).collect();
    let (stored, stderr) = replay(&frames, "fast");
    assert_eq!((stored, warnings(&stderr)), (expected.clone(), 1), "{stderr}");
    let (stored, stderr) = replay(&frames, "strict");
    assert_eq!((stored, warnings(&stderr)), (expected, 0), "{stderr}");
}

#[test]
fn the_frame_in_a_thousand_finds_out_and_from_there_on_all_are_judged() {
    // No match by the scan's names: only a sampled frame can tell.
    let frames: Vec<String> =
        (1..=2500).map(|n| twice("other.example", &format!("real{n}.example"))).collect();
    let (stored, stderr) = replay(&frames, "fast");
    let expected: Vec<String> = (1000..=2500).map(|n| format!("real{n}.example")).collect();
    assert_eq!((stored, warnings(&stderr)), (expected, 1), "{stderr}");
    let (stored, _) = replay(&frames, "strict");
    assert_eq!(stored.len(), 2500);
}

#[test]
fn from_a_frame_that_the_judge_refuses_nothing_is_stored() {
    // Broken behind the names, where the scan does not look.
    let broken = once("real.broken.example").replace("5.5", "5.5.5");
    let frames = [once("real1.example"), broken, once("real2.example")];
    for (parse, warned) in [("fast", 1), ("strict", 0)] {
        let (stored, stderr) = replay(&frames, parse);
        assert_eq!(stored, ["real1.example", "real2.example"], "{parse}: {stderr}");
        assert_eq!(warnings(&stderr), warned, "{parse}: {stderr}");
    }
}

#[test]
fn evidence_and_names_as_seen_are_the_same_in_both_ways() {
    let frames: Vec<String> =
        include_str!("data/real_frames.jsonl").lines().map(str::to_owned).collect();
    let folder = Folder::new();
    folder.write("rules.txt", ".\n");
    folder.write("frames.jsonl", &(frames.join("\n") + "\n"));
    let exported = ["fast", "strict"].map(|parse| {
        let (database, output) = (format!("{parse}.db"), format!("{parse}.jsonl"));
        let words = ["replay", "frames.jsonl", "--rules", "rules.txt", "-q", "--parse", parse];
        let output_words = ["--database", &database, "--output", &output, "--format", "jsonl"];
        assert_eq!(folder.run(&[&words[..], &output_words].concat()), 0, "{}", folder.stderr());
        let export = folder.read(&output);
        let record = |line| -> serde_json::Value {
            let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
            // Messages without a time of their own were received at different times.
            record
                .as_object_mut()
                .unwrap()
                .retain(|key, _| key != "first_seen" && key != "last_seen");
            record
        };
        export.lines().map(record).collect::<Vec<_>>()
    });
    let [fast, strict] = exported;
    assert!(fast.len() > 10 && fast.len() == strict.len());
    for (fast, strict) in fast.iter().zip(&strict) {
        assert_eq!(fast, strict);
    }
}
