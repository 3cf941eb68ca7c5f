//! A program that asks for access (OAuth), and the browser that it sends.

#![expect(clippy::unwrap_used, reason = "whoever asks in vain has failed")]

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Request, header};
use openframe_auth_api::NewUser;
use openframe_fault::body;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::Server;

/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// What goes before it.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Where browsers are sent back to.
pub const REDIRECT: &str = "https://app.example.org/cb";
/// The kind of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A program that was registered.
#[derive(Debug, Clone)]
pub struct Program {
    /// The `client_id`.
    pub id: String,
    /// The secret; none for a public one.
    pub secret: Option<String>,
    /// What the provider calls itself.
    pub issuer: String,
    /// Where it has browsers sent back to.
    pub redirect: String,
}

/// What whoever has these headers gets. Redirects are not followed.
pub async fn ask(
    server: &Server,
    (method, path): (&str, &str),
    headers: &HeaderMap,
    body: &str,
) -> Response {
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned()));
    let mut request = request.unwrap();
    *request.headers_mut() = headers.clone();
    server.peer().unwrap().call(request).await.unwrap()
}

/// An answer in JSON.
pub async fn answer_of(answer: Response) -> Value {
    let text = body::read(answer.into_body(), 1 << 16).await.unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Headers that show a token.
pub fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

/// Somebody who has just signed in, as a browser.
pub async fn signed_in(server: &Server, (email, password): (&str, &str)) -> HeaderMap {
    let typed = json!({ "email": email, "password": password }).to_string();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    let answer = ask(server, ("POST", "/api/auth/v1/login"), &headers, &typed).await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    let mut browser = HeaderMap::new();
    browser.insert(header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
    browser
}

/// Where a browser is sent.
pub fn location(answer: &Response) -> String {
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

/// What the program is told by the address that a browser is sent to.
pub fn value_of(answer: &Response, name: &str) -> Option<String> {
    let url = Url::parse(&location(answer)).unwrap();
    let mut pairs = url.query_pairs().filter(|(key, _)| key == name);
    pairs.next().map(|(_, value)| value.into_owned())
}

/// What a token says, unchecked.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// An answer as text.
pub async fn text(answer: Response) -> String {
    let text = body::read(answer.into_body(), 1 << 16).await.unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

/// A page, or the policy it comes with, without the one script that our pages may have: that of passkeys.
pub fn without_own_script(server: &Server, text: &str) -> String {
    let at = format!("{}/t/main/passkey.js", server.url);
    let policy =
        format!("script-src {at}; require-trusted-types-for 'script'; trusted-types 'none'; ");
    text.replace(&format!("<script src=\"{at}\" defer></script>"), "").replace(&policy, "")
}

/// The token of a page that asks a person.
pub async fn csrf_token(page: Response) -> String {
    let page = text(page).await;
    let token = page.split_once("name=\"csrf_token\" value=\"").unwrap().1;
    token.split('"').next().unwrap().to_owned()
}

async fn answered(
    server: &Server,
    who: &HeaderMap,
    (request, csrf, allow): (&str, &str, bool),
) -> Response {
    let answer = if allow { "allow" } else { "deny" };
    let pairs = [("request", request), ("csrf_token", csrf), ("answer", answer)];
    let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut headers = who.clone();
    headers.insert(header::CONTENT_TYPE, FORM.parse().unwrap());
    ask(server, ("POST", "/t/main/authorize"), &headers, &form).await
}

impl Program {
    /// Registers a program, which is told apart from the usual one by `with`.
    pub async fn register(server: &Server, with: &Value) -> Self {
        let mut new = json!({
            "name": "app",
            "redirect_uris": [REDIRECT],
            "scopes": ["openid", "email", "profile", "offline_access", "devices:read"],
        });
        new.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let new = serde_json::from_value(new).unwrap();
        let made = server.auth().unwrap().create_oauth_client(&new).await.unwrap();
        let (id, redirect) = (made.client.id.to_string(), REDIRECT.to_owned());
        Self { id, secret: made.secret, issuer: made.issuer, redirect }
    }

    /// Its request, with these parameters in the place of its own; an empty one is left out.
    fn request(&self, with: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect),
            ("scope", "openid email offline_access devices:read"),
            ("state", "a state"),
            ("nonce", "a nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        pairs.retain(|(name, _)| !with.iter().any(|(other, _)| name == other));
        pairs.extend(with.iter().filter(|(_, value)| !value.is_empty()));
        Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// Sends a browser.
    pub async fn authorize(
        &self,
        server: &Server,
        with: &[(&str, &str)],
        browser: &HeaderMap,
    ) -> Response {
        let path = format!("/t/main/authorize?{}", self.request(with));
        ask(server, ("GET", &path), browser, "").await
    }

    /// A person answers the page, with its token.
    pub async fn consent(&self, server: &Server, who: &HeaderMap, allow: bool) -> Response {
        let page = self.authorize(server, &[], who).await;
        if page.headers().contains_key(header::LOCATION) {
            return page;
        }
        self.answer(server, who, (&csrf_token(page).await, allow)).await
    }

    /// A person allows what the page asks, which was shown for `request`.
    pub async fn allow(
        &self,
        server: &Server,
        (who, page): (&HeaderMap, Response),
        request: &str,
    ) -> Response {
        if page.headers().contains_key(header::LOCATION) {
            return page;
        }
        answered(server, who, (request, &csrf_token(page).await, true)).await
    }

    /// Somebody answers the page.
    pub async fn answer(
        &self,
        server: &Server,
        who: &HeaderMap,
        (csrf, allow): (&str, bool),
    ) -> Response {
        answered(server, who, (&self.request(&[]), csrf, allow)).await
    }

    /// A person who has just signed in to the server, as a browser.
    pub async fn person(&self, server: &Server) -> HeaderMap {
        let (email, password) = ("ann@example.org", "a good long one");
        let user = NewUser {
            email: email.to_owned(),
            name: "Ann".to_owned(),
            role: "technician".to_owned(),
            password: password.to_owned(),
        };
        server.auth().unwrap().create_user(&user).await.unwrap();
        signed_in(server, (email, password)).await
    }

    /// A code that a person has allowed.
    pub async fn code(&self, server: &Server, who: &HeaderMap) -> String {
        value_of(&self.consent(server, who, true).await, "code").unwrap()
    }

    /// How it shows who it is.
    pub fn basic(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(secret) = &self.secret {
            let shown = STANDARD.encode(format!("{}:{secret}", self.id));
            headers.insert(header::AUTHORIZATION, format!("Basic {shown}").parse().unwrap());
        }
        headers
    }

    /// Asks an endpoint of the provider.
    pub async fn post(&self, server: &Server, endpoint: &str, pairs: &[(&str, &str)]) -> Response {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(pairs);
        if self.secret.is_none() {
            form.append_pair("client_id", &self.id);
        }
        let mut headers = self.basic();
        headers.insert(header::CONTENT_TYPE, FORM.parse().unwrap());
        ask(server, ("POST", &format!("/t/main/{endpoint}")), &headers, &form.finish()).await
    }

    /// Shows a code, with all that goes with it.
    pub async fn exchange(&self, server: &Server, code: &str) -> Response {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", VERIFIER),
        ];
        self.post(server, "token", &form).await
    }

    /// Shows a refresh token.
    pub async fn refresh(&self, server: &Server, token: &str) -> Response {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post(server, "token", &form).await
    }
}
