//! Words that are common in host names, as far as their letters do not show it.
//!
//! Of 300,000 names of certificates, those without `xn--`, drawn at random: the ordinary words and
//! technical names of three letters or more that stand in one of a thousand, or more, as parts of
//! others, too. Rounded, because only the order matters: `info` is commoner than `parcel`.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Bytes of the shortest part of a word that is known: of shorter ones the letters tell enough.
const SHORTEST: usize = 3;
/// Bytes of a name on average: the positions at which a word may stand.
const POSITIONS: f64 = 20.0;

/// By names of a thousand: the words.
const WORDS: [(f64, &str); 9] = [
    (100.0, "com"),
    (50.0, "net"),
    (30.0, "org app web dev"),
    (20.0, "info pro top git log xyz and art"),
    (14.0, "page shop all hub pages the mail online live int one for site"),
    (10.0, "biz click gov blog digital edu api work tech new"),
    (
        6.0,
        "uni cloud und auto bet ink service pay stat you eng cdn ads vip cat lab test store win \
         media fun host meta",
    ),
    (
        3.0,
        "pub club auth secure link cap bank webmail old group soft data login home mil cam news \
         world studio track support help proxy not doc get space run free game market connect \
         portal life mobi post prod dns wallet mobile sport rest analytics casino main admin \
         design server best now hotel services workers team office start autodiscover account \
         demo center system load forum park network play trade smart check staging",
    ),
    (
        1.3,
        "city business school fit chat pop global delivery cpanel vpn sync partner node stats plus \
         wap manage cpcontacts webdisk crypto event surf uat claim metrics cpcalendars buzz west \
         website tour ftp blue solutions east client video zone pics update ssl review bid user \
         hosting marketing public project domain games email img buy state lang order remote cert \
         wiki security download access bridge quest prime tracking docs static verify agency name \
         learn tools finance suite local stage community autoconfig software booking",
    ),
];

/// Roughly the share of positions at which `literal` stands, where it is a common word or part of
/// one; else nothing.
pub fn share(literal: &[u8]) -> f64 {
    static PARTS: OnceLock<HashMap<&[u8], f64>> = OnceLock::new();
    PARTS.get_or_init(parts).get(literal).copied().unwrap_or_default()
}

/// All parts of all words. What is part of several is at least as common as all of them together.
fn parts() -> HashMap<&'static [u8], f64> {
    let mut parts: HashMap<&[u8], f64> = HashMap::new();
    for (of_thousand, words) in WORDS {
        for word in words.split_whitespace().map(str::as_bytes) {
            let mut own: Vec<&[u8]> =
                (SHORTEST..=word.len()).flat_map(|length| word.windows(length)).collect();
            own.sort_unstable();
            own.dedup();
            for part in own {
                *parts.entry(part).or_default() += of_thousand / 1000.0 / POSITIONS;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_common_as_its_words() {
        assert_eq!(share(b"qqq"), 0.0);
        assert_eq!(share(b"ab"), 0.0);
        assert!(share(b"info") > share(b"track") && share(b"track") >= share(b"tracking"));
        assert!(share(b"lick") >= share(b"click") && share(b"click") > 0.0);
    }
}
