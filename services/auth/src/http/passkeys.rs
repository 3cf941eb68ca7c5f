//! Passkeys: signing in by one, and one's own.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use openframe_auth_api::{
    Me, NewPasskey, Page, Passkey, PasskeyAdded, PasskeyName, PasskeyOptions, PasskeySignIn,
};
use openframe_fault::{Fault, Json, Path};
use openframe_ids::{PasskeyId, UserId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sign_in::{
    half_cookie, me_of, passkey_cookie, session_cookie, signed_in, with_passkey_cookie,
    with_session,
};
use super::views;
use crate::Auth;
use crate::app::{Asked, Origin, PasskeyAsked, PasskeyShown};

/// Whoever shows a good passkey is known by it.
pub(super) fn open() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(passkey_options))
        .routes(routes!(passkey_sign_in))
        .routes(routes!(second_step_options))
}

pub(super) fn closed() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(passkeys, add_passkey))
        .routes(routes!(new_passkey_options))
        .routes(routes!(rename_passkey, remove_passkey))
        .routes(routes!(step_up_options))
        .routes(routes!(passkeys_of))
        .routes(routes!(remove_passkey_of))
}

/// Before somebody is signed in, a cookie ties the answer to the browser.
fn asked_for(it: PasskeyAsked) -> Response {
    let answer = Json(PasskeyOptions { options: it.options, held: None }).into_response();
    with_passkey_cookie(answer, &it.held)
}

/// In a session, that does; no other cookie gets past the gateway.
fn asked_in_session(it: PasskeyAsked) -> Json<PasskeyOptions> {
    Json(PasskeyOptions { options: it.options, held: Some(it.held) })
}

/// What a browser shows of a passkey, with the cookie that it holds for the answer.
pub(super) fn shown<'a>(
    credential: &'a serde_json::Value,
    headers: &'a HeaderMap,
) -> PasskeyShown<'a> {
    PasskeyShown { credential, held: passkey_cookie(headers) }
}

/// What a browser is to be asked to sign in by a passkey alone. The same for everybody.
#[utoipa::path(post, path = "/login/passkey/options", tag = "sign-in",
    responses((status = 200, body = PasskeyOptions)))]
async fn passkey_options(State(app): State<Auth>) -> Result<Response, Fault> {
    Ok(asked_for(app.ask_passkey()?))
}

/// Signs in by a passkey, without a password.
#[utoipa::path(post, path = "/login/passkey", tag = "sign-in", request_body = PasskeySignIn,
    responses((status = 200, body = Me)))]
async fn passkey_sign_in(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Json(typed): Json<PasskeySignIn>,
) -> Result<Response, Fault> {
    let shown = shown(&typed.credential, &headers);
    let opened = app.sign_in_by_passkey(shown, session_cookie(&headers), &origin).await?;
    Ok(signed_in(opened))
}

/// What a browser is to be asked to end a sign-in with a passkey, after the password.
#[utoipa::path(post, path = "/login/code/options", tag = "sign-in",
    responses((status = 200, body = PasskeyOptions)))]
async fn second_step_options(
    State(app): State<Auth>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    Ok(asked_for(app.ask_second_passkey(half_cookie(&headers)).await?))
}

/// One's own passkeys, oldest first.
#[utoipa::path(get, path = "/me/passkeys", tag = "factors",
    responses((status = 200, body = Page<Passkey>)))]
async fn passkeys(State(app): State<Auth>, asked: Asked) -> Result<Json<Page<Passkey>>, Fault> {
    let own = app.passkeys(&asked).await?;
    Ok(Json(views::page(own.into_iter().map(views::passkey).collect())))
}

/// What a browser is to be asked to make a new passkey.
#[utoipa::path(post, path = "/me/passkeys/options", tag = "factors",
    responses((status = 200, body = PasskeyOptions)))]
async fn new_passkey_options(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<PasskeyOptions>, Fault> {
    Ok(asked_in_session(app.ask_new_passkey(&asked).await?))
}

/// Registers the passkey that the browser has made. All other sessions of the person end.
#[utoipa::path(post, path = "/me/passkeys", tag = "factors", request_body = NewPasskey,
    responses((status = 201, body = PasskeyAdded)))]
async fn add_passkey(
    State(app): State<Auth>,
    asked: Asked,
    Json(new): Json<NewPasskey>,
) -> Result<Response, Fault> {
    let shown = PasskeyShown { credential: &new.credential, held: Some(new.held.as_str()) };
    let added = app.add_passkey(&asked, &new.name, shown).await?;
    let (me, secret) = me_of(added.session);
    let passkey = views::passkey(added.passkey);
    let answer = PasskeyAdded { passkey, me, recovery_codes: added.recovery_codes };
    Ok(with_session((StatusCode::CREATED, Json(answer)).into_response(), &secret))
}

/// Gives one of one's own passkeys another name.
#[utoipa::path(patch, path = "/me/passkeys/{id}", tag = "factors",
    params(("id" = PasskeyId, Path)), request_body = PasskeyName, responses((status = 204)))]
async fn rename_passkey(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<PasskeyId>,
    Json(to): Json<PasskeyName>,
) -> Result<StatusCode, Fault> {
    app.rename_passkey(&asked, id, &to.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes one of one's own passkeys; with the last factor go the recovery codes. All other sessions of
/// the person end.
#[utoipa::path(delete, path = "/me/passkeys/{id}", tag = "factors",
    params(("id" = PasskeyId, Path)), responses((status = 204)))]
async fn remove_passkey(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<PasskeyId>,
) -> Result<StatusCode, Fault> {
    app.remove_passkey(&asked, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a browser is to be asked to show anew that one is who one is.
#[utoipa::path(post, path = "/me/step-up/options", tag = "sign-in",
    responses((status = 200, body = PasskeyOptions)))]
async fn step_up_options(
    State(app): State<Auth>,
    asked: Asked,
) -> Result<Json<PasskeyOptions>, Fault> {
    Ok(asked_in_session(app.ask_step_up_passkey(&asked).await?))
}

/// The passkeys of a person, oldest first.
#[utoipa::path(get, path = "/users/{id}/passkeys", tag = "people",
    params(("id" = UserId, Path)), responses((status = 200, body = Page<Passkey>)))]
async fn passkeys_of(
    State(app): State<Auth>,
    asked: Asked,
    Path(id): Path<UserId>,
) -> Result<Json<Page<Passkey>>, Fault> {
    let all = app.passkeys_of(&asked, id).await?;
    Ok(Json(views::page(all.into_iter().map(views::passkey).collect())))
}

/// Removes a passkey of a person who has lost it. All of that person's sessions end.
#[utoipa::path(delete, path = "/users/{id}/passkeys/{passkey}", tag = "people",
    params(("id" = UserId, Path), ("passkey" = PasskeyId, Path)), responses((status = 204)))]
async fn remove_passkey_of(
    State(app): State<Auth>,
    asked: Asked,
    Path(which): Path<(UserId, PasskeyId)>,
) -> Result<StatusCode, Fault> {
    app.remove_passkey_of(&asked, which).await?;
    Ok(StatusCode::NO_CONTENT)
}
