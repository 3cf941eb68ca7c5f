//! Proof that who shows a code is who asked for it (RFC 7636), by `S256` only: `plain` proves nothing
//! to who has read the request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What the client has said beforehand: the SHA-256 of the verifier that it will show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge(#[serde(with = "crate::family::kept::bytes")] pub [u8; 32]);

impl Challenge {
    /// Reads a `code_challenge` of the method `S256`.
    pub fn read(text: &str) -> Option<Self> {
        let hash = URL_SAFE_NO_PAD.decode(text).ok()?;
        hash.try_into().ok().map(Self)
    }

    /// Whether `verifier` is the one. It has 43 to 128 unreserved characters (RFC 7636, 4.1).
    pub fn is_met_by(&self, verifier: &str) -> bool {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        let hash: [u8; 32] = Sha256::digest(verifier).into();
        formed && bool::from(hash.ct_eq(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // ASVS 10.4.6
    #[test]
    fn the_example_of_the_rfc_holds() {
        // RFC 7636, appendix B.
        let challenge = Challenge::read("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
    }

    // ASVS 10.4.6
    // B03.short
    #[test]
    fn short_long_and_strange_verifiers_prove_nothing() {
        for bad in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43)), String::new()]
        {
            let challenge = Challenge(Sha256::digest(&bad).into());
            assert!(!challenge.is_met_by(&bad), "{bad}");
        }
        for good in ["a".repeat(43), "~".repeat(128)] {
            assert!(Challenge(Sha256::digest(&good).into()).is_met_by(&good), "{good}");
        }
    }

    #[test]
    fn a_challenge_is_a_hash() {
        for bad in ["", "abc", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", &"A".repeat(44)] {
            assert_eq!(Challenge::read(bad), None, "{bad}");
        }
    }
}
