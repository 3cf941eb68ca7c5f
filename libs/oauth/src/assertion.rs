//! A client shows who it is by what its own key has signed (`private_key_jwt`: OpenID Connect Core, 9;
//! RFC 7523, 3; RFC 9700, 2.5 prefers it to secrets).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use openframe_ids::ClientId;
use serde::Deserialize;

use crate::jose::{ClientKeys, OneTime, SIGNED_LIMIT, SKEW};

/// The kind of an assertion, as a form names it.
pub(crate) const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion may be good: a client makes one each time.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

#[derive(Deserialize)]
struct Claims {
    iss: ClientId,
    sub: ClientId,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(default)]
    iat: i64,
    jti: String,
}

/// One name, or a list with one name: an assertion for several servers is good at another as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Only([String; 1]),
}

impl Audience {
    fn name(&self) -> &str {
        match self {
            Self::One(name) | Self::Only([name]) => name,
        }
    }
}

/// The client that an assertion names; nothing is checked yet.
pub(crate) fn named(assertion: &str) -> Option<ClientId> {
    #[derive(Deserialize)]
    struct Named {
        sub: ClientId,
    }
    if assertion.len() > SIGNED_LIMIT {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok().map(|named: Named| named.sub)
}

/// Whether `id` has signed the assertion for `issuer`, and lately: then what must not come again.
pub(crate) fn check(
    (keys, id): (&ClientKeys, ClientId),
    assertion: &str,
    (issuer, now): (&str, Timestamp),
) -> Option<OneTime> {
    let claims: Claims = keys.verified(assertion)?;
    let at = |seconds| Timestamp::from_second(seconds).ok();
    let (ends, since) = (at(claims.exp)?, at(claims.nbf.max(claims.iat))?);
    let named = claims.iss == id && claims.sub == id && claims.aud.name() == issuer;
    let good = now < ends + SKEW && ends <= now + LONGEST + SKEW && since <= now + SKEW;
    if !named || !good {
        return None;
    }
    OneTime::named(&format!("assertion of {id}"), &claims.jti, ends + SKEW)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::signer::{Signer, changed};

    const ISSUER: &str = "https://id.example.org/t/main";
    const NOW: i64 = 1_800_000_000;

    struct World {
        id: ClientId,
        keys: ClientKeys,
        signer: Signer,
    }

    impl World {
        fn new() -> Self {
            let signer = Signer::new();
            let keys = ClientKeys::register(&json!({ "keys": [signer.jwk] })).unwrap();
            Self { id: ClientId::new(), keys, signer }
        }

        fn claims(&self) -> Value {
            json!({
                "iss": self.id, "sub": self.id, "aud": ISSUER, "jti": "one",
                "iat": NOW, "exp": NOW + 60,
            })
        }

        /// What comes of the claims with these changes.
        fn check(&self, changes: &Value) -> Option<OneTime> {
            let claims = changed(self.claims(), changes);
            let token = self.signer.sign(&json!({ "alg": "ES256" }), &claims);
            assert_eq!(named(&token), claims["sub"].as_str().and_then(|id| id.parse().ok()));
            self.check_text(&token)
        }

        fn check_text(&self, token: &str) -> Option<OneTime> {
            let at = (ISSUER, Timestamp::from_second(NOW).unwrap());
            check((&self.keys, self.id), token, at)
        }
    }

    // ASVS 10.4.10
    // B10.audience, B73.programs
    #[test]
    fn a_client_signs_for_itself_for_us_and_for_a_short_time() {
        let world = World::new();
        let first = world.check(&json!({})).unwrap();
        assert_eq!(first.until.as_second(), NOW + 120);
        assert_eq!(world.check(&json!({ "aud": [ISSUER] })).unwrap().hash, first.hash, "again");
        assert_ne!(world.check(&json!({ "jti": "two" })).unwrap().hash, first.hash);
        assert!(
            world.check(&json!({ "exp": NOW - 30, "iat": NOW - 90 })).is_some(),
            "a slow clock"
        );
        assert!(world.check(&json!({ "iat": NOW + 60, "exp": NOW + 120 })).is_some(), "a fast one");
        for wrong in [
            json!({ "aud": "https://other.example.org" }),
            json!({ "aud": [ISSUER, "https://other.example.org"] }),
            json!({ "aud": format!("{ISSUER}/token") }),
            json!({ "iss": ClientId::new() }),
            json!({ "sub": ClientId::new() }),
            json!({ "exp": NOW - 60 }),
            json!({ "exp": NOW + 361 }),
            json!({ "exp": null }),
            json!({ "iat": NOW + 61 }),
            json!({ "nbf": NOW + 61 }),
            json!({ "jti": "" }),
            json!({ "jti": null }),
            json!({ "jti": "x".repeat(257) }),
        ] {
            assert_eq!(world.check(&wrong), None, "{wrong}");
        }
    }

    // ASVS 9.1.2, 9.1.3
    // B10.none, B10.hmac
    #[test]
    fn only_the_clients_own_key_signs() {
        let (world, other) = (World::new(), World::new());
        let foreign = other.signer.sign(&json!({ "alg": "ES256" }), &world.claims());
        assert_eq!(world.check_text(&foreign), None);
        // A key of ours in the header, a secret that everybody knows, no signature at all.
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let none = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&world.claims()));
        assert_eq!(world.check_text(&none), None);
        let shared = EncodingKey::from_secret(world.keys.to_text().as_bytes());
        let head = Header::new(Algorithm::HS256);
        let shared = jsonwebtoken::encode(&head, &world.claims(), &shared).unwrap();
        assert_eq!(world.check_text(&shared), None);
        for garbage in ["", ".", "..", "a.b.c", &"x".repeat(9 << 10)] {
            assert_eq!((named(garbage), world.check_text(garbage)), (None, None));
        }
    }

    #[test]
    fn keys_are_public_and_strong() {
        let world = World::new();
        assert_eq!(ClientKeys::read(&world.keys.to_text()), Some(world.keys.clone()));
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        assert!(ClientKeys::register(&json!({ "keys": [ed] })).is_ok());
        let mut private = ed.clone();
        private["d"] = json!("AAAA");
        let weak = json!({ "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 128]) });
        let secret = json!({ "kty": "oct", "k": "AAAA" });
        let curve = json!({ "kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA" });
        for key in [private, weak, secret, curve, json!({}), json!("key")] {
            assert!(ClientKeys::register(&json!({ "keys": [key] })).is_err(), "{key}");
        }
        for set in [json!({}), json!({ "keys": [] }), json!({ "keys": vec![ed; 9] }), json!(1)] {
            assert!(ClientKeys::register(&set).is_err(), "{set}");
        }
    }
}
