//! Certificate updates as servers write them, by number.

use tungstenite::Message;

/// Certificate `n`, for `name` alone, with the evidence that lite frames have: 1.3 KB.
pub fn update(n: u64, name: &str) -> String {
    let bytes = format!("{n:016X}{:016X}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let hash: Vec<String> = bytes.as_bytes().chunks(2).map(|two| text(two).to_owned()).collect();
    let (sha1, sha256) = (hash[..10].join(":"), [&hash[..], &hash[..]].concat().join(":"));
    let extensions = concat!(
        r#"{"authorityInfoAccess":"URI:http://o.pki.example/s/wr1/uZc, URI:http://i.pki.example/wr1.crt","#,
        r#""authorityKeyIdentifier":"keyid:66:69:49:d4:de:2a:9c:91:03:cf:89:0e:24:b8:0e:30:03:6e","#,
        r#""basicConstraints":"CA:FALSE","certificatePolicies":"Policy: 2.23.140.1.2.1","#,
        r#""extendedKeyUsage":"serverAuth","keyUsage":"Digital Signature, Key Encipherment"}"#,
    );
    format!(
        r#"{{"message_type":"certificate_update","data":{{"update_type":"X509LogEntry","leaf_cert":{{"subject":{{"CN":"{name}","aggregated":"/CN={name}"}},"issuer":{{"C":"US","CN":"WR1","O":"Some Trust Services","aggregated":"/C=US/CN=WR1/O=Some Trust Services"}},"serial_number":"{bytes}","not_before":1779299292,"not_after":1787078880,"fingerprint":"{sha1}","sha1":"{sha1}","sha256":"{sha256}","signature_algorithm":"sha256, rsa","is_ca":false,"all_domains":["{name}"],"extensions":{extensions}}},"cert_index":{n},"cert_link":"https://ct.example/logs/eu1/2026h2/ct/v1/get-entries?start={n}&end={n}","seen":{seen}.25,"source":{{"name":"Example 'Argon2026h2' log","url":"https://ct.example/logs/eu1/2026h2/"}}}}}}"#,
        seen = 1_700_000_000 + n / 1000,
    )
}

/// The same as a message; of every ten, `n` % 10 == 0 has a name that ends in `.bank.example`.
pub fn one_in_ten(n: u64) -> Message {
    let zone = if n.is_multiple_of(10) { "bank" } else { "shop" };
    Message::text(update(n, &format!("n{n}.{zone}.example")))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("hexadecimal")
}
