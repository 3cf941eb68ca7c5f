//! Secrets that must be read back, encrypted for the store: AES-256 in Galois/counter mode with a random
//! nonce before it (NIST SP 800-38D). What a text belongs to is authenticated with it, so that it cannot
//! be moved to another row.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

const NONCE: usize = 12;

/// What was kept cannot be read: it was damaged, belongs elsewhere, or was sealed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was sealed cannot be opened with this key")]
pub struct BadSeal;

/// Seals and opens. Clones share the key.
#[derive(Clone)]
pub struct Sealer(Arc<RandomizedNonceKey>);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// A sealer with this key.
    #[expect(clippy::expect_used, reason = "the key is as long as the algorithm wants it")]
    pub fn new(key: &[u8; 32]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).expect("a key of 256 bits");
        Self(Arc::new(key))
    }

    /// Encrypts `secret`, which belongs to `what`.
    #[expect(clippy::expect_used, reason = "secrets are far shorter than the algorithm's limit")]
    pub fn seal(&self, what: &str, secret: &[u8]) -> Vec<u8> {
        let mut sealed = secret.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(what.as_bytes()), &mut sealed);
        let nonce = nonce.expect("a short text can be encrypted");
        [nonce.as_ref().as_slice(), &sealed].concat()
    }

    /// Decrypts what [`Sealer::seal`] has made of a secret of `what`.
    pub fn open(&self, what: &str, sealed: &[u8]) -> Result<Vec<u8>, BadSeal> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(BadSeal)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| BadSeal)?;
        let mut secret = sealed.to_vec();
        let aad = Aad::from(what.as_bytes());
        let length = self.0.open_in_place(nonce, aad, &mut secret).map_err(|_| BadSeal)?.len();
        secret.truncate(length);
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_opens_and_only_in_its_place() {
        let sealer = Sealer::new(&[1; 32]);
        let sealed = sealer.seal("row 1", b"hush");
        assert_eq!(sealer.open("row 1", &sealed).as_deref(), Ok(b"hush".as_slice()));
        assert_ne!(sealed, sealer.seal("row 1", b"hush"), "each time another nonce");
        assert_eq!(sealer.open("row 2", &sealed), Err(BadSeal));
        assert_eq!(Sealer::new(&[2; 32]).open("row 1", &sealed), Err(BadSeal));
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert_eq!(sealer.open("row 1", &other), Err(BadSeal), "byte {at}");
        }
        assert_eq!(sealer.open("row 1", &sealed[..11]), Err(BadSeal));
    }
}
