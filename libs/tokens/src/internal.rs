//! The token that carries a caller from the gateway to a service: a signed JWT (RFC 7519, RFC 8037)
//! of type `txn+jwt`, `EdDSA` only, for one audience, valid 60 s.
//!
//! Only the holder of the [`Minter`] can make one. A [`Verifier`] remembers the claims of tokens it
//! has verified until they expire, by the token's hash: decisions are never remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Caller;

/// How long a token is valid.
pub const LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// How far two clocks may differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);
const TYPE: &str = "txn+jwt";
const ISSUER: &str = "openframe-gateway";
/// Verified tokens remembered at most; past it the memory starts anew.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    caller: Caller,
}

/// Why a token was refused. Told to the log, not to the caller.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Not a token of this kind, or not signed by the gateway's key.
    #[error("the internal token is not valid")]
    NotValid(#[source] jsonwebtoken::errors::Error),
    /// Its time is over, or has not come.
    #[error("the internal token is not valid at this time")]
    Expired,
    /// It is for another service.
    #[error("the internal token is for another service")]
    Audience,
}

/// Makes internal tokens. Held by the gateway, and by services for calls of their own.
#[derive(Clone)]
pub struct Minter {
    key: Arc<EncodingKey>,
    public: Vec<u8>,
}

impl std::fmt::Debug for Minter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Minter(***)")
    }
}

impl Minter {
    /// A minter with a new key, which lives as long as the process.
    #[expect(clippy::expect_used, reason = "a key just made is well-formed")]
    pub fn generate() -> Self {
        let pair = Ed25519KeyPair::generate().expect("Ed25519 keys can be made");
        let pkcs8 = pair.to_pkcs8().expect("a new key can be written");
        let key = Arc::new(EncodingKey::from_ed_der(pkcs8.as_ref()));
        Self { key, public: pair.public_key().as_ref().to_vec() }
    }

    /// A token that says to the service `audience` that `caller` asks.
    #[expect(clippy::expect_used, reason = "claims are plain data and the key is well-formed")]
    pub fn mint(&self, caller: &Caller, audience: &str, now: Timestamp) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: audience.to_owned(),
            iat: now.as_second(),
            exp: now.as_second() + LIFETIME.as_secs(),
            caller: caller.clone(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        jsonwebtoken::encode(&header, &claims, &self.key).expect("claims can be signed")
    }

    /// The verifier of this minter's tokens for the service `audience`.
    pub fn verifier(&self, audience: &str) -> Verifier {
        Verifier {
            key: Arc::new(DecodingKey::from_ed_der(&self.public)),
            audience: audience.to_owned(),
            verified: Arc::default(),
        }
    }
}

/// Reads internal tokens for one service.
#[derive(Clone)]
pub struct Verifier {
    key: Arc<DecodingKey>,
    audience: String,
    verified: Arc<Mutex<Verified>>,
}

/// By a token's hash: when it ends (Unix seconds), and the caller it names.
type Verified = HashMap<[u8; 32], (i64, Caller)>;

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.audience)
    }
}

impl Verifier {
    /// The caller that `token` names, if the token is good at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Refused> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((exp, caller)) = verified.get(&hash) {
            return if now.as_second() < *exp { Ok(caller.clone()) } else { Err(Refused::Expired) };
        }
        let claims = self.check(token, now)?;
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(hash, (claims.exp, claims.caller.clone()));
        Ok(claims.caller)
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<Claims, Refused> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        // Time is checked below, by the caller's clock; audience for a refusal of its own.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let token =
            jsonwebtoken::decode::<Claims>(token, &self.key, &rules).map_err(Refused::NotValid)?;
        let claims = token.claims;
        if token.header.typ.as_deref() != Some(TYPE) || claims.aud != self.audience {
            return Err(Refused::Audience);
        }
        let now = now.as_second();
        if now >= claims.exp || now < claims.iat - LEEWAY.as_secs() {
            return Err(Refused::Expired);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use openframe_ids::{DeviceId, TenantId};

    use super::*;
    use crate::Subject;

    fn caller() -> Caller {
        let subject = Subject::Device { device: DeviceId::new() };
        Caller { tenant: TenantId::new(), subject }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_carries_its_caller() {
        let minter = Minter::generate();
        let caller = caller();
        let token = minter.mint(&caller, "devices", at(1000));
        let verifier = minter.verifier("devices");
        // The second time comes from memory.
        assert_eq!(verifier.verify(&token, at(1000)).unwrap(), caller);
        assert_eq!(verifier.verify(&token, at(1059)).unwrap(), caller);
        assert!(matches!(verifier.verify(&token, at(1060)), Err(Refused::Expired)));
    }

    #[test]
    fn a_token_is_refused_elsewhere_and_at_other_times() {
        let minter = Minter::generate();
        let token = minter.mint(&caller(), "devices", at(1000));
        let other = minter.verifier("monitoring");
        assert!(matches!(other.verify(&token, at(1000)), Err(Refused::Audience)));
        let early = minter.verifier("devices");
        assert!(matches!(early.verify(&token, at(900)), Err(Refused::Expired)));
        assert!(matches!(early.verify(&token, at(1061)), Err(Refused::Expired)));
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_refused() {
        let token = Minter::generate().mint(&caller(), "devices", at(1000));
        let verifier = Minter::generate().verifier("devices");
        assert!(matches!(verifier.verify(&token, at(1000)), Err(Refused::NotValid(_))));
        let none = "eyJhbGciOiJub25lIn0.e30.";
        assert!(matches!(verifier.verify(none, at(1000)), Err(Refused::NotValid(_))));
    }
}
