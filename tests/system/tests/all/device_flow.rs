//! Programs on devices without a browser (B13).

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_system::Server;
use openframe_system::program::{
    FORM, Program, answer_of, ask, bearer, csrf_token, location, text,
};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::roles::person;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

struct World {
    server: Server,
    app: Program,
    ann: HeaderMap,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().unwrap();
        let ann = person(&server, "technician").await;
        let tv =
            json!({ "name": "tv", "redirect_uris": [], "public": true, "more_grants": [GRANT] });
        let app = Program::register(&server, &tv).await;
        Self { server, app, ann }
    }

    /// What the program gets that asks.
    async fn begin(&self) -> Value {
        let wanted = [("scope", "openid offline_access devices:read")];
        let asked = self.app.post(&self.server, "device_authorization", &wanted).await;
        assert_eq!(asked.status(), StatusCode::OK);
        answer_of(asked).await
    }

    async fn poll(&self, app: &Program, asked: &Value) -> Value {
        let code = text_of(asked, "device_code");
        let pairs = [("grant_type", GRANT), ("device_code", &code)];
        answer_of(app.post(&self.server, "token", &pairs).await).await
    }

    /// The error that the program is told.
    async fn told(&self, asked: &Value) -> String {
        text_of(&self.poll(&self.app, asked).await, "error")
    }

    async fn page(&self, who: &HeaderMap, code: &str) -> Response {
        let query = Serializer::new(String::new()).append_pair("user_code", code).finish();
        ask(&self.server, ("GET", &format!("/t/main/device?{query}")), who, "").await
    }

    async fn answer(&self, who: &HeaderMap, code: &str, (csrf, answer): (&str, &str)) -> Response {
        let pairs = [("user_code", code), ("csrf_token", csrf), ("answer", answer)];
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut headers = who.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        ask(&self.server, ("POST", "/t/main/device"), &headers, &form).await
    }

    /// Ann types the code in and answers.
    async fn answers(&self, code: &str, answer: &str) -> String {
        let token = csrf_token(self.page(&self.ann, code).await).await;
        text(self.answer(&self.ann, code, (&token, answer)).await).await
    }
}

fn text_of(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    assert!(found.is_some(), "{name} in {value}");
    found.unwrap().to_owned()
}

// B13.slow-down, B13.page
#[tokio::test]
async fn a_program_without_a_browser_gets_what_a_person_allows() {
    let world = World::new().await;
    let path = "/t/main/.well-known/openid-configuration";
    let found = answer_of(ask(&world.server, ("GET", path), &HeaderMap::new(), "").await).await;
    let endpoint = format!("{}/device_authorization", world.app.issuer);
    assert_eq!(found["device_authorization_endpoint"], endpoint);
    assert!(found["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    let asked = world.begin().await;
    let code = text_of(&asked, "user_code");
    assert_eq!(asked["verification_uri"], format!("{}/device", world.app.issuer));
    assert!(text_of(&asked, "verification_uri_complete").ends_with(&format!("={code}")));
    assert_eq!((&asked["expires_in"], &asked["interval"]), (&json!(600), &json!(5)));
    assert_eq!(world.told(&asked).await, "authorization_pending");
    assert_eq!(world.told(&asked).await, "slow_down");
    // Nobody is signed in: first that, then back with the code.
    let to = location(&world.page(&HeaderMap::new(), &code).await);
    assert!(to.starts_with("/t/main/sign-in?next=%2Ft%2Fmain%2Fdevice%3Fuser_code"), "{to}");
    // The page says who asks for what, and where from.
    let page = world.page(&world.ann, &code.to_lowercase().replace('-', " ")).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let page = text(page).await;
    for part in ["tv", "127.0.0.1", "see devices", "technician@example.org"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for csrf in ["", "forged"] {
        let answer = world.answer(&world.ann, &code, (csrf, "allow")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
    assert!(world.answers(&code, "allow").await.contains("The device is connected"));
    let other =
        json!({ "name": "other", "redirect_uris": [], "public": true, "more_grants": [GRANT] });
    let other = Program::register(&world.server, &other).await;
    assert_eq!(world.poll(&other, &asked).await["error"], "invalid_grant");
    let tokens = world.poll(&world.app, &asked).await;
    let access = text_of(&tokens, "access_token");
    let devices = ("GET", "/api/devices/v1/devices");
    let answer = ask(&world.server, devices, &bearer(&access), "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(tokens["id_token"].is_string() && tokens["refresh_token"].is_string());
    // Good once: shown again, all that came of it ends.
    assert_eq!(world.told(&asked).await, "invalid_grant");
    let refresh = text_of(&tokens, "refresh_token");
    let refreshed = answer_of(world.app.refresh(&world.server, &refresh).await).await;
    assert_eq!(refreshed["error"], "invalid_grant");
}

// B13.denied
#[tokio::test]
async fn a_person_says_no() {
    let world = World::new().await;
    let asked = world.begin().await;
    let code = text_of(&asked, "user_code");
    assert!(world.answers(&code, "deny").await.contains("has no access"));
    assert_eq!(world.told(&asked).await, "access_denied");
    let page = text(world.page(&world.ann, &code).await).await;
    assert!(page.contains("No program waits"), "one answer");
    let trail = world.server.auth().unwrap().audit(None, 100).await.unwrap().items;
    assert!(trail.iter().any(|entry| entry.action == "consent.deny"));
    assert!(trail.iter().any(|entry| entry.action == "device_code.create"));
}

// B13.guessed
#[tokio::test]
async fn codes_of_strangers_cannot_be_guessed() {
    let world = World::new().await;
    let asked = world.begin().await;
    let code = text_of(&asked, "user_code");
    for wrong in ["BCDF-GHJK", "x", "BBBB-BBBB", "ZZZZ-ZZZZ", "1"] {
        let page = world.page(&world.ann, wrong).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert!(text(page).await.contains("No program waits"), "{wrong}");
    }
    let page = world.page(&world.ann, &code).await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS, "also the right one");
    let bob = person(&world.server, "read_only").await;
    assert!(text(world.page(&bob, &code).await).await.contains("Do not allow"), "nobody else");
    let trail = world.server.auth().unwrap().audit(None, 100).await.unwrap().items;
    assert!(trail.iter().any(|it| it.action == "device_code.enter" && it.outcome == "refused"));
    // A program that is not registered for it does not even wait.
    let web = Program::register(&world.server, &json!({})).await;
    let answer = answer_of(web.post(&world.server, "device_authorization", &[]).await).await;
    assert_eq!(answer["error"], "unauthorized_client");
    let unknown =
        Program { id: "01912345-6789-7abc-8def-0123456789ab".to_owned(), ..world.app.clone() };
    let answer = unknown.post(&world.server, "device_authorization", &[]).await;
    assert_eq!(answer_of(answer).await["error"], "invalid_client");
}
