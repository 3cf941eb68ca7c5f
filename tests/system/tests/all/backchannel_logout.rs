//! Programs are told that a session has ended: the modules of the `OpenID` Foundation's plan for
//! back-channel logout by their names, and whatever ends a session (B17).

use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use openframe_auth_api::UserChange;
use openframe_system::program::{self, Program, answer_of, ask};
use openframe_system::{Server, until};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::form_urlencoded;

use crate::roles::{PASSWORD, log_in, person, session};

/// A program's server: the logout tokens that it was sent, and what it answers now.
#[derive(Clone)]
struct Listener {
    got: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<StatusCode>>,
}

async fn told(State(listener): State<Listener>, headers: HeaderMap, body: String) -> StatusCode {
    assert_eq!(headers.get(header::CONTENT_TYPE).unwrap(), program::FORM);
    let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let [(name, token)] = <[(String, String); 1]>::try_from(pairs).unwrap();
    assert_eq!(name, "logout_token");
    listener.got.lock().unwrap().push(token);
    *listener.answer.lock().unwrap()
}

impl Listener {
    async fn start() -> (Self, String) {
        let answer = Arc::new(Mutex::new(StatusCode::OK));
        let listener = Self { got: Arc::default(), answer };
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/told", socket.local_addr().unwrap());
        let router = Router::new().route("/told", post(told)).with_state(listener.clone());
        tokio::spawn(async move { axum::serve(socket, router).await });
        (listener, address)
    }

    /// The first token about this session.
    async fn about(&self, sid: &Value) -> String {
        until("the program to be told", || async {
            let got = self.got.lock().unwrap().clone();
            got.into_iter().find(|token| program::claims(token).get("sid") == Some(sid))
        })
        .await
    }
}

struct World {
    server: Server,
    listener: Listener,
    app: Program,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().unwrap();
        let (listener, address) = Listener::start().await;
        let app = Program::register(&server, &json!({ "backchannel_logout_uri": address })).await;
        Self { server, listener, app }
    }

    /// What a person's ID token says who signs in to the program.
    async fn sign_in(&self, browser: &HeaderMap) -> Value {
        let code = self.app.code(&self.server, browser).await;
        let tokens = answer_of(self.app.exchange(&self.server, &code).await).await;
        program::claims(tokens.get("id_token").unwrap().as_str().unwrap())
    }

    async fn technician(&self) -> HeaderMap {
        session(log_in(&self.server, "technician@example.org", PASSWORD).await).await
    }
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn part<'a>(of: &'a Value, name: &str) -> &'a Value {
    of.get(name).unwrap_or(&Value::Null)
}

/// Checks a token as a program does (Back-Channel Logout, 2.6).
async fn check(world: &World, token: &str, id_token: &Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let head: Value = serde_json::from_slice(&decode(head)).unwrap();
    assert_eq!((part(&head, "typ"), part(&head, "alg")), (&json!("logout+jwt"), &json!("ES256")));
    let keys = answer_of(ask(&world.server, ("GET", "/t/main/jwks"), &HeaderMap::new(), "").await);
    let keys = keys.await;
    let mut keys = part(&keys, "keys").as_array().unwrap().iter();
    let key = keys.find(|key| part(key, "kid") == part(&head, "kid")).unwrap();
    let coordinate = |name: &str| decode(part(key, name).as_str().unwrap());
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &decode(signature)).unwrap();
    let claims = program::claims(token);
    for name in ["iss", "aud", "sub", "sid"] {
        assert_eq!(part(&claims, name), part(id_token, name), "{name}");
    }
    let at = |name: &str| part(&claims, name).as_i64().unwrap();
    assert_eq!(at("exp") - at("iat"), 120);
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    assert_eq!(part(&claims, "events"), &event);
    assert!(part(&claims, "jti").is_string() && claims.get("nonce").is_none());
}

#[tokio::test]
async fn oidcc_backchannel_logout_discovery_endpoint_verification() {
    let server = Server::start().unwrap();
    let path = "/t/main/.well-known/openid-configuration";
    let found = answer_of(ask(&server, ("GET", path), &HeaderMap::new(), "").await).await;
    for name in ["backchannel_logout_supported", "backchannel_logout_session_supported"] {
        assert_eq!(found[name], true, "{name}");
    }
    for bad in ["http://app.example.org/told", "https://app.example.org/told#x", "ftp://x/"] {
        let new = json!({
            "name": "app", "redirect_uris": [program::REDIRECT], "scopes": ["openid"],
            "backchannel_logout_uri": bad,
        });
        let new = serde_json::from_value(new).unwrap();
        assert!(server.auth().unwrap().create_oauth_client(&new).await.is_err(), "{bad}");
    }
}

// B17.back-channel
#[tokio::test]
async fn oidcc_backchannel_rp_initiated_logout() {
    let world = World::new().await;
    let ann = person(&world.server, "technician").await;
    let code = world.app.code(&world.server, &ann).await;
    let tokens = answer_of(world.app.exchange(&world.server, &code).await).await;
    let hint = tokens.get("id_token").unwrap().as_str().unwrap();
    let path = format!("/t/main/logout?id_token_hint={hint}");
    assert_eq!(ask(&world.server, ("GET", &path), &ann, "").await.status(), StatusCode::OK);
    let id_token = program::claims(hint);
    let token = world.listener.about(&id_token["sid"]).await;
    check(&world, &token, &id_token).await;
}

// B17.back-channel
#[tokio::test]
async fn whatever_ends_a_session_is_told() {
    let world = World::new().await;
    let (server, auth) = (&world.server, world.server.auth().unwrap());
    let first = person(server, "technician").await;
    let user = auth.users().await.unwrap().items;
    let user = user.iter().find(|user| user.email == "technician@example.org").unwrap().id;
    let mut ended = Vec::new();
    for (step, browser) in [
        ("log out", first),
        ("revoke", world.technician().await),
        ("sign in again", world.technician().await),
        ("disable", world.technician().await),
    ] {
        let id_token = world.sign_in(&browser).await;
        let sid = id_token["sid"].clone();
        let mut headers = browser.clone();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        let typed = json!({ "email": "technician@example.org", "password": PASSWORD }).to_string();
        match step {
            "log out" => drop(ask(server, ("POST", "/api/auth/v1/logout"), &headers, "").await),
            "revoke" => auth.revoke_session(sid.as_str().unwrap().parse().unwrap()).await.unwrap(),
            "sign in again" => {
                drop(ask(server, ("POST", "/api/auth/v1/login"), &headers, &typed).await);
            }
            _ => {
                let change = UserChange { disabled: Some(true), ..UserChange::default() };
                auth.change_user(user, &change).await.unwrap();
            }
        }
        check(&world, &world.listener.about(&sid).await, &id_token).await;
        ended.push(sid);
    }
    let got = world.listener.got.lock().unwrap().clone();
    let got: Vec<Value> = got.iter().map(|token| program::claims(token)["sid"].clone()).collect();
    assert_eq!(got, ended, "once each");
}

#[tokio::test]
async fn a_program_that_is_away_is_told_later() {
    let mut world = World::new().await;
    let ann = person(&world.server, "technician").await;
    let id_token = world.sign_in(&ann).await;
    *world.listener.answer.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
    ask(&world.server, ("POST", "/api/auth/v1/logout"), &ann, "").await;
    world.listener.about(&id_token["sid"]).await;
    // What is to be told is kept, whoever dies.
    world.server.crash_a_part(6).unwrap();
    let before = world.listener.got.lock().unwrap().len();
    *world.listener.answer.lock().unwrap() = StatusCode::OK;
    until("the program to be told once more", || async {
        (world.listener.got.lock().unwrap().len() > before).then_some(())
    })
    .await;
    let token = world.listener.got.lock().unwrap().last().unwrap().clone();
    // One process alone comes back at another port.
    let mut id_token = id_token;
    if world.server.picture().is_none() {
        id_token["iss"] = json!(format!("{}/t/main", world.server.url));
    }
    check(&world, &token, &id_token).await;
}
