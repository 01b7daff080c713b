//! The forms as attackers and honest people make them.

use super::*;

/// The Unicode and the look-alike form; the one before where there is none.
fn forms(domain: &str) -> (String, String) {
    let forms = Forms::of(domain);
    let unicode = forms.unicode().unwrap_or(domain);
    (unicode.to_owned(), forms.look_alike().unwrap_or(unicode).to_owned())
}

fn a_label(label: &str) -> String {
    format!("xn--{}", idna::punycode::encode_str(label).expect("short"))
}

#[test]
fn a_name_in_other_letters_looks_like_the_brand() {
    for (label, looks_like) in [
        ("раураl", "paypal"),
        ("аррӏе", "apple"),
        ("pаypal", "paypal"),
        ("páypal", "paypal"),
        ("payṗäl", "paypal"),
        ("ραγρal", "paypal"),
        ("ɢoogle", "google"),
        ("ĸrаκеn", "kraken"),
        ("ьаɴк", "bank"),
        ("miᴄгoѕоft", "microsoft"),
        ("facebooκ", "facebook"),
        ("łøgîñ", "login"),
        ("аmаzоn", "amazon"),
        ("mａｉl", "mail"),
        ("ⅿail", "mail"),
        ("pay\u{200d}pal", "paypal"),
        ("ｐａｙｐａｌ", "paypal"),
        ("βοοкıng", "booking"),
        ("telegrаʍ", "telegram"),
        ("нвт", "hbt"),
        ("appleìdsupport", "appleidsupport"),
        ("blockcĥain", "blockchain"),
        ("paypal-ⅼogin", "paypal-login"),
        ("officeƽ65", "office565"),
        ("pay\u{307}pal", "paypal"),
        ("myetᏂerwallet", "myetherwallet"),
        ("myetꮒerwallet", "myetherwallet"),
    ] {
        let domain = format!("www.{}.com", a_label(label));
        assert_eq!(forms(&domain).1, format!("www.{looks_like}.com"), "{label}");
    }
}

#[test]
fn ascii_stays_as_it_is() {
    // `rn` is no m unless the rule says so, and an m stays one.
    let (unicode, look_alike) = forms("modern-rn.xn--mmmrn-kva.corn0l1vv");
    assert!(unicode.starts_with("modern-rn.") && unicode.ends_with(".corn0l1vv"), "{unicode}");
    assert!(look_alike.starts_with("modern-rn.m") && look_alike.ends_with(".corn0l1vv"));
    for domain in ["example.com", "mail.modern.org", "a-b_c.d"] {
        assert_eq!(Forms::of(domain), Forms::default());
    }
}

#[test]
fn a_language_of_its_own_keeps_a_unicode_form() {
    for (domain, unicode, look_alike) in [
        ("xn--mnchen-3ya.de", "münchen.de", "munchen.de"),
        ("xn--fiqs8s", "中国", "中国"),
        ("shop.xn--fiqs8s", "shop.中国", "shop.中国"),
        ("xn--strae-oqa.de", "straße.de", "strabe.de"),
    ] {
        let made = Forms::of(domain);
        assert_eq!(made.unicode(), Some(unicode));
        let expected = (look_alike != unicode).then_some(look_alike);
        assert_eq!(made.look_alike(), expected, "{domain}");
    }
}

#[test]
fn a_label_that_does_not_decode_stands_as_it_is() {
    for (domain, invalid) in [
        ("xn--.com", 1),
        ("xn---.com", 1),
        ("xn--99999999.com", 1),
        // Punycode of nothing beyond ASCII.
        ("xn--paypal-.com", 1),
        ("xn--a_.xn--b_.com", 2),
    ] {
        let made = Forms::of(domain);
        assert_eq!((made.unicode(), made.look_alike()), (None, None), "{domain}");
        assert_eq!(made.invalid_labels(), invalid, "{domain}");
    }
    // Its neighbours are decoded all the same.
    let made = Forms::of("xn--99999999.xn--mnchen-3ya.de");
    assert_eq!(made.unicode(), Some("xn--99999999.münchen.de"));
    assert_eq!(made.invalid_labels(), 1);
}

#[test]
fn what_no_registry_has_is_decoded_and_lower_case() {
    // Capital letters, a dot of another script, a C1 control character, a line separator.
    for (label, unicode) in [
        ("РАУРАL", "раураl"),
        ("K\u{17f}", "ks"),
        ("a。b", "a。b"),
        ("a\u{9b}b", "a\u{9b}b"),
        ("a\u{2028}b", "a\u{2028}b"),
    ] {
        let domain = format!("{}.com", a_label(label).to_ascii_lowercase());
        assert_eq!(forms(&domain).0, format!("{unicode}.com"), "{label}");
    }
}

#[test]
fn no_character_makes_a_line_end_or_upper_case() {
    let mut form = String::new();
    for c in '\u{80}'..=char::MAX {
        form.clear();
        form.extend(lower_case(c));
        assert!(form.chars().all(is_lower_case), "{c:?}");
        let mut look_alike = String::new();
        look_alike::write(&form, &mut look_alike);
        let fits = |c: char| c != '\n' && !c.is_ascii_uppercase();
        assert!(form.chars().chain(look_alike.chars()).all(fits), "{c:?}: {look_alike:?}");
    }
}

#[test]
fn the_longest_label_decodes() {
    let label = "é".repeat(20) + "paypal";
    let encoded = a_label(&label);
    assert!(encoded.len() <= 63);
    assert_eq!(forms(&format!("{encoded}.com")).1, format!("{}paypal.com", "e".repeat(20)));
    // Sixty-three bytes of the costliest kind end at once, whatever comes of them.
    let longest = format!("xn--{}", "9".repeat(59));
    assert_eq!(Forms::of(&longest).invalid_labels(), 1);
}

#[test]
fn scripts_are_mixed_within_a_label() {
    for (domain, mixed) in [
        (format!("{}.com", a_label("раураl")), true),
        (format!("{}.com", a_label("pаypal")), true),
        // All Cyrillic; all Latin; scripts that Japanese uses together.
        (format!("{}.com", a_label("аррӏе")), false),
        (format!("{}.com", a_label("páypal")), false),
        (format!("{}.jp", a_label("東京タワー")), false),
        (format!("{}.com", a_label("東京tower")), true),
        // One label is no company for another.
        ("paypal.xn--p1ai".to_owned(), false),
        ("paypal.com".to_owned(), false),
        ("xn--99999999.com".to_owned(), false),
    ] {
        assert_eq!(is_mixed_script(&domain), mixed, "{domain}");
    }
}

#[test]
fn views_have_names_and_bits() {
    let all = Views::A_LABEL.union(Views::UNICODE).union(Views::LOOK_ALIKE);
    assert_eq!(all.names().collect::<Vec<_>>(), ["a-label", "unicode", "look-alike"]);
    assert_eq!(Views::from_bits(all.bits()), all);
    assert_eq!(Views::LOOK_ALIKE.names().collect::<Vec<_>>(), ["look-alike"]);
}

#[test]
fn what_passes_for_two_letters_has_a_form_for_either() {
    let made = Forms::of(&format!("{}.de", a_label("pəypəl")));
    let forms: Vec<(Views, &str)> = made.iter().collect();
    let unicode = made.unicode().expect("decodes");
    assert_eq!(
        forms,
        [
            (Views::UNICODE, unicode),
            (Views::LOOK_ALIKE, "peypel.de"),
            (Views::LOOK_ALIKE, "paypal.de")
        ]
    );
    let mut forms = made;
    forms.make("xn--mnchen-3ya.de");
    assert_eq!(forms.iter().count(), 2);
}
