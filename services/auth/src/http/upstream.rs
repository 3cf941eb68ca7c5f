//! The way to another provider and back, for browsers. Not in the API's document: people follow a link there
//! from the sign-in page, and come back by it.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, header};
use openframe_auth_api::{UPSTREAM, UPSTREAM_CALLBACK};
use openframe_fault::{Fault, Path};
use openframe_ids::IdentityProviderId;
use openframe_oauth::Form;
use openframe_upstream::Back;

use super::oauth::go_to;
use super::pages;
use super::sign_in::{session_cookie, upstream_cookie, with_session, with_upstream_cookie};
use super::sign_in_page::{onward, second_step};
use crate::app::{Entered, Origin};
use crate::{Auth, Error};

pub(super) fn routes() -> Router<Auth> {
    Router::new()
        .route(&format!("{UPSTREAM}{{id}}"), get(begin))
        .route(UPSTREAM_CALLBACK, get(come_back))
}

/// Sends the browser to a provider.
async fn begin(
    State(app): State<Auth>,
    Path(id): Path<IdentityProviderId>,
    RawQuery(query): RawQuery,
    origin: Origin,
) -> Response {
    let form = match Form::read(query.unwrap_or_default().as_bytes()) {
        Ok(form) => form,
        Err(refusal) => return pages::refused(refusal),
    };
    // Nowhere but where the sign-in page would go on: else anybody could send people on through this.
    let next = onward(&app, form.get("next").unwrap_or_default()).await;
    match app.begin_upstream(id, &next.to, &origin).await {
        Ok(begun) => with_upstream_cookie(unkept(go_to(&begun.address)), Some(&begun.held)),
        Err(error) => refused(error),
    }
}

/// Goes on when the browser comes back. What it held is good for one time.
async fn come_back(
    State(app): State<Auth>,
    RawQuery(query): RawQuery,
    origin: Origin,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    // What comes twice, or is no form, is nothing: the try is used up all the same.
    let form = Form::read(query.as_bytes()).ok();
    let text = |name| form.as_ref().and_then(|form| form.get(name));
    let back = Back {
        state: text("state"),
        code: text("code"),
        error: text("error"),
        issuer: text("iss"),
    };
    let (held, old) = (upstream_cookie(&headers), session_cookie(&headers));
    let ended = app.finish_upstream(held, back, old, &origin).await;
    let next = onward(&app, &ended.next).await;
    let response = match ended.entered {
        Ok(Entered::Whole(opened)) => with_session(unkept(go_to(&next.to)), &opened.secret),
        // Not by a redirect: the cookie of the second step is kept from what comes of another site's page.
        Ok(Entered::Half(half, step)) => second_step(&app, &next, (&half, step)).await,
        Err(error) => refused(error),
    };
    with_upstream_cookie(response, None)
}

/// A page that says why, with the status and the headers that every refusal has.
fn refused(error: Error) -> Response {
    let fault = Fault::from(error);
    let told = fault.message().to_owned();
    let (parts, _) = fault.into_response().into_parts();
    let mut page = pages::not_signed_in(parts.status, &told);
    if let Some(wait) = parts.headers.get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    page
}

/// Each try is another one.
fn unkept(mut response: Response) -> Response {
    let store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, store);
    response
}
