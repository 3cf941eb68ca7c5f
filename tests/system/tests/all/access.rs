//! Who gets in, and who does not.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use openframe_auth_api::{CSRF_HEADER, UserChange};
use openframe_devices_api::DeviceQuery;
use openframe_fault::body;
use openframe_system::{Server, until};

use crate::roles::{PASSWORD, log_in, person, session};

#[tokio::test]
async fn the_owners_key_opens_every_service() {
    let server = Server::start().unwrap();
    let me = server.auth().unwrap().me().await.unwrap();
    assert_eq!(me.user.role, "owner");
    let all = DeviceQuery::default();
    assert!(server.devices().unwrap().devices(&all).await.unwrap().items.is_empty());
    let answer = server.monitoring().unwrap().query("1", None).await.unwrap();
    assert_eq!(answer["data"]["resultType"], "scalar");
}

// ASVS 8.2.1, 8.3.1
#[tokio::test]
async fn nobody_gets_in_without_a_key() {
    let server = Server::start().unwrap();
    let peer = server.peer().unwrap();
    let paths = [
        "/api/auth/v1/me",
        "/api/auth/v1/users",
        "/api/devices/v1/devices",
        "/api/monitoring/v1/live",
        "/prometheus/api/v1/query?query=1",
        "/api/platform/v1/health",
    ];
    for path in paths {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = peer.call(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn inner_paths_are_not_reached_from_outside() {
    let server = Server::start().unwrap();
    let peer = server.peer().unwrap();
    for path in ["/internal/v1/resolve", "/internal/v1/telemetry", "/agent/v1/renew"] {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header("authorization", format!("Bearer {}", server.key))
            .body(Body::empty())
            .unwrap();
        let answer = peer.call(request).await.unwrap();
        assert!(
            [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status()),
            "{path}: {}",
            answer.status()
        );
    }
}

#[tokio::test]
async fn refusals_name_their_request() {
    let server = Server::start().unwrap();
    let request = Request::builder()
        .uri("/api/devices/v1/devices/not-an-id")
        .header("authorization", format!("Bearer {}", server.key))
        .body(Body::empty())
        .unwrap();
    let answer = server.peer().unwrap().call(request).await.unwrap();
    let id = answer.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
    assert_eq!(answer.headers().get("content-type").unwrap(), "application/problem+json");
    let text = body::read(answer.into_body(), 4096).await.unwrap();
    let problem: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&problem["code"], &problem["request_id"]), (&"bad_path".into(), &id.into()));
}

/// What a browser with these headers gets.
async fn asks(
    server: &Server,
    (method, path): (&str, &str),
    of: &HeaderMap,
    body: &str,
) -> Response {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned()));
    let mut request = request.unwrap();
    *request.headers_mut() = of.clone();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    server.peer().unwrap().call(request).await.unwrap()
}

// B21.sign-in
#[tokio::test]
async fn a_stranger_is_told_what_a_wrong_password_is_told() {
    let server = Server::start().unwrap();
    person(&server, "technician").await;
    let people = server.auth().unwrap().users().await.unwrap().items;
    let technician = people.iter().find(|user| user.email == "technician@example.org").unwrap();
    let mut told = Vec::new();
    let mut sign_in = async |email: &str, password: &str| {
        let answer = log_in(&server, email, password).await;
        let status = answer.status();
        let mut headers: Vec<String> = answer.headers().keys().map(ToString::to_string).collect();
        headers.sort_unstable();
        let text = body::read(answer.into_body(), 4096).await.unwrap();
        let mut problem: serde_json::Value = serde_json::from_slice(&text).unwrap();
        problem.as_object_mut().unwrap().remove("request_id").unwrap();
        told.push((status, headers, problem));
    };
    sign_in("technician@example.org", "a wrong one").await;
    sign_in("nobody@example.org", "a wrong one").await;
    sign_in("nobody@example.org", PASSWORD).await;
    sign_in("technician@example.org", "").await;
    // Somebody who was there.
    let change = UserChange { disabled: Some(true), ..UserChange::default() };
    server.auth().unwrap().change_user(technician.id, &change).await.unwrap();
    sign_in("technician@example.org", PASSWORD).await;
    assert!(
        told.iter().all(|one| one.0 == StatusCode::UNAUTHORIZED && one == &told[0]),
        "{told:?}"
    );
}

// ASVS 6.2.2, 6.2.3, 7.4.1, 7.4.3
#[tokio::test]
async fn a_changed_password_signs_out_everywhere_else() {
    const ME: (&str, &str) = ("GET", "/api/auth/v1/me");
    const CHANGE: (&str, &str) = ("POST", "/api/auth/v1/me/password");
    let server = Server::start().unwrap();
    let (email, new) = ("technician@example.org", "a better long one");
    let here = person(&server, "technician").await;
    let other = session(log_in(&server, email, PASSWORD).await).await;
    let body = |current: &str| serde_json::json!({ "current": current, "new": new }).to_string();
    let wrong = asks(&server, CHANGE, &here, &body("a wrong one")).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let mut without = here.clone();
    without.remove(CSRF_HEADER);
    let forged = asks(&server, CHANGE, &without, &body(PASSWORD)).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    assert_eq!(asks(&server, ME, &other, "").await.status(), StatusCode::OK);

    let now = session(asks(&server, CHANGE, &here, &body(PASSWORD)).await).await;
    assert_eq!(asks(&server, ME, &now, "").await.status(), StatusCode::OK);
    for old in [&here, &other] {
        // A gateway believes a session for a second.
        until("the old sessions to end", || async {
            let status = asks(&server, ME, old, "").await.status();
            (status == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
    }
    assert_eq!(log_in(&server, email, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&server, email, new).await.status(), StatusCode::OK);
}

// ASVS 6.4.3, 7.4.3
#[tokio::test]
async fn a_password_link_lets_its_person_choose_once() {
    let server = Server::start().unwrap();
    let (email, new) = ("technician@example.org", "a better long one");
    let old = person(&server, "technician").await;
    let people = server.auth().unwrap().users().await.unwrap().items;
    let technician = people.iter().find(|user| user.email == email).unwrap();
    let link = server.auth().unwrap().create_password_link(technician.id).await.unwrap();
    let (_, token) = link.url.split_once("/password#token=").unwrap();
    let none = HeaderMap::new();
    let choose = async |token: &str, password: &str| {
        let body = serde_json::json!({ "token": token, "password": password }).to_string();
        asks(&server, ("POST", "/api/auth/v1/password"), &none, &body).await
    };
    assert_eq!(choose(token, "short").await.status(), StatusCode::BAD_REQUEST);
    let now = session(choose(token, new).await).await;
    assert_eq!(choose(token, new).await.status(), StatusCode::UNAUTHORIZED, "it was used");
    assert_eq!(choose("of_pl_", new).await.status(), StatusCode::UNAUTHORIZED);
    let me = ("GET", "/api/auth/v1/me");
    assert_eq!(asks(&server, me, &now, "").await.status(), StatusCode::OK);
    until("the old session to end", || async {
        let status = asks(&server, me, &old, "").await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(log_in(&server, email, PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&server, email, new).await.status(), StatusCode::OK);
}
