//! CT logs read by the real binary: as they grow, over both protocols, across restarts.

use crate::testenv::ctwatch::{
    expected, folder, made, stored, wait_for_end, wait_for_position, watch,
};
use crate::testenv::log::{Key, LogServer, Pages, Protocol, TestLog};
use crate::testenv::{Tls, wait_until};

/// One tiled log and one of RFC 6962, each with some entries.
fn two_logs() -> (TestLog, TestLog) {
    let tiled = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
    tiled.append(made(1).entries(0..1000));
    let old = TestLog::new("beta", Key::Rsa).speaking(Protocol::Rfc6962);
    old.append(made(2).entries(5000..5700));
    (tiled, old)
}

#[test]
fn logs_of_both_protocols_are_read_to_their_end_and_on_as_they_grow() {
    let (tiled, old) = two_logs();
    old.set_pages(Pages::Varying(64));
    let server = LogServer::start(Tls::Good, &[&tiled, &old]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    for step in 0..5 {
        tiled.append(made(1).entries(1000 + step * 90..1090 + step * 90));
        old.append(made(2).entries(5700 + step * 41..5741 + step * 41));
        wait_for_end(&folder, &tiled);
        wait_for_end(&folder, &old);
    }
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let mut both = expected(&tiled);
    both.extend(expected(&old));
    assert_eq!(stored(&folder), both);
    assert_eq!(folder.lines("certstream.txt").len(), both.len());
    let gaps = folder.number("certstream.db", "SELECT count(*) FROM gaps");
    assert_eq!(gaps, Some(0), "{}", folder.stderr());
    let unproven = "SELECT sum(entries) - sum(verified) FROM positions";
    assert_eq!(folder.number("certstream.db", unproven), Some(0));
    let heads = folder.number("certstream.db", "SELECT count(*) FROM tree_heads");
    assert_eq!(heads, Some(2));
}

#[test]
fn the_evidence_is_that_of_the_certificate() {
    let (tiled, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let rows = folder.texts(
        "certstream.db",
        "SELECT d.domain || ' ' || c.log_name || ' ' || c.cert_index || ' ' || c.update_type
            || ' ' || (c.issuer IS NOT NULL AND c.serial IS NOT NULL AND c.not_after > c.not_before
                       AND length(c.sha256) = 64) || ' ' || (d.first_seen = c.seen)
            || ' ' || substr(c.cert_link, instr(c.cert_link, '/alpha/') + instr(c.cert_link, '/beta/'))
         FROM domains d JOIN domain_certificates dc ON dc.domain_id = d.id
         JOIN certificates c ON c.id = dc.certificate_id
         WHERE d.domain IN ('paypal-700.shop.example', 'paypal-707.shop.example',
                            'paypal-5005.shop.example')
         ORDER BY c.cert_index",
    );
    let expected = [
        "paypal-5005.shop.example Operator 'beta' 5 PrecertLogEntry 1 1 \
         /beta/ct/v1/get-entries?start=5&end=5",
        "paypal-700.shop.example Operator 'alpha' 700 X509LogEntry 1 1 /alpha/tile/data/002",
        "paypal-707.shop.example Operator 'alpha' 707 PrecertLogEntry 1 1 /alpha/tile/data/002",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_restart_goes_on_within_a_tile_and_stores_nothing_twice() {
    let (tiled, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let folder = folder(&server, "");
    for step in 0..4 {
        let mut program = watch(&folder);
        wait_for_end(&folder, &tiled);
        wait_for_end(&folder, &old);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        tiled.append(made(1).entries(1000 + step * 77..1077 + step * 77));
        old.append(made(2).entries(5700 + step * 77..5777 + step * 77));
    }
    let mut program = watch(&folder);
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let mut both = expected(&tiled);
    both.extend(expected(&old));
    assert_eq!(stored(&folder), both);
}

#[test]
fn a_new_log_is_read_from_its_end_and_one_that_leaves_the_list_to_its_end() {
    let (tiled, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled]);
    let folder = folder(&server, "");
    let write_list = || folder.write("list.json", server.list());
    let text = folder.read("config.yaml");
    folder.write("config.yaml", text.replace("start: beginning", "start: end"));
    let mut program = watch(&folder);
    wait_for_position(&folder, &tiled, 1000);
    assert_eq!(stored(&folder).len(), 0);
    server.add(&old);
    write_list();
    wait_for_position(&folder, &old, 700);
    tiled.list_as("retired");
    tiled.append(made(1).entries(1000..1010));
    write_list();
    wait_until("the retired log is left", || folder.stderr().contains("alpha: read to its end"));
    old.append(made(2).entries(5700..5720));
    wait_for_end(&folder, &old);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let later = |log: &TestLog, from: u64| -> Vec<String> {
        let late = log.expected().into_iter().filter(|(index, _)| *index >= from);
        late.flat_map(|(_, names)| names).filter(|name| name.contains("paypal")).collect()
    };
    let mut both = later(&tiled, 1000);
    both.extend(later(&old, 700));
    both.sort();
    assert_eq!(stored(&folder).into_keys().collect::<Vec<_>>(), both);
}
