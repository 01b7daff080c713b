//! What `differential` shows of plain names holds for internationalised ones in every view, with
//! rules that say more, or other things, in Unicode mode.

use certstream::domain::sanitise;
use certstream::rule::Anchor;

use crate::differential::{DOMAINS, compare, load, random_rules};

/// Internationalised labels, and what hides in some; as Unicode, so that they can be read here.
const UNICODE_LABELS: [&str; 26] = [
    "раураl",
    "pаypal",
    "páypal",
    "аррӏе",
    "appleìdsupport",
    "blockcĥain",
    "münchen",
    "straße",
    "ĸrаκеn",
    "товары-почтой",
    "東京タワー",
    "東京tower",
    "中国",
    "한국은행",
    "بنك",
    "बैंक",
    "bank٣",
    "a\u{200d}b",
    "i̇stanbul",
    "ⅿail",
    "ｐａｙ",
    "éa",
    "aé",
    "bаnk",
    "x\u{9b}y",
    "ﷺ",
];

fn a_label(label: &str) -> String {
    let mut domain = Vec::new();
    sanitise(&format!("{label}.example"), &mut domain)
        .map(|()| String::from_utf8(domain).expect("ASCII"))
        // What no registry would have.
        .unwrap_or_else(|_| {
            format!("xn--{}.example", idna::punycode::encode_str(label).expect("short"))
        })
}

/// Rules whose literals, classes, boundaries or repetitions are others in Unicode mode.
const UNICODE_RULES: [&str; 40] = [
    "paypal",
    "^paypal\\.",
    "apple",
    r"\bbank\b",
    "é",
    "É",
    "é?a",
    "[éa]",
    "[^a]a",
    "a[^x]b",
    "m[üu]nchen",
    "M(ü|ue)nchen",
    "münchen|berlin",
    "stra(ss|ß)e",
    r"\d",
    r"bank\d",
    r"bank\D",
    r"\w{6}\.",
    r"^\w+\.example$",
    r"^\W",
    r"b\Wn",
    r"\p{Cyrillic}",
    r"\p{Han}{2}",
    r"^[^\x00-\x7f]+\.",
    r"[^\W_]{3}nk",
    r"\x{e9}",
    r"\xe9",
    "^.{5}\\.",
    "(?=.*а)pay",
    "(?<!м)почт",
    "b(?!а)",
    r"\b東京",
    "[а-я]{3,}",
    "[^a-z0-9.]{2}",
    r"pay\s*pal",
    "k",
    "s",
    "[[:^ascii:]]a",
    r"(?:а|b)ank",
    r"[\dé]+",
];

#[test]
fn unicode_rules_over_unicode_names() {
    let mut domains: Vec<String> = UNICODE_LABELS.iter().map(|label| a_label(label)).collect();
    domains.extend(DOMAINS.map(str::to_owned));
    domains.push("www.xn--99999999.xn--mnchen-3ya.de".to_owned());
    for anchor in [Anchor::Search, Anchor::Start] {
        let rules = load(&UNICODE_RULES, anchor);
        let all: Vec<usize> = (0..rules.rules.len()).collect();
        assert!(compare(rules, anchor, &domains, &all) > 60);
        // Each by itself as well: together, one rule's literals may bring in another's.
        for rule in UNICODE_RULES {
            compare(load(&[rule], anchor), anchor, &domains, &[0]);
        }
    }
}

#[test]
fn random_unicode_rules_over_random_unicode_names() {
    const PIECES: [&str; 34] = [
        "a",
        "b",
        "é",
        "а",
        "É",
        "Б",
        "[aé]",
        "[^a]",
        "[^é]",
        "[а-я]",
        ".",
        ".*",
        "é?",
        "а+",
        "(a|é)",
        "(?:aé)*",
        "^",
        "$",
        r"\.",
        "-",
        r"\b",
        r"\B",
        r"\w",
        r"\W",
        r"\d",
        r"\s",
        "(?=а)",
        "(?!é)",
        "(?<=b)",
        "s",
        "k",
        "é{2}",
        "(?:б|ab)",
        r"[^\w.]",
    ];
    const LETTERS: [char; 16] =
        ['a', 'a', 'b', 'é', 'é', 'а', 'б', 'ß', 'k', 's', 'm', '-', '٣', 'ı', 'х', '中'];
    let hits = random_rules(20_261_125, &PIECES, |random| {
        let length = random.usize(1..8);
        let letter = |_| LETTERS[random.usize(..LETTERS.len())];
        a_label(&(0..length).map(letter).collect::<String>())
    });
    assert!(hits > 1000, "{hits} hits show too little");
}
