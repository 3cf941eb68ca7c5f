//! A key of a client's own, and what it signs: for tests.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A P-256 key.
pub(crate) struct Signer {
    key: EncodingKey,
    /// The public key (RFC 7517).
    pub(crate) jwk: Value,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        // SEC 1, 2.3.3: a mark for "uncompressed", then both coordinates.
        let (_, point) = pair.public_key().as_ref().split_at(1);
        let (x, y) = point.split_at(32);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) });
        Self { key: EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()), jwk }
    }

    /// A token that says `claims` (RFC 7515).
    pub(crate) fn sign(&self, head: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(head), part(claims));
        let signed = jsonwebtoken::crypto::sign(text.as_bytes(), &self.key, Algorithm::ES256);
        format!("{text}.{}", signed.unwrap())
    }
}

/// `own` with other values for some members.
pub(crate) fn changed(mut own: Value, changes: &Value) -> Value {
    own.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    own
}
