//! Who may ask what: every operation of the API documents, asked by each kind of caller. An
//! operation that is not in the table fails, so that nobody forgets to say who may.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use openframe_auth_api::{CSRF_HEADER, Me, NewApiKey, NewUser, SESSION_COOKIE};
use openframe_fault::body;
use openframe_system::{Server, until};
use serde_json::Value;

/// An id that nothing has.
const NO_ID: &str = "01912345-6789-7abc-8def-0123456789ab";
pub(crate) const PASSWORD: &str = "a good long one";

/// Who asks, in the order of the table's columns.
pub(crate) const CALLERS: [&str; 6] =
    ["owner", "technician", "read-only", "an owner's key", "a key for devices:read", "nobody"];

/// An operation, what each caller gets, and a body that is good enough to be asked whether one may:
/// `x` is let in, `-` is not allowed (403), `?` is told to sign in (401).
pub(crate) const TABLE: [(&str, &str, &str); 132] = [
    // Devices prove who they are elsewhere: here these paths are nobody's.
    ("POST /agent/v1/enrol", "xxxxxx", ""),
    ("POST /agent/v1/recover", "xxxxxx", ""),
    ("POST /agent/v1/renew", "xxxxxx", ""),
    ("GET /api/auth/v1/api-keys", "xx-x-?", ""),
    ("POST /api/auth/v1/api-keys", "xx-x-?", r#"{"name":"k","scopes":["devices:read"]}"#),
    ("DELETE /api/auth/v1/api-keys/{id}", "xx-x-?", ""),
    ("GET /api/auth/v1/audit", "x--x-?", ""),
    ("GET /api/auth/v1/audit/export", "x--x-?", ""),
    ("GET /api/auth/v1/audit/streams", "x--x-?", ""),
    ("GET /api/auth/v1/audit/verify", "x--x-?", ""),
    ("DELETE /api/auth/v1/devices/{id}", "xx-x-?", ""),
    ("POST /api/auth/v1/devices/{id}/readmit", "xx-x-?", ""),
    ("GET /api/auth/v1/quarantine", "xxxxx?", ""),
    ("GET /api/auth/v1/devices.crl", "xxxxxx", ""),
    ("GET /api/auth/v1/trust-bundle.pem", "xxxxxx", ""),
    ("GET /api/auth/v1/enrolment-tokens", "xx-x-?", ""),
    ("POST /api/auth/v1/enrolment-tokens", "xx-x-?", "{}"),
    ("DELETE /api/auth/v1/enrolment-tokens/{id}", "xx-x-?", ""),
    ("GET /api/auth/v1/waiting-devices", "xx-x-?", ""),
    ("POST /api/auth/v1/waiting-devices/{id}", "xx-x-?", ""),
    ("DELETE /api/auth/v1/waiting-devices/{id}", "xx-x-?", ""),
    ("POST /api/auth/v1/login", "xxxxxx", "{}"),
    ("POST /api/auth/v1/login/code", "xxxxxx", "{}"),
    // Open to who has shown a password, which none of these sends along.
    ("POST /api/auth/v1/login/totp", "??????", ""),
    ("POST /api/auth/v1/login/totp/confirm", "xxxxxx", "{}"),
    // Likewise; and without a passkey nobody is let in.
    ("POST /api/auth/v1/login/code/options", "??????", ""),
    ("POST /api/auth/v1/login/passkey", "xxxxxx", "{}"),
    ("POST /api/auth/v1/login/passkey/options", "xxxxxx", ""),
    ("GET /api/auth/v1/me", "xxxxx?", ""),
    ("GET /api/auth/v1/me/factors", "xxx--?", ""),
    ("POST /api/auth/v1/me/factors/totp", "xxx--?", ""),
    ("DELETE /api/auth/v1/me/factors/totp", "xxx--?", ""),
    ("POST /api/auth/v1/me/factors/totp/confirm", "xxx--?", r#"{"code":""}"#),
    ("POST /api/auth/v1/me/factors/recovery-codes", "xxx--?", ""),
    ("POST /api/auth/v1/me/step-up", "xxx--?", r#"{"password":"a wrong one"}"#),
    ("POST /api/auth/v1/me/step-up/options", "xxx--?", ""),
    ("GET /api/auth/v1/me/passkeys", "xxx--?", ""),
    ("POST /api/auth/v1/me/passkeys", "xxx--?", r#"{"name":"k","credential":{},"held":""}"#),
    ("POST /api/auth/v1/me/passkeys/options", "xxx--?", ""),
    ("PATCH /api/auth/v1/me/passkeys/{id}", "xxx--?", r#"{"name":"k"}"#),
    ("DELETE /api/auth/v1/me/passkeys/{id}", "xxx--?", ""),
    ("GET /api/auth/v1/me/consents", "xxxx-?", ""),
    ("DELETE /api/auth/v1/me/consents/{client}", "xxxx-?", ""),
    ("GET /api/auth/v1/oauth-clients", "x--x-?", ""),
    ("POST /api/auth/v1/oauth-clients", "x--x-?", r#"{"name":"","scopes":[]}"#),
    ("DELETE /api/auth/v1/oauth-clients/{id}", "x--x-?", ""),
    ("GET /api/auth/v1/identity-providers", "x--x-?", ""),
    (
        "POST /api/auth/v1/identity-providers",
        "x--x-?",
        r#"{"name":"","issuer":"","client_id":"","client_secret":""}"#,
    ),
    ("PATCH /api/auth/v1/identity-providers/{id}", "x--x-?", "{}"),
    ("DELETE /api/auth/v1/identity-providers/{id}", "x--x-?", ""),
    ("GET /api/auth/v1/access", "x--x-?", ""),
    ("GET /api/auth/v1/places", "xxxxx?", ""),
    ("POST /api/auth/v1/places", "x--x-?", r#"{"name":""}"#),
    ("PATCH /api/auth/v1/places/{id}", "x--x-?", r#"{"name":""}"#),
    ("DELETE /api/auth/v1/places/{id}", "x--x-?", ""),
    ("GET /api/auth/v1/users/{id}/grants", "x--x-?", ""),
    ("POST /api/auth/v1/users/{id}/grants", "x--x-?", r#"{"role":"technician"}"#),
    ("DELETE /api/auth/v1/users/{id}/grants/{grant}", "x--x-?", ""),
    ("POST /api/auth/v1/password", "xxxxxx", "{}"),
    ("POST /api/auth/v1/password/forgot", "xxxxxx", "{}"),
    ("POST /api/auth/v1/invitation", "xxxxxx", "{}"),
    ("POST /api/auth/v1/email", "xxxxxx", "{}"),
    ("POST /api/auth/v1/me/email", "xxx--?", r#"{"email":""}"#),
    ("POST /api/auth/v1/invitations", "x--x-?", r#"{"email":"","role":"owner"}"#),
    ("POST /api/auth/v1/users/{id}/invitation", "x--x-?", ""),
    ("DELETE /api/auth/v1/users/{id}/invitation", "x--x-?", ""),
    ("POST /api/auth/v1/users/{id}/password-link", "x--x-?", ""),
    ("POST /api/auth/v1/users/{id}/api-keys", "x--x-?", r#"{"name":"k","scopes":[]}"#),
    ("GET /api/auth/v1/groups", "x--x-?", ""),
    ("GET /api/auth/v1/sessions", "xxxx-?", ""),
    ("GET /api/auth/v1/sessions?all=true", "x--x-?", ""),
    ("DELETE /api/auth/v1/sessions/{id}", "xxxx-?", ""),
    ("GET /api/auth/v1/setup", "xxxxxx", ""),
    ("POST /api/auth/v1/setup", "xxxxxx", "{}"),
    ("GET /api/auth/v1/settings", "x--x-?", ""),
    ("PUT /api/auth/v1/settings", "x--x-?", r#"{"second_factor_required":false}"#),
    ("GET /api/auth/v1/signing-keys", "x--x-?", ""),
    ("POST /api/auth/v1/signing-keys", "x--x-?", "{}"),
    ("GET /api/auth/v1/users", "x--x-?", ""),
    ("DELETE /api/auth/v1/users/{id}/factors", "x--x-?", ""),
    ("GET /api/auth/v1/users/{id}/passkeys", "x--x-?", ""),
    ("DELETE /api/auth/v1/users/{id}/passkeys/{passkey}", "x--x-?", ""),
    ("POST /api/auth/v1/users", "x--x-?", r#"{"email":"","name":"","role":"owner","password":""}"#),
    ("PATCH /api/auth/v1/users/{id}", "x--x-?", "{}"),
    ("GET /api/devices/v1/commands/{id}", "xxxxx?", ""),
    ("POST /api/devices/v1/commands/{id}/cancel", "xx-x-?", ""),
    ("GET /api/devices/v1/commands/{id}/output", "xxxxx?", ""),
    ("GET /api/devices/v1/commands/{id}/output/raw", "xxxxx?", ""),
    ("GET /api/devices/v1/commands/{id}/stream", "xxxxx?", ""),
    ("GET /api/devices/v1/devices", "xxxxx?", ""),
    ("GET /api/devices/v1/devices/{id}", "xxxxx?", ""),
    ("DELETE /api/devices/v1/devices/{id}", "xx-x-?", ""),
    ("PATCH /api/devices/v1/devices/{id}", "xx-x-?", "{}"),
    ("GET /api/devices/v1/devices/{id}/commands", "xxxxx?", ""),
    ("POST /api/devices/v1/devices/{id}/commands", "xx-x-?", r#"{"script":"true"}"#),
    ("GET /api/devices/v1/devices/{id}/inventory", "xxxxx?", ""),
    ("GET /api/devices/v1/devices/{id}/inventory/{section}", "xxxxx?", ""),
    ("GET /api/devices/v1/devices/{id}/inventory/{section}/history", "xxxxx?", ""),
    ("GET /api/devices/v1/events", "xxxxx?", ""),
    ("GET /api/monitoring/v1/alerts", "xxxx-?", ""),
    ("GET /api/monitoring/v1/channels", "xxxx-?", ""),
    ("POST /api/monitoring/v1/channels", "xx-x-?", r#"{"name":"","webhook_url":""}"#),
    ("DELETE /api/monitoring/v1/channels/{id}", "xx-x-?", ""),
    ("GET /api/monitoring/v1/devices/{id}/latest", "xxxx-?", ""),
    ("GET /api/monitoring/v1/live", "xxxx-?", ""),
    ("GET /api/monitoring/v1/rules", "xxxx-?", ""),
    ("POST /api/monitoring/v1/rules", "xx-x-?", r#"{"name":"","expr":"","severity":"warning"}"#),
    (
        "PUT /api/monitoring/v1/rules/{id}",
        "xx-x-?",
        r#"{"name":"","expr":"","severity":"warning"}"#,
    ),
    ("DELETE /api/monitoring/v1/rules/{id}", "xx-x-?", ""),
    // Not in the documents: the gateway's own, and Prometheus' API.
    ("GET /api/platform/v1/health", "xxxx-?", ""),
    ("GET /prometheus/api/v1/query?query=1", "xxxx-?", ""),
    ("GET /prometheus/api/v1/query_range?query=1&start=1&end=2&step=1", "xxxx-?", ""),
    ("GET /prometheus/api/v1/labels", "xxxx-?", ""),
    ("GET /prometheus/api/v1/label/job/values", "xxxx-?", ""),
    ("POST /prometheus/api/v1/write", "xx-x-?", ""),
    // Directories', which ask by a key.
    ("GET /scim/v2/ServiceProviderConfig", "---x-?", ""),
    ("GET /scim/v2/ResourceTypes", "---x-?", ""),
    ("GET /scim/v2/Schemas", "---x-?", ""),
    ("GET /scim/v2/Users", "---x-?", ""),
    ("POST /scim/v2/Users", "---x-?", "{}"),
    ("GET /scim/v2/Users/{id}", "---x-?", ""),
    ("PUT /scim/v2/Users/{id}", "---x-?", "{}"),
    ("PATCH /scim/v2/Users/{id}", "---x-?", "{}"),
    ("DELETE /scim/v2/Users/{id}", "---x-?", ""),
    ("GET /scim/v2/Groups", "---x-?", ""),
    ("POST /scim/v2/Groups", "---x-?", "{}"),
    ("GET /scim/v2/Groups/{id}", "---x-?", ""),
    ("PUT /scim/v2/Groups/{id}", "---x-?", "{}"),
    ("PATCH /scim/v2/Groups/{id}", "---x-?", "{}"),
    ("DELETE /scim/v2/Groups/{id}", "---x-?", ""),
    (
        "POST /api/auth/v1/me/password",
        "xxx--?",
        r#"{"current":"a wrong one","new":"a new long one"}"#,
    ),
    // Last: whoever is let in is out afterwards.
    ("POST /api/auth/v1/logout", "xxx--?", ""),
];

async fn json(server: &Server, path: &str, body: &Value) -> Response {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    server.peer().unwrap().call(request).await.unwrap()
}

/// The headers of a person who has just signed in.
pub(crate) async fn session(answer: Response) -> HeaderMap {
    assert_eq!(answer.status(), StatusCode::OK);
    let cookie = answer.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap().to_owned();
    assert!(cookie.starts_with(SESSION_COOKIE), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let me = body::read(answer.into_body(), 1 << 16).await.unwrap();
    let me: Me = serde_json::from_slice(&me).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
    headers.insert(CSRF_HEADER, HeaderValue::from_str(&me.csrf_token.unwrap()).unwrap());
    headers
}

pub(crate) async fn person(server: &Server, role: &str) -> HeaderMap {
    let email = format!("{role}@example.org");
    let (name, password) = (role.to_owned(), PASSWORD.to_owned());
    let user = NewUser { email: email.clone(), name, role: role.to_owned(), password };
    server.auth().unwrap().create_user(&user).await.unwrap();
    session(log_in(server, &email, PASSWORD).await).await
}

pub(crate) async fn log_in(server: &Server, email: &str, password: &str) -> Response {
    let typed = serde_json::json!({ "email": email, "password": password });
    json(server, "/api/auth/v1/login", &typed).await
}

fn key(secret: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {secret}")).unwrap();
    headers.insert(header::AUTHORIZATION, value);
    headers
}

/// One caller of each kind, in the order of [`CALLERS`].
async fn callers(server: &Server) -> [HeaderMap; 6] {
    let scoped = NewApiKey {
        name: "scoped".to_owned(),
        scopes: vec!["devices:read".to_owned()],
        expires_in_days: None,
    };
    let scoped = server.auth().unwrap().create_api_key(&scoped).await.unwrap();
    [
        person(server, "owner").await,
        person(server, "technician").await,
        person(server, "read_only").await,
        key(&server.key),
        key(&scoped.secret),
        HeaderMap::new(),
    ]
}

async fn ask(server: &Server, row: (&str, &str), caller: &HeaderMap) -> char {
    let (operation, body) = row;
    let (method, path) = operation.split_once(' ').unwrap();
    let parts = path.split('/').map(|part| if part.starts_with('{') { NO_ID } else { part });
    let path = parts.collect::<Vec<_>>().join("/");
    let mut request = Request::builder()
        .method(method.parse::<Method>().unwrap())
        .uri(&path)
        .body(Body::from(body.to_owned()))
        .unwrap();
    *request.headers_mut() = caller.clone();
    let (kind, encoding) = match path.as_str() {
        "/prometheus/api/v1/write" => ("application/x-protobuf", "snappy"),
        _ => ("application/json", "identity"),
    };
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    request.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    let once = HeaderValue::from_static("once");
    request.headers_mut().insert("idempotency-key", once);
    match server.peer().unwrap().call(request).await.unwrap().status() {
        StatusCode::UNAUTHORIZED => '?',
        StatusCode::FORBIDDEN => '-',
        status if status.is_server_error() => '!',
        _ => 'x',
    }
}

// ASVS 8.2.1, 8.3.1, 16.3.2
// B30.nobody, B30.role, B33.person, B34.scope, B36.refusals
#[tokio::test]
async fn each_operation_is_open_to_whom_it_should_be() {
    let mut server = Server::start().unwrap();
    let callers = callers(&server).await;
    let mut wrong = Vec::new();
    for (operation, wanted, body) in TABLE {
        let mut got = String::new();
        for caller in &callers {
            got.push(ask(&server, (operation, body), caller).await);
        }
        if got != wanted {
            wrong.push(format!("{operation}: {got}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{CALLERS:?}\n{}", wrong.join("\n"));
    // What was not allowed is on the audit trail, many of one caller as one line.
    let refusals = until("a refusal on the audit trail", || async {
        let trail = server.auth().unwrap().audit(None, 500).await.ok()?.items;
        let refused = trail.into_iter().filter(|it| it.action == "request");
        let refused: Vec<_> = refused.filter(|it| it.outcome == "refused").collect();
        (!refused.is_empty()).then_some(refused)
    })
    .await;
    // Each replica of the auth service writes its own.
    let replicas = if server.picture().is_some() { 2 } else { 1 };
    let refused: BTreeSet<_> = refusals.iter().map(|entry| &entry.actor).collect();
    assert!(
        refused.len() == 5 && refusals.len() <= 5 * replicas,
        "one line each, of those who were refused: {refusals:?}"
    );
    assert!(refusals.iter().all(|it| it.remote_address == "127.0.0.1"));
}

#[tokio::test]
async fn no_operation_is_without_an_expectation() {
    let server = Server::start().unwrap();
    let document: Value = server.client().unwrap().get("/api/openapi.json").await.unwrap();
    let known: BTreeSet<_> = TABLE.iter().map(|(operation, ..)| *operation).collect();
    let mut missing = Vec::new();
    for (path, operations) in document.get("paths").and_then(Value::as_object).unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let operation = format!("{} {path}", method.to_uppercase());
            if !known.contains(operation.as_str()) {
                missing.push(operation);
            }
        }
    }
    assert!(missing.is_empty(), "say in the table who may: {missing:?}");
}
