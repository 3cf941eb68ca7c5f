//! What programs send to the provider that is not as it should be, and what browsers are told besides.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_system::Server;
use openframe_system::program::{
    FORM, Program, answer_of, ask, csrf_token, text, without_own_script,
};
use serde_json::json;

use crate::roles::person;

/// Where programs post forms.
const ENDPOINTS: [&str; 5] = ["token", "introspect", "revoke", "par", "device_authorization"];

async fn post(
    server: &Server,
    app: &Program,
    (endpoint, kind): (&str, &str),
    body: &str,
) -> Response {
    let mut headers = app.basic();
    headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
    ask(server, ("POST", &format!("/t/main/{endpoint}")), &headers, body).await
}

// B09.duplicates, B19.duplicates, B19.json, B19.percent, B19.nul, B19.utf8
#[tokio::test]
async fn a_form_that_could_be_read_differently_is_refused_everywhere() {
    let server = Server::start().unwrap();
    let app = Program::register(&server, &json!({})).await;
    let id = &app.id;
    for endpoint in ENDPOINTS {
        for (kind, body) in [
            (FORM, format!("client_id={id}&client_id={id}")),
            (FORM, "scope=openid&scope=openid".to_owned()),
            (FORM, "grant_type=client_credentials&grant%5Ftype=password".to_owned()),
            ("application/json", json!({ "token": "x" }).to_string()),
            ("text/plain", "token=x".to_owned()),
            ("multipart/form-data; boundary=x", "token=x".to_owned()),
            (FORM, "token=%".to_owned()),
            (FORM, "token=%4".to_owned()),
            (FORM, "token=%zz".to_owned()),
            (FORM, "token=%00".to_owned()),
            (FORM, "token=x\0".to_owned()),
            (FORM, "token=%ff".to_owned()),
            (FORM, "token=%c3%28".to_owned()),
            (FORM, "token=%ed%a0%80".to_owned()),
            (FORM, "token=\u{e4}".to_owned()),
        ] {
            let answer = post(&server, &app, (endpoint, kind), &body).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{endpoint} {kind}: {body:?}");
            let told = answer_of(answer).await;
            assert_eq!(told["error"], "invalid_request", "{endpoint} {kind}: {body:?}");
        }
    }
    let ann = person(&server, "technician").await;
    for query in ["response_type=code&response_type=code", "state=%", "state=%00", "state=%ff"] {
        let path = format!("/t/main/authorize?client_id={id}&{query}");
        let answer = ask(&server, ("GET", &path), &ann, "").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(answer.headers().get(header::LOCATION), None, "{query}");
    }
}

// B19.large
#[tokio::test]
async fn a_form_of_a_megabyte_is_refused_and_the_next_is_read() {
    let server = Server::start().unwrap();
    let app = Program::register(&server, &json!({})).await;
    let large = format!("token={}", "x".repeat(1 << 20));
    let some = format!("token={}", "x".repeat(40 << 10));
    for endpoint in ENDPOINTS {
        let mut headers = app.basic();
        headers.insert(header::CONTENT_TYPE, FORM.parse().unwrap());
        let path = format!("/t/main/{endpoint}");
        let request = http::Request::post(&path).body(large.clone().into());
        let mut request: http::Request<axum::body::Body> = request.unwrap();
        *request.headers_mut() = headers;
        // It hangs up on a body that it does not want.
        if let Ok(answer) = server.peer().unwrap().call(request).await {
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{endpoint}");
        }
        let answer = post(&server, &app, (endpoint, FORM), &some).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{endpoint}");
    }
    let worth = post(&server, &app, ("introspect", FORM), "token=x").await;
    assert_eq!(answer_of(worth).await, json!({ "active": false }));
}

/// What an answer allows pages of other origins.
fn allowed(answer: &Response) -> Vec<&str> {
    let names = answer.headers().keys().map(header::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

// B20.cors
#[tokio::test]
async fn pages_of_other_origins_read_nothing() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let mut foreign = ann.clone();
    foreign.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
    let mut before = HeaderMap::new();
    before.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
    for (name, value) in [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-csrf-token"),
    ] {
        before.insert(name, HeaderValue::from_static(value));
    }
    for path in [
        "/api/auth/v1/me",
        "/api/devices/v1/devices",
        "/t/main/.well-known/openid-configuration",
        "/t/main/jwks",
        "/t/main/token",
        "/t/main/userinfo",
        "/t/main/sign-in",
        "/",
    ] {
        let read = ask(&server, ("GET", path), &foreign, "").await;
        assert_eq!(allowed(&read), [""; 0], "{path}");
        let asked = ask(&server, ("OPTIONS", path), &before, "").await;
        assert_eq!(allowed(&asked), [""; 0], "OPTIONS {path}");
    }
}

// B20.csp, B20.frames, B20.see-other
#[tokio::test]
async fn a_page_that_asks_is_in_no_frame_and_its_answer_is_not_posted_on() {
    let server = Server::start().unwrap();
    let ann = person(&server, "technician").await;
    let app = Program::register(&server, &json!({})).await;
    let sign_in = ask(&server, ("GET", "/t/main/sign-in?next=%2F"), &HeaderMap::new(), "").await;
    let asks = app.authorize(&server, &[], &ann).await;
    let logout = ask(&server, ("GET", "/t/main/logout"), &ann, "").await;
    let device = ask(&server, ("GET", "/t/main/device"), &ann, "").await;
    let mut pages = Vec::new();
    for page in [sign_in, logout, device, asks] {
        assert_eq!(page.status(), StatusCode::OK);
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action "] {
            assert!(policy.contains(part), "{policy}");
        }
        let policy = without_own_script(&server, policy);
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
        assert_eq!(page.headers()["x-frame-options"], "DENY");
        assert_eq!(page.headers()["x-content-type-options"], "nosniff");
        pages.push(page);
    }
    // Of each answer to a form that leads elsewhere.
    let csrf = csrf_token(pages.pop().unwrap()).await;
    let allowed = app.answer(&server, &ann, (&csrf, true)).await;
    assert_eq!(allowed.status(), StatusCode::SEE_OTHER);
    for page in pages {
        assert!(!without_own_script(&server, &text(page).await).contains("<script"));
    }
}
