//! Where programs send browsers to log out.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;

use super::{Posted, go_to};
use crate::Auth;
use crate::app::{LoggedOut, OAuthError, Origin};
use crate::error::Error;
use crate::http::pages;
use crate::http::sign_in::{session_cookie, without_cookie};

/// A request that a browser brings.
pub(super) async fn show(
    State(app): State<Auth>,
    RawQuery(query): RawQuery,
    origin: Origin,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let told = app.rp_logout(query.as_bytes(), session_cookie(&headers), &origin).await;
    page(told, &query)
}

/// What a person has answered to the page that asked; or a request that a page of another origin posts.
/// Browsers send no cookie with that, so it comes once more as one that they do.
pub(super) async fn answer(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Posted(form): Posted,
) -> Response {
    let Some(csrf) = form.get("csrf_token") else {
        return go_to(&format!("{}?{}", openframe_auth_api::PROVIDER_LOGOUT, form.to_query()));
    };
    let query = form.get("request").unwrap_or_default();
    let (leave, cookie) = (form.get("answer") == Some("leave"), session_cookie(&headers));
    page(app.confirm_logout((query.as_bytes(), leave), csrf, cookie, &origin).await, query)
}

fn page(told: Result<LoggedOut, Error>, query: &str) -> Response {
    match told {
        Ok(LoggedOut::Ask(asked)) => pages::logout(&asked, query),
        Ok(LoggedOut::Done(Some(to))) => without_cookie(go_to(&to)),
        Ok(LoggedOut::Done(None)) => without_cookie(pages::logged_out(false)),
        Ok(LoggedOut::Stays) => pages::logged_out(true),
        Ok(LoggedOut::Refused(refusal)) => pages::refused(refusal),
        Err(error) => pages::refused(OAuthError::from(error).refusal()),
    }
}
