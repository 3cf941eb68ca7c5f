//! What an ID token says, as a client reads it.

use jsonwebtoken::{DecodingKey, Validation};
use openframe_ids::{SessionId, UserId};

use super::*;
use crate::family::{About, Holder};
use crate::{Amr, Scopes};

const ANN: Who<'_> = Who { name: "Ann", email: "ann@x", email_verified: false };
const ISSUER: &str = "https://id.example.org/t/main";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn issued(scopes: &str) -> Issued {
    let (user, session, amr) = (UserId::new(), SessionId::new(), Amr::Password);
    let holder = Holder { user, session, auth_time: at(900), amr };
    Issued {
        access: "of_at_1".to_owned(),
        expires: at(1600),
        bound: false,
        scopes: Scopes::read(scopes).unwrap(),
        refresh: None,
        about: Some(About { holder, nonce: Some("n".to_owned()) }),
    }
}

/// The claims, if the token is signed by `key` with ES256 for `client`.
fn read(token: &str, key: &SigningKey, client: ClientId) -> Result<Value, String> {
    let jwk = |name: &str| key.jwk[name].as_str().unwrap();
    let public = DecodingKey::from_ec_components(jwk("x"), jwk("y")).unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.validate_exp = false;
    rules.set_audience(&[client]);
    rules.set_issuer(&[ISSUER]);
    let read = jsonwebtoken::decode::<Value>(token, &public, &rules);
    let read = read.map_err(|error| error.to_string())?;
    assert_eq!(read.header.kid.as_deref(), Some(key.kid()));
    Ok(read.claims)
}

// ASVS 9.1.1, 9.1.2, 9.2.4
#[test]
fn it_is_signed_with_es256_for_the_client_that_asked() {
    let (key, other) = (SigningKey::generate(), SigningKey::generate());
    let (client, issued) = (ClientId::new(), issued("openid"));
    let token = key.sign((ISSUER, client), &issued, ANN, at(1000)).unwrap();
    let claims = read(&token, &key, client).unwrap();
    assert!(read(&token, &other, client).is_err(), "of another key");
    assert!(read(&token, &key, ClientId::new()).is_err(), "for another client");
    let header = token.split('.').next().unwrap();
    let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert!(header.contains(r#""alg":"ES256""#), "{header}");
    let about = issued.about.as_ref().unwrap();
    for (name, want) in [
        ("sub", json!(about.holder.user)),
        ("azp", json!(client)),
        ("sid", json!(about.holder.session)),
        ("nonce", json!("n")),
        ("iat", json!(1000)),
        ("exp", json!(1300)),
        ("auth_time", json!(900)),
        ("at_hash", json!(half_hash("of_at_1"))),
    ] {
        assert_eq!(claims[name], want, "{name}");
    }
}

// B07.nonce
#[test]
fn it_has_no_nonce_where_none_was_sent() {
    let (key, client) = (SigningKey::generate(), ClientId::new());
    let with = issued("openid");
    let about = with.about.clone().map(|about| About { nonce: None, ..about });
    let without = Issued { about, ..issued("openid") };
    for (issued, has) in [(with, true), (without, false)] {
        let token = key.sign((ISSUER, client), &issued, ANN, at(1000)).unwrap();
        let claims = read(&token, &key, client).unwrap();
        assert_eq!(claims.get("nonce").is_some(), has);
    }
}

#[test]
fn it_tells_of_the_person_what_the_scopes_allow() {
    let (key, client) = (SigningKey::generate(), ClientId::new());
    let told = |scopes: &str| {
        let token = key.sign((ISSUER, client), &issued(scopes), ANN, at(1000));
        let claims = read(&token.unwrap(), &key, client).unwrap();
        (claims.get("name").is_some(), claims.get("email").is_some())
    };
    assert_eq!(told("openid"), (false, false));
    assert_eq!(told("openid profile"), (true, false));
    assert_eq!(told("openid email"), (false, true));
    let nobody = Issued { about: None, ..issued("openid") };
    assert_eq!(key.sign((ISSUER, client), &nobody, ANN, at(1000)), None);
}

/// B26.
#[test]
fn an_address_is_verified_when_its_person_has_shown_to_read_it() {
    let (key, client) = (SigningKey::generate(), ClientId::new());
    let told = |scopes: &str, email_verified| {
        let who = Who { email_verified, ..ANN };
        let token = key.sign((ISSUER, client), &issued(scopes), who, at(1000)).unwrap();
        read(&token, &key, client).unwrap().get("email_verified").cloned()
    };
    assert_eq!(told("openid email", true), Some(json!(true)));
    assert_eq!(told("openid email", false), Some(json!(false)));
    assert_eq!(told("openid profile", true), None);
}

#[test]
fn the_half_hash_is_that_of_the_specification() {
    // OpenID Connect Core, 3.1.3.6: the left half of the SHA-256, here of "abc" (FIPS 180-4, B.1).
    let left = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
        0x23,
    ];
    assert_eq!(half_hash("abc"), URL_SAFE_NO_PAD.encode(left));
}
