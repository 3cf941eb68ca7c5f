//! Programs send people's browsers to log out: the modules of the `OpenID` Foundation's plan for
//! RP-initiated logout by their names, and what nobody may bring about (B17).

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_system::Server;
use openframe_system::program::{self, FORM, Program, answer_of, ask, location, text};
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::roles::person;

const AFTER: &str = "https://app.example.org/bye";
const LOGOUT: &str = "/t/main/logout";

/// A person who has signed in to a program.
struct World {
    server: Server,
    app: Program,
    ann: HeaderMap,
    id_token: String,
    access: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().unwrap();
        let ann = person(&server, "technician").await;
        let app =
            Program::register(&server, &json!({ "post_logout_redirect_uris": [AFTER] })).await;
        let (id_token, access) = tokens(&server, &app, &ann).await;
        Self { server, app, ann, id_token, access }
    }

    async fn get(&self, browser: &HeaderMap, pairs: &[(&str, &str)]) -> Response {
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        ask(&self.server, ("GET", &format!("{LOGOUT}?{query}")), browser, "").await
    }

    /// Whether Ann's session still opens the platform.
    async fn is_signed_in(&self) -> bool {
        let me = ask(&self.server, ("GET", "/api/auth/v1/me"), &self.ann, "").await;
        me.status() == StatusCode::OK
    }

    /// Ann answers the page that asks her.
    async fn answers(&self, page: Response, answer: &str) -> Response {
        let page = text(page).await;
        let value = |name: &str| {
            let rest = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
            rest.split('"').next().unwrap().replace("&amp;", "&")
        };
        let pairs = [
            ("request", &*value("request")),
            ("csrf_token", &*value("csrf_token")),
            ("answer", answer),
        ];
        self.post(&self.ann, &pairs).await
    }

    async fn post(&self, browser: &HeaderMap, pairs: &[(&str, &str)]) -> Response {
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut headers = browser.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        ask(&self.server, ("POST", LOGOUT), &headers, &form).await
    }

    /// An error page, no redirect, and Ann stays where she is.
    async fn is_refused(&self, pairs: &[(&str, &str)]) {
        let answer = self.get(&self.ann, pairs).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.headers().get(header::LOCATION), None);
        assert_eq!(answer.headers().get(header::SET_COOKIE), None);
        assert!(text(answer).await.contains("This does not work"));
        assert!(self.is_signed_in().await);
        let trail = self.server.auth().unwrap().audit(None, 100).await.unwrap().items;
        let refused = |it: &&openframe_auth_api::AuditEntry| it.outcome == "refused";
        assert!(trail.iter().filter(refused).any(|entry| entry.action == "session.end"));
    }

    /// The session is over, here and for the program.
    async fn is_over(&self, answer: &Response) {
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("=; ") && cookie.ends_with("Max-Age=0"), "{cookie}");
        assert!(!self.is_signed_in().await);
        let worth = self.app.post(&self.server, "introspect", &[("token", &self.access)]).await;
        assert_eq!(answer_of(worth).await, json!({ "active": false }));
    }
}

async fn tokens(server: &Server, app: &Program, who: &HeaderMap) -> (String, String) {
    let tokens = answer_of(app.exchange(server, &app.code(server, who).await).await).await;
    let text = |name: &str| tokens.get(name).unwrap().as_str().unwrap().to_owned();
    (text("id_token"), text("access_token"))
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    let world = World::new().await;
    let path = "/t/main/.well-known/openid-configuration";
    let found = answer_of(ask(&world.server, ("GET", path), &HeaderMap::new(), "").await).await;
    let endpoint = found["end_session_endpoint"].as_str().unwrap();
    assert_eq!(endpoint, format!("{}/logout", world.app.issuer));
}

// B17.front
#[tokio::test]
async fn oidcc_rp_initiated_logout() {
    let world = World::new().await;
    let pairs = [
        ("id_token_hint", &*world.id_token),
        ("post_logout_redirect_uri", AFTER),
        ("state", "a state"),
    ];
    let answer = world.get(&world.ann, &pairs).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), format!("{AFTER}?state=a+state"));
    world.is_over(&answer).await;
    let trail = world.server.auth().unwrap().audit(None, 100).await.unwrap().items;
    let ended = trail.iter().find(|entry| entry.action == "session.end").unwrap();
    assert_eq!(ended.detail, format!("from client {}", world.app.id));
    assert_eq!(ended.actor_kind, "user");
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    let world = World::new().await;
    for bad in ["https://evil.example/", "https://app.example.org/cb", "/bye", "javascript:x"] {
        let hint = ("id_token_hint", &*world.id_token);
        world.is_refused(&[hint, ("post_logout_redirect_uri", bad), ("state", "s")]).await;
    }
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    let world = World::new().await;
    let to = format!("{AFTER}?foo=bar");
    let hint = ("id_token_hint", &*world.id_token);
    world.is_refused(&[hint, ("post_logout_redirect_uri", &to)]).await;
}

// B17.forged
#[tokio::test]
async fn oidcc_rp_initiated_logout_modified_id_token_hint() {
    let world = World::new().await;
    let (body, signature) = world.id_token.rsplit_once('.').unwrap();
    let (first, rest) = signature.split_at(1);
    let first = if first == "A" { "B" } else { "A" };
    let hint = format!("{body}.{first}{rest}");
    world.is_refused(&[("id_token_hint", &hint), ("post_logout_redirect_uri", AFTER)]).await;
}

// B17.forged
#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_id_token_hint() {
    let world = World::new().await;
    for bad in ["invalid id_token_hint", "e30.e30.", &world.access] {
        world.is_refused(&[("id_token_hint", bad), ("post_logout_redirect_uri", AFTER)]).await;
    }
    let other = Program::register(&world.server, &json!({ "name": "other" })).await;
    let (hint, client) = (("id_token_hint", &*world.id_token), ("client_id", &*other.id));
    world.is_refused(&[hint, client]).await;
}

// B17.forced, B20.see-other
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let world = World::new().await;
    let to = ("post_logout_redirect_uri", AFTER);
    world.is_refused(&[to, ("state", "s")]).await;
    // Who names the client may send the browser on, but only a person logs that person out.
    let pairs = [("client_id", &*world.app.id), to, ("state", "s")];
    let page = world.get(&world.ann, &pairs).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(world.is_signed_in().await);
    let answer = world.answers(page, "leave").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), format!("{AFTER}?state=s"));
    world.is_over(&answer).await;
}

// B17.forced
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params() {
    let world = World::new().await;
    let page = world.get(&world.ann, &[]).await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert!(world.is_signed_in().await);
    let answer = world.answers(page, "leave").await;
    assert_eq!((answer.status(), answer.headers().get(header::LOCATION)), (StatusCode::OK, None));
    world.is_over(&answer).await;
    assert!(text(answer).await.contains("You are logged out"));
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let world = World::new().await;
    let pairs = [("id_token_hint", &*world.id_token), ("state", "s")];
    let answer = world.get(&world.ann, &pairs).await;
    assert_eq!((answer.status(), answer.headers().get(header::LOCATION)), (StatusCode::OK, None));
    world.is_over(&answer).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state() {
    let world = World::new().await;
    let pairs = [("id_token_hint", &*world.id_token), ("post_logout_redirect_uri", AFTER)];
    let answer = world.get(&world.ann, &pairs).await;
    assert_eq!((answer.status(), &*location(&answer)), (StatusCode::SEE_OTHER, AFTER));
    world.is_over(&answer).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_only_state() {
    let world = World::new().await;
    let page = world.get(&world.ann, &[("state", "s")]).await;
    let answer = world.answers(page, "stay").await;
    assert_eq!((answer.status(), answer.headers().get(header::SET_COOKIE)), (StatusCode::OK, None));
    assert!(world.is_signed_in().await, "she has said so");
}

// B17.forced
#[tokio::test]
async fn nobody_is_logged_out_by_others() {
    let world = World::new().await;
    // An ID token of another session of hers, and of another person, log nobody out unasked.
    let login =
        crate::roles::log_in(&world.server, "technician@example.org", crate::roles::PASSWORD);
    let later = crate::roles::session(login.await).await;
    let bob = person(&world.server, "read_only").await;
    let to = ("post_logout_redirect_uri", AFTER);
    for browser in [&later, &bob] {
        let page = world.get(browser, &[("id_token_hint", &world.id_token), to]).await;
        assert_eq!(page.status(), StatusCode::OK, "a page that asks");
        assert!(text(page).await.contains("Stay signed in"));
    }
    assert!(world.is_signed_in().await);
    // Without her cookie a hint is only a way back.
    let answer = world.get(&HeaderMap::new(), &[("id_token_hint", &world.id_token), to]).await;
    assert_eq!((answer.status(), &*location(&answer)), (StatusCode::SEE_OTHER, AFTER));
    assert!(world.is_signed_in().await);
    // A page of another origin posts: the browser comes back with its cookie, and is asked.
    let mut foreign = HeaderMap::new();
    foreign.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
    let answer = world.post(&foreign, &[("state", "s")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), format!("{LOGOUT}?state=s"));
    let mut forged = world.ann.clone();
    forged.insert(header::ORIGIN, HeaderValue::from_static("https://evil.example"));
    for csrf in ["forged", "x"] {
        let pairs = [("csrf_token", csrf), ("answer", "leave"), ("request", "")];
        assert_eq!(world.post(&forged, &pairs).await.status(), StatusCode::BAD_REQUEST);
    }
    assert!(world.is_signed_in().await);
    // Another program's token of this session is as good: it was given in it.
    let other = json!({ "name": "other", "post_logout_redirect_uris": [] });
    let other = Program::register(&world.server, &other).await;
    let (hint, _) = tokens(&world.server, &other, &world.ann).await;
    assert_eq!(program::claims(&hint)["sid"], program::claims(&world.id_token)["sid"]);
    let answer = world.get(&world.ann, &[("id_token_hint", &hint)]).await;
    world.is_over(&answer).await;
}
