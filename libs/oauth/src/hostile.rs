//! Whatever comes from outside is read to its end: every reader of this crate against random bytes, and
//! against good texts that somebody has changed. None panics, and nothing is believed that was not said.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use openframe_ids::{ClientId, FamilyId, TenantId};
use openframe_tokens::opaque::SecretHash;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::id_token::SigningKey;
use crate::jose::signer::{Signer, changed};
use crate::{
    Ask, Challenge, Client, ClientKeys, Credentials, DeviceGrant, Form, GrantType, Logout, Pkce,
    Pushed, RedirectUri, Scopes, ShownToken, TokenRequest, UserCode, assertion, client_of, dpop,
    jose,
};

const ISSUER: &str = "https://id.example.org/t/main";
const URL: &str = "https://id.example.org/api";
const NOW: i64 = 1_800_000_000;
/// The names of all parameters that are read.
const NAMES: [&str; 26] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "dpop_jkt",
    "grant_type",
    "id_token_hint",
    "max_age",
    "nonce",
    "post_logout_redirect_uri",
    "prompt",
    "redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "token",
    "user_code",
];
/// Values that lead further than random ones.
const WORDS: [&str; 14] = [
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "urn:ietf:params:oauth:request_uri:of_pr_x",
    "code",
    "S256",
    "none",
    "openid",
    "https://app.example.org/cb",
    "of_rt_00000000000000000000000000000000_x",
    "01912345-6789-7abc-8def-0123456789ab",
    "a.b.c",
];

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn client(keys: Option<ClientKeys>) -> Client {
    Client {
        id: ClientId::new(),
        tenant: TenantId::new(),
        name: "app".to_owned(),
        secret: Some(SecretHash([0; 32])),
        redirect_uris: vec![RedirectUri::register("https://app.example.org/cb").unwrap()],
        post_logout_uris: Vec::new(),
        backchannel_logout_uri: None,
        grants: BTreeSet::from(GrantType::ALL),
        scopes: Scopes::read("openid devices:read").unwrap(),
        keys,
        pkce: Pkce::Required,
        demands: [].into(),
        created: Timestamp::UNIX_EPOCH,
    }
}

/// A value of a parameter: one that means something, or anything.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![select(WORDS.to_vec()).prop_map(str::to_owned), "\\PC{0,80}", "[ -~]{0,80}"]
}

/// A form that holds any parameters, with any values.
fn form() -> impl Strategy<Value = Form> {
    prop::collection::btree_map(select(NAMES.to_vec()), value(), 0..10).prop_map(|pairs| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        let text = text.extend_pairs(pairs).finish();
        Form::read(text.as_bytes()).unwrap_or_default()
    })
}

/// Any JSON that is not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Members of heads, claims and keys that are read, each with something else in its place.
fn changes() -> impl Strategy<Value = Value> {
    let members = [
        "alg", "typ", "kid", "jwk", "jku", "x5u", "x5c", "crit", "iss", "sub", "aud", "exp", "nbf",
        "iat", "jti", "htm", "htu", "ath", "kty", "crv", "x", "y", "n", "e", "d", "k", "keys",
    ];
    prop::collection::btree_map(select(members.to_vec()), any_json(), 1..4)
        .prop_map(|map| map.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())
}

/// Everything that a text can be taken for.
fn read_as_text(text: &str, key: &SigningKey) {
    let own = client(None);
    assert_eq!(assertion::named(text).filter(|id| *id == own.id), None);
    assert!(dpop::check(text, ("GET", URL), None, now()).is_err());
    assert!(dpop::check(text, ("GET", URL), Some(text), now()).is_err());
    assert!(key.verify(text, ISSUER).is_none());
    let empty = Form::default();
    for header in [text.to_owned(), format!("Basic {text}"), basic(text.as_bytes())] {
        Credentials::read(&empty, Some(&header)).ok();
    }
    let challenge = Challenge::read(text);
    assert!(challenge.is_none_or(|it| !it.is_met_by(text)));
    if let Ok(registered) = RedirectUri::register(text) {
        assert!(registered.allows(text), "{text}");
    }
    let own = RedirectUri::register("https://app.example.org/cb").unwrap();
    assert!(!own.allows(text) || text == own.as_str());
    if let Ok(scopes) = Scopes::read(text) {
        assert_eq!(Scopes::read(&scopes.to_string()), Ok(scopes));
    }
    if let Some(code) = UserCode::read(text) {
        assert_eq!(UserCode::read(&code.to_string()), Some(code));
    }
    assert!(Pushed::named(text).is_none());
    assert!(ClientKeys::read(text).is_none());
}

fn basic(bytes: &[u8]) -> String {
    format!("Basic {}", STANDARD.encode(bytes))
}

/// Everything that a form can be taken for.
fn read_as_form(form: &Form, key: &SigningKey) {
    let own = client(None);
    client_of(form).ok();
    if let Ok(ask) = Ask::read(form, &own, (ISSUER, None)) {
        assert_eq!(ask.redirect_uri, "https://app.example.org/cb");
        assert!(ask.scopes.within(&own.scopes));
    }
    TokenRequest::read(form).ok();
    ShownToken::read(form).ok();
    if let Ok(credentials) = Credentials::read(form, None) {
        assert!(own.authenticate(&credentials, (ISSUER, now())).is_err());
    }
    if let Ok(logout) = Logout::read(form, ISSUER, [key]) {
        logout.address(&own).ok();
    }
    let from = (String::new(), String::new());
    DeviceGrant::ask((form, &own), from, (FamilyId::new(), now()), &mut || [1; 32]).ok();
}

/// A token of three parts with a byte of one of them changed.
fn spoiled(token: &str, at: Index, by: u8) -> Option<String> {
    let mut bytes = token.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= by;
    String::from_utf8(bytes).ok().filter(|text| text != token)
}

/// The last character of base64 holds bits that mean nothing: a change of those changes no byte.
fn same_bytes(one: &str, other: &str) -> bool {
    let bytes = |text: &str| -> Vec<Option<Vec<u8>>> {
        text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).ok()).collect()
    };
    bytes(one) == bytes(other)
}

proptest! {
    #[test]
    fn no_bytes_are_more_than_they_say(bytes in vec(any::<u8>(), 0..300)) {
        let key = SigningKey::generate();
        if let Ok(form) = Form::read(&bytes) {
            read_as_form(&form, &key);
        }
        Credentials::read(&Form::default(), Some(&basic(&bytes))).ok();
        read_as_text(&String::from_utf8_lossy(&bytes), &key);
        let parts: Vec<String> = bytes.chunks(100).map(|it| URL_SAFE_NO_PAD.encode(it)).collect();
        read_as_text(&parts.join("."), &key);
    }

    #[test]
    fn no_form_is_more_than_it_says(form in form()) {
        read_as_form(&form, &SigningKey::generate());
    }

    #[test]
    fn no_signed_text_is_read_into_a_panic(
        head in any_json(),
        claims in any_json(),
        signature in vec(any::<u8>(), 0..80),
    ) {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let text = format!("{}.{}.{signature}", part(&head), part(&claims));
        read_as_text(&text, &SigningKey::generate());
    }

    #[test]
    fn an_assertion_or_a_proof_that_was_changed_on_its_way_is_none(
        at in any::<Index>(),
        by in 1_u8..,
    ) {
        let (signer, id) = (Signer::new(), ClientId::new());
        let keys = ClientKeys::register(&json!({ "keys": [signer.jwk] })).unwrap();
        let claims = json!({
            "iss": id, "sub": id, "aud": ISSUER, "jti": "one", "iat": NOW, "exp": NOW + 60,
        });
        let good = signer.sign(&json!({ "alg": "ES256" }), &claims);
        let check = |text: &str| assertion::check((&keys, id), text, (ISSUER, now())).is_some();
        prop_assert!(check(&good));
        if let Some(bad) = spoiled(&good, at, by).filter(|bad| !same_bytes(bad, &good)) {
            prop_assert!(!check(&bad), "{bad}");
        }
        let head = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": signer.jwk });
        let claims = json!({ "jti": "one", "htm": "GET", "htu": URL, "iat": NOW });
        let good = signer.sign(&head, &claims);
        let check = |text: &str| dpop::check(text, ("GET", URL), None, now()).is_ok();
        prop_assert!(check(&good));
        if let Some(bad) = spoiled(&good, at, by).filter(|bad| !same_bytes(bad, &good)) {
            prop_assert!(!check(&bad), "{bad}");
        }
    }

    /// Signed by the right key, but saying something else: no panic, and never for another client.
    #[test]
    fn what_a_client_signs_is_read_as_strictly_as_what_a_stranger_does(
        head in changes(),
        claims in changes(),
    ) {
        let (signer, id) = (Signer::new(), ClientId::new());
        let keys = ClientKeys::register(&json!({ "keys": [signer.jwk] })).unwrap();
        let own = json!({
            "iss": id, "sub": id, "aud": ISSUER, "jti": "one", "iat": NOW, "exp": NOW + 60,
        });
        let own_head = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": signer.jwk });
        let text = signer.sign(&changed(own_head, &head), &changed(own, &claims));
        if assertion::check((&keys, id), &text, (ISSUER, now())).is_some() {
            prop_assert_eq!(assertion::named(&text), Some(id));
        }
        dpop::check(&text, ("GET", URL), None, now()).ok();
    }

    #[test]
    fn no_key_is_more_than_a_public_one(changes in changes()) {
        let own = Signer::new().jwk;
        let key = changed(own, &changes);
        if let Some(read) = jose::embedded(&key) {
            prop_assert!(key.get("d").is_none() && key.get("k").is_none());
            prop_assert!(jose::thumbprint(&read).is_some());
        }
        if let Ok(keys) = ClientKeys::register(&json!({ "keys": [key] })) {
            prop_assert_eq!(ClientKeys::read(&keys.to_text()), Some(keys));
        }
        ClientKeys::register(&changes).ok();
    }
}
