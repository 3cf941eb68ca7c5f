//! A key of a program's own, and what it signs: assertions (RFC 7523) and proofs (RFC 9449).

#![expect(clippy::unwrap_used, reason = "whoever signs in vain has failed")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openframe_clock::Clock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A P-256 key.
#[derive(Debug)]
pub struct Signer(EcdsaKeyPair);

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    Clock::system().now().as_second()
}

/// `own` with other values for some members.
fn changed(mut own: Value, changes: &Value) -> Value {
    own.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    own
}

impl Default for Signer {
    fn default() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }
}

impl Signer {
    /// The public key (RFC 7517).
    pub fn jwk(&self) -> Value {
        // SEC 1, 2.3.3: a mark for "uncompressed", then both coordinates.
        let (_, point) = self.0.public_key().as_ref().split_at(1);
        let (x, y) = point.split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
    }

    /// The key's name (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let member = |name: &str| jwk.get(name).cloned().unwrap();
        let text =
            format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, member("x"), member("y"));
        encode(&Sha256::digest(text))
    }

    /// A token that says `claims` (RFC 7515).
    pub fn sign(&self, head: &Value, claims: &Value) -> String {
        let text = format!(
            "{}.{}",
            encode(head.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", encode(signature.as_ref()))
    }

    /// What shows `issuer` that the client `id` asks, with these changes.
    pub fn assertion(&self, (id, issuer): (&str, &str), changes: &Value) -> String {
        let claims = json!({
            "iss": id, "sub": id, "aud": issuer, "jti": unique(), "iat": now(), "exp": now() + 60,
        });
        self.sign(&json!({ "alg": "ES256" }), &changed(claims, changes))
    }

    /// What shows that a request comes from who holds the key, with these changes.
    pub fn proof(&self, (method, url): (&str, &str), changes: &Value) -> String {
        let claims = json!({ "htm": method, "htu": url, "jti": unique(), "iat": now() });
        let head = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        self.sign(&head, &changed(claims, changes))
    }
}

/// What goes into the proof that comes with an access token.
pub fn hash_of(token: &str) -> Value {
    json!({ "ath": encode(&Sha256::digest(token)) })
}

fn unique() -> String {
    encode(&openframe_ids::random::<16>())
}
