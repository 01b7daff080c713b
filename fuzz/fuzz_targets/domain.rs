//! Any text as a name: no panic, and what comes out is a host name in its one form.

#![no_main]

use certstream::domain::{MAX_DOMAIN, registered_domain, sanitise};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    let mut out = b"kept".to_vec();
    let sanitised = sanitise(name, &mut out);
    let (kept, domain) = out.split_at(4);
    assert_eq!(kept, b"kept");
    if sanitised.is_err() {
        assert!(domain.is_empty());
        return;
    }
    let domain = std::str::from_utf8(domain).expect("domains are ASCII");
    assert!(domain.len() <= MAX_DOMAIN && domain.contains('.'));
    for label in domain.split('.') {
        assert!((1..=63).contains(&label.len()), "{domain}");
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        assert!(label.bytes().all(fits), "{domain}");
    }
    let _ = registered_domain(domain);

    // Case, a trailing dot and space around it are not part of a domain.
    let again = |name: String| {
        let mut out = Vec::new();
        sanitise(&name, &mut out).map(|()| out)
    };
    let settled = again(domain.to_owned());
    assert_eq!(again(domain.to_ascii_uppercase()), settled);
    assert_eq!(again(format!(" {domain}.\n")), settled);
    assert_eq!(again(format!("https://user@{domain}:443/path")), settled);
});
