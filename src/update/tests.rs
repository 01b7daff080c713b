//! Frames and what is read from them.

use super::*;

fn names(frame: &[u8]) -> Result<Vec<String>, String> {
    UpdateReader::default()
        .read(frame, |message| match message {
            Message::Update(names) => Ok(names.iter().map(str::to_owned).collect()),
            other => Err(format!("{other:?}")),
        })
        .unwrap_or_else(|fault| Err(format!("{fault:?}")))
}

fn evidence(data: &str) -> Evidence {
    let frame = format!(r#"{{"data":{data},"message_type":"certificate_update"}}"#);
    UpdateReader::default().evidence(frame.as_bytes()).expect("a certificate update")
}

#[test]
fn names_are_found_whatever_the_order_and_spelling_of_the_keys() {
    let expected = Ok(vec!["a.com".to_owned(), "*.b.com".to_owned()]);
    for frame in [
        r#"{"message_type":"dns_entries","data":["a.com","*.b.com"]}"#,
        r#"{"data":["a.com","*.b.com"],"message_type":"dns_entries"}"#,
        "\n { \"data\" :\t[ \"a.com\" , \"*.b.com\" ] ,\r\n \"message_type\" : \"dns_entries\" } \n",
        r#"{"d\u0061ta":["\u0061.com","\u002a.b.com"],"m\u0065ssage_type":"dns_entr\u0069es"}"#,
        r#"{"message_type":"certificate_update","data":{"leaf_cert":{"all_domains":["a.com","*.b.com"]}}}"#,
        r#"{"data":{"seen":1,"leaf_cert":{"subject":{"CN":"x"},"all_domains":["a.com",null,5,{"x":"y"},["n.com"],"*.b.com"]}},"message_type":"certificate_update"}"#,
    ] {
        assert_eq!(names(frame.as_bytes()), expected, "{frame}");
    }
}

#[test]
fn names_stand_in_one_place_only() {
    for frame in [
        r#"{"message_type":"certificate_update","data":["a.com"]}"#,
        r#"{"message_type":"certificate_update","data":{"all_domains":["a.com"]}}"#,
        r#"{"message_type":"certificate_update","data":{"leaf_cert":[{"all_domains":["a.com"]}]}}"#,
        r#"{"message_type":"certificate_update","data":{"leaf_cert":{"all_domains":"a.com"}}}"#,
        r#"{"message_type":"certificate_update","data":{"leaf_cert":{"all_domains":null}}}"#,
        r#"{"message_type":"certificate_update","data":{"leaf_cert":{"extensions":{"all_domains":["a.com"]}},"chain":[{"all_domains":["a.com"]}]}}"#,
        r#"{"message_type":"certificate_update","all_domains":["a.com"]}"#,
        r#"{"message_type":"dns_entries","data":{"leaf_cert":{"all_domains":["a.com"]}}}"#,
        r#"{"message_type":"dns_entries","data":null}"#,
    ] {
        assert_eq!(names(frame.as_bytes()), Ok(vec![]), "{frame}");
    }
}

#[test]
fn a_repeated_key_counts_as_it_stands_last() {
    for (frame, expected) in [
        (r#"{"data":["a"],"message_type":"dns_entries","data":["b"]}"#, Ok(vec!["b".to_owned()])),
        (r#"{"data":["a"],"message_type":"dns_entries","message_type":"x"}"#, Err("Unknown")),
        (r#"{"data":["a"],"message_type":"dns_entries","message_type":1}"#, Err("Unknown")),
        (
            r#"{"data":{"leaf_cert":{"all_domains":["a"],"all_domains":["b"]}},"message_type":"certificate_update"}"#,
            Ok(vec!["b".to_owned()]),
        ),
        (
            r#"{"data":{"leaf_cert":{"all_domains":["a"]},"leaf_cert":{}},"message_type":"certificate_update"}"#,
            Ok(vec![]),
        ),
    ] {
        assert_eq!(names(frame.as_bytes()), expected.map_err(str::to_owned), "{frame}");
    }
}

#[test]
fn messages_are_told_apart() {
    for (frame, expected) in [
        ("", "Blank"),
        (" \n\t\r ", "Blank"),
        (r#"{"message_type":"heartbeat","timestamp":1509613330.63217}"#, "Heartbeat"),
        (r#"{"data":["a.com"],"message_type":"heartbeat"}"#, "Heartbeat"),
        (r#"{"data":["a.com"],"message_type":"Dns_Entries"}"#, "Unknown"),
        (r#"{"data":["a.com"],"message_type":null}"#, "Unknown"),
        (r#"{"data":["a.com"]}"#, "Unknown"),
        (r#"[{"data":["a.com"],"message_type":"dns_entries"}]"#, "Unknown"),
        ("{}", "Unknown"),
        ("null", "Unknown"),
        (r#""dns_entries""#, "Unknown"),
    ] {
        assert_eq!(names(frame.as_bytes()), Err(expected.to_owned()), "{frame}");
    }
}

#[test]
fn each_fault_is_told() {
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"message_type":"dns_entries","x":{open}{close},"data":["a.com"]}}"#)
    };
    let (deepest, too_deep) = (deep(MAX_DEPTH - 1), deep(MAX_DEPTH));
    let too_large = vec![b' '; MAX_FRAME + 1];
    assert_eq!(names(deepest.as_bytes()), Ok(vec!["a.com".to_owned()]));
    for (frame, expected) in [
        (&b"Hello"[..], FrameFault::NotJson),
        (b"{'data':[]}", FrameFault::NotJson),
        (br#"{"data":["a.com",],"message_type":"dns_entries"}"#, FrameFault::NotJson),
        (b"{\"data\":[\"a\tb\"],\"message_type\":\"dns_entries\"}", FrameFault::NotJson),
        (br#"{"data":[01],"message_type":"dns_entries"}"#, FrameFault::NotJson),
        (br#"{"data":["a.com"],"message_type":"dns"#, FrameFault::Truncated),
        (br#"{"data":["a.com"],"message_type":"dns_entries""#, FrameFault::Truncated),
        (b"{\"data\":[\"a\xff.com\"],\"message_type\":\"dns_entries\"}", FrameFault::NotUtf8),
        (b"\xef\xbb\xbf{\"message_type\":\"heartbeat\"}", FrameFault::ByteOrderMark),
        (br#"{"message_type":"heartbeat"}{}"#, FrameFault::TrailingData),
        (
            b"{\"message_type\":\"heartbeat\"}\n{\"message_type\":\"heartbeat\"}",
            FrameFault::TrailingData,
        ),
        (br#"{"message_type":"heartbeat"} x"#, FrameFault::TrailingData),
        (br#"{"data":["a\ud800.com"],"message_type":"dns_entries"}"#, FrameFault::BadUnicodeEscape),
        (br#"{"data":["a\udc00.com"],"message_type":"dns_entries"}"#, FrameFault::BadUnicodeEscape),
        (br#"{"data":["a\u12g4.com"],"message_type":"dns_entries"}"#, FrameFault::BadUnicodeEscape),
        (too_deep.as_bytes(), FrameFault::TooDeep),
        (&too_large, FrameFault::TooLarge),
    ] {
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(80)]);
        assert_eq!(names(frame), Err(format!("{expected:?}")), "{shown}");
    }
}

#[test]
fn the_names_count_whatever_the_numbers_around_them() {
    let huge = "9".repeat(5000);
    for number in ["1e400", "-1e400", "18446744073709551616", &huge, "1e-99999", "0.0", "-0"] {
        let frame = format!(
            r#"{{"data":{{"seen":{number},"cert_index":{number},"leaf_cert":{{"all_domains":["\u0061.com"],"not_after":{number}}}}},"message_type":"certificate_update"}}"#
        );
        assert_eq!(names(frame.as_bytes()), Ok(vec!["a.com".to_owned()]), "{number}");
    }
}

#[test]
fn the_source_time_comes_with_the_names() {
    let seen = |written: &str| {
        let frame =
            format!(r#"{{"data":{{"seen":{written}}},"message_type":"certificate_update"}}"#);
        UpdateReader::default().read(frame.as_bytes(), |message| match message {
            Message::Update(names) => names.seen(),
            other => panic!("{other:?}"),
        })
    };
    for (written, expected) in [
        ("1788264000.123456", Some(1_788_264_000_123_456)),
        ("1700000000", Some(1_700_000_000_000_000)),
        ("0", None),
        ("-5.5", None),
        ("253402300800", None),
        ("1e300", None),
        ("\"1700000000\"", None),
        ("null", None),
    ] {
        assert_eq!(seen(written), Ok(expected), "{written}");
    }
}

#[test]
fn evidence_is_brought_into_one_form() {
    let found = evidence(
        r#"{"update_type":"PreCertEntry","cert_index":1111014090,"cert_link":"https://log/1",
        "seen":1700000000.5,"source":{"name":"Argon","url":"https://log/"},
        "leaf_cert":{"fingerprint":"30:AF:23:FE:9B:E0:77:2E:FF:5C:05:26:70:0B:79:FF:56:6B:BE:3A",
        "sha256":"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
        "serial_number":"0004ab","not_before":1,"not_after":253402300799,
        "issuer":{"C":"US","CN":"R10","L":null,"O":"Let's Encrypt","aggregated":"/C=US"},
        "subject":{"CN":"a.com"}}}"#,
    );
    assert_eq!(
        found,
        Evidence {
            update_type: Some("PrecertLogEntry".into()),
            fingerprint: Some("30af23fe9be0772eff5c0526700b79ff566bbe3a".into()),
            sha256: Some("00112233445566778899aabbccddeeff".repeat(2).into()),
            issuer: Some("C=US, O=Let's Encrypt, CN=R10".into()),
            subject_cn: Some("a.com".into()),
            serial: Some("4AB".into()),
            not_before: Some(1),
            not_after: Some(253_402_300_799),
            log_name: Some("Argon".into()),
            log_url: Some("https://log/".into()),
            cert_index: Some(1_111_014_090),
            cert_link: Some("https://log/1".into()),
            seen: Some(1_700_000_000_500_000),
        }
    );
    assert!(found.identifies_certificate());
}

#[test]
fn evidence_of_no_use_counts_as_not_given() {
    let long = "x".repeat(MAX_TEXT + 1);
    for data in [
        r#"{}"#,
        r#"{"update_type":null,"cert_index":-1,"cert_link":"","seen":null,"source":null,"leaf_cert":null}"#,
        r#"{"update_type":"precertlogentry","cert_index":1.5,"cert_link":[],"seen":"x","source":"x","leaf_cert":[]}"#,
        r#"{"cert_index":9007199254740993.5,"source":{"name":"","url":null},"leaf_cert":{"subject":{"CN":""}}}"#,
        r#"{"cert_index":18446744073709551615,"leaf_cert":{"subject":{"CN":null},"not_after":"no_expiration"}}"#,
        r#"{"leaf_cert":{"fingerprint":"30:AF","sha256":"xyz","serial_number":"-5","issuer":"x","subject":[]}}"#,
        r#"{"leaf_cert":{"serial_number":5,"issuer":{"C":null,"O":[],"CN":""},"not_before":253402300800}}"#,
        &format!(
            r#"{{"cert_link":"{long}","leaf_cert":{{"serial_number":"{long}","subject":{{"CN":"{long}"}}}}}}"#
        ),
        r#"{"leaf_cert":{"sha256":"00","serial_number":"5"},"leaf_cert":{}}"#,
    ] {
        let found = evidence(data);
        assert_eq!(found, Evidence::default(), "{data}");
        assert!(!found.identifies_certificate());
    }
}

#[test]
fn an_issuer_is_named_by_what_there_is() {
    for (issuer, expected) in [
        (r#"{"CN":"WR1"}"#, "CN=WR1"),
        (r#"{"O":"Org","C":"DE"}"#, "C=DE, O=Org"),
        (r#"{"CN":"","O":null,"aggregated":"/OU=Root"}"#, "/OU=Root"),
    ] {
        let found =
            evidence(&format!(r#"{{"leaf_cert":{{"issuer":{issuer},"serial_number":"00"}}}}"#));
        assert_eq!(found.issuer.as_deref(), Some(expected));
        assert_eq!(found.serial.as_deref(), Some("0"));
    }
}

#[test]
fn only_certificate_updates_have_evidence() {
    let mut reader = UpdateReader::default();
    assert_eq!(reader.evidence(br#"{"data":["a.com"],"message_type":"dns_entries"}"#), None);
    assert_eq!(reader.evidence(br#"{"data":{},"message_type":"heartbeat"}"#), None);
    assert_eq!(reader.evidence(b"{"), None);
    assert_eq!(reader.evidence(b""), None);
}

#[test]
fn a_frame_that_failed_leaves_nothing_to_the_next() {
    let mut reader = UpdateReader::default();
    let large = format!(r#"{{"x":"{}","message_type":"heartbeat"}}"#, "x".repeat(2 * KEPT_BYTES));
    for bad in [&b"{\"data\":[\"bad.com\""[..], b"", large.as_bytes(), b"{\"x\":1e999,"] {
        let _ = reader.read(bad, |_| ());
        let found = reader.read(br#"{"data":["a.com"],"message_type":"dns_entries"}"#, |message| {
            format!("{message:?}")
        });
        assert_eq!(found.as_deref(), Ok(r#"Update(["a.com"])"#));
        assert!(reader.scratch.capacity() <= KEPT_BYTES, "the large frame's memory was kept");
    }
}
