//! Setup, sign-in, sign-out, oneself and one's sessions.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_auth_api::{
    HALF_COOKIE, LoginRequest, Me, PASSKEY_COOKIE, Page, PasswordChange, PasswordChoice,
    PasswordForgotten, SESSION_COOKIE, Session, SetupRequest, SetupState, SignInProvider,
    SignInStep, TotpConfirmed, UPSTREAM_COOKIE,
};
use openframe_fault::{Fault, Json, Path, Query};
use openframe_ids::SessionId;
use openframe_tokens::{Access, Role, Subject};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{WhichQuery, views};
use crate::Auth;
use crate::app::{Asked, Entered, NewPerson, NextStep, Origin, SignedIn, Ways, held};

pub(super) fn open() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(setup_state, set_up))
        .routes(routes!(log_in))
        .routes(routes!(choose_password))
        .routes(routes!(forgot_password))
}

pub(super) fn closed() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(change_password))
        .routes(routes!(log_out))
        .routes(routes!(sessions))
        .routes(routes!(revoke_session))
}

/// Whether the first owner is still to be made.
#[utoipa::path(get, path = "/setup", tag = "sign-in", responses((status = 200, body = SetupState)))]
async fn setup_state(State(app): State<Auth>) -> Result<Json<SetupState>, Fault> {
    let needed = app.setup_needed().await?;
    let providers = app.sign_in_providers().await?.into_iter();
    let providers = providers.map(|(name, href)| SignInProvider { name, href }).collect();
    let (mail, passkeys) = (app.sends_mail(), app.has_passkeys());
    Ok(Json(SetupState { needed, mail, passkeys, providers }))
}

/// Makes the first owner and signs in.
#[utoipa::path(post, path = "/setup", tag = "sign-in", request_body = SetupRequest,
    responses((status = 200, body = Me), (status = 202, body = SignInStep)))]
async fn set_up(
    State(app): State<Auth>,
    origin: Origin,
    Json(asked): Json<SetupRequest>,
) -> Result<Response, Fault> {
    let SetupRequest { token, email, name, password } = asked;
    let person = NewPerson { email, name, role: Role::Owner, password };
    Ok(entered(app.set_up(&token, person, &origin).await?))
}

/// Signs in with a password; who has a second factor, or needs one, goes on with that.
#[utoipa::path(post, path = "/login", tag = "sign-in", request_body = LoginRequest,
    responses((status = 200, body = Me), (status = 202, body = SignInStep)))]
async fn log_in(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Json(asked): Json<LoginRequest>,
) -> Result<Response, Fault> {
    let typed = (asked.email.as_str(), asked.password.as_str());
    Ok(entered(app.log_in(typed, session_cookie(&headers), &origin).await?))
}

pub(super) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
}

pub(super) fn half_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, HALF_COOKIE)
}

pub(super) fn passkey_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, PASSKEY_COOKIE)
}

pub(super) fn upstream_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, UPSTREAM_COOKIE)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|it| it.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// What the browser is told after a password.
pub(super) fn entered(entered: Entered) -> Response {
    match entered {
        Entered::Whole(opened) => signed_in(*opened),
        Entered::Half(secret, next) => {
            let (next, ways) = match next {
                NextStep::Code(ways) => ("code", ways),
                NextStep::Enrol => ("enrol", Ways::default()),
            };
            let (app, passkey) = (ways.app, ways.passkey);
            let step = Json(SignInStep { next: next.to_owned(), app, passkey });
            with_half((StatusCode::ACCEPTED, step).into_response(), &secret)
        }
    }
}

pub(super) fn me_of(opened: SignedIn) -> (Me, String) {
    let SignedIn { user, session, secret, csrf_token, grants } = opened;
    let held = held(&grants).unwrap_or_default();
    let access = Access { role: user.role, grants: &held };
    let (permissions, permissions_somewhere) =
        views::permissions(|permission| access.reach(permission));
    let me = Me {
        tenant_id: user.tenant,
        permissions,
        permissions_somewhere,
        grants: grants.iter().map(views::grant).collect(),
        csrf_token: Some(csrf_token),
        session_id: Some(session),
        user: views::user(user),
    };
    (me, secret)
}

pub(super) fn signed_in(opened: SignedIn) -> Response {
    let (me, secret) = me_of(opened);
    with_session(Json(me).into_response(), &secret)
}

/// What the browser is told after its app was confirmed.
pub(super) fn confirmed((opened, recovery_codes): (SignedIn, Vec<String>)) -> Response {
    let (me, secret) = me_of(opened);
    with_session(Json(TotpConfirmed { me, recovery_codes }).into_response(), &secret)
}

/// A session in the place of what was half one.
pub(super) fn with_session(response: Response, secret: &str) -> Response {
    let response = with_cookie(response, SESSION_COOKIE, secret, "SameSite=Lax");
    with_cookie(response, HALF_COOKIE, "", "SameSite=Strict; Max-Age=0")
}

/// Half a sign-in in the place of the session that has ended.
pub(super) fn with_half(response: Response, secret: &str) -> Response {
    with_cookie(response, HALF_COOKIE, secret, "SameSite=Strict; Max-Age=300")
}

/// What a browser holds until it answers for a passkey.
pub(super) fn with_passkey_cookie(response: Response, held: &str) -> Response {
    with_cookie(response, PASSKEY_COOKIE, held, "SameSite=Strict; Max-Age=300")
}

/// What a browser holds while it is at another provider; none when it is back. The way back begins at a page
/// of the provider, so that it is no stricter.
pub(super) fn with_upstream_cookie(response: Response, held: Option<&str>) -> Response {
    let age = if held.is_some() { "SameSite=Lax; Max-Age=600" } else { "SameSite=Lax; Max-Age=0" };
    with_cookie(response, UPSTREAM_COOKIE, held.unwrap_or_default(), age)
}

fn with_cookie(mut response: Response, name: &str, value: &str, more: &str) -> Response {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; {more}");
    // A secret is base64url and hex; it always fits a header.
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Sets the password that the holder of a link chooses, and signs in.
#[utoipa::path(post, path = "/password", tag = "sign-in", request_body = PasswordChoice,
    responses((status = 200, body = Me), (status = 202, body = SignInStep)))]
async fn choose_password(
    State(app): State<Auth>,
    origin: Origin,
    Json(choice): Json<PasswordChoice>,
) -> Result<Response, Fault> {
    Ok(entered(app.use_password_link(&choice.token, &choice.password, &origin).await?))
}

/// Has a link for a new password sent to whoever has a mail address. The answer is the same when nobody
/// has it.
#[utoipa::path(post, path = "/password/forgot", tag = "sign-in", request_body = PasswordForgotten,
    responses((status = 204)))]
async fn forgot_password(
    State(app): State<Auth>,
    origin: Origin,
    Json(asked): Json<PasswordForgotten>,
) -> Result<StatusCode, Fault> {
    app.ask_password_link(&asked.email, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is signed in.
#[utoipa::path(get, path = "/me", tag = "sign-in", responses((status = 200, body = Me)))]
async fn me(State(app): State<Auth>, asked: Asked) -> Result<Json<Me>, Fault> {
    let (user, session) = app.me(&asked).await?;
    let (session_id, csrf_token) = session.unzip();
    let grants = app.own_grants(&asked).await?;
    let (permissions, permissions_somewhere) =
        views::permissions(|permission| asked.caller.reach(permission));
    Ok(Json(Me {
        tenant_id: user.tenant,
        permissions,
        permissions_somewhere,
        grants: grants.iter().map(views::grant).collect(),
        csrf_token,
        session_id,
        user: views::user(user),
    }))
}

/// Changes one's own password, from within a session. All of one's sessions end, and a new one begins.
#[utoipa::path(post, path = "/me/password", tag = "sign-in", request_body = PasswordChange,
    responses((status = 200, body = Me)))]
async fn change_password(
    State(app): State<Auth>,
    asked: Asked,
    Json(change): Json<PasswordChange>,
) -> Result<Response, Fault> {
    Ok(signed_in(app.change_password(&asked, (&change.current, &change.new)).await?))
}

/// Ends the session that asks.
#[utoipa::path(post, path = "/logout", tag = "sign-in", responses((status = 204)))]
async fn log_out(State(app): State<Auth>, asked: Asked) -> Result<Response, Fault> {
    app.log_out(&asked).await?;
    Ok(without_cookie(StatusCode::NO_CONTENT.into_response()))
}

/// The browser forgets its session.
pub(super) fn without_cookie(response: Response) -> Response {
    with_cookie(response, SESSION_COOKIE, "", "SameSite=Lax; Max-Age=0")
}

/// Lists sessions.
#[utoipa::path(get, path = "/sessions", tag = "sessions",
    params(("all" = Option<bool>, Query, description = "everybody's, not only one's own")),
    responses((status = 200, body = Page<Session>)))]
async fn sessions(
    State(app): State<Auth>,
    asked: Asked,
    Query(which): WhichQuery,
) -> Result<Json<Page<Session>>, Fault> {
    let current = match asked.caller.subject {
        Subject::User { session, .. } => Some(session),
        Subject::ApiKey { .. }
        | Subject::App { .. }
        | Subject::Device { .. }
        | Subject::Service { .. } => None,
    };
    let sessions = app.sessions(&asked, which.all).await?;
    let view = |(session, email)| views::session(session, email, current);
    Ok(Json(views::page(sessions.into_iter().map(view).collect())))
}

/// Ends a session.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions",
    params(("id" = SessionId, Path)), responses((status = 204)))]
async fn revoke_session(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Fault> {
    app.revoke_session(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
