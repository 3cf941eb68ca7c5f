//! The keys that a provider signs with (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreJsonWebKey;
use serde::Deserialize;
use serde_json::Value;

use crate::{ANSWER_LIMIT, Refusal};

/// Keys of a provider at most.
const MOST: usize = 64;
/// Bytes of a modulus at least: 2048 bits.
const MODULUS: usize = 256;
/// Bytes of a modulus at most: 8192 bits, so that no check takes long.
const LONGEST_MODULUS: usize = 1024;

/// The keys of a provider.
#[derive(Debug, Clone)]
pub struct Keys(pub(crate) Vec<CoreJsonWebKey>);

impl Keys {
    /// Reads a set of keys; leaves out what signs nothing here, or is too weak to.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        const BAD: Refusal = Refusal::Malformed("its keys");
        if body.len() > ANSWER_LIMIT {
            return Err(BAD);
        }
        let set: Set = serde_json::from_slice(body).map_err(|_| BAD)?;
        if set.keys.len() > MOST {
            return Err(BAD);
        }
        let good = set.keys.into_iter().filter(is_strong);
        Ok(Self(good.filter_map(|key| serde_json::from_value(key).ok()).collect()))
    }
}

/// Whether a key is a public one that is strong enough.
fn is_strong(key: &Value) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match text("kty") {
        Some("RSA") => {
            let modulus = text("n").and_then(|n| URL_SAFE_NO_PAD.decode(n).ok());
            modulus.is_some_and(|it| (MODULUS..=LONGEST_MODULUS).contains(&it.len()))
        }
        Some("EC") => matches!(text("crv"), Some("P-256" | "P-384")),
        Some("OKP") => text("crv") == Some("Ed25519"),
        // Secrets that two share, and what is not known here.
        Some(_) | None => false,
    }
}
