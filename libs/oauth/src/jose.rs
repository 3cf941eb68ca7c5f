//! What clients sign themselves, and with which keys: read strictly (RFC 8725).

#[cfg(test)]
pub(crate) mod signer;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use openframe_tokens::opaque::SecretHash;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The algorithms that clients may sign with: those of FAPI 2.0 (5.4.1).
pub(crate) const ALGORITHMS: [(Algorithm, &str); 3] =
    [(Algorithm::ES256, "ES256"), (Algorithm::EdDSA, "EdDSA"), (Algorithm::PS256, "PS256")];
/// How far the clock of a client may be from ours.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// The longest text that a client signs, in bytes.
pub(crate) const SIGNED_LIMIT: usize = 8 << 10;
/// Keys of a client at most.
const KEYS: usize = 8;
/// The longest set of keys, in bytes.
const SET_LIMIT: usize = 16 << 10;
/// Bytes of a modulus at least: 2048 bits.
const MODULUS: usize = 256;
/// The longest name of what is used once.
const NAME: usize = 256;
/// The members of private and symmetric keys (RFC 7518, 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Something that is good once: whoever is shown it keeps the hash until it would be too old anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneTime {
    /// What is kept of it.
    pub hash: SecretHash,
    /// Until when.
    pub until: Timestamp,
}

impl OneTime {
    /// What `whose` has called `name`; `None` when that is no name.
    pub(crate) fn named(whose: &str, name: &str, until: Timestamp) -> Option<Self> {
        let named = !name.is_empty() && name.len() <= NAME;
        // A name holds no zero byte in any JSON that is met, and the owner never does.
        let hash = || Sha256::new().chain_update(whose).chain_update([0]).chain_update(name);
        named.then(|| Self { hash: SecretHash(hash().finalize().into()), until })
    }
}

/// The public keys of a client (RFC 7517).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKeys(Vec<Jwk>);

// As short as it is useful.
impl fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKeys({})", self.0.len())
    }
}

impl ClientKeys {
    /// Reads a set of keys that a client is registered with; says what is wrong with it otherwise.
    pub fn register(set: &Value) -> Result<Self, &'static str> {
        if set.to_string().len() > SET_LIMIT {
            return Err("the set of keys is too long");
        }
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("a set of keys is an object with the array \"keys\"")?;
        if keys.iter().any(is_private) {
            return Err("this is a private key: make another, and send its public part");
        }
        let keys: JwkSet =
            serde_json::from_value(set.clone()).map_err(|_| "a key cannot be read")?;
        if keys.keys.is_empty() || keys.keys.len() > KEYS {
            return Err("a client has 1 to 8 keys");
        }
        if !keys.keys.iter().all(is_strong) {
            return Err("keys are P-256, Ed25519, or RSA with 2048 bits at least");
        }
        Ok(Self(keys.keys))
    }

    /// Reads back what [`ClientKeys::to_text`] has written.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().and_then(|set| Self::register(&set).ok())
    }

    /// As they are kept: a set of keys, JSON.
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }

    /// As they are shown: a set of keys.
    pub fn to_value(&self) -> Value {
        serde_json::json!({ "keys": self.0 })
    }

    /// What `token` says, if one of these keys has signed it.
    pub(crate) fn verified<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        self.0.iter().find_map(|key| verified(token, key))
    }
}

fn is_private(key: &Value) -> bool {
    PRIVATE.iter().any(|member| key.get(member).is_some())
}

fn is_strong(key: &Jwk) -> bool {
    match &key.algorithm {
        AlgorithmParameters::EllipticCurve(key) => key.curve == EllipticCurve::P256,
        AlgorithmParameters::OctetKeyPair(key) => key.curve == EllipticCurve::Ed25519,
        AlgorithmParameters::RSA(key) => {
            URL_SAFE_NO_PAD.decode(&key.n).is_ok_and(|modulus| modulus.len() >= MODULUS)
        }
        // Secrets that two share, and kinds that a later version of the library reads.
        AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_) | _ => false,
    }
}

/// A key that comes with what it has signed (RFC 9449, 4.2): public, and strong enough.
pub(crate) fn embedded(key: &Value) -> Option<Jwk> {
    if is_private(key) {
        return None;
    }
    serde_json::from_value(key.clone()).ok().filter(is_strong)
}

/// What a key is called by its own bytes (RFC 7638, SHA-256, base64url).
pub(crate) fn thumbprint(key: &Jwk) -> Option<String> {
    key.thumbprint(ThumbprintHash::SHA256).ok()
}

/// What `token` says, if `key` has signed it by one of [`ALGORITHMS`]. Times and names are the caller's
/// to check.
pub(crate) fn verified<T: DeserializeOwned>(token: &str, key: &Jwk) -> Option<T> {
    if token.len() > SIGNED_LIMIT {
        return None;
    }
    let head = jsonwebtoken::decode_header(token).ok()?;
    let fits = ALGORITHMS.iter().any(|(algorithm, _)| *algorithm == head.alg);
    let named = match (&head.kid, &key.common.key_id) {
        (Some(asked), Some(own)) => asked == own,
        (Some(_) | None, None) | (None, Some(_)) => true,
    };
    if !fits || !named {
        return None;
    }
    let mut validation = Validation::new(head.alg);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) =
        (false, false, false);
    let key = DecodingKey::from_jwk(key).ok()?;
    jsonwebtoken::decode::<T>(token, &key, &validation).ok().map(|token| token.claims)
}
