//! Every operation of the API documents, asked as no honest client would.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use openframe_auth_api::NewApiKey;
use openframe_system::Server;
use openframe_system::program::{Program, answer_of};
use serde_json::{Value, json};

use crate::roles::person;

/// What a client sees when the server hangs up on a body that it does not want.
const HUNG_UP: StatusCode = StatusCode::PAYLOAD_TOO_LARGE;
/// Operations that anybody may ask: they are how one becomes somebody, or public.
const OPEN: [&str; 16] = [
    "/api/auth/v1/setup",
    "/api/auth/v1/login",
    "/api/auth/v1/login/code",
    "/api/auth/v1/login/code/options",
    "/api/auth/v1/login/passkey",
    "/api/auth/v1/login/passkey/options",
    "/api/auth/v1/login/totp",
    "/api/auth/v1/login/totp/confirm",
    "/agent/v1/enrol",
    "/agent/v1/recover",
    "/api/auth/v1/password",
    "/api/auth/v1/password/forgot",
    "/api/auth/v1/devices.crl",
    "/api/auth/v1/trust-bundle.pem",
    "/api/auth/v1/invitation",
    "/api/auth/v1/email",
];
/// They answer until the caller leaves.
const STREAMS: [&str; 3] = ["/live", "/events", "/stream"];

/// Method and address of each operation, with an id that nothing has.
async fn operations(server: &Server) -> Vec<(Method, String)> {
    let document: Value = server.client().unwrap().get("/api/openapi.json").await.unwrap();
    let paths = document.get("paths").and_then(Value::as_object).unwrap();
    let mut all = Vec::new();
    for (path, operations) in paths {
        let parts = path.split('/').map(|part| {
            let named = part.starts_with('{');
            if named { "01912345-6789-7abc-8def-0123456789ab" } else { part }
        });
        let path = parts.collect::<Vec<_>>().join("/");
        for method in operations.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse::<Method>();
            all.extend(method.ok().map(|method| (method, path.clone())));
        }
    }
    all
}

async fn status(
    server: &Server,
    (method, path): &(Method, String),
    key: Option<&str>,
    body: Vec<u8>,
) -> StatusCode {
    let mut request = Request::builder().method(method.clone()).uri(path);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let request = request.header("content-type", "application/json");
    let request = request.header("idempotency-key", "the same").body(Body::from(body)).unwrap();
    let answer = server.peer().unwrap().call(request).await;
    answer.map_or(HUNG_UP, |answer| answer.status())
}

// ASVS 8.2.1, 8.3.1
// B30.nobody
#[tokio::test]
async fn nobody_is_told_anything() {
    let server = Server::start().unwrap();
    let all = operations(&server).await;
    assert!(all.len() > 40, "{}", all.len());
    for operation in all {
        let (_, path) = &operation;
        if OPEN.contains(&path.as_str()) || path == "/agent/v1/renew" {
            continue;
        }
        for key in [None, Some("of_ak_wrong"), Some("\u{e9}")] {
            let status = status(&server, &operation, key, Vec::new()).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{operation:?} {key:?}");
        }
    }
}

/// Secrets that were good, or are good elsewhere.
async fn worthless(server: &mut Server) -> Vec<(&'static str, String)> {
    let auth = server.auth().unwrap();
    let key = async |name: &str| {
        let scopes = vec!["devices:read".to_owned()];
        let wanted = NewApiKey { name: name.to_owned(), scopes, expires_in_days: Some(1) };
        auth.create_api_key(&wanted).await.unwrap()
    };
    let (revoked, over) = (key("revoked").await, key("over").await);
    auth.revoke_api_key(revoked.key.id).await.unwrap();
    let database = server.auth_database().await.unwrap();
    database.run("update api_keys set expires_ms = 1 where name = 'over'").await.unwrap();
    let ann = person(server, "technician").await;
    let app = Program::register(server, &json!({})).await;
    let tokens = answer_of(app.exchange(server, &app.code(server, &ann).await).await).await;
    let text = |name: &str| tokens.get(name).and_then(Value::as_str).unwrap().to_owned();
    let cookie = ann.get("cookie").unwrap().to_str().unwrap().split_once('=').unwrap().1.to_owned();
    vec![
        ("a revoked key", revoked.secret),
        ("a key that is over", over.secret),
        ("an ID token", text("id_token")),
        ("a refresh token", text("refresh_token")),
        ("a session that is shown as a key", cookie),
        ("an enrolment token", server.enrolment_token(1).await.unwrap()),
        ("a program's secret", app.secret.unwrap()),
    ]
}

// B30.revoked, B30.expired, B30.audience
#[tokio::test]
async fn what_is_over_or_good_elsewhere_opens_nothing() {
    let mut server = Server::start().unwrap();
    let secrets = worthless(&mut server).await;
    for operation in operations(&server).await {
        let (_, path) = &operation;
        if OPEN.contains(&path.as_str()) || path == "/agent/v1/renew" {
            continue;
        }
        for (what, secret) in &secrets {
            let status = status(&server, &operation, Some(secret), Vec::new()).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{operation:?} with {what}");
        }
    }
}

#[tokio::test]
async fn no_body_breaks_a_route() {
    let server = Server::start().unwrap();
    let deep = "[".repeat(200_000).into_bytes();
    let bodies: [(&str, Vec<u8>); 6] = [
        ("nothing", Vec::new()),
        ("no JSON", b"\xff\xfe{".to_vec()),
        ("another type", b"[1,2,3]".to_vec()),
        ("unknown names", br#"{"nobody":{"knows":"this"}}"#.to_vec()),
        ("nested deeply", deep),
        ("too large", vec![b' '; 3 << 20]),
    ];
    for operation in operations(&server).await {
        let (method, path) = &operation;
        if STREAMS.iter().any(|end| path.ends_with(end)) || path.ends_with("/logout") {
            continue;
        }
        for (what, body) in &bodies {
            let status = status(&server, &operation, Some(&server.key), body.clone()).await;
            assert!(!status.is_server_error(), "{operation:?}, {what}: {status}");
            let changes = *method == Method::POST || *method == Method::PUT;
            let bodiless = ["/cancel", "/options"].iter().any(|end| path.ends_with(end));
            if changes && *what != "nothing" && !bodiless {
                assert!(status.is_client_error(), "{operation:?}, {what}: {status}");
            }
        }
    }
    assert!(server.auth().unwrap().me().await.is_ok(), "the server goes on");
}
