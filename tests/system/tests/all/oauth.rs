//! Programs that ask people for access: OAuth 2.1 and OpenID Connect, as a program and a browser meet
//! them.

use http::{HeaderMap, StatusCode};
use openframe_system::program::{self, CHALLENGE, Program, VERIFIER, answer_of, ask, value_of};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::{PASSWORD, person};

const DEVICES: &str = "/api/devices/v1/devices";

/// Whether a token is good for the API; a gateway believes it for a second.
async fn dies(server: &Server, token: &str) {
    until("the token to die", || async {
        let answer = ask(server, ("GET", DEVICES), &program::bearer(token), "").await;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

async fn reaches(server: &Server, token: &str) -> StatusCode {
    ask(server, ("GET", DEVICES), &program::bearer(token), "").await.status()
}

// ASVS 10.3.2, 10.7.1
// B01, B02.flow, B07.issuer, B14.client
#[tokio::test]
async fn a_program_acts_for_a_person_who_allows_it() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let found =
        ask(&server, ("GET", "/t/main/.well-known/openid-configuration"), &none(), "").await;
    let found = answer_of(found).await;
    assert_eq!(found["issuer"], app.issuer.as_str());
    let elsewhere = ("GET", "/.well-known/oauth-authorization-server/t/main");
    let elsewhere = ask(&server, elsewhere, &none(), "").await;
    assert_eq!(answer_of(elsewhere).await, found);

    let to_sign_in = app.authorize(&server, &[], &none()).await;
    assert_eq!(to_sign_in.status(), StatusCode::SEE_OTHER);
    assert!(
        program::location(&to_sign_in).starts_with("/t/main/sign-in?next=%2Ft%2Fmain%2Fauthorize")
    );
    let denied = app.consent(&server, &ann, false).await;
    assert_eq!(value_of(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(value_of(&denied, "state").as_deref(), Some("a state"));
    let allowed = app.consent(&server, &ann, true).await;
    assert_eq!(value_of(&allowed, "state").as_deref(), Some("a state"));
    assert_eq!(value_of(&allowed, "iss"), Some(app.issuer.clone()));
    let tokens = answer_of(app.exchange(&server, &value_of(&allowed, "code").unwrap()).await).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert!((500..=600).contains(&tokens["expires_in"].as_u64().unwrap()));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(reaches(&server, access).await, StatusCode::OK);
    let id_token = program::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&id_token["nonce"], &id_token["aud"]), (&json!("a nonce"), &json!(app.id)));

    let more =
        ask(&server, ("POST", "/api/auth/v1/api-keys"), &program::bearer(access), "{}").await;
    assert!(more.status().is_client_error(), "no key, and no person");
    let device = format!("{DEVICES}/01912345-6789-7abc-8def-0123456789ab");
    let retired = ask(&server, ("DELETE", &device), &program::bearer(access), "").await;
    assert_eq!(retired.status(), StatusCode::FORBIDDEN, "its scopes do not reach as far");

    let who = ask(&server, ("GET", "/t/main/userinfo"), &program::bearer(access), "").await;
    let who = answer_of(who).await;
    assert_eq!((&who["sub"], &who["email"]), (&id_token["sub"], &json!("technician@example.org")));
    assert_eq!(who.get("name"), None, "not asked for");
    let worth = answer_of(app.post(&server, "introspect", &[("token", access)]).await).await;
    assert_eq!((&worth["active"], &worth["client_id"]), (&json!(true), &json!(app.id)));
    let other = Program::register(&server, &json!({ "name": "other" })).await;
    let worth = answer_of(other.post(&server, "introspect", &[("token", access)]).await).await;
    assert_eq!(worth, json!({ "active": false }));
}

fn none() -> HeaderMap {
    HeaderMap::new()
}

// ASVS 10.4.2
// B03.absent, B03.wrong, B05.again, B05.client, B05.redirect, B36.programs
#[tokio::test]
async fn a_code_is_good_once_for_who_asked_for_it() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let (app, other) = (
        Program::register(&server, &json!({})).await,
        Program::register(&server, &json!({ "name": "other" })).await,
    );
    let code = app.code(&server, &ann).await;
    let wrong = [
        [("code_verifier", "b".repeat(43)), ("redirect_uri", program::REDIRECT.to_owned())],
        [
            ("code_verifier", VERIFIER.to_owned()),
            ("redirect_uri", "https://evil.example/".to_owned()),
        ],
        [("code_verifier", String::new()), ("redirect_uri", program::REDIRECT.to_owned())],
    ];
    for [verifier, redirect] in &wrong {
        let form = [("grant_type", "authorization_code"), ("code", &code)];
        let form = [&form[..], &[(verifier.0, &verifier.1), (redirect.0, &redirect.1)]].concat();
        refused(app.post(&server, "token", &form).await, "invalid_grant").await;
    }
    refused(other.exchange(&server, &code).await, "invalid_grant").await;
    let tokens = answer_of(app.exchange(&server, &code).await).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(reaches(&server, access).await, StatusCode::OK);
    refused(app.exchange(&server, &code).await, "invalid_grant").await;
    dies(&server, access).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    refused(app.refresh(&server, refresh).await, "invalid_grant").await;
    let trail = server.auth().unwrap().audit(None, 100).await.unwrap().items;
    assert!(trail.iter().any(|entry| entry.action == "token.code_replay"));
}

/// Checks that a program is refused with this code.
async fn refused(answer: axum::response::Response, code: &str) {
    let status = answer.status();
    let answer = answer_of(answer).await;
    let told = answer.get("error").and_then(Value::as_str);
    assert_eq!(told, Some(code), "{status}: {answer}");
    assert!(status.is_client_error(), "{status}");
}

// ASVS 10.4.1, 10.4.4, 10.4.10, 10.6.1
// B03.absent, B03.plain, B04.unknown, B06.token, B08.none, B08.login, B10.secret, B20.csp
#[tokio::test]
async fn requests_that_are_not_safe_are_refused() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let here = [
        ("redirect_uri", "https://evil.example/cb"),
        ("redirect_uri", "https://app.example.org/cb/../evil"),
        ("redirect_uri", ""),
        ("client_id", "01912345-6789-7abc-8def-0123456789ab"),
        ("client_id", "x"),
    ];
    for with in here {
        let answer = app.authorize(&server, &[with], &ann).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{with:?}");
        assert_eq!(answer.headers().get("location"), None, "{with:?}");
    }
    for (with, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "users:manage"), "invalid_scope"),
        (("request", "x"), "request_not_supported"),
    ] {
        let answer = app.authorize(&server, &[with], &ann).await;
        assert_eq!(value_of(&answer, "error").as_deref(), Some(error), "{with:?}");
    }
    let silent = app.authorize(&server, &[("prompt", "none")], &none()).await;
    assert_eq!(value_of(&silent, "error").as_deref(), Some("login_required"));
    let silent = app.authorize(&server, &[("prompt", "none")], &ann).await;
    assert_eq!(value_of(&silent, "error").as_deref(), Some("consent_required"));
    let again = app.authorize(&server, &[("prompt", "login")], &ann).await;
    let to = program::location(&again);
    assert!(to.starts_with("/t/main/sign-in?next=") && !to.contains("prompt"), "{to}");

    // An answer that no page of ours has asked for, and one of another person.
    for csrf in ["", "forged"] {
        let answer = app.answer(&server, &ann, (csrf, true)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{csrf:?}");
    }
    let page = app.authorize(&server, &[], &ann).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    for (body, error) in [
        ("{\"grant_type\":\"client_credentials\"}", "invalid_request"),
        ("grant_type=password&grant_type=password", "invalid_request"),
        ("grant_type=%", "invalid_request"),
    ] {
        let mut headers = app.basic();
        let kind = if body.starts_with('{') { "application/json" } else { program::FORM };
        headers.insert("content-type", kind.parse().unwrap());
        refused(ask(&server, ("POST", "/t/main/token"), &headers, body).await, error).await;
    }
    refused(
        app.post(&server, "token", &[("grant_type", "password")]).await,
        "unsupported_grant_type",
    )
    .await;
    let thief =
        Program { secret: Some(app.secret.clone().unwrap().replace('a', "b")), ..app.clone() };
    refused(thief.post(&server, "token", &[("grant_type", "x")]).await, "invalid_client").await;
}

// B08.acr
#[tokio::test]
async fn wishes_that_need_not_be_met_refuse_nobody() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    app.code(&server, &ann).await;
    let wishes = [
        ("acr_values", "aal2 aal3"),
        ("display", "popup"),
        ("ui_locales", "de fr"),
        ("claims_locales", "de"),
        ("login_hint", "somebody@example.org"),
        ("extra", "foobar"),
    ];
    let answer = app.authorize(&server, &wishes, &ann).await;
    let code = value_of(&answer, "code").unwrap();
    let tokens = answer_of(app.exchange(&server, &code).await).await;
    let id_token = program::claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&id_token["acr"], &id_token["amr"]), (&json!("aal1"), &json!(["pwd"])));
}

// ASVS 10.4.5
// B11.rotate, B11.replay, B11.parallel, B36.programs
#[tokio::test]
async fn a_refresh_token_is_used_once_and_an_answer_may_be_lost() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let first = answer_of(app.exchange(&server, &app.code(&server, &ann).await).await).await;
    let refresh = |tokens: &Value| tokens["refresh_token"].as_str().unwrap().to_owned();
    // Many windows of one program, each on another connection and another replica.
    let all = (0..50).map(|_| app.refresh(&server, first["refresh_token"].as_str().unwrap()));
    let mut second = Value::Null;
    for answer in futures::future::join_all(all).await {
        let tokens = answer_of(answer).await;
        assert!(second.is_null() || second["refresh_token"] == tokens["refresh_token"]);
        second = tokens;
    }
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(reaches(&server, access).await, StatusCode::OK);
    refused(app.refresh(&server, &refresh(&first)).await, "invalid_grant").await;
    dies(&server, access).await;
    refused(app.refresh(&server, &refresh(&second)).await, "invalid_grant").await;
    let trail = server.auth().unwrap().audit(None, 100).await.unwrap().items;
    assert!(trail.iter().any(|entry| entry.action == "token.refresh_replay"));
}

// B10.basic, B15.access
#[tokio::test]
async fn a_program_acts_for_itself() {
    let server = Server::start().unwrap();
    let own = json!({ "redirect_uris": [], "scopes": ["devices:read"], "own_behalf": true });
    let app = Program::register(&server, &own).await;
    let grant = ("grant_type", "client_credentials");
    let tokens = answer_of(app.post(&server, "token", &[grant]).await).await;
    assert_eq!((&tokens["scope"], tokens.get("refresh_token")), (&json!("devices:read"), None));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(reaches(&server, access).await, StatusCode::OK);
    let me = ask(&server, ("GET", "/api/auth/v1/me"), &program::bearer(access), "").await;
    assert_eq!(me.status(), StatusCode::UNAUTHORIZED, "nobody is behind it");
    let more = app.post(&server, "token", &[grant, ("scope", "commands:run")]).await;
    refused(more, "invalid_scope").await;
    assert_eq!(app.post(&server, "revoke", &[("token", access)]).await.status(), StatusCode::OK);
    dies(&server, access).await;
    let tokens = answer_of(app.post(&server, "token", &[grant]).await).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(reaches(&server, access).await, StatusCode::OK);
    server.auth().unwrap().remove_oauth_client(app.id.parse().unwrap()).await.unwrap();
    dies(&server, access).await;
    refused(app.post(&server, "token", &[grant]).await, "invalid_client").await;
}

// ASVS 7.6.1, 10.4.9, 10.7.3
// B11.session, B11.password, B11.consent
#[tokio::test]
async fn whatever_ends_a_session_ends_what_was_allowed_in_it() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let (email, change) = ("technician@example.org", "/api/auth/v1/me/password");
    for step in ["withdraw", "log out", "password"] {
        let here = if step == "withdraw" {
            ann.clone()
        } else {
            crate::roles::session(crate::roles::log_in(&server, email, PASSWORD).await).await
        };
        let tokens = answer_of(app.exchange(&server, &app.code(&server, &here).await).await).await;
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(reaches(&server, access).await, StatusCode::OK, "{step}");
        let password = json!({ "current": PASSWORD, "new": "a better long one" }).to_string();
        let consent = format!("/api/auth/v1/me/consents/{}", app.id);
        let (method, path, body) = match step {
            "withdraw" => ("DELETE", consent.as_str(), ""),
            "log out" => ("POST", "/api/auth/v1/logout", ""),
            _ => ("POST", change, password.as_str()),
        };
        let mut headers = here.clone();
        headers.insert("content-type", "application/json".parse().unwrap());
        let done = ask(&server, (method, path), &headers, body).await;
        assert!(done.status().is_success(), "{step}: {}", done.status());
        dies(&server, access).await;
        let refresh = tokens["refresh_token"].as_str().unwrap();
        refused(app.refresh(&server, refresh).await, "invalid_grant").await;
    }
}

// ASVS 10.4.6
// B03.absent, B04.loopback
#[tokio::test]
async fn a_program_without_a_secret_needs_proof_and_gets_it() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let native = json!({ "redirect_uris": ["http://127.0.0.1/cb"], "public": true });
    let app = Program::register(&server, &native).await;
    assert_eq!(app.secret, None);
    let app = Program { redirect: "http://127.0.0.1:49152/cb".to_owned(), ..app };
    let tokens = answer_of(app.exchange(&server, &app.code(&server, &ann).await).await).await;
    assert_eq!(reaches(&server, tokens["access_token"].as_str().unwrap()).await, StatusCode::OK);
    let without = app.authorize(&server, &[("code_challenge", "")], &ann).await;
    assert_eq!(value_of(&without, "error").as_deref(), Some("invalid_request"));
    assert_eq!(CHALLENGE.len(), 43);
}
