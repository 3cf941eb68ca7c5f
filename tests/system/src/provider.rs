//! A provider that people sign in at elsewhere (OpenID Connect), as good or as bad as a test wants it.

#![expect(clippy::unwrap_used, reason = "whoever asks in vain has failed")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::signer::{Signer, now};

/// What it answers when a code is shown.
#[derive(Debug, Clone, Default)]
pub enum Reply {
    /// This ID token.
    Token(String),
    /// The same, after more than anybody wants to read.
    Huge,
    /// That what was asked for is elsewhere.
    Elsewhere(&'static str),
    /// Nothing, for ever.
    Never,
    /// That it takes no such code.
    #[default]
    No,
}

#[derive(Debug, Default)]
struct Says {
    document: Value,
    keys: Value,
    reply: Reply,
    /// How often its keys were fetched.
    keys_asked: usize,
    /// The last form that came with a code.
    form: String,
}

/// A provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What it calls itself.
    pub url: String,
    /// Its key.
    pub signer: Arc<Signer>,
    says: Arc<Mutex<Says>>,
}

async fn document(State(provider): State<Provider>) -> Response {
    axum::Json(provider.says.lock().unwrap().document.clone()).into_response()
}

async fn keys(State(provider): State<Provider>) -> Response {
    let mut says = provider.says.lock().unwrap();
    says.keys_asked += 1;
    axum::Json(says.keys.clone()).into_response()
}

async fn token(State(provider): State<Provider>, form: String) -> Response {
    let reply = {
        let mut says = provider.says.lock().unwrap();
        says.form = form;
        says.reply.clone()
    };
    let answer = |token: &str| json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token });
    match reply {
        Reply::Token(token) => axum::Json(answer(&token)).into_response(),
        Reply::Huge => axum::Json(answer(&"x".repeat(1 << 20))).into_response(),
        Reply::Elsewhere(to) => Redirect::temporary(to).into_response(),
        Reply::Never => std::future::pending().await,
        Reply::No => {
            let body = axum::Json(json!({ "error": "invalid_grant" }));
            (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], body).into_response()
        }
    }
}

impl Provider {
    /// A provider on loopback that says what a good one says.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let signer = Arc::new(Signer::default());
        let provider = Self { url, signer, says: Arc::default() };
        provider.describe(&json!({}));
        provider.show_keys(&[("one", &provider.signer)]);
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// Says of itself what a good one says, with these changes.
    pub fn describe(&self, changes: &Value) {
        let url = &self.url;
        let mut document = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.says.lock().unwrap().document = document;
    }

    /// Shows these keys, by their names.
    pub fn show_keys(&self, keys: &[(&str, &Signer)]) {
        let named = |(name, key): &(&str, &Signer)| {
            let mut jwk = key.jwk();
            jwk.as_object_mut()
                .unwrap()
                .extend([("kid".to_owned(), json!(name)), ("use".to_owned(), json!("sig"))]);
            jwk
        };
        let keys: Vec<Value> = keys.iter().map(named).collect();
        self.says.lock().unwrap().keys = json!({ "keys": keys });
    }

    /// What it answers from now on.
    pub fn reply(&self, reply: Reply) {
        self.says.lock().unwrap().reply = reply;
    }

    /// How often its keys were fetched.
    pub fn keys_asked(&self) -> usize {
        self.says.lock().unwrap().keys_asked
    }

    /// The last form that came with a code.
    pub fn form(&self) -> String {
        self.says.lock().unwrap().form.clone()
    }

    /// What it says of a person to `client` in the try with this nonce, with these changes.
    pub fn claims(&self, (client, nonce): (&str, &str), changes: &Value) -> Value {
        let mut claims = json!({
            "iss": self.url, "sub": "s-1", "aud": client, "nonce": nonce, "iat": now(),
            "exp": now() + 300, "email": "ann@example.org", "email_verified": true, "name": "Ann",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    }

    /// An ID token that says so.
    pub fn signed(&self, claims: &Value) -> String {
        self.signer.sign(&json!({ "alg": "ES256", "typ": "JWT", "kid": "one" }), claims)
    }
}
