//! CT logs read by the real binary: as they grow, over both protocols, across restarts.

use std::thread;
use std::time::{Duration, Instant};

use crate::testenv::ctwatch::{
    expected, folder, made, stored, two_logs, wait_for_end, wait_for_position, watch,
};
use crate::testenv::log::{Fault, Key, LogServer, Pages, Protocol, Proxy, TestLog, Times};
use crate::testenv::{Tls, wait_until};

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

#[test]
fn names_tiles_are_read_where_they_are_offered_and_data_tiles_where_not() {
    for offered in [true, false] {
        let mut log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
        if !offered {
            log = log.without_names();
        }
        log.append(made(1).entries(0..700));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "  source: names\n");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        log.append(made(1).entries(700..900));
        wait_for_end(&folder, &log);
        let certificates = "SELECT count(DISTINCT domain_id) FROM domain_certificates dc
             JOIN certificates c ON c.id = dc.certificate_id WHERE c.serial IS NOT NULL";
        let domains = expected(&log).len() as i64;
        wait_until("every match has its certificate", || {
            folder.number("certstream.db", certificates) == Some(domains)
        });
        wait_until("nothing is left to verify", || {
            folder.number("certstream.db", "SELECT count(*) FROM unverified") == Some(0)
        });
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        // A second reading is no second sighting.
        assert_eq!(stored(&folder), expected(&log));
        let verified = "SELECT verified FROM positions WHERE feed LIKE 'log %'";
        let verified = folder.number("certstream.db", verified);
        assert_eq!(verified, Some(if offered { 0 } else { 900 }));
        if offered {
            for full in ["/alpha/tile/data/000", "/alpha/tile/data/001"] {
                assert_eq!(server.count(full), 1, "{full}: once a tile");
            }
            // Of this one, a part was there first.
            assert!(server.count("/alpha/tile/data/002") <= 2, "once per new match");
        } else {
            assert!(server.count("/alpha/tile/names/*") <= 4, "their absence is remembered");
            // What was read whole is not read again.
            assert_eq!(server.count("/alpha/tile/data/000"), 1);
            let again = "SELECT count(*) FROM positions WHERE feed LIKE 'verify %'";
            assert_eq!(folder.number("certstream.db", again), Some(0));
        }
        // Its time is the log's, whichever way it came.
        let seen = "SELECT first_seen || ' ' || last_seen FROM domains
             WHERE domain = 'paypal-693.shop.example'";
        let time = made(1).timestamp(693) * 1000;
        assert_eq!(folder.texts("certstream.db", seen), [format!("{time} {time}")]);
    }
}

#[test]
fn a_names_tile_that_lies_is_refuted_by_the_certificate() {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
    log.append(made(1).entries(0..256));
    let server = LogServer::start(Tls::Off, &[&log]);
    // The first entry that hits, and then no longer does: its names tile says something else.
    server.misbehave("/alpha/tile/names/000", Times::Always, Fault::AlteredEntry(1));
    let folder = folder(&server, "  source: names\n");
    let text = folder.read("config.yaml").replace("rules: [paypal]", "rules: ['^q']");
    folder.write("config.yaml", text);
    let mut program = watch(&folder);
    wait_until("the lie is found out", || {
        folder.number("certstream.db", "SELECT cert_index FROM unverified WHERE refuted") == Some(1)
    });
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder).len(), 1);
    let certificates = folder.number("certstream.db", "SELECT count(*) FROM certificates");
    assert_eq!(certificates, Some(0), "nothing stands behind it");
}

#[test]
fn whoever_runs_the_log_learns_whom_to_reach_and_is_not_asked_in_a_loop() {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
    log.append(made(1).entries(0..300));
    let server = LogServer::start(Tls::Good, &[&log]);
    let folder = folder(&server, "  contact: soc@example.com\n");
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    let checkpoints = server.count("/alpha/checkpoint");
    server.wait_for_requests("/alpha/checkpoint", checkpoints + 6);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let requests = server.requests("*");
    let agent = requests[0].head.header("user-agent").unwrap_or_default();
    assert!(agent.starts_with("certstream/") && agent.ends_with("(+soc@example.com)"), "{agent}");
    assert!(requests.iter().all(|r| r.head.header("user-agent") == Some(agent)));
    // While nothing grows, nothing but the tree head is asked for.
    assert_eq!(server.count("/alpha/tile/data/000"), 1);
    assert_eq!(server.count("/alpha/tile/data/001.p/44"), 1);
    // Kept alive: far fewer connections than requests.
    let connections: std::collections::BTreeSet<usize> =
        requests.iter().map(|request| request.connection).collect();
    assert!(connections.len() <= 4, "{connections:?}");
}

/// However it grows meanwhile: once each `max_delay`, which is a second here.
#[test]
fn a_tile_that_is_filling_is_not_fetched_in_a_loop() {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
    log.append(made(1).entries(0..256));
    let server = LogServer::start(Tls::Off, &[&log]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    let begun = Instant::now();
    for index in 256..306 {
        log.append([made(1).entry(index)]);
        // Not a wait for anything: the pace of the log.
        thread::sleep(Duration::from_millis(100));
    }
    wait_for_end(&folder, &log);
    let seconds = begun.elapsed().as_secs() as usize;
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), expected(&log));
    let parts = server.count("/alpha/tile/data/*.p/*");
    assert!((2..=seconds + 1).contains(&parts), "{parts} parts in {seconds} s");
}

#[test]
fn a_proxy_is_gone_through() {
    let log = TestLog::new("alpha", Key::Ecdsa).speaking(Protocol::Tiles);
    log.append(made(1).entries(0..300));
    let server = LogServer::start(Tls::Good, &[&log]);
    let proxy = Proxy::start(None);
    let folder = folder(&server, &format!("  proxy: 'http://{}'\n", proxy.address()));
    let mut program = watch(&folder);
    wait_for_end(&folder, &log);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    assert_eq!(stored(&folder), expected(&log));
    assert!(!proxy.targets().is_empty());
    assert!(proxy.targets().iter().all(|target| server.url("").ends_with(target.as_str())));
}

#[test]
fn a_backfill_reads_its_range_beside_a_watch_and_goes_on_where_it_stopped() {
    let (tiled, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let folder = folder(&server, "");
    let text = folder.read("config.yaml").replace("start: beginning", "start: end");
    folder.write("config.yaml", text);
    let mut program = watch(&folder);
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    let words = ["backfill", "--log", "alpha", "--from", "100", "--to", "907"];
    let positions = "SELECT feed || ' ' || position FROM positions ORDER BY feed";
    let before = folder.texts("certstream.db", positions);
    for again in [false, true] {
        let mut backfill = folder.start_logged(&words, "backfill");
        assert_eq!(backfill.end().code(), Some(0), "{}", folder.read("backfill"));
        let mut expected = std::collections::BTreeMap::new();
        for (index, names) in tiled.expected() {
            for name in names.into_iter().filter(|name| name.contains("paypal")) {
                if (100..907).contains(&index) {
                    expected.insert(name, 1);
                }
            }
        }
        // The second time there is nothing left to read.
        assert_eq!(stored(&folder), expected, "again: {again}");
    }
    let after = folder.texts("certstream.db", positions);
    assert!(before.iter().all(|position| after.contains(position)), "{before:?} {after:?}");
    assert!(program.is_running());
    let mut beta = folder.start_logged(&["backfill", "--log", "beta", "--from", "beginning"], "b");
    assert_eq!(beta.end().code(), Some(0), "{}", folder.read("b"));
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let stored = stored(&folder);
    assert!(expected(&old).keys().all(|domain| stored.contains_key(domain)));
    for (words, what) in [
        (["--log", "gamma", "--from", "1"], "no log in the list is called `gamma`"),
        (["--log", "a", "--from", "1"], "several logs are called `a`"),
        (["--log", "alpha", "--from", "end"], "the range is empty"),
    ] {
        let words = [&["backfill"][..], &words].concat();
        assert_eq!(folder.start_logged(&words, "wrong").end().code(), Some(2), "{words:?}");
        assert!(folder.read("wrong").contains(what), "{}", folder.read("wrong"));
    }
}

#[test]
fn a_purge_does_not_take_the_database_from_a_backfill() {
    let (tiled, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let folder = folder(&server, "");
    let mut program = watch(&folder);
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let before = server.count("/alpha/tile/data/*");
    server.misbehave("/alpha/tile/data/*", Times::Always, Fault::Stalled);
    let words = ["backfill", "--log", "alpha", "--from", "100", "--to", "907"];
    let mut backfill = folder.start_logged(&words, "backfill");
    server.wait_for_requests("/alpha/tile/data/*", before + 1);
    let mut refused = folder.start_logged(&["watch", "--purge"], "refused");
    assert_eq!(refused.end().code(), Some(1), "{}", folder.read("refused"));
    let said = folder.read("refused");
    let writer = format!("process {} is already writing to this database", backfill.child().id());
    assert!(said.contains(&writer), "{said}");
    assert_eq!(backfill.stop(), 0, "{}", folder.read("backfill"));
    server.behave();
    let mut backfill = folder.start_logged(&words, "backfill");
    assert_eq!(backfill.end().code(), Some(0), "{}", folder.read("backfill"));
    // Nobody writes: now it is set aside.
    let mut purged = folder.start_logged(&["watch", "--purge"], "purged");
    wait_until("it is set aside", || folder.read("purged").contains("is set aside as"));
    wait_for_end(&folder, &tiled);
    assert_eq!(purged.stop(), 0, "{}", folder.read("purged"));
}

#[test]
fn the_table_of_logs_shows_what_is_read_and_what_is_left() {
    let (tiled, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let folder = folder(&server, "");
    let logs = |words: &[&str]| {
        let words = [&["logs", "--json"][..], words].concat();
        assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
        let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        folder.stdout().lines().map(line).collect::<Vec<_>>()
    };
    let alpha = |rows: Vec<serde_json::Value>| {
        assert_eq!(rows.len(), 2);
        rows.into_iter().find(|log| log["log"] == "Operator 'alpha'").unwrap()
    };
    let fresh = alpha(logs(&[]));
    assert_eq!((&fresh["size"], &fresh["position"]), (&1000.into(), &serde_json::Value::Null));
    let mut program = watch(&folder);
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    assert_eq!(program.stop(), 0);
    tiled.append(made(1).entries(1000..1100));
    let now = alpha(logs(&[]));
    assert_eq!((&now["position"], &now["lag_entries"]), (&1000.into(), &100.into()));
    assert_eq!(
        (&now["entries_verified"], &now["protocol"]),
        (&1000.into(), &"static-ct-api".into())
    );
    let asked = server.requests("*").len();
    let offline = alpha(logs(&["--offline"]));
    assert_eq!((&offline["size"], &offline["lag_entries"]), (&1000.into(), &0.into()));
    assert_eq!(server.requests("*").len(), asked, "nobody is asked");
}

#[test]
fn a_log_that_is_far_behind_is_asked_for_its_size_on_the_way() {
    for (protocol, first, last) in [
        (Protocol::Tiles, "/alpha/tile/data/000", "/alpha/tile/data/257"),
        (Protocol::Rfc6962, "*?start=0&*", "*?start=65536&*"),
    ] {
        let log = TestLog::new("alpha", Key::Ecdsa).speaking(protocol);
        log.append(made(1).entries(0..67_000));
        let server = LogServer::start(Tls::Off, &[&log]);
        let folder = folder(&server, "");
        let mut program = watch(&folder);
        wait_for_end(&folder, &log);
        assert_eq!(program.stop(), 0, "{}", folder.stderr());
        assert_eq!(stored(&folder), expected(&log));
        let place = |pattern: &str| {
            let found = server.requests(pattern);
            let found = found.first().unwrap_or_else(|| panic!("no {pattern}"));
            server.requests("*").iter().position(|all| all.began == found.began).unwrap()
        };
        let between = &server.requests("*")[place(first)..place(last)];
        let heads = ["/alpha/checkpoint", "/alpha/ct/v1/get-sth"];
        assert!(between.iter().any(|request| heads.contains(&&*request.head.target)));
        assert_eq!(folder.number("certstream.db", "SELECT count(*) FROM gaps"), Some(0));
    }
}

#[test]
fn without_proofs_of_entries_the_same_is_read_and_none_is_called_verified() {
    let tiled = TestLog::new("alpha", Key::Rsa).speaking(Protocol::Tiles);
    tiled.append(made(1).entries(0..1000));
    let (_, old) = two_logs();
    let server = LogServer::start(Tls::Off, &[&tiled, &old]);
    let folder = folder(&server, "  verify: checkpoint\n");
    let mut program = watch(&folder);
    for step in 0..3 {
        wait_for_end(&folder, &tiled);
        wait_for_end(&folder, &old);
        tiled.append(made(1).entries(1000 + step * 90..1090 + step * 90));
        old.append(made(2).entries(5700 + step * 41..5741 + step * 41));
    }
    wait_for_end(&folder, &tiled);
    wait_for_end(&folder, &old);
    assert_eq!(program.stop(), 0, "{}", folder.stderr());
    let mut both = expected(&tiled);
    both.extend(expected(&old));
    assert_eq!(stored(&folder), both);
    let sums = "SELECT sum(entries) || ' ' || sum(verified) FROM positions";
    assert_eq!(folder.texts("certstream.db", sums), ["2093 0"]);
    // Of the tree head of each the signature was verified all the same, and that it grew.
    let heads = folder.texts("certstream.db", "SELECT feed FROM tree_heads WHERE size > 0");
    assert_eq!(heads.len(), 2);
}
