//! What RFC 6962 answers, section 4: heads, consistency, entries, an entry with its proof.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use super::fault::Fault;
use super::http::Answer;
use super::{Pages, State};

/// Answers the request for what stands behind the log's path and `ct/v1/`.
pub fn answer(log: &mut State, path: &str, query: &str, fault: Option<&Fault>) -> Answer {
    let number = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(here, _)| *here == key)?.1.parse::<u64>().ok()
    };
    let answer = match path {
        "get-sth" => Some(sth(log)),
        "get-sth-consistency" => consistency(log, number("first"), number("second"), fault),
        "get-entries" => entries(log, number("start"), number("end"), fault),
        "get-entry-and-proof" => entry_and_proof(log, number("leaf_index"), number("tree_size")),
        _ => return Answer::status(404),
    };
    answer.map_or_else(|| Answer::status(400), |answer| Answer::json(&answer))
}

fn sth(log: &mut State) -> Value {
    let head = log.head();
    json!({
        "tree_size": head.size,
        "timestamp": head.timestamp,
        "sha256_root_hash": BASE64.encode(head.root),
        "tree_head_signature": BASE64.encode(&head.signature),
    })
}

fn consistency(
    log: &State,
    first: Option<u64>,
    second: Option<u64>,
    fault: Option<&Fault>,
) -> Option<Value> {
    let (first, second) = (first?, second?);
    if first > second || second > log.head.size {
        return None;
    }
    let mut proof = log.tree.consistency(first, second);
    if matches!(fault, Some(Fault::WrongHash)) {
        proof.iter_mut().take(1).for_each(|hash| hash[0] ^= 1);
    }
    Some(json!({ "consistency": proof.iter().map(|hash| BASE64.encode(hash)).collect::<Vec<_>>() }))
}

/// As many entries as asked for, or as the head and the page allow.
fn entries(
    log: &State,
    start: Option<u64>,
    end: Option<u64>,
    fault: Option<&Fault>,
) -> Option<Value> {
    let (start, end) = (start?, end?);
    if start > end || start >= log.head.size {
        return None;
    }
    let page = match log.pages {
        Pages::UpTo(most) => most,
        Pages::Varying(most) => fastrand::u64(1..=most),
    };
    let end = end.saturating_add(1).min(log.head.size).min(start.saturating_add(page));
    let entry = |index: u64| {
        let altered = matches!(fault, Some(Fault::AlteredEntry(at)) if *at as u64 == index - start);
        entry(log, index, altered)
    };
    Some(json!({ "entries": (start..end).map(entry).collect::<Vec<_>>() }))
}

fn entry_and_proof(log: &State, index: Option<u64>, size: Option<u64>) -> Option<Value> {
    let (index, size) = (index?, size?);
    if index >= size || size > log.head.size {
        return None;
    }
    let path = log.tree.audit_path(index, size);
    let mut answer = entry(log, index, false);
    answer["audit_path"] = path.iter().map(|hash| BASE64.encode(hash)).collect();
    Some(answer)
}

fn entry(log: &State, index: u64, altered: bool) -> Value {
    let entry = &log.entries[usize::try_from(index).unwrap()];
    let entry = if altered { &entry.altered() } else { entry };
    json!({
        "leaf_input": BASE64.encode(entry.leaf(log.index(index))),
        "extra_data": BASE64.encode(entry.extra()),
    })
}
