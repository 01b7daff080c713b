//! A log's public key, and the signatures made with it.
//!
//! Source: RFC 6962, sections 2.1.4 and 3.5; `DigitallySigned` is that of RFC 5246, section 4.7.

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::sign::Verifier;
use sha2::{Digest, Sha256};

use super::{Hash, LogId};

/// TLS's number for SHA-256.
const SHA256: u8 = 4;
/// TLS's numbers for signatures.
const RSA: u8 = 1;
const ECDSA: u8 = 3;
/// What a signed tree head is, to RFC 6962.
const VERSION: u8 = 0;
const TREE_HASH: u8 = 1;

/// Why a key does not serve, or a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// The key cannot be read.
    Key,
    /// The key is neither on P-256 nor an RSA key of 2048 bits or more.
    KeyType,
    /// The signature is cut short or has bytes behind it.
    Length,
    /// It is not made with SHA-256, or not with the kind of key that the log has.
    Algorithm,
    /// It does not hold: the log has not signed this.
    Wrong,
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the key cannot be read",
            Self::KeyType => "the key is neither P-256 nor RSA of 2048 bits or more",
            Self::Length => "the signature is cut short or too long",
            Self::Algorithm => "the signature is not of the log's kind",
            Self::Wrong => "the signature does not hold",
        })
    }
}

/// A log's public key.
#[derive(Clone)]
pub struct Key {
    key: PKey<Public>,
    signature: u8,
    log_id: LogId,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("log_id", &self.log_id).finish_non_exhaustive()
    }
}

impl Key {
    /// The key in a SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// When it cannot be read or is of a kind that no log may have.
    pub fn from_spki(der: &[u8]) -> Result<Self, SignatureFault> {
        let key = PKey::public_key_from_der(der).map_err(|_| SignatureFault::Key)?;
        let signature = match key.id() {
            Id::EC => {
                let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
                (curve == Some(Nid::X9_62_PRIME256V1)).then_some(ECDSA)
            }
            Id::RSA => (key.bits() >= 2048).then_some(RSA),
            _ => None,
        };
        let signature = signature.ok_or(SignatureFault::KeyType)?;
        Ok(Self { key, signature, log_id: Sha256::digest(der).into() })
    }

    /// SHA-256 of the key: what RFC 6962 calls the log by.
    #[must_use]
    pub fn log_id(&self) -> &LogId {
        &self.log_id
    }

    /// Checks that the log has signed a tree of `size` entries with `root` at `timestamp`
    /// (milliseconds since the Unix epoch). `signed` is a `DigitallySigned`.
    ///
    /// # Errors
    /// When it has not.
    pub fn verify_tree_head(
        &self,
        size: u64,
        root: &Hash,
        timestamp: u64,
        signed: &[u8],
    ) -> Result<(), SignatureFault> {
        let mut message = vec![VERSION, TREE_HASH];
        message.extend_from_slice(&timestamp.to_be_bytes());
        message.extend_from_slice(&size.to_be_bytes());
        message.extend_from_slice(root);
        self.verify(&message, signed)
    }

    fn verify(&self, message: &[u8], signed: &[u8]) -> Result<(), SignatureFault> {
        let [hash, signature, high, low, bytes @ ..] = signed else {
            return Err(SignatureFault::Length);
        };
        if (*hash, *signature) != (SHA256, self.signature) {
            return Err(SignatureFault::Algorithm);
        }
        if bytes.len() != usize::from(u16::from_be_bytes([*high, *low])) {
            return Err(SignatureFault::Length);
        }
        let holds = Verifier::new(MessageDigest::sha256(), &self.key)
            .and_then(|mut verifier| verifier.verify_oneshot(bytes, message));
        // What is no signature at all is an error to OpenSSL.
        if holds.unwrap_or(false) { Ok(()) } else { Err(SignatureFault::Wrong) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::pkey::Private;
    use openssl::rsa::Rsa;
    use openssl::sign::Signer;

    pub fn p256() -> PKey<Private> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
        PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key")
    }

    pub fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key")
    }

    pub fn public(key: &PKey<Private>) -> Key {
        Key::from_spki(&key.public_key_to_der().expect("a key")).expect("a log's key")
    }

    /// Signs a tree head as a log does.
    pub fn sign(key: &PKey<Private>, size: u64, root: &Hash, timestamp: u64) -> Vec<u8> {
        let mut message = vec![0, 1];
        message.extend_from_slice(&timestamp.to_be_bytes());
        message.extend_from_slice(&size.to_be_bytes());
        message.extend_from_slice(root);
        let mut signer = Signer::new(MessageDigest::sha256(), key).expect("a signer");
        let bytes = signer.sign_oneshot_to_vec(&message).expect("a signature");
        let kind = if key.id() == Id::EC { ECDSA } else { RSA };
        let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
        [&[SHA256, kind][..], &length, &bytes].concat()
    }

    #[test]
    fn what_either_kind_of_key_signed_holds_and_nothing_else() {
        for private in [p256(), rsa(2048)] {
            let key = public(&private);
            let signed = sign(&private, 7, &[1; 32], 99);
            assert_eq!(key.verify_tree_head(7, &[1; 32], 99, &signed), Ok(()));
            let wrong = Err(SignatureFault::Wrong);
            assert_eq!(key.verify_tree_head(8, &[1; 32], 99, &signed), wrong);
            assert_eq!(key.verify_tree_head(7, &[2; 32], 99, &signed), wrong);
            assert_eq!(key.verify_tree_head(7, &[1; 32], 98, &signed), wrong);
            for at in 0..signed.len() {
                let mut damaged = signed.clone();
                damaged[at] ^= 1;
                assert!(key.verify_tree_head(7, &[1; 32], 99, &damaged).is_err(), "{at}");
                let cut = &signed[..at];
                assert_eq!(key.verify_tree_head(7, &[1; 32], 99, cut), Err(SignatureFault::Length));
            }
        }
    }

    #[test]
    fn a_key_that_no_log_may_have_is_refused() {
        let spki = |key: PKey<Private>| key.public_key_to_der().expect("a key");
        let group = EcGroup::from_curve_name(Nid::SECP384R1).expect("a curve");
        let p384 = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
        let fault = |der: &[u8]| Key::from_spki(der).expect_err("refused");
        assert_eq!(fault(&spki(p384)), SignatureFault::KeyType);
        assert_eq!(fault(&spki(rsa(1024))), SignatureFault::KeyType);
        assert_eq!(fault(&spki(PKey::generate_ed25519().expect("a key"))), SignatureFault::KeyType);
        assert_eq!(fault(b"no key"), SignatureFault::Key);
    }
}
