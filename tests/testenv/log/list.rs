//! The log list, in the form of Chrome's version 3.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Protocol, State, TestLog};

/// The list of `logs`, which are served below `base` (without a final slash).
pub fn log_list(logs: &[TestLog], base: &str) -> Value {
    let mut operators: Vec<Value> = Vec::new();
    for log in logs {
        let log = log.state();
        let known = operators.iter().position(|operator| operator["name"] == log.operator.as_str());
        let at = known.unwrap_or_else(|| {
            operators.push(json!({
                "name": log.operator,
                "email": ["ct@log.example"],
                "logs": [],
                "tiled_logs": [],
            }));
            operators.len() - 1
        });
        let kind = if log.protocol == Protocol::Rfc6962 { "logs" } else { "tiled_logs" };
        operators[at][kind].as_array_mut().unwrap().push(listed(&log, base));
    }
    json!({
        "version": "1.0",
        "log_list_timestamp": Timestamp::now().to_string(),
        "operators": operators,
    })
}

fn listed(log: &State, base: &str) -> Value {
    let mut state = json!({ "timestamp": "2026-01-01T00:00:00Z" });
    if log.listed == "readonly" {
        state["final_tree_head"] = json!({
            "sha256_root_hash": BASE64.encode(log.head.root),
            "tree_size": log.head.size,
        });
    }
    let mut listed = json!({
        "description": format!("{} '{}'", log.operator, log.name),
        "log_id": BASE64.encode(log.key.log_id()),
        "key": BASE64.encode(log.key.public()),
        "mmd": 86400,
        "state": { &log.listed: state },
        "temporal_interval": {
            "start_inclusive": log.interval[0],
            "end_exclusive": log.interval[1],
        },
    });
    let url = format!("{base}/{}/", log.name);
    if log.protocol == Protocol::Rfc6962 {
        listed["url"] = url.into();
    } else {
        listed["mmd"] = 60.into();
        listed["submission_url"] = format!("https://{}/", log.origin()).into();
        listed["monitoring_url"] = url.into();
    }
    listed
}
