//! Tables of names and what becomes of them.

use super::*;

fn domain(name: &str) -> Result<String, NameFault> {
    let mut out = b"kept ".to_vec();
    let sanitised = sanitise(name, &mut out);
    let (kept, domain) = out.split_at(5);
    assert_eq!(kept, b"kept ", "{name:?}: what stood in the buffer must stay");
    match sanitised {
        Ok(()) => Ok(String::from_utf8(domain.to_vec()).expect("domains are ASCII")),
        Err(fault) => {
            assert!(domain.is_empty(), "{name:?}: dropped, yet something was left behind");
            Err(fault)
        }
    }
}

#[test]
fn names_become_domains() {
    for (name, expected) in [
        ("example.com", "example.com"),
        ("PayPal.CoM", "paypal.com"),
        ("example.com.", "example.com"),
        (" \texample.com\r\n\0", "example.com"),
        ("*.example.com", "example.com"),
        ("www.example.com", "example.com"),
        ("WWW.Example.COM", "example.com"),
        ("www.*.example.com", "example.com"),
        ("*.www.example.com", "www.example.com"),
        ("www.www.example.com", "www.example.com"),
        ("www2.example.com", "www2.example.com"),
        ("_dmarc.a_b.example.com", "_dmarc.a_b.example.com"),
        ("-a-.example.com", "-a-.example.com"),
        ("foo.local", "foo.local"),
        ("1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa"),
        ("123456.com", "123456.com"),
        ("co.uk", "co.uk"),
    ] {
        assert_eq!(domain(name).as_deref(), Ok(expected), "{name:?}");
    }
}

#[test]
fn addresses_lose_all_but_their_host() {
    for (name, expected) in [
        ("http://paypal.com/login?x=1", "paypal.com"),
        ("HTTPS://www.PayPal.com", "paypal.com"),
        ("https://user:pw@paypal.com:8443/a", "paypal.com"),
        ("https://a@b@*.paypal.com./", "paypal.com"),
        ("paypal.com/", "paypal.com"),
        ("paypal.com?x=1", "paypal.com"),
        ("paypal.com#frag", "paypal.com"),
        ("paypal.com:443", "paypal.com"),
        ("paypal.com:", "paypal.com"),
    ] {
        assert_eq!(domain(name).as_deref(), Ok(expected), "{name:?}");
    }
}

#[test]
fn www_and_wildcard_never_lead_to_a_public_suffix() {
    for (name, expected) in [
        ("www.com", Ok("www.com")),
        ("www.co.uk", Ok("www.co.uk")),
        ("WWW.GOV.UK.", Ok("www.gov.uk")),
        ("*.com", Err(NameFault::PublicSuffix)),
        ("*.co.uk", Err(NameFault::PublicSuffix)),
        ("*.CO.UK.", Err(NameFault::PublicSuffix)),
        ("www.*.co.uk", Err(NameFault::PublicSuffix)),
        // Private suffixes are names: somebody runs them.
        ("*.github.io", Ok("github.io")),
        ("www.github.io", Ok("github.io")),
        ("me.github.io", Ok("me.github.io")),
        // Not a top-level domain at all.
        ("*.localhost", Err(NameFault::NoDot)),
        ("www.localhost", Err(NameFault::NoDot)),
    ] {
        assert_eq!(domain(name).as_deref(), expected.as_ref().map(|d| *d), "{name:?}");
    }
}

#[test]
fn unicode_becomes_a_labels_and_a_labels_stay() {
    for (name, expected) in [
        ("münchen.example.com", "xn--mnchen-3ya.example.com"),
        ("p\u{430}ypal.com", "xn--pypal-4ve.com"),
        ("ｐａｙｐａｌ.com", "paypal.com"),
        ("paypal。com", "paypal.com"),
        ("straße.example.com", "xn--strae-oqa.example.com"),
        ("\u{212a}elvin.example.com", "kelvin.example.com"),
        ("مثال.example.com", "xn--mgbh0fb.example.com"),
        ("www.例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("*.münchen.de", "xn--mnchen-3ya.de"),
        ("https://münchen.de:443/ä", "xn--mnchen-3ya.de"),
        ("XN--PYPAL-4VE.COM", "xn--pypal-4ve.com"),
        ("xn--a.com", "xn--a.com"),
        ("xn--99999999.com", "xn--99999999.com"),
        // A neighbour that does not decode does not lose the name.
        ("xn--a.münchen.de", "xn--a.xn--mnchen-3ya.de"),
        ("pay\u{200b}pal.com", "paypal.com"),
    ] {
        assert_eq!(domain(name).as_deref(), Ok(expected), "{name:?}");
    }
}

#[test]
fn what_is_no_host_name_is_dropped_with_the_reason() {
    use NameFault::*;
    let label_64 = format!("{}.example.com", "a".repeat(64));
    let bytes_254 = format!("{}.com", "a.".repeat(125));
    let unicode_label_64 = format!("{}.de", "ä".repeat(60));
    let unicode_long = "ä.".repeat(400);
    for (name, expected) in [
        ("", Empty),
        (".", Empty),
        ("http://", Empty),
        ("//paypal.com", Empty),
        ("\0", Empty),
        ("..", EmptyLabel),
        ("example.com..", EmptyLabel),
        ("a..b.com", EmptyLabel),
        (".example.com", EmptyLabel),
        ("com", NoDot),
        ("com.", NoDot),
        ("localhost", NoDot),
        ("www.", NoDot),
        ("ftp://paypal.com", NoDot),
        ("*", OtherCharacter),
        ("*.", OtherCharacter),
        (&label_64, LabelTooLong),
        (&unicode_label_64, LabelTooLong),
        (&bytes_254, TooLong),
        (&unicode_long, TooLong),
        ("1.2.3.4", IpAddress),
        ("*.1.2.3.4", IpAddress),
        ("256.256.256.256", IpAddress),
        ("127.1", IpAddress),
        ("1.2.3.4:443", IpAddress),
        ("http://1.2.3.4/", IpAddress),
        ("::1", IpAddress),
        ("[2001:db8::1]:443", IpAddress),
        ("::ffff:1.2.3.4", IpAddress),
        ("user@example.com", Email),
        ("@example.com", Email),
        ("user@", Email),
        ("pay pal.com", Space),
        ("User Name <user@example.com>", Space),
        ("\u{3000}b.c", Space),
        ("a\nb.example.com", Control),
        ("\u{1b}[31mpaypal.com\u{1b}[0m", Control),
        ("a\u{7f}b.example.com", Control),
        ("**.example.com", OtherCharacter),
        ("*.*.example.com", OtherCharacter),
        ("f*o.example.com", OtherCharacter),
        ("*example.com", OtherCharacter),
        ("a&b.example.com", OtherCharacter),
        ("www.netflix:com", OtherCharacter),
        ("paypal.com:99999", OtherCharacter),
        ("javascript:alert(1)", OtherCharacter),
        ("C:\\x.com", OtherCharacter),
        ("\u{202e}moc.lapyap", NotConvertible),
        ("a\u{9b}31mb.example.com", NotConvertible),
    ] {
        assert_eq!(domain(name), Err(expected), "{name:?}");
    }
}

#[test]
fn the_longest_names_stay() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(longest.len(), MAX_DOMAIN);
    assert_eq!(domain(&longest), Ok(longest.clone()));
    assert_eq!(domain(&format!("*.{longest}.")), Ok(longest));
}

#[test]
fn every_fault_has_its_counter() {
    for (index, fault) in NameFault::ALL.into_iter().enumerate() {
        assert_eq!(fault as usize, index);
    }
}

#[test]
fn sanitising_a_domain_again_peels_no_more_than_another_www() {
    for name in ["*.example.com", "www.com", "münchen.de", "me.github.io"] {
        let once = domain(name).expect("a domain");
        assert_eq!(domain(&once), Ok(once.clone()));
    }
}
