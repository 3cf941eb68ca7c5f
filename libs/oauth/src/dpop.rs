//! Tokens that are of use only to who holds a key: each request comes with a proof that the key has
//! signed for it (RFC 9449).
//!
//! A proof is good once, whichever replica is asked, so no nonces of ours are needed (section 8): what
//! they are for is that an old proof is worth nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::jose::{self, OneTime, SIGNED_LIMIT, SKEW};
use crate::{Code, Refusal};

/// The algorithms of proofs, as the header that asks for one names them (section 7.1).
pub const ALGORITHMS: &str = "ES256 EdDSA PS256";
/// The kind of a proof (section 4.2).
const KIND: &str = "dpop+jwt";
/// There is no proof where there has to be one.
pub(crate) const MISSING: Refusal =
    Refusal::new(Code::InvalidDpopProof, "send a DPoP proof of the key that goes with this");
/// Which of its faults it has is not said: they are many, and the program's author has all of it.
const WRONG: Refusal = Refusal::new(
    Code::InvalidDpopProof,
    "the DPoP proof is not one of a P-256, Ed25519 or RSA key for this request, of this minute, sent once",
);

/// A proof that holds, once what is good once was not seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The key, by its thumbprint (RFC 7638, SHA-256, base64url).
    pub key: String,
    /// What must not come again.
    pub once: OneTime,
}

#[derive(Deserialize)]
struct Head {
    typ: String,
    jwk: Value,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
}

/// Checks a proof for a request with `method` to `url`, whose query says nothing, with the access token
/// `token` if it has one (section 4.3).
pub fn check(
    proof: &str,
    (method, url): (&str, &str),
    token: Option<&str>,
    now: Timestamp,
) -> Result<Proof, Refusal> {
    let key = key(proof).ok_or(WRONG)?;
    let claims: Claims = jose::verified(proof, &key).ok_or(WRONG)?;
    let made = Timestamp::from_second(claims.iat).map_err(|_| WRONG)?;
    let lately = now.duration_since(made).abs() <= SKEW;
    let of_token = claims.ath == token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
    if claims.htm != method || !same(&claims.htu, url) || !lately || !of_token {
        return Err(WRONG);
    }
    let key = jose::thumbprint(&key).ok_or(WRONG)?;
    let once = OneTime::named(&format!("proof of {key}"), &claims.jti, made + SKEW + SKEW);
    Ok(Proof { once: once.ok_or(WRONG)?, key })
}

fn key(proof: &str) -> Option<jsonwebtoken::jwk::Jwk> {
    if proof.len() > SIGNED_LIMIT {
        return None;
    }
    let head = URL_SAFE_NO_PAD.decode(proof.split('.').next()?).ok()?;
    let head: Head = serde_json::from_slice(&head).ok()?;
    jose::embedded(&head.jwk).filter(|_| head.typ == KIND)
}

/// Whether two addresses are one, but for queries (RFC 9449, 4.3; RFC 3986, 6.2.2).
fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    plain(one).is_some_and(|one| plain(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::signer::{Signer, changed};

    const NOW: i64 = 1_800_000_000;
    const URL: &str = "https://of.example.org/api/devices/v1/devices";

    impl Signer {
        /// A proof with these changes to its head and its claims.
        fn proof(&self, head: &Value, claims: &Value) -> String {
            let own_head = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk });
            let own = json!({ "jti": "one", "htm": "GET", "htu": URL, "iat": NOW });
            self.sign(&changed(own_head, head), &changed(own, claims))
        }
    }

    fn checked(proof: &str, token: Option<&str>) -> Result<Proof, Refusal> {
        check(proof, ("GET", URL), token, Timestamp::from_second(NOW).unwrap())
    }

    // B12.method, B12.url, B12.old
    #[test]
    fn a_proof_is_for_one_request() {
        let signer = Signer::new();
        let (same, other) = (json!({}), Signer::new());
        let proof = checked(&signer.proof(&same, &same), None).unwrap();
        assert_eq!(proof.key.len(), 43);
        let again = checked(&signer.proof(&same, &json!({ "iat": NOW - 10 })), None).unwrap();
        assert_eq!((&again.key, again.once.hash), (&proof.key, proof.once.hash), "sent twice");
        assert!(again.once.until.as_second() > NOW + 60 - 10, "for as long as it would be good");
        let theirs = checked(&other.proof(&same, &same), None).unwrap();
        assert!(theirs.key != proof.key && theirs.once.hash != proof.once.hash);
        for good in [
            json!({ "htu": format!("{URL}?limit=1#x") }),
            json!({ "htu": "HTTPS://OF.example.org:443/api/devices/v1/devices" }),
            json!({ "iat": NOW + 60 }),
            json!({ "iat": NOW - 60 }),
            json!({ "more": 1 }),
        ] {
            assert!(checked(&signer.proof(&same, &good), None).is_ok(), "{good}");
        }
        for wrong in [
            json!({ "htm": "POST" }),
            json!({ "htm": "get" }),
            json!({ "htu": "https://of.example.org/api/devices/v1/devices/1" }),
            json!({ "htu": "http://of.example.org/api/devices/v1/devices" }),
            json!({ "htu": "x" }),
            json!({ "iat": NOW + 61 }),
            json!({ "iat": NOW - 61 }),
            json!({ "iat": null }),
            json!({ "jti": "" }),
            json!({ "jti": null }),
            json!({ "ath": "x" }),
        ] {
            assert_eq!(checked(&signer.proof(&same, &wrong), None), Err(WRONG), "{wrong}");
        }
        for wrong in [
            json!({ "typ": "JWT" }),
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "jwk": other.jwk }),
            json!({ "jwk": null }),
            json!({ "jwk": { "kty": "oct", "k": "AAAA" } }),
        ] {
            assert_eq!(checked(&signer.proof(&wrong, &same), None), Err(WRONG), "{wrong}");
        }
        let mut private = signer.jwk.clone();
        private["d"] = json!("AAAA");
        let shown = signer.proof(&json!({ "jwk": private }), &same);
        assert_eq!(checked(&shown, None), Err(WRONG), "it has given its key away");
    }

    // B12.hash
    #[test]
    fn a_proof_is_of_the_token_that_it_comes_with() {
        let (signer, none) = (Signer::new(), json!({}));
        let ath = json!({ "ath": URL_SAFE_NO_PAD.encode(Sha256::digest("of_at_1")) });
        assert!(checked(&signer.proof(&none, &ath), Some("of_at_1")).is_ok());
        assert_eq!(checked(&signer.proof(&none, &ath), Some("of_at_2")), Err(WRONG));
        assert_eq!(checked(&signer.proof(&none, &none), Some("of_at_1")), Err(WRONG));
        for garbage in ["", "..", "a.b.c", &"x".repeat(9 << 10)] {
            assert_eq!(checked(garbage, None), Err(WRONG));
        }
    }
}
