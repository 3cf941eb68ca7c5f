//! API keys over their life, and what no request can say of itself.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_auth_api::{MadeApiKey, NewApiKey};
use openframe_ids::TenantId;
use openframe_system::program::{answer_of, ask, bearer};
use openframe_system::{Server, until};
use serde_json::{Value, json};

use crate::roles::person;

const KEYS: &str = "/api/auth/v1/api-keys";
const DEVICES: (&str, &str) = ("GET", "/api/devices/v1/devices");

async fn made(server: &Server) -> MadeApiKey {
    let wanted = NewApiKey {
        name: "k".to_owned(),
        scopes: vec!["devices:read".to_owned()],
        expires_in_days: None,
    };
    server.auth().unwrap().create_api_key(&wanted).await.unwrap()
}

fn json_of(secret: &str) -> HeaderMap {
    let mut headers = bearer(secret);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

// B34.scope, B34.manage
#[tokio::test]
async fn a_key_reaches_as_far_as_its_scopes_and_no_key() {
    let server = Server::start().unwrap();
    let made = made(&server).await;
    let key = json_of(&made.secret);
    assert_eq!(ask(&server, DEVICES, &key, "").await.status(), StatusCode::OK);
    let new = json!({ "name": "more", "scopes": ["devices:read"] }).to_string();
    let own = format!("{KEYS}/{}", made.key.id);
    for (method, path, body) in [
        ("GET", "/api/auth/v1/users", ""),
        ("GET", "/api/auth/v1/audit", ""),
        ("POST", "/api/auth/v1/enrolment-tokens", "{}"),
        ("GET", KEYS, ""),
        ("POST", KEYS, &new),
        ("DELETE", &own, ""),
    ] {
        let answer = ask(&server, (method, path), &key, body).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
    }
}

// B34.once
#[tokio::test]
async fn a_key_is_shown_when_it_is_made_and_never_again() {
    let server = Server::start().unwrap();
    let made = made(&server).await;
    let auth = server.auth().unwrap();
    let listed = format!("{:?}", auth.api_keys(true).await.unwrap());
    let trail = format!("{:?}", auth.audit(None, 100).await.unwrap());
    assert!(listed.contains(&made.key.id.to_string()) && trail.contains(&made.key.id.to_string()));
    // Nor any part of what is random in it: the last 43 characters before those of the check.
    let end = made.secret.len() - 8;
    for from in [end - 43, end - 21] {
        let part = made.secret.get(from..from + 21).unwrap();
        assert!(!listed.contains(part) && !trail.contains(part), "{part}");
    }
}

// B34.revoked
#[tokio::test]
async fn a_revoked_key_is_refused_wherever_it_was_used_before() {
    let server = Server::start().unwrap();
    let made = made(&server).await;
    let key = bearer(&made.secret);
    assert_eq!(ask(&server, DEVICES, &key, "").await.status(), StatusCode::OK);
    server.auth().unwrap().revoke_api_key(made.key.id).await.unwrap();
    // A gateway believes a key for a second, or until it hears of the end.
    until("the key to end", || async {
        let status = ask(&server, DEVICES, &key, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}

/// Bodies that are good but for one member more.
fn bodies() -> Vec<(&'static str, String, Value)> {
    let auth = |path: &str| format!("/api/auth/v1/{path}");
    let scopes = json!(["devices:read"]);
    let password = "a good long one";
    vec![
        ("POST", auth("api-keys"), json!({ "name": "k", "scopes": scopes })),
        ("POST", auth("enrolment-tokens"), json!({ "name": "k" })),
        ("POST", auth("oauth-clients"), json!({ "name": "k", "redirect_uris": [], "scopes": [] })),
        (
            "POST",
            auth("users"),
            json!({ "email": "b@example.org", "name": "B", "role": "read_only", "password": password }),
        ),
        ("PATCH", auth("users/01912345-6789-7abc-8def-0123456789ab"), json!({ "name": "B" })),
        ("PUT", auth("settings"), json!({ "second_factor_required": false })),
        (
            "PATCH",
            "/api/devices/v1/devices/01912345-6789-7abc-8def-0123456789ab".to_owned(),
            json!({ "name": "d" }),
        ),
        ("POST", auth("me/password"), json!({ "current": password, "new": "a better long one" })),
    ]
}

// B32
#[tokio::test]
async fn no_request_says_of_itself_whose_it_is_or_what_it_may() {
    let server = Server::start().unwrap();
    let mut owner = person(&server, "owner").await;
    owner.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let before = server.auth().unwrap().users().await.unwrap().items.len();
    for (method, path, body) in bodies() {
        for (name, value) in [
            ("tenant_id", json!(TenantId::new())),
            ("tenant", json!(TenantId::new())),
            ("owner", json!("01912345-6789-7abc-8def-0123456789ab")),
            ("role_id", json!("owner")),
            ("is_admin", json!(true)),
            ("id", json!("01912345-6789-7abc-8def-0123456789ab")),
            ("created", json!("2020-01-01T00:00:00Z")),
        ] {
            let mut more = body.clone();
            more.as_object_mut().unwrap().insert(name.to_owned(), value);
            let answer = ask(&server, (method, &path), &owner, &more.to_string()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{method} {path} {name}");
            assert_eq!(answer_of(answer).await["code"], "bad_json", "{method} {path} {name}");
        }
    }
    let people = server.auth().unwrap().users().await.unwrap().items;
    assert_eq!(people.len(), before, "nothing was done of what was refused");
    // What is a role where there is one is nothing where there is none.
    let key = json!({ "name": "k", "scopes": ["devices:read"], "role": "owner" }).to_string();
    let answer = ask(&server, ("POST", KEYS), &owner, &key).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}
