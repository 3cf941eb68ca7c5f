//! OAuth 2.1 and OpenID Connect on the wire. Not in the API's document: programs find it out by the
//! provider's own (RFC 8414).

mod device;
mod logout;

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts as _, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use openframe_auth_api::{AUTHORIZATION_SHOWN, BadProof, proof_of_key};
use openframe_oauth::dpop::ALGORITHMS as DPOP_ALGORITHMS;
use openframe_oauth::{Code, Form, Refusal, id_token, metadata};
use openframe_tokens::Permission;
use serde_json::{Value, json};

use super::sign_in::session_cookie;
use super::{header_text, pages, sign_in_page};
use crate::Auth;
use crate::app::{
    Answered, Introspected, KeyProof, OAuthError, Origin, PushedAnswer, Sent, Tokens,
};
use crate::error::Error;

/// The provider's paths, below `PROVIDER`.
pub(super) fn routes(app: &Auth) -> Router<Auth> {
    if !app.has_issuer() {
        return Router::new().route("/t/{*path}", any(nameless));
    }
    let provider = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(keys))
        .route("/authorize", get(authorize).post(answer))
        .route("/par", post(push))
        .route("/device_authorization", post(device::authorization))
        .route("/device", get(device::show).post(device::answer))
        .route("/logout", get(logout::show).post(logout::answer))
        .route("/token", post(token))
        .route("/introspect", post(introspect))
        .route("/revoke", post(revoke))
        .route("/userinfo", get(user_info).post(user_info))
        .merge(sign_in_page::routes());
    Router::new()
        .nest(openframe_auth_api::PROVIDER, provider)
        // RFC 8414, 3.1: the well-known path comes before the issuer's.
        .route(openframe_auth_api::PROVIDER_METADATA, get(discovery))
}

/// A provider that does not know what it is called cannot say so in any token.
async fn nameless() -> Response {
    let description = "set `url` in the platform's settings: the address that people reach it at";
    failed(&Refusal::new(Code::ServerError, description).into())
}

async fn discovery(State(app): State<Auth>) -> Response {
    let permissions = Permission::ALL.into_iter().map(Permission::as_str);
    let document = metadata(&app.issuer(), permissions);
    cached(axum::Json(document).into_response(), "public, max-age=3600")
}

async fn keys(State(app): State<Auth>) -> Response {
    match app.signing_keys().await {
        Ok(keys) => {
            let keys = axum::Json(id_token::key_set(keys.iter())).into_response();
            // Not longer: a key may have to be taken out of use.
            cached(keys, "public, max-age=30")
        }
        Err(error) => failed(&error.into()),
    }
}

/// What may be read by everybody, and is the same for some time.
pub(super) fn cached(mut response: Response, how_long: &'static str) -> Response {
    let value = HeaderValue::from_static(how_long);
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

async fn authorize(
    State(app): State<Auth>,
    RawQuery(query): RawQuery,
    origin: Origin,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let answered = app.authorize(query.as_bytes(), session_cookie(&headers), &origin).await;
    page(answered, &query)
}

/// What a person has answered to the page that asked.
async fn answer(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Posted(form): Posted,
) -> Response {
    let text = |name| form.get(name).unwrap_or_default();
    let (query, allowed) = (text("request"), text("answer") == "allow");
    let cookie = session_cookie(&headers);
    let answered =
        app.consent((query.as_bytes(), allowed), text("csrf_token"), cookie, &origin).await;
    page(answered, query)
}

fn page(answered: Result<Answered, Error>, query: &str) -> Response {
    match answered {
        Ok(Answered::Redirect(to)) => go_to(&to),
        Ok(Answered::SignIn(query)) => sign_in_first(&format!("authorize?{query}")),
        Ok(Answered::Consent(asked)) => pages::consent(&asked, query),
        Ok(Answered::Refused(refusal)) => pages::refused(refusal),
        Err(error) => pages::refused(OAuthError::from(error).refusal()),
    }
}

/// Has the person sign in, and then come back to `path` of the provider.
fn sign_in_first(path: &str) -> Response {
    let next = format!("{}/{path}", openframe_auth_api::PROVIDER);
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    let next = pairs.append_pair("next", &next).finish();
    go_to(&format!("{}{}?{next}", openframe_auth_api::PROVIDER, sign_in_page::PATH))
}

/// Sends a browser on. 303: what was posted is not posted there again (RFC 9700, 4.12).
pub(super) fn go_to(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// What a person's browser posts from a page. Who posts something else is told so by a page.
pub(super) struct Posted(pub(super) Form);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let form = is_form(&head.headers);
        let body = Bytes::from_request(Request::from_parts(head, body), state).await;
        let body = body.map_err(IntoResponse::into_response)?;
        form.and_then(|()| Form::read(&body)).map(Self).map_err(pages::refused)
    }
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let refused = |refusal: Refusal| failed(&refusal.into());
        is_form(request.headers()).map_err(refused)?;
        let authorization = authorization(request.headers()).map(str::to_owned);
        let proof = proof(request.headers()).map_err(refused)?.map(str::to_owned);
        let (mut head, body) = request.into_parts();
        let Ok(origin) = Origin::from_request_parts(&mut head, state).await;
        let body = Bytes::from_request(Request::from_parts(head, body), state).await;
        let body = body.map_err(IntoResponse::into_response)?;
        Ok(Self { body, authorization, proof, origin })
    }
}

/// The proof that a request comes with, if any.
fn proof(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    const BAD: Refusal = Refusal::new(Code::InvalidDpopProof, "send one DPoP proof, plain ASCII");
    proof_of_key(headers).map_err(|BadProof| BAD)
}

async fn push(State(app): State<Auth>, sent: Sent) -> Response {
    match app.push(&sent).await {
        Ok(PushedAnswer { request_uri, expires_in }) => {
            let view = json!({ "request_uri": request_uri, "expires_in": expires_in });
            (StatusCode::CREATED, axum::Json(view)).into_response()
        }
        Err(error) => failed(&error),
    }
}

async fn token(State(app): State<Auth>, sent: Sent) -> Response {
    match app.tokens(&sent).await {
        Ok(tokens) => axum::Json(tokens_view(tokens)).into_response(),
        Err(error) => failed(&error),
    }
}

fn tokens_view(tokens: Tokens) -> Value {
    let Tokens { issued, expires_in, id_token } = tokens;
    let mut view = json!({
        "access_token": issued.access,
        "token_type": token_type(issued.bound),
        "expires_in": expires_in,
        "scope": issued.scopes.to_string(),
    });
    for (name, value) in [("refresh_token", issued.refresh), ("id_token", id_token)] {
        if let (Some(value), Some(view)) = (value, view.as_object_mut()) {
            view.insert(name.to_owned(), value.into());
        }
    }
    view
}

async fn introspect(State(app): State<Auth>, sent: Sent) -> Response {
    match app.introspect(&sent).await {
        Ok(Some(found)) => axum::Json(introspected_view(found, &app.issuer())).into_response(),
        Ok(None) => axum::Json(json!({ "active": false })).into_response(),
        Err(error) => failed(&error),
    }
}

fn introspected_view(found: Introspected, issuer: &str) -> Value {
    let Introspected { client, user, scopes, key, issued_at, expires } = found;
    let subject = user.map_or_else(|| client.to_string(), |user| user.to_string());
    let mut view = json!({
        "active": true, "client_id": client, "sub": subject, "token_type": token_type(key.is_some()),
        "scope": scopes.to_string(), "iat": issued_at, "exp": expires, "iss": issuer,
    });
    if let (Some(key), Some(view)) = (key, view.as_object_mut()) {
        view.insert("cnf".to_owned(), json!({ "jkt": key }));
    }
    view
}

/// How a token is shown (RFC 6750, RFC 9449).
fn token_type(bound: bool) -> &'static str {
    if bound { "DPoP" } else { "Bearer" }
}

async fn revoke(State(app): State<Auth>, sent: Sent) -> Response {
    match app.revoke(&sent).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => failed(&error),
    }
}

async fn user_info(
    State(app): State<Auth>,
    method: Method,
    origin: Origin,
    headers: HeaderMap,
) -> Response {
    let path = format!("{}/userinfo", openframe_auth_api::PROVIDER);
    let proof = match proof(&headers) {
        Ok(proof) => proof.map(|proof| KeyProof { proof, method: method.as_str(), path: &path }),
        Err(refusal) => return failed(&refusal.into()),
    };
    match app.user_info(authorization(&headers), proof.as_ref(), &origin).await {
        Ok(person) => {
            let mut view = json!({ "sub": person.user });
            if let Some(view) = view.as_object_mut() {
                view.extend(person.name.map(|name| ("name".to_owned(), name.into())));
                if let Some(email) = person.email {
                    view.insert("email".to_owned(), email.into());
                    view.insert("email_verified".to_owned(), person.email_verified.into());
                }
            }
            axum::Json(view).into_response()
        }
        Err(error) => failed(&error),
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION_SHOWN).map(|value| value.to_str().unwrap_or_default())
}

/// Refuses a body that is no form: JSON that is read as one by accident is how checks are got around.
pub(super) fn is_form(headers: &HeaderMap) -> Result<(), Refusal> {
    const NO_FORM: Refusal =
        Refusal::new(Code::InvalidRequest, "send a form (application/x-www-form-urlencoded)");
    let kind = header_text(headers, &header::CONTENT_TYPE).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    if kind == "application/x-www-form-urlencoded" { Ok(()) } else { Err(NO_FORM) }
}

/// What a program is told (RFC 6749, 5.2; RFC 6750, 3).
fn failed(error: &OAuthError) -> Response {
    if let OAuthError::Failed(cause) = error {
        tracing::warn!("a program is refused: {}", openframe_fault::chain(cause));
    }
    let refusal = error.refusal();
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({ "error": refusal.code.as_str(), "error_description": refusal.description });
    let mut response = (status, axum::Json(body)).into_response();
    if let Some((name, value)) = challenge(refusal) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// How to show who one is (RFC 9110, 11.6.1).
fn challenge(refusal: Refusal) -> Option<(HeaderName, HeaderValue)> {
    let text = if refusal.code == Code::InvalidClient {
        "Basic realm=\"openframe\"".to_owned()
    } else if [Code::InvalidToken, Code::InsufficientScope].contains(&refusal.code) {
        format!("Bearer realm=\"openframe\", error=\"{}\"", refusal.code)
    } else if refusal.code == Code::InvalidDpopProof {
        format!("DPoP realm=\"openframe\", error=\"{}\", algs=\"{DPOP_ALGORITHMS}\"", refusal.code)
    } else {
        return None;
    };
    Some((header::WWW_AUTHENTICATE, HeaderValue::from_str(&text).ok()?))
}
