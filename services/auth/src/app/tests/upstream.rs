//! Signing in at another provider, as time passes: a provider on loopback, and a clock that is moved.

use std::sync::Mutex;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openframe_upstream::Back;
use openframe_webhook::Webhooks;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::*;
use crate::app::{NewProvider, UpstreamBegun};
use crate::domain::IdentityProvider;

struct Key(EcdsaKeyPair, &'static str);

impl Key {
    fn new(name: &'static str) -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(), name)
    }

    fn set(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|it| URL_SAFE_NO_PAD.encode(it));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": self.1, "x": x, "y": y }] })
    }

    fn sign(&self, claims: &Value) -> String {
        let head = json!({ "alg": "ES256", "kid": self.1 });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&head), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[derive(Default)]
struct Says {
    document: Value,
    keys: Value,
    token: String,
    asked_for_keys: usize,
}

type Provider = Arc<Mutex<Says>>;

async fn provider() -> (Provider, String) {
    let says = Provider::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    says.lock().unwrap().document = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"], "id_token_signing_alg_values_supported": ["ES256"],
    });
    let document = async |State(says): State<Provider>| says.lock().unwrap().document.to_string();
    let keys = async |State(says): State<Provider>| {
        let mut says = says.lock().unwrap();
        says.asked_for_keys += 1;
        says.keys.to_string()
    };
    let token = async |State(says): State<Provider>| {
        json!({ "id_token": says.lock().unwrap().token }).to_string()
    };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(document))
        .route("/jwks", get(keys))
        .route("/token", post(token))
        .with_state(Arc::clone(&says));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (says, url)
}

struct Elsewhere {
    world: World,
    says: Provider,
    at: IdentityProvider,
}

impl Elsewhere {
    async fn new(key: &Key) -> Self {
        openframe_pki::install_provider();
        let (says, issuer) = provider().await;
        says.lock().unwrap().keys = key.set();
        let mut world = world();
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let config = Config { url: "https://of.example".to_owned(), ..Config::default() };
        world.app = Auth { config: Arc::new(config), ..world.app }.asking_by(Webhooks::new(tls));
        let owner = world.resolve(&world.owner().await.secret).await.unwrap();
        let text = |text: &str| text.to_owned();
        let new = NewProvider {
            name: text("Corp"),
            issuer,
            client_id: text("me"),
            client_secret: text("hush"),
            scopes: None,
            domains: vec![text("example.org")],
            creates: text("technician"),
            trusts_mfa: false,
            enabled: true,
        };
        let at = world.app.create_identity_provider(&owner, new).await.unwrap();
        Self { world, says, at }
    }

    async fn begin(&self) -> (UpstreamBegun, Url) {
        let begun = self.world.app.begin_upstream(self.at.id, "/", &Origin::default()).await;
        let begun = begun.unwrap();
        let url = Url::parse(&begun.address).unwrap();
        (begun, url)
    }

    async fn finish(&self, (begun, url): &(UpstreamBegun, Url)) -> Result<Entered, Error> {
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1;
        let back = Back { state: Some(&state), code: Some("c"), ..Back::default() };
        let app = &self.world.app;
        app.finish_upstream(Some(&begun.held), back, None, &Origin::default()).await.entered
    }

    /// What comes of a sign-in whose token this key has signed.
    async fn sign_in(&self, key: &Key) -> Result<Entered, Error> {
        let begun = self.begin().await;
        let nonce = begun.1.query_pairs().find(|(name, _)| name == "nonce").unwrap().1.into_owned();
        let now = self.world.clock.clock().now().as_second();
        self.says.lock().unwrap().token = key.sign(&json!({
            "iss": self.at.issuer, "sub": "s", "aud": "me", "nonce": nonce, "iat": now,
            "exp": now + 300, "email": "bob@example.org", "email_verified": true,
        }));
        self.finish(&begun).await
    }
}

#[tokio::test]
async fn a_new_key_is_asked_for_once_a_minute_at_most() {
    let (first, next, stranger) = (Key::new("one"), Key::new("two"), Key::new("three"));
    let elsewhere = Elsewhere::new(&first).await;
    let asked = || elsewhere.says.lock().unwrap().asked_for_keys;
    let bob = whole(elsewhere.sign_in(&first).await.unwrap()).user;
    assert_eq!((bob.role, bob.email_verified, bob.has_password()), (Role::Technician, true, false));
    let before = asked();
    elsewhere.says.lock().unwrap().keys = next.set();
    assert!(matches!(elsewhere.sign_in(&next).await, Err(Error::BadUpstream)), "a moment ago");
    assert_eq!(asked(), before);
    elsewhere.world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(whole(elsewhere.sign_in(&next).await.unwrap()).user.id, bob.id);
    assert_eq!(asked(), before + 1);
    for _ in 0..5 {
        assert!(matches!(elsewhere.sign_in(&stranger).await, Err(Error::BadUpstream)));
    }
    assert_eq!(asked(), before + 1, "whoever makes names up has nobody asked");
    assert!(matches!(elsewhere.sign_in(&first).await, Err(Error::BadUpstream)), "it is gone");
}

// ASVS 10.5.1
#[tokio::test]
async fn a_try_is_over_after_ten_minutes() {
    let key = Key::new("one");
    let elsewhere = Elsewhere::new(&key).await;
    let begun = elsewhere.begin().await;
    elsewhere.world.clock.advance(SignedDuration::from_mins(10));
    assert!(matches!(elsewhere.finish(&begun).await, Err(Error::LateUpstream)));
    assert!(elsewhere.sign_in(&key).await.is_ok());
}

/// Whom the sign-in is of counts as known from when the provider says that it has asked for a proof.
#[tokio::test]
async fn a_sign_in_there_that_is_long_ago_is_not_fresh_here() {
    let key = Key::new("one");
    let elsewhere = Elsewhere::new(&key).await;
    let opened = whole(elsewhere.sign_in(&key).await.unwrap());
    let asked = elsewhere.world.resolve(&opened.secret).await.unwrap();
    assert!(elsewhere.world.app.fresh(&asked).await.is_ok(), "the provider does not say");
    let begun = elsewhere.begin().await;
    let nonce = begun.1.query_pairs().find(|(name, _)| name == "nonce").unwrap().1.into_owned();
    let now = elsewhere.world.clock.clock().now().as_second();
    elsewhere.says.lock().unwrap().token = key.sign(&json!({
        "iss": elsewhere.at.issuer, "sub": "s", "aud": "me", "nonce": nonce, "iat": now,
        "exp": now + 300, "auth_time": now - 3600,
    }));
    let opened = whole(elsewhere.finish(&begun).await.unwrap());
    let asked = elsewhere.world.resolve(&opened.secret).await.unwrap();
    assert!(matches!(elsewhere.world.app.fresh(&asked).await, Err(Error::StepUpNeeded)));
}
