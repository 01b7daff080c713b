//! The key of a log: tree heads signed by RFC 6962, and the checkpoint (a signed note) that
//! static-ct-api makes of them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;

use super::tree::{Hash, sha256};

/// The kind of a log's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Ecdsa,
    Rsa,
}

/// A private key, and how RFC 6962 calls its algorithm.
#[derive(Clone)]
pub struct SigningKey {
    key: PKey<Private>,
    algorithm: u8,
}

/// A tree head and its signature.
#[derive(Clone)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// The `digitally-signed` structure: two algorithms, a length, the signature.
    pub signature: Vec<u8>,
}

impl SigningKey {
    pub fn generate(kind: Key) -> Self {
        match kind {
            Key::Ecdsa => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
                let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
                Self { key, algorithm: 3 }
            }
            Key::Rsa => {
                let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
                Self { key, algorithm: 1 }
            }
        }
    }

    /// The public key as DER, the `key` of the log list.
    pub fn public(&self) -> Vec<u8> {
        self.key.public_key_to_der().unwrap()
    }

    /// The log's id: the hash of its public key.
    pub fn log_id(&self) -> Hash {
        sha256(&[&self.public()])
    }

    /// Signs a tree head.
    pub fn sign(&self, size: u64, root: Hash, timestamp: u64) -> Head {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).unwrap();
        signer.update(&tree_head(size, &root, timestamp)).unwrap();
        let signature = signer.sign_to_vec().unwrap();
        let length = u16::try_from(signature.len()).unwrap().to_be_bytes();
        // SHA-256 is 4.
        let signature = [&[4, self.algorithm], &length[..], &signature].concat();
        Head { size, root, timestamp, signature }
    }
}

/// What a `TreeHeadSignature` covers.
pub fn tree_head(size: u64, root: &Hash, timestamp: u64) -> Vec<u8> {
    [&[0, 1], &timestamp.to_be_bytes()[..], &size.to_be_bytes(), root].concat()
}

impl Head {
    /// The checkpoint of the log called `origin`, whose id is `log_id`.
    pub fn checkpoint(&self, origin: &str, log_id: &Hash) -> String {
        let key_id = sha256(&[origin.as_bytes(), b"\n\x05", log_id]);
        let body = [&key_id[..4], &self.timestamp.to_be_bytes(), &self.signature].concat();
        format!(
            "{origin}\n{}\n{}\n\n\u{2014} {origin} {}\n",
            self.size,
            BASE64.encode(self.root),
            BASE64.encode(body),
        )
    }
}
