//! Repeats, certificates and matches: what becomes of rows that meet.

use super::*;

const SHA_PRE: &str = "aa";
const SHA_FINAL: &str = "ff";

fn with_certificates(
    sequence: u64,
    rows: Vec<MatchedDomain>,
    certificates: Vec<Evidence>,
) -> Matched {
    Matched { certificates, ..message(sequence, rows) }
}

fn certificate(base: &Base) -> Vec<String> {
    base.column(
        "SELECT concat_ws(' ', serial, sha256, fingerprint, update_type, cert_index, subject_cn)
         FROM certificates ORDER BY id",
    )
}

#[test]
fn repeats_within_and_across_transactions_count_alike() {
    let rows = || vec![row("a.example"), row("b.example"), row("a.example")];
    let together = Base::new();
    together.write(vec![message(1, rows()), message(2, rows())]);
    let apart = Base::new();
    apart.write(vec![message(1, rows())]);
    apart.write(vec![message(2, rows())]);
    for base in [&together, &apart] {
        assert_eq!(base.sightings(), ["a.example 4", "b.example 2"]);
        let spans = base.column::<String>(
            "SELECT first_seen || '-' || last_seen FROM matches ORDER BY domain_id",
        );
        assert_eq!(spans, ["1000-2000", "1000-2000"]);
        assert_eq!((base.stats.new_pairs.get(), base.stats.new_domains.get()), (2, 2));
        assert_eq!(base.stats.rows.get(), 6);
    }
    assert_eq!((together.stats.commits.get(), apart.stats.commits.get()), (1, 2));
}

#[test]
fn the_final_certificate_wins_over_its_precertificate_in_either_order() {
    let pre = || Evidence {
        cert_index: Some(7),
        subject_cn: Some("a.example".into()),
        ..evidence("01", SHA_PRE, "PrecertLogEntry")
    };
    let last = || Evidence {
        cert_index: Some(9),
        fingerprint: Some("f1".into()),
        ..evidence("01", SHA_FINAL, "X509LogEntry")
    };
    for [first, second] in [[pre(), last()], [last(), pre()]] {
        let together = Base::new();
        let both = vec![row_of("a.example", 0), row_of("a.example", 1)];
        let certificates = vec![first.clone(), second.clone()];
        together.write(vec![with_certificates(1, both, certificates)]);
        let apart = Base::new();
        apart.write(vec![with_certificates(1, vec![row_of("a.example", 0)], vec![first])]);
        apart.write(vec![with_certificates(2, vec![row_of("a.example", 0)], vec![second])]);
        for base in [&together, &apart] {
            assert_eq!(certificate(base), ["01 ff f1 X509LogEntry 9 a.example"]);
            assert_eq!(base.sightings(), ["a.example 2"]);
            let links = base.column::<i64>("SELECT count(*) FROM domain_certificates");
            assert_eq!(links, [1]);
        }
    }
}

#[test]
fn without_a_serial_the_hash_tells_certificates_apart() {
    let base = Base::new();
    let hash_only = |sha: &str| Evidence { sha256: Some(sha.into()), ..Evidence::default() };
    let fingerprint_only = Evidence { fingerprint: Some("f1".into()), ..Evidence::default() };
    let nothing = Evidence { subject_cn: Some("a.example".into()), ..Evidence::default() };
    let certificates =
        vec![hash_only("aa"), hash_only("bb"), hash_only("aa"), fingerprint_only, nothing];
    let rows = (0..5).map(|index| row_of("a.example", index)).collect();
    base.write(vec![with_certificates(1, rows, certificates)]);
    assert_eq!(certificate(&base), ["aa", "bb", "f1"]);
    assert_eq!(base.sightings(), ["a.example 5"]);
}

#[test]
fn a_match_keeps_the_certificates_of_its_first_and_last_time() {
    let base = Base::new();
    let seen = |serial: &str, at| Evidence {
        seen: Some(at),
        ..evidence(serial, SHA_FINAL, "X509LogEntry")
    };
    let one = |sequence, evidence| {
        with_certificates(sequence, vec![row_of("a.example", 0)], vec![evidence])
    };
    let span = "SELECT f.serial || ' ' || m.first_seen || ' ' || l.serial || ' ' || m.last_seen
        FROM matches m JOIN certificates f ON f.id = first_certificate
        JOIN certificates l ON l.id = last_certificate";
    base.write(vec![one(1, seen("02", 50)), one(2, seen("03", 60))]);
    assert_eq!(base.column::<String>(span), ["02 50 03 60"]);
    // An earlier one comes later, and a later one without a time of its own.
    base.write(vec![one(3, seen("01", 40))]);
    base.write(vec![message(4, vec![row("a.example")])]);
    assert_eq!(base.column::<String>(span), ["01 40 03 4000"]);
    let domain = base.column::<String>("SELECT first_seen || '-' || last_seen FROM domains");
    assert_eq!(domain, ["40-4000"]);
}

#[test]
fn a_proven_hit_clears_the_verdict_and_views_add_up() {
    let base = Base::new();
    let hit = |views, gave_up| MatchedDomain {
        hits: vec![Hit { rule: 1, views: Views::from_bits(views), gave_up, typosquat: None }],
        ..row("a.example")
    };
    let stored = "SELECT views || ' ' || ifnull(verdict, 'proven') FROM matches";
    base.write(vec![message(1, vec![hit(1, true)])]);
    assert_eq!(base.column::<String>(stored), ["1 gave up"]);
    base.write(vec![message(2, vec![hit(2, false)])]);
    assert_eq!(base.column::<String>(stored), ["3 proven"]);
    base.write(vec![message(3, vec![hit(4, true)])]);
    assert_eq!(base.column::<String>(stored), ["7 proven"]);
}

#[test]
fn names_as_seen_are_kept_once() {
    let base = Base::new();
    let named = |names: &[&str]| MatchedDomain {
        names_as_seen: names.iter().map(|&name| name.into()).collect(),
        ..row("a.example")
    };
    base.write(vec![message(1, vec![named(&["*.a.example", "WWW.a.example"]), named(&[])])]);
    base.write(vec![message(2, vec![named(&["*.a.example"])])]);
    let names = base.column::<String>("SELECT name FROM names ORDER BY name");
    assert_eq!(names, ["*.a.example", "WWW.a.example"]);
}

#[test]
fn rules_that_share_name_and_pattern_share_their_matches() {
    let base = Base::new();
    let mut store = Store::open(&base.file(), SETTINGS).unwrap();
    store.begin_run("test", &rules(&["same", "other", "same"])).unwrap();
    let (stats, backlog) = (Arc::clone(&base.stats), Arc::clone(&base.backlog));
    let writer = Writer::new(store, register(&["left"]), stats, backlog, None);
    let hit = |rule| Hit { rule, views: Views::A_LABEL, gave_up: false, typosquat: None };
    let all = MatchedDomain { hits: (0..3).map(hit).collect(), ..row("a.example") };
    base.write_with(writer, vec![message(1, vec![all])]).unwrap();
    let names = base.column::<String>("SELECT name FROM matches JOIN rules ON id = rule_id");
    assert_eq!(names, ["same", "other"]);
    assert_eq!(base.stats.new_pairs.get(), 2);
}

#[test]
fn records_tell_new_pairs_or_every_sighting() {
    let record_of = |every_sighting, base: &Base, message| {
        let (sender, records) = unbounded();
        let dropped = Arc::default();
        let announce = Announce { sender, wait: true, every_sighting, dropped };
        base.write_with(base.writer(Some(announce)), vec![message]).unwrap();
        records.try_iter().collect::<Vec<_>>()
    };
    let both = MatchedDomain {
        hits: [0, 1]
            .map(|rule| Hit { rule, views: Views::A_LABEL, gave_up: false, typosquat: None })
            .into(),
        ..row_of("shop.a.example", 0)
    };
    let evidence = || vec![evidence("01", SHA_FINAL, "X509LogEntry")];
    let base = Base::new();
    let first = record_of(false, &base, message(1, vec![row("shop.a.example")]));
    assert_eq!((first[0].rules.as_slice(), first[0].new), (&["one".to_owned()][..], true));
    // Only the rule that is new is reported, with what is stored by now.
    let second = record_of(false, &base, with_certificates(2, vec![both], evidence()));
    assert_eq!(second.len(), 1);
    let record = &second[0];
    assert_eq!(record.rules, ["two"]);
    assert_eq!(record.registered_domain.as_deref(), Some("a.example"));
    assert_eq!(
        (record.first_seen, record.last_seen, record.sightings),
        (Some(1000), Some(2000), 2)
    );
    assert_eq!((record.serial.as_deref(), record.views.as_slice()), (Some("01"), &["a-label"][..]));
    assert!(record_of(false, &base, message(3, vec![row("shop.a.example")])).is_empty());
    let every = record_of(true, &base, message(4, vec![row("shop.a.example")]));
    assert_eq!((every[0].rules.as_slice(), every[0].new), (&["one".to_owned()][..], false));
}

#[test]
fn every_sighting_of_a_transaction_is_a_record_of_its_own() {
    let base = Base::new();
    base.write(vec![message(1, vec![row("a.example")])]);
    let (sender, records) = unbounded();
    let announce = Announce { sender, wait: true, every_sighting: true, dropped: Arc::default() };
    let of_both_rules = MatchedDomain {
        hits: [0, 1]
            .map(|rule| Hit { rule, views: Views::A_LABEL, gave_up: false, typosquat: None })
            .into(),
        names_as_seen: vec!["*.a.example".into()],
        ..row_of("a.example", 0)
    };
    let precertificate = evidence("01", SHA_FINAL, "PrecertLogEntry");
    let messages = vec![
        message(2, vec![row("a.example")]),
        with_certificates(3, vec![of_both_rules], vec![precertificate]),
        message(4, vec![row("a.example")]),
    ];
    base.write_with(base.writer(Some(announce)), messages).unwrap();
    assert_eq!(base.stats.commits.get(), 2, "each run's messages are one transaction");
    let shown: Vec<(u64, bool, usize, usize, Option<String>)> = records
        .try_iter()
        .map(|r| (r.sightings, r.new, r.rules.len(), r.names_as_seen.len(), r.update_type))
        .collect();
    assert_eq!(
        shown,
        [
            (2, false, 1, 0, None),
            (3, true, 2, 1, Some("PrecertLogEntry".to_owned())),
            (4, false, 1, 0, None)
        ]
    );
}
