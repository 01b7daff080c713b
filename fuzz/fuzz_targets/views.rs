//! Any label behind `xn--`: no panic, and forms that a block can hold a line of.

#![no_main]

use certstream::domain::{Forms, is_lower_case, is_mixed_script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    // As Punycode, and as what it decodes to. A domain has no other bytes (`domain`).
    let mut domains = vec![format!("xn--{}.com", input.to_ascii_lowercase())];
    let encoded = idna::punycode::encode_str(input);
    domains.extend(encoded.map(|label| format!("xn--{}.com", label.to_ascii_lowercase())));
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    domains.retain(|domain| domain.len() <= 253 && domain.bytes().all(plain));
    for domain in &domains {
        let forms = Forms::of(domain);
        let _ = is_mixed_script(domain);
        let Some(unicode) = forms.unicode() else {
            assert_eq!(forms.look_alike(), None);
            continue;
        };
        assert!(unicode.chars().all(is_lower_case), "{unicode:?}");
        for form in [Some(unicode), forms.look_alike()].into_iter().flatten() {
            assert!(form.ends_with(".com"), "{form:?}");
            assert!(form.chars().all(|c| c != '\n' && !c.is_ascii_uppercase()), "{form:?}");
        }
        // Made in the memory of another, they are the same.
        let mut again = Forms::of("xn--mnchen-3ya.xn--99999999.de");
        again.make(domain);
        assert_eq!(again, forms);
    }
});
