//! The CT logs of the harness themselves: an oracle that is wrong proves nothing. What they serve
//! equals the real material and is the same in both protocols. The tree is proved in `log_proofs`,
//! signatures and heads in `log_heads`, misbehaviour in `log_faults`.

use std::time::Instant;

use serde_json::Value;
use x509_parser::prelude::{FromDer, GeneralName, TbsCertificate, X509Certificate};

use crate::testenv::log::{
    AUTHORITY_NAME, Key, LogServer, Pages, Protocol, Reader, Signed, Synthetic, TestLog, alpha,
    decoded, entries_of_tile, made, real_entries, real_tile, sha256,
};
use crate::testenv::{LONG, Tls};

#[test]
fn the_real_entries_make_the_real_tiles() {
    let entries = real_entries();
    let tiles = entries.len() / 256;
    assert!(tiles >= 1 && entries.len() == 256 * tiles, "whole tiles");
    let log = TestLog::new("alpha", Key::Ecdsa);
    log.append(entries);
    let server = LogServer::start(Tls::Off, &[&log]);
    let reader = Reader::new(&server);
    for tile in ["0/000", "0/001", "data/000", "data/001"]
        .into_iter()
        .filter(|tile| tiles == 2 || tile.ends_with("000"))
    {
        let real = real_tile(tile).unwrap();
        assert!(reader.body(&format!("/alpha/tile/{tile}")) == real, "{tile}");
    }
    for tile in &["names/000", "names/001"][..tiles] {
        let served = String::from_utf8(reader.body(&format!("/alpha/tile/{tile}"))).unwrap();
        let real = String::from_utf8(real_tile(tile).unwrap()).unwrap();
        let lines = |text: &str| -> Vec<Value> {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(lines(&served), lines(&real), "{tile}");
    }
}

#[test]
fn pages_and_tiles_hold_the_same_leaves() {
    let (log, _server, reader) = alpha(520);
    let mut entries = Vec::new();
    for tile in ["000", "001", "002.p/8"] {
        let data = reader.body(&format!("/alpha/tile/data/{tile}"));
        let names = reader.body(&format!("/alpha/tile/names/{tile}"));
        entries.extend(entries_of_tile(&data, &String::from_utf8(names).unwrap()));
    }
    assert_eq!(entries.len(), 520);
    log.set_pages(Pages::UpTo(100));
    let mut index = 0;
    while index < 520 {
        let page = reader.json(&format!("/alpha/ct/v1/get-entries?start={index}&end=519"));
        let page = page["entries"].as_array().unwrap();
        assert_eq!(page.len() as u64, (520 - index).min(100));
        for found in page {
            let entry = &entries[usize::try_from(index).unwrap()];
            assert_eq!(decoded(&found["leaf_input"]), entry.leaf(Some(index)));
            assert_eq!(decoded(&found["extra_data"]), log.entry(index).extra());
            index += 1;
        }
    }
    let names: Vec<_> = entries.into_iter().map(|entry| entry.names).collect();
    assert_eq!(log.expected(), (0..).zip(names).collect::<Vec<_>>());
    let first = "/alpha/ct/v1/get-entries?start=520&end=520";
    assert_eq!(reader.status(first), 400);
}

#[test]
fn pages_vary_in_length_when_asked() {
    let (log, _server, reader) = alpha(50);
    log.set_pages(Pages::Varying(20));
    let page = || {
        let page = reader.json("/alpha/ct/v1/get-entries?start=0&end=49");
        page["entries"].as_array().unwrap().len()
    };
    let lengths: Vec<usize> = (0..40).map(|_| page()).collect();
    assert!(lengths.iter().all(|length| (1..=20).contains(length)), "{lengths:?}");
    assert!(lengths.iter().any(|length| *length != lengths[0]), "{lengths:?}");
}

#[test]
fn made_up_entries_are_certificates() {
    let made_up = Synthetic::new(4).marked(5, "paypal").timed(1_000_000_000_000, 7);
    assert_eq!(made_up.names(15), ["paypal-15.shop.example", "mail.paypal-15.shop.example"]);
    assert_eq!(made_up.names(16), ["name-16.shop.example"]);
    let mut serials = std::collections::HashSet::new();
    for entry in made_up.entries(0..40) {
        let check = |certificate: &[u8], extensions: usize| {
            let (rest, certificate) = X509Certificate::from_der(certificate).unwrap();
            assert!(rest.is_empty());
            let names = certificate.subject_alternative_name().unwrap().unwrap();
            let names = names.value.general_names.iter().map(|name| match name {
                GeneralName::DNSName(name) => (*name).to_owned(),
                other => panic!("{other}"),
            });
            assert_eq!(names.collect::<Vec<_>>(), entry.names);
            let common_name = certificate.subject().iter_common_name().next().unwrap();
            assert_eq!(common_name.as_str().unwrap(), entry.names[0]);
            assert_eq!(certificate.issuer().to_string(), format!("CN={AUTHORITY_NAME}"));
            assert_eq!(certificate.extensions().len(), extensions);
            assert!((1..128).contains(&certificate.raw_serial()[0]));
            certificate.raw_serial().to_vec()
        };
        let serial = match &entry.signed {
            Signed::X509 { certificate } => check(certificate, 2),
            Signed::Precert { tbs, submitted, .. } => {
                TbsCertificate::from_der(tbs).unwrap();
                check(submitted, 3)
            }
            Signed::Unknown { .. } => continue,
        };
        assert!(serials.insert(serial));
    }
    assert_eq!(
        made_up.entries(3..9),
        Synthetic::new(4).marked(5, "paypal").timed(1_000_000_000_000, 7).entries(3..9)
    );
}

#[test]
fn issuers_are_served_by_their_fingerprint() {
    let log = TestLog::new("alpha", Key::Ecdsa);
    log.append([made([9; 32], 1, vec!["a.example".to_owned()], true)]);
    let server = LogServer::start(Tls::Good, &[&log]);
    let reader = Reader::new(&server);
    let fingerprint = log.entry(0).chain[0].fingerprint;
    let hex: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    let issuer = reader.body(&format!("/alpha/issuer/{hex}"));
    assert_eq!(sha256(&[&issuer]), fingerprint);
    let (_, issuer) = X509Certificate::from_der(&issuer).unwrap();
    assert_eq!(issuer.subject().to_string(), format!("CN={AUTHORITY_NAME}"));
    let Signed::Precert { issuer_key_hash, .. } = log.entry(0).signed else { panic!() };
    assert_eq!(sha256(&[issuer.public_key().raw]), issuer_key_hash);
    assert_eq!(reader.status("/alpha/issuer/00"), 404);
}

#[test]
fn logs_answer_their_protocol_alone_and_are_listed_by_operator() {
    let tiled = TestLog::new("tiled", Key::Ecdsa).speaking(Protocol::Tiles).without_names();
    let old = TestLog::new("old", Key::Rsa).speaking(Protocol::Rfc6962).run_by("Another");
    let late = TestLog::new("late", Key::Ecdsa).speaking(Protocol::Tiles).run_by("Another");
    for log in [&tiled, &old] {
        log.append(Synthetic::new(1).entries(0..256));
    }
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let reader = Reader::new(&server);
    let status = |path: &str| reader.status(path);
    assert_eq!((status("/tiled/checkpoint"), status("/tiled/ct/v1/get-sth")), (200, 404));
    assert_eq!((status("/old/checkpoint"), status("/old/ct/v1/get-sth")), (404, 200));
    assert_eq!((status("/tiled/tile/data/000"), status("/tiled/tile/names/000")), (200, 404));
    assert_eq!(status("/late/checkpoint"), 404);
    // Without the extension of static-ct-api.
    let page = reader.json("/old/ct/v1/get-entries?start=7&end=7");
    assert_eq!(decoded(&page["entries"][0]["leaf_input"]), old.entry(7).leaf(None));

    server.add(&late);
    old.list_as("readonly");
    old.set_interval("2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z");
    assert_eq!(server.list_url(), server.url("/log_list.json"));
    let list = reader.json("/log_list.json");
    let operators = list["operators"].as_array().unwrap();
    assert_eq!((operators.len(), &operators[1]["name"]), (2, &Value::from("Another")));
    let listed = &operators[0]["tiled_logs"][0];
    assert_eq!(listed["monitoring_url"], server.url("/tiled/"));
    assert_eq!(listed["submission_url"], format!("https://{}/", tiled.origin()));
    assert_eq!(decoded(&listed["key"]), tiled.key());
    assert_eq!(decoded(&listed["log_id"]), sha256(&[&tiled.key()]));
    assert!(listed["state"]["usable"].is_object());
    let listed = &operators[1]["logs"][0];
    assert_eq!(listed["url"], server.url("/old/"));
    assert_eq!(listed["state"]["readonly"]["final_tree_head"]["tree_size"], 256);
    assert_eq!(listed["temporal_interval"]["end_exclusive"], "2026-07-01T00:00:00Z");
    assert_eq!(operators[1]["tiled_logs"][0]["monitoring_url"], server.url("/late/"));
}

#[test]
fn fifty_thousand_entries_take_seconds() {
    let began = Instant::now();
    let (log, _server, reader) = alpha(50_000);
    for tile in 0..195 {
        assert!(reader.body(&format!("/alpha/tile/data/{tile:03}")).len() > 256 * 500, "{tile}");
    }
    let took = began.elapsed();
    println!("{} entries made, appended and read within {took:?}", log.size());
    assert!(took < LONG, "{took:?}");
}
