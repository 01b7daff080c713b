//! Any label behind `xn--`: no panic, and forms that a block can hold a line of.

#![no_main]

use certstream::domain::{Forms, is_lower_case, is_mixed_script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    // As Punycode, and as what it decodes to.
    let mut domains = vec![format!("xn--{}.com", input.to_ascii_lowercase())];
    domains.extend(idna::punycode::encode_str(input).map(|label| format!("xn--{label}.com")));
    for domain in domains.iter().filter(|domain| domain.len() <= 253) {
        let forms = Forms::of(domain);
        let _ = is_mixed_script(domain);
        let Some(unicode) = forms.unicode() else {
            assert_eq!(forms.look_alike(), None);
            continue;
        };
        assert!(unicode.chars().all(is_lower_case), "{unicode:?}");
        // What the input itself holds beyond a label is not the forms' doing.
        let own = |c: char| domain.contains(c);
        for form in [Some(unicode), forms.look_alike()].into_iter().flatten() {
            assert!(form.ends_with(".com"), "{form:?}");
            assert!(form.chars().all(|c| own(c) || c != '\n' && !c.is_ascii_uppercase()));
        }
        // Made in the memory of another, they are the same.
        let mut again = Forms::of("xn--mnchen-3ya.xn--99999999.de");
        again.make(domain);
        assert_eq!(again, forms);
    }
});
