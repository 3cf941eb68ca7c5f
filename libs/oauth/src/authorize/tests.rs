//! Which requests are answered, whom a refusal is told, and what comes first.

use std::collections::BTreeSet;

use openframe_ids::TenantId;
use openframe_tokens::opaque::SecretHash;

use super::*;
use crate::RedirectUri;

const ISSUER: &str = "https://id.example.org/t/main";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "https://app.example.org/cb?x=1";

fn client(pkce: Pkce) -> Client {
    Client {
        id: ClientId::new(),
        tenant: TenantId::new(),
        name: "app".to_owned(),
        secret: Some(SecretHash([0; 32])),
        redirect_uris: vec![RedirectUri::register(REDIRECT).unwrap()],
        post_logout_uris: Vec::new(),
        backchannel_logout_uri: None,
        grants: BTreeSet::from([GrantType::AuthorizationCode]),
        scopes: Scopes::read("openid profile devices:read").unwrap(),
        keys: None,
        pkce,
        demands: [].into(),
        created: Timestamp::UNIX_EPOCH,
    }
}

/// A good request with these parameters in the place of its own; an empty one is left out.
fn form(with: &[(&str, &str)]) -> Form {
    let mut pairs = vec![
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid devices:read"),
        ("state", "s &1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    pairs.retain(|(name, _)| !with.iter().any(|(other, _)| name == other));
    pairs.extend(with.iter().filter(|(_, value)| !value.is_empty()));
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Form::read(text.as_bytes()).unwrap()
}

fn ask(with: &[(&str, &str)]) -> Result<Ask, Refused> {
    Ask::read(&form(with), &client(Pkce::Required), (ISSUER, None))
}

/// Checks that the client is told `code`, and gets its state back with the issuer.
#[track_caller]
fn sent(answer: Result<Ask, Refused>, code: &str) {
    let Err(Refused::Sent { to, .. }) = answer else { panic!("{code}: not sent: {answer:?}") };
    let url = Url::parse(&to).unwrap();
    let got = |name: &str| {
        let mut pairs = url.query_pairs().filter(|(key, _)| key == name);
        pairs.next().map(|(_, value)| value.into_owned())
    };
    assert!(to.starts_with(REDIRECT), "{to}");
    assert_eq!(got("error").as_deref(), Some(code));
    assert_eq!(got("state").as_deref(), Some("s &1"));
    assert_eq!(got("iss").as_deref(), Some(ISSUER));
}

// B07.issuer
#[test]
fn a_good_request_is_answered_with_code_state_and_issuer() {
    let ask = ask(&[]).unwrap();
    let to = Url::parse(&ask.code_address(ISSUER, "of_ac_1")).unwrap();
    let pairs: Vec<_> = to.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let want =
        [pair("x", "1"), pair("code", "of_ac_1"), pair("state", "s &1"), pair("iss", ISSUER)];
    assert_eq!(pairs, want);
}

// B07.state
#[test]
fn who_has_sent_no_state_gets_none() {
    let without = ask(&[("state", "")]).unwrap();
    let to = Url::parse(&without.code_address(ISSUER, "of_ac_1")).unwrap();
    let names: Vec<String> = to.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["x", "code", "iss"]);
    let Err(Refused::Sent { to, .. }) = ask(&[("state", ""), ("response_type", "token")]) else {
        panic!("it is not sent")
    };
    assert!(!to.contains("state") && to.contains("iss="), "{to}");
}

// ASVS 10.4.1
// B04.unknown
#[test]
fn where_the_client_is_must_be_known_before_anything_is_sent_there() {
    for redirect in ["", "https://evil.example/cb", "https://app.example.org/cb?x=1&y=2"] {
        let answer = ask(&[("redirect_uri", redirect), ("response_type", "token")]);
        assert!(matches!(answer, Err(Refused::Here(_))), "{redirect}: {answer:?}");
    }
    assert_eq!(client_of(&Form::read(b"client_id=x").unwrap()), Err(UNKNOWN));
    assert!(client_of(&Form::default()).is_err());
}

// ASVS 10.4.4, 10.6.1
// B06.token, B06.id-token, B06.hybrid, B06.mode
#[test]
fn what_is_not_spoken_here_is_said() {
    for kind in ["token", "id_token", "code id_token", "code token", "none", "x"] {
        sent(ask(&[("response_type", kind)]), "unsupported_response_type");
    }
    sent(ask(&[("response_type", "")]), "invalid_request");
    for mode in ["fragment", "form_post", "x"] {
        sent(ask(&[("response_mode", mode)]), "invalid_request");
    }
    assert!(ask(&[("response_mode", "query")]).is_ok());
    sent(ask(&[("request", "eyJ")]), "request_not_supported");
    sent(ask(&[("request_uri", "https://x")]), "request_uri_not_supported");
    for prompt in ["none login", "none consent", "create"] {
        sent(ask(&[("prompt", prompt)]), "invalid_request");
    }
    sent(ask(&[("max_age", "-1")]), "invalid_request");
}

// ASVS 10.4.6
// B03.absent, B03.plain
#[test]
fn a_code_needs_proof_by_s256() {
    sent(ask(&[("code_challenge", ""), ("code_challenge_method", "")]), "invalid_request");
    sent(ask(&[("code_challenge", "")]), "invalid_request");
    sent(ask(&[("code_challenge_method", "")]), "invalid_request");
    sent(ask(&[("code_challenge_method", "plain")]), "invalid_request");
    sent(ask(&[("code_challenge", "short")]), "invalid_request");
}

#[test]
fn proof_is_waived_only_for_a_client_with_a_secret_and_a_nonce() {
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let nonce = [without[0], without[1], ("nonce", "n")];
    let (waived, strict) = (client(Pkce::Waived), client(Pkce::Required));
    let public = Client { secret: None, ..waived.clone() };
    assert!(Ask::read(&form(&nonce), &waived, (ISSUER, None)).is_ok());
    sent(Ask::read(&form(&without), &waived, (ISSUER, None)), "invalid_request");
    sent(Ask::read(&form(&nonce), &strict, (ISSUER, None)), "invalid_request");
    sent(Ask::read(&form(&nonce), &public, (ISSUER, None)), "invalid_request");
}

// ASVS 10.4.4, 10.4.11
#[test]
fn a_client_is_given_what_it_may_have_of_what_it_asks() {
    let scopes = |text| ask(&[("scope", text)]).map(|ask| ask.scopes.to_string());
    assert_eq!(scopes("openid email devices:read users:manage").unwrap(), "devices:read openid");
    assert_eq!(scopes("").unwrap(), "openid");
    sent(ask(&[("scope", "users:manage")]), "invalid_scope");
    sent(ask(&[("scope", "\"")]), "invalid_scope");
    let other = Client {
        post_logout_uris: Vec::new(),
        backchannel_logout_uri: None,
        grants: BTreeSet::new(),
        ..client(Pkce::Required)
    };
    sent(Ask::read(&form(&[]), &other, (ISSUER, None)), "unauthorized_client");
}

// B07.long
#[test]
fn a_state_and_nonce_of_four_kibibytes_are_kept() {
    let long = "x".repeat(4096);
    let ask = ask(&[("state", &long), ("nonce", &long)]).unwrap();
    assert_eq!((ask.state.as_ref(), ask.nonce.as_ref()), (Some(&long), Some(&long)));
}

// ASVS 7.6.1, 10.7.1
// B08.none, B08.login, B08.max-age
#[test]
fn sign_in_and_consent_come_first_where_they_are_needed() {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(100);
    let who = |seconds_ago: i64, allowed: &str| SignedIn {
        user: UserId::new(),
        session: SessionId::new(),
        auth_time: now - SignedDuration::from_secs(seconds_ago),
        amr: Amr::Password,
        allowed: Scopes::read(allowed).unwrap(),
    };
    let (all, some) = (who(50, "openid devices:read profile"), who(50, "openid"));
    let login = Err(Code::LoginRequired);
    let consent = Err(Code::ConsentRequired);
    for (with, who, want) in [
        (("prompt", ""), None, Ok(Next::SignIn)),
        (("prompt", ""), Some(&some), Ok(Next::Consent)),
        (("prompt", ""), Some(&all), Ok(Next::Grant)),
        (("prompt", "none"), None, login),
        (("prompt", "none"), Some(&some), consent),
        (("prompt", "none"), Some(&all), Ok(Next::Grant)),
        (("prompt", "login"), Some(&all), Ok(Next::SignIn)),
        (("prompt", "select_account"), Some(&all), Ok(Next::SignIn)),
        (("prompt", "consent"), Some(&all), Ok(Next::Consent)),
        (("max_age", "50"), Some(&all), Ok(Next::Grant)),
        (("max_age", "49"), Some(&all), Ok(Next::SignIn)),
        (("max_age", "0"), Some(&all), Ok(Next::SignIn)),
    ] {
        let next = ask(&[with]).unwrap().next(who, now).map_err(|refusal| refusal.code);
        assert_eq!(next, want, "{with:?}");
    }
    let public = Client { secret: None, ..client(Pkce::Required) };
    let imitable = Ask::read(&form(&[]), &public, (ISSUER, None)).unwrap();
    assert_eq!(imitable.next(Some(&all), now), Ok(Next::Consent));
    let old = [("prompt", "none"), ("max_age", "49")];
    assert_eq!(ask(&old).unwrap().next(Some(&all), now).map_err(|it| it.code), login);
}

// B08.hint
#[test]
fn nobody_but_whom_the_hint_names_is_answered_about() {
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(100);
    let allowed = Scopes::read("openid devices:read profile").unwrap();
    let session = SessionId::new();
    let who =
        SignedIn { user: UserId::new(), session, auth_time: now, amr: Amr::Password, allowed };
    let said = |user| Said { client: ClientId::new(), session, user };
    for (hint, with, want) in [
        (who.user, ("prompt", ""), Ok(Next::Grant)),
        (who.user, ("prompt", "none"), Ok(Next::Grant)),
        (UserId::new(), ("prompt", ""), Err(Code::LoginRequired)),
        (UserId::new(), ("prompt", "none"), Err(Code::LoginRequired)),
        (UserId::new(), ("prompt", "consent"), Err(Code::LoginRequired)),
        (UserId::new(), ("prompt", "login"), Ok(Next::SignIn)),
    ] {
        let ask = ask(&[with]).unwrap().about(Some(&said(hint)));
        assert_eq!(ask.next(Some(&who), now).map_err(|it| it.code), want, "{with:?}");
    }
    let anybody = ask(&[]).unwrap().about(Some(&said(who.user))).next(None, now);
    assert_eq!(anybody, Ok(Next::SignIn));
}
