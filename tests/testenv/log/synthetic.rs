//! Entries made up: certificates with the names a test asks for, put together from DER directly
//! so that tens of thousands cost little. They parse; their signatures are not ones.

use std::ops::Range;
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PublicKeyData};

use super::entry::{Entry, Issuer, Signed};
use super::tree::{Hash, sha256};

/// Makes entries; the same seed makes the same names, serials and times.
#[derive(Clone, Debug)]
pub struct Synthetic {
    seed: u64,
    every: u64,
    word: &'static str,
    begin: u64,
    step: u64,
}

impl Synthetic {
    /// Entries a tenth of a second apart, the first of 2025-11-01, none of them marked.
    pub fn new(seed: u64) -> Self {
        Self { seed, every: 0, word: "", begin: 1_761_955_200_000, step: 100 }
    }

    /// The name of every entry that `every` divides begins with `word` instead of `name`.
    pub fn marked(mut self, every: u64, word: &'static str) -> Self {
        (self.every, self.word) = (every, word);
        self
    }

    /// The time of entry 0 and the time between entries, in milliseconds.
    pub fn timed(mut self, begin: u64, step: u64) -> Self {
        (self.begin, self.step) = (begin, step);
        self
    }

    /// The names of an entry: `name-<i>.shop.example`, `<word>-<i>.shop.example` where it is
    /// marked, and a second one below it for every third.
    pub fn names(&self, number: u64) -> Vec<String> {
        let marked = self.every != 0 && number.is_multiple_of(self.every);
        let word = if marked { self.word } else { "name" };
        let name = format!("{word}-{number}.shop.example");
        let second = number.is_multiple_of(3).then(|| format!("mail.{name}"));
        [name].into_iter().chain(second).collect()
    }

    /// The time of an entry, in milliseconds since 1970.
    pub fn timestamp(&self, number: u64) -> u64 {
        self.begin + number * self.step
    }

    /// An entry; odd ones are precertificates.
    pub fn entry(&self, number: u64) -> Entry {
        let seed = sha256(&[&self.seed.to_be_bytes(), &number.to_be_bytes()]);
        made(seed, self.timestamp(number), self.names(number), number % 2 == 1)
    }

    /// Entries one after another.
    pub fn entries(&self, numbers: Range<u64>) -> Vec<Entry> {
        numbers.map(|number| self.entry(number)).collect()
    }
}

/// An entry with names of the caller's, the first of which is the common name too; its serial
/// comes from `seed`.
pub fn made(seed: Hash, timestamp: u64, names: Vec<String>, precertificate: bool) -> Entry {
    let authority = &*AUTHORITY;
    let certificate = Certificate { seed, timestamp, names: &names };
    let signed = if precertificate {
        Signed::Precert {
            issuer_key_hash: sha256(&[&authority.key]),
            tbs: certificate.tbs(false),
            submitted: certificate.signed(true),
        }
    } else {
        Signed::X509 { certificate: certificate.signed(false) }
    };
    let chain = vec![authority.issuer.clone()];
    Entry { timestamp, signed, chain, common_name: names.first().cloned(), names }
}

/// The one authority of all entries made up.
struct Authority {
    issuer: Issuer,
    /// Its name, as DER.
    name: Vec<u8>,
    /// Its public key, as DER.
    key: Vec<u8>,
    /// The public key of every certificate below it, as DER.
    leaf_key: Vec<u8>,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let leaf_key = KeyPair::generate().unwrap().subject_public_key_info();
    let issuer = Issuer::new(params.self_signed(&key).unwrap().der().to_vec());
    let name = common_name(AUTHORITY_NAME);
    Authority { issuer, name, key: key.subject_public_key_info(), leaf_key }
});

/// What the authority is called.
pub const AUTHORITY_NAME: &str = "the authority of the made-up entries";

/// What a certificate is made from.
struct Certificate<'a> {
    seed: Hash,
    timestamp: u64,
    names: &'a [String],
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` as it encloses the version, `[3]` as it encloses the extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `[2]`, a dNSName in a list of names.
const DNS_NAME: u8 = 0x82;

const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
const POISON: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x03];

impl Certificate<'_> {
    fn tbs(&self, poisoned: bool) -> Vec<u8> {
        // A first byte of 1 to 127 keeps the serial positive and as short as DER wants it.
        let serial = [&[self.seed[0] % 127 + 1], &self.seed[1..16]].concat();
        let issued = Timestamp::from_millisecond(i64::try_from(self.timestamp).unwrap()).unwrap();
        let time = |days: i64| {
            let time = issued + SignedDuration::from_hours(24 * days - 1);
            der(UTC_TIME, &[time.strftime("%y%m%d%H%M%SZ").to_string().as_bytes()])
        };
        let subject = self.names.first().map_or_else(|| der(SEQUENCE, &[]), |cn| common_name(cn));
        let names = self.names.iter().flat_map(|name| der(DNS_NAME, &[name.as_bytes()]));
        let names = der(SEQUENCE, &[&names.collect::<Vec<u8>>()]);
        let mut extensions = vec![
            extension(&BASIC_CONSTRAINTS, true, &der(SEQUENCE, &[])),
            extension(&ALTERNATIVE_NAMES, false, &names),
        ];
        if poisoned {
            extensions.push(extension(&POISON, true, &[0x05, 0x00]));
        }
        der(
            SEQUENCE,
            &[
                &der(VERSION, &[&der(INTEGER, &[&[2]])]),
                &der(INTEGER, &[&serial]),
                &der(SEQUENCE, &[&der(OID, &[&ECDSA_WITH_SHA256])]),
                &AUTHORITY.name,
                &der(SEQUENCE, &[&time(0), &time(90)]),
                &subject,
                &AUTHORITY.leaf_key,
                &der(EXTENSIONS, &[&der(SEQUENCE, &[&extensions.concat()])]),
            ],
        )
    }

    fn signed(&self, poisoned: bool) -> Vec<u8> {
        // Of the right form; nobody who reads a log verifies it.
        let number = der(INTEGER, &[&[0x40], &self.seed[1..]]);
        let signature = der(SEQUENCE, &[&number, &number]);
        let algorithm = der(SEQUENCE, &[&der(OID, &[&ECDSA_WITH_SHA256])]);
        der(SEQUENCE, &[&self.tbs(poisoned), &algorithm, &der(BIT_STRING, &[&[0], &signature])])
    }
}

fn common_name(text: &str) -> Vec<u8> {
    let attribute = [der(OID, &[&COMMON_NAME]), der(UTF8_STRING, &[text.as_bytes()])].concat();
    der(SEQUENCE, &[&der(SET, &[&der(SEQUENCE, &[&attribute])])])
}

fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    der(SEQUENCE, &[&der(OID, &[kind]), critical, &der(OCTET_STRING, &[value])])
}

/// A tag, the length, and some pieces one after another.
fn der(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut bytes = vec![tag];
    match length {
        0..=0x7f => bytes.push(u8::try_from(length).unwrap()),
        0x80..=0xff => bytes.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    bytes
}
