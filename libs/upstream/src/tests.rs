//! What is taken from a provider, and what is not.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use url::Url;

use super::*;

const ISSUER: &str = "https://id.example.org/t/one";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// `own` with other values for some members.
fn changed(mut own: Value, changes: &Value) -> Value {
    own.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    own
}

fn said() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example.org/authorize?tenant=one",
        "token_endpoint": "https://id.example.org/token",
        "jwks_uri": "https://id.example.org/jwks",
        "response_types_supported": ["code", "id_token"],
        "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES256"],
        "something_else": { "x": [1] },
    })
}

fn read(changes: &Value) -> Result<Document, Refusal> {
    Document::read(ISSUER, changed(said(), changes).to_string().as_bytes())
}

fn document() -> Document {
    read(&json!({})).unwrap()
}

const CLIENT: Client<'static> =
    Client { id: "me", redirect_uri: "https://of.example/login/upstream/callback" };

/// A key that signs tokens.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    jwk: Value,
}

impl Signer {
    fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        Self::of(key, Algorithm::ES256)
    }

    fn rsa() -> Self {
        let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        Self::of(EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), Algorithm::RS256)
    }

    fn of(key: EncodingKey, algorithm: Algorithm) -> Self {
        let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
        Self { key, algorithm, jwk: changed(jwk, &json!({ "kid": "one", "use": "sig" })) }
    }

    fn keys(&self) -> Keys {
        Keys::read(json!({ "keys": [self.jwk] }).to_string().as_bytes()).unwrap()
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let text = unsigned(head, claims);
        let signed = jsonwebtoken::crypto::sign(text.as_bytes(), &self.key, self.algorithm);
        format!("{text}.{}", signed.unwrap())
    }
}

fn unsigned(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(head), part(claims))
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "s-1", "aud": "me", "nonce": "n", "iat": NOW, "exp": NOW + 300,
        "email": "Ann@Example.org", "email_verified": true, "name": "Ann",
    })
}

fn wanted<'a>(document: &'a Document, keys: &'a Keys) -> Wanted<'a> {
    Wanted { document, keys, client: "me", nonce: "n", now: now() }
}

/// What comes of the claims with these changes, signed as they should be.
fn claimed(changes: &Value) -> Result<Person, Refusal> {
    let (signer, document) = (Signer::p256(), document());
    let head = json!({ "alg": "ES256", "typ": "JWT", "kid": "one" });
    let token = signer.sign(&head, &changed(claims(), changes));
    check(&token, wanted(&document, &signer.keys()))
}

// ASVS 10.5.3
#[test]
fn a_document_is_of_exactly_its_issuer() {
    assert_eq!(document_address(ISSUER), format!("{ISSUER}/.well-known/openid-configuration"));
    for other in ["https://id.example.org/t/one/", "https://id.example.org/t/two", "HTTPS://x"] {
        assert_eq!(read(&json!({ "issuer": other })).unwrap_err(), Refusal::OtherIssuer);
    }
    let slash = format!("{ISSUER}/");
    let refused = Document::read(&slash, said().to_string().as_bytes()).unwrap_err();
    assert_eq!(refused, Refusal::OtherIssuer);
}

#[test]
fn a_document_offers_what_is_spoken_here() {
    for bad in [
        json!({ "token_endpoint": "http://id.example.org/token" }),
        json!({ "jwks_uri": "https://me:pw@id.example.org/jwks" }),
        json!({ "authorization_endpoint": "javascript:alert(1)" }),
        json!({ "response_types_supported": ["id_token"] }),
        json!({ "id_token_signing_alg_values_supported": ["none", "HS256"] }),
        json!({ "code_challenge_methods_supported": ["plain"] }),
        json!({ "token_endpoint_auth_methods_supported": ["none"] }),
        json!({ "issuer": null }),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
    assert!(Document::read(ISSUER, &vec![b' '; ANSWER_LIMIT + 1]).is_err());
    for good in ["https://id.example.org", "http://127.0.0.1:9/t/main"] {
        assert_eq!(issuer_fault(good), None, "{good}");
    }
    for bad in ["http://id.example.org", "https://id.example.org/?x", "https://x.org/#y", "x"] {
        assert!(issuer_fault(bad).is_some(), "{bad}");
    }
}

#[test]
fn a_browser_takes_proofs_along_and_brings_its_own_back() {
    let (attempt, document) = (Attempt::new(), document());
    let url = Url::parse(&attempt.address(&document, CLIENT, &["openid".to_owned()])).unwrap();
    let pairs: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs["tenant"], "one", "what was there stays");
    assert_eq!((pairs["response_type"].as_str(), pairs["scope"].as_str()), ("code", "openid"));
    assert_eq!(pairs["code_challenge_method"], "S256");
    assert_eq!(pairs["nonce"], attempt.nonce());
    assert!(!url.as_str().contains(attempt.verifier()));
    let (provider, next) = (openframe_ids::IdentityProviderId::new(), "/x".to_owned());
    let held = Held { until_ms: 1, provider, attempt: attempt.clone(), next };
    assert_eq!(Held::read(&held.to_bytes()), Some(held));
    assert_eq!(Held::read(b"{}"), None);
    assert_eq!(format!("{attempt:?}"), "Attempt(***)");

    let back = Back { state: Some(&pairs["state"]), code: Some("c"), ..Back::default() };
    assert_eq!(attempt.code(&document, &back), Ok("c"));
    let other = Attempt::new();
    assert!(other.code(&document, &back).is_err(), "another try");
    for bad in [
        Back { state: None, ..back },
        Back { code: None, ..back },
        Back { code: Some(""), ..back },
        Back { error: Some("access_denied"), ..back },
        Back { issuer: Some("https://evil.example"), ..back },
    ] {
        assert!(attempt.code(&document, &bad).is_err(), "{bad:?}");
    }
    let denied = Back { error: Some("no\n<b>way"), ..back };
    assert_eq!(attempt.code(&document, &denied), Err(Refusal::Denied("nobway".to_owned())));
}

// RFC 9207
#[test]
fn a_provider_that_says_who_it_is_always_says_so() {
    let changes = json!({ "authorization_response_iss_parameter_supported": true });
    let (attempt, document) = (Attempt::new(), read(&changes).unwrap());
    let url = Url::parse(&attempt.address(&document, CLIENT, &[])).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let back = Back { state: Some(&state), code: Some("c"), ..Back::default() };
    assert_eq!(attempt.code(&document, &back), Err(Refusal::MixedUp));
    let named = Back { issuer: Some(ISSUER), ..back };
    assert_eq!(attempt.code(&document, &named), Ok("c"));
}

#[test]
fn a_secret_goes_where_the_provider_wants_it() {
    let it = Exchange { client: CLIENT, secret: "p&w:", code: "c", verifier: "v" };
    let (form, header) = document().exchange(it);
    let pair = STANDARD.encode("me:p%26w%3A");
    assert_eq!(header.unwrap(), format!("Basic {pair}"));
    assert!(!form.contains("client_secret") && form.contains("code_verifier=v"));
    let post = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    let (form, header) = read(&post).unwrap().exchange(it);
    assert!(header.is_none() && form.contains("client_secret=p%26w%3A"));
}

#[test]
fn a_token_says_who_somebody_is() {
    let person = claimed(&json!({ "auth_time": NOW - 50, "amr": ["pwd", "mfa"] })).unwrap();
    let want = Person {
        subject: "s-1".to_owned(),
        verified_email: Some("Ann@Example.org".to_owned()),
        name: Some("Ann".to_owned()),
        auth_time: Timestamp::from_second(NOW - 50).ok(),
        mfa: true,
    };
    assert_eq!(person, want);
    // By an RSA key as well: most providers have those.
    let (signer, document) = (Signer::rsa(), document());
    let token = signer.sign(&json!({ "alg": "RS256", "kid": "one" }), &claims());
    assert!(check(&token, wanted(&document, &signer.keys())).is_ok());
    let late = claimed(&json!({ "auth_time": NOW + 50 })).unwrap();
    assert_eq!(late.auth_time, Some(now()), "nobody is fresh in the future");
}

#[test]
fn an_address_counts_only_when_the_provider_says_that_it_is_read() {
    for changes in [
        json!({ "email_verified": false }),
        json!({ "email_verified": null }),
        // What Entra ID says, said by somebody else.
        json!({ "email_verified": null, "xms_edov": true }),
    ] {
        assert_eq!(claimed(&changes).unwrap().verified_email, None, "{changes}");
    }
    assert_eq!(claimed(&json!({ "email": null })).unwrap().verified_email, None);
}

// ASVS 6.8.4
#[test]
fn several_factors_are_said_by_the_standard_words() {
    for (changes, want) in [
        (json!({ "amr": ["pwd"] }), false),
        (json!({ "amr": ["pwd", "otp"] }), false),
        (json!({ "amr": ["mfa"] }), true),
        (json!({ "acr": "aal1" }), false),
        (json!({ "acr": "aal2" }), true),
    ] {
        assert_eq!(claimed(&changes).unwrap().mfa, want, "{changes}");
    }
}

// ASVS 10.5.1, 10.5.4
#[test]
fn a_token_is_of_this_provider_for_us_and_of_now() {
    assert!(claimed(&json!({ "aud": ["me"], "azp": "me" })).is_ok());
    assert!(claimed(&json!({ "iat": NOW + 60, "exp": NOW + 300 })).is_ok(), "a fast clock");
    assert!(claimed(&json!({ "iat": NOW - 90, "exp": NOW - 30 })).is_ok(), "a slow one");
    for wrong in [
        json!({ "iss": format!("{ISSUER}/") }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": null }),
        json!({ "aud": "another" }),
        json!({ "aud": ["me", "another"] }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "azp": "another" }),
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "exp": NOW - 60 }),
        json!({ "exp": null }),
        json!({ "iat": NOW + 61 }),
        json!({ "iat": NOW - 661 }),
        json!({ "iat": null }),
        json!({ "nbf": NOW + 61 }),
        json!({ "sub": "" }),
        json!({ "sub": null }),
        json!({ "sub": "x".repeat(256) }),
        json!({ "sub": "a\u{0}b" }),
        json!({ "sub": "\u{e4}" }),
        json!({ "email_verified": "true" }),
    ] {
        assert!(claimed(&wrong).is_err(), "{wrong}");
    }
}

// ASVS 6.8.2
#[test]
fn only_the_providers_own_key_signs() {
    let (signer, other, document) = (Signer::rsa(), Signer::rsa(), document());
    let (keys, head) = (signer.keys(), json!({ "alg": "RS256", "kid": "one" }));
    let refused = |token: &str| check(token, wanted(&document, &keys)).unwrap_err();
    assert_eq!(refused(&other.sign(&head, &claims())), Refusal::Token("a wrong signature".into()));
    // Its own key in the header, none at all, and the public key as a secret.
    let own = json!({ "alg": "RS256", "jwk": other.jwk });
    assert!(matches!(refused(&other.sign(&own, &claims())), Refusal::Token(_)));
    let none = json!({ "alg": "none" });
    assert!(matches!(refused(&format!("{}.", unsigned(&none, &claims()))), Refusal::Token(_)));
    for secret in [signer.jwk.to_string(), signer.jwk["n"].as_str().unwrap().to_owned()] {
        let text = unsigned(&json!({ "alg": "HS256", "kid": "one" }), &claims());
        let key = EncodingKey::from_secret(secret.as_bytes());
        let tag = jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::HS256).unwrap();
        assert!(matches!(refused(&format!("{text}.{tag}")), Refusal::Token(_)));
    }
    // One that came later is asked for.
    let newer = json!({ "alg": "RS256", "kid": "two" });
    assert_eq!(refused(&signer.sign(&newer, &claims())), Refusal::UnknownKey);
    // What was not announced is not taken, although the key could sign so.
    let only = json!({ "id_token_signing_alg_values_supported": ["ES256"] });
    let narrow = read(&only).unwrap();
    assert!(check(&signer.sign(&head, &claims()), wanted(&narrow, &keys)).is_err());
    for garbage in ["", ".", "..", "a.b.c", &"x".repeat(40 << 10)] {
        assert!(check(garbage, wanted(&document, &keys)).is_err());
    }
    let good = signer.sign(&head, &claims());
    let (text, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = text.split_once('.').unwrap();
    let more = URL_SAFE_NO_PAD.encode(changed(claims(), &json!({ "sub": "s-2" })).to_string());
    assert!(check(&format!("{head}.{more}.{signature}"), wanted(&document, &keys)).is_err());
    assert!(check(&good, wanted(&document, &keys)).is_ok());
}

#[test]
fn weak_and_shared_keys_are_none() {
    let count = |keys: Value| {
        Keys::read(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.0.len())
    };
    let weak = json!({ "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 128]) });
    let long = json!({ "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode([0xff; 1025]) });
    let shared = json!({ "kty": "oct", "k": "AAAA" });
    let good = Signer::p256().jwk;
    assert_eq!(count(json!([weak, long, shared, 1, good])), Ok(1));
    assert!(count(json!(vec![json!({}); 65])).is_err());
    assert!(Keys::read(b"{}").is_err() && Keys::read(b"").is_err());
    assert!(Keys::read(&vec![b' '; ANSWER_LIMIT + 1]).is_err());
}

#[test]
fn an_answer_has_a_token() {
    assert_eq!(id_token_of(br#"{"id_token":"a.b.c","x":1}"#), Ok("a.b.c".to_owned()));
    let long = format!(r#"{{"id_token":"{}"}}"#, "x".repeat(40 << 10));
    for bad in ["", "{}", "[]", r#"{"id_token":1}"#, &long] {
        assert!(id_token_of(bad.as_bytes()).is_err());
    }
}
