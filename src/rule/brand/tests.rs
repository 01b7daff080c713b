//! What passes for a brand, and what does not.

use super::*;

fn brand(name: &str, own: &[&str]) -> Brand {
    let entry = BrandEntry {
        name: name.to_owned(),
        own: own.iter().map(|own| (*own).to_owned()).collect(),
        keywords: Vec::new(),
        techniques: Techniques::ALL,
    };
    Brand::new(&entry).expect(name)
}

fn judged(brand: &Brand, domain: &str) -> Option<(Technique, u8)> {
    let found = brand.judge(domain)?;
    Some((found.typosquat.technique, found.typosquat.distance))
}

#[test]
fn each_technique_is_named_with_its_distance() {
    let paypal = brand("paypal", &["paypal.com"]);
    for (domain, technique, distance) in [
        ("paypal.zip", Technique::TldSwap, 0),
        ("paypal.com.evil.example", Technique::Subdomain, 0),
        ("pay.pal.com", Technique::Subdomain, 1),
        ("paypa.l.com", Technique::Subdomain, 1),
        ("secure-paypal.com", Technique::Combosquat, 0),
        ("paypallogin.com", Technique::Combosquat, 0),
        ("paypal24.com", Technique::Contains, 0),
        ("thepaypal.com", Technique::Contains, 0),
        ("paypa1.com", Technique::Homoglyph, 1),
        ("my-p4ypa1.com", Technique::Homoglyph, 2),
        ("pay-pal.com", Technique::Hyphenation, 1),
        ("payppal.com", Technique::Repetition, 1),
        ("payapl.com", Technique::Transposition, 1),
        ("paypol.com", Technique::VowelSwap, 1),
        ("login.paypl.com", Technique::Omission, 1),
        ("paypam.com", Technique::Bitsquatting, 1),
        ("payzal.com", Technique::Replacement, 1),
        ("payxpal-login.com", Technique::Insertion, 1),
    ] {
        assert_eq!(judged(&paypal, domain), Some((technique, distance)), "{domain}");
    }
    for domain in ["example.com", "xpayplx.com", "paypl", "pay.com", "pal.pay.com", "pp.paypal"] {
        assert_eq!(judged(&paypal, domain), None, "{domain}");
    }
}

#[test]
fn a_dot_that_belongs_to_the_suffix_may_be_the_one_inside() {
    let instagram = brand("instagram", &["instagram.com"]);
    assert_eq!(judged(&instagram, "instagr.am"), Some((Technique::Subdomain, 1)));
    assert_eq!(judged(&instagram, "x.instagr.am"), Some((Technique::Subdomain, 1)));
}

#[test]
fn short_brands_do_not_flood() {
    let ing = brand("ing", &["ing.nl", "ing.com"]);
    for domain in [
        "ing.shop",
        "ing-login.com",
        "inglogin.nl",
        "ing24.de",
        "ign.nl",
        "ijng.com",
        "logining.nl",
    ] {
        assert!(judged(&ing, domain).is_some(), "{domain}");
    }
    for domain in ["shopping.com", "banking.de", "ign.de", "in-a.nl", "example.ing", "ings.de"] {
        assert_eq!(judged(&ing, domain), None, "{domain}");
    }
    let apple = brand("apple", &["apple.com"]);
    assert!(judged(&apple, "appleid.com").is_some() && judged(&apple, "my-apple.com").is_some());
    assert_eq!(judged(&apple, "pineapple.com"), None);
    let icloud = brand("icloud", &["icloud.com"]);
    for domain in ["cloud.example.com", "my-cloud.com", "help---cloud.com", "cloud.net"] {
        assert_eq!(judged(&icloud, domain), None, "{domain}");
    }
    assert!(judged(&icloud, "cloud.com").is_some() && judged(&icloud, "iclod.net").is_some());
}

#[test]
fn what_is_common_to_all_names_of_a_suffix_is_no_match() {
    let github = brand("github", &["github.com"]);
    assert_eq!(judged(&github, "someone.github.io"), None);
    assert_eq!(judged(&github, "github.github.io"), Some((Technique::TldSwap, 0)));
}

#[test]
fn own_domains_are_known_with_all_below_them() {
    let paypal = brand("paypal", &["paypal.com"]);
    assert!(paypal.owns("paypal.com") && paypal.owns("www.sandbox.paypal.com"));
    assert!(!paypal.owns("notpaypal.com") && !paypal.owns("paypal.com.evil.example"));
}

#[test]
fn an_a_label_is_not_an_edit_away() {
    let paypal = brand("paypal", &[]);
    assert_eq!(judged(&paypal, "xn--pypal-4ve.com"), None);
    assert!(judged(&paypal, "xn--paypal-4ve.com").is_some());
}

/// Tens of thousands of names made of pieces of the brand: what passes contains a literal of one
/// kind or the other.
#[test]
fn what_passes_contains_a_literal() {
    let brands: [(&str, &[&str]); 8] = [
        ("ing", &["ing.nl", "ing.co.uk"]),
        ("ebay", &[]),
        ("o365", &[]),
        ("apple", &[]),
        ("icloud", &[]),
        ("paypal", &[]),
        ("coca-cola", &[]),
        ("bankofamerica", &[]),
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for (name, own) in brands {
        let brand = brand(name, own);
        let mut texts = HashSet::new();
        brand.each_token_text(|text| {
            texts.insert(text.to_vec());
        });
        let contained = aho_corasick::AhoCorasick::new(brand.contained()).expect("builds");
        let mut passed = 0;
        for _ in 0..40_000 {
            let domain = imitation(name, &mut random);
            if brand.judge(&domain).is_some() {
                passed += 1;
                let stands = contained.is_match(&domain)
                    || token_runs(&domain).any(|at| {
                        let rest = &domain.as_bytes()[at.end..];
                        let text = &domain.as_bytes()[at];
                        texts.contains(text) && brand.may_pass(text, || rest)
                    });
                assert!(stands, "{name}: {domain}");
            }
        }
        assert!(passed > 2_000, "{name}: {passed}");
    }
}

/// Every run of whole tokens.
fn token_runs(domain: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let edges = domain.match_indices(['.', '-']).map(|(at, _)| at);
    let begins: Vec<usize> = std::iter::once(0).chain(edges.clone().map(|at| at + 1)).collect();
    let ends: Vec<usize> = edges.chain([domain.len()]).collect();
    begins.into_iter().flat_map(move |begin| {
        let ends: Vec<usize> = ends.iter().copied().filter(|end| *end >= begin).collect();
        ends.into_iter().map(move |end| begin..end)
    })
}

/// A name made of the brand by a few random edits, with something around it.
fn imitation(brand: &str, random: &mut fastrand::Rng) -> String {
    const BYTES: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-._";
    let mut text = brand.as_bytes().to_vec();
    for _ in 0..random.usize(0..3) {
        let at = random.usize(0..text.len());
        let byte = BYTES[random.usize(0..BYTES.len())];
        match random.u8(0..5) {
            0 => drop(text.remove(at)),
            1 => text[at] = byte,
            2 => text.insert(at, byte),
            3 => {
                let next = (at + 1) % text.len();
                text.swap(at, next);
            }
            _ => {
                let mut all = Vec::new();
                glyph::each_variant(brand.as_bytes(), &mut |text| all.push(text.to_vec()));
                text = all.swap_remove(random.usize(0..all.len()));
            }
        }
        if text.is_empty() {
            text.push(b'x');
        }
    }
    let around = ["", "", "my-", "login", ".", "x", "bank-", "7"];
    let behind = ["", "", "", "-login", "login", ".com", "s", "24"];
    let suffixes = ["com", "nl", "co.uk", "github.io", "zip"];
    let mut choose = |of: &[&'static str]| of[random.usize(0..of.len())];
    format!(
        "{}{}{}.{}",
        choose(&around).trim_start_matches('.'),
        String::from_utf8_lossy(&text),
        choose(&behind),
        choose(&suffixes)
    )
}

#[test]
fn what_is_no_brand_is_refused() {
    for name in ["", "hp", "pay pal", "paypal.com", "-paypal", "péypal", &"a".repeat(33)] {
        let entry = BrandEntry { name: name.to_owned(), ..entry("x") };
        assert!(Brand::new(&entry).is_err(), "{name}");
    }
}

fn entry(name: &str) -> BrandEntry {
    let techniques = Techniques::ALL;
    BrandEntry { name: name.to_owned(), own: Vec::new(), keywords: Vec::new(), techniques }
}
