//! The sign-in of a person whom a program has sent here: both steps, as pages without a script.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use openframe_fault::Fault;
use openframe_oauth::Form;

use super::oauth::{Posted, go_to};
use super::pages::{self, Onward, Shows};
use super::sign_in::{half_cookie, session_cookie, with_half, with_session};
use crate::app::{Entered, NextStep, Origin};
use crate::{Auth, Error};

/// Where the page is, below the provider.
pub(super) const PATH: &str = "/sign-in";

pub(super) fn routes() -> Router<Auth> {
    Router::new().route(PATH, get(show).post(typed))
}

/// Where a person goes on afterwards: back to the request of the program, and nowhere else. Another
/// page's address would let anybody send people through this page to where they like.
async fn onward(app: &Auth, form: &Form) -> Onward {
    let own = format!("{}/authorize?", openframe_auth_api::PROVIDER);
    let next = form.get("next").unwrap_or_default();
    let Some(query) = next.strip_prefix(&own) else {
        return Onward { to: "/".to_owned(), program: None };
    };
    // A request that is none is told so by the page of that request.
    let asking = app.asking(query.as_bytes()).await.ok().flatten();
    let program = asking.map(|(client, ask)| (client.name, ask.redirect_uri));
    Onward { to: next.to_owned(), program }
}

/// The step that the browser is at.
async fn show(State(app): State<Auth>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let form = match Form::read(query.unwrap_or_default().as_bytes()) {
        Ok(form) => form,
        Err(refusal) => return pages::refused(refusal),
    };
    let shows = match app.half_signed_in(half_cookie(&headers)).await {
        Ok(step) => at(step),
        Err(_) => Shows::Password(app.sends_mail()),
    };
    pages::sign_in(StatusCode::OK, &shows, &onward(&app, &form).await, None)
}

fn at(step: NextStep) -> Shows {
    match step {
        NextStep::Code => Shows::Code,
        NextStep::Enrol => Shows::MustEnrol,
    }
}

/// What a person has typed into one of the forms.
async fn typed(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Posted(form): Posted,
) -> Response {
    let next = onward(&app, &form).await;
    let step = form.get("step").unwrap_or_default();
    match take(&app, (step, &form, &next), &headers, &origin).await {
        Ok(response) => response,
        Err(error) => again(&app, (step, &next), &headers, error).await,
    }
}

async fn take(
    app: &Auth,
    (step, form, next): (&str, &Form, &Onward),
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Response, Error> {
    let text = |name| form.get(name).unwrap_or_default();
    let half = half_cookie(headers);
    match step {
        "code" => {
            let opened = app.finish_sign_in(half, text("code"), origin).await?;
            Ok(with_session(go_to(&next.to), &opened.secret))
        }
        "enrol" => {
            let enrolment = app.enrol_totp_first(half, origin).await?;
            Ok(pages::sign_in(StatusCode::OK, &Shows::Enrol(enrolment), next, None))
        }
        "confirm" => {
            let (opened, codes) = app.confirm_totp_first(half, text("code"), origin).await?;
            let page = pages::sign_in(StatusCode::OK, &Shows::RecoveryCodes(codes), next, None);
            Ok(with_session(page, &opened.secret))
        }
        "again" => {
            let shows = Shows::Password(app.sends_mail());
            Ok(pages::sign_in(StatusCode::OK, &shows, next, None))
        }
        "forgot" => Ok(pages::sign_in(StatusCode::OK, &Shows::Forgot, next, None)),
        "ask" => {
            app.ask_password_link(text("email"), origin).await?;
            Ok(pages::sign_in(StatusCode::OK, &Shows::LinkAsked, next, None))
        }
        _ => {
            let typed = (text("email"), text("password"));
            match app.log_in(typed, session_cookie(headers), origin).await? {
                Entered::Whole(opened) => Ok(with_session(go_to(&next.to), &opened.secret)),
                Entered::Half(secret, step) => {
                    let page = pages::sign_in(StatusCode::OK, &at(step), next, None);
                    Ok(with_half(page, &secret))
                }
            }
        }
    }
}

/// The page once more, with what was wrong.
async fn again(
    app: &Auth,
    (step, next): (&str, &Onward),
    headers: &HeaderMap,
    error: Error,
) -> Response {
    let shows = match app.half_signed_in(half_cookie(headers)).await {
        // A new secret is shown by a form of its own: the one before was shown once.
        Ok(NextStep::Enrol) if step == "confirm" => Shows::Confirm,
        Ok(at_step) if !["password", "ask"].contains(&step) => at(at_step),
        Ok(_) | Err(_) if step == "ask" => Shows::Forgot,
        Ok(_) | Err(_) => Shows::Password(app.sends_mail()),
    };
    let fault = Fault::from(error);
    let told = fault.message().to_owned();
    // Logged, and its status and `retry-after` kept, as everywhere else.
    let (parts, _) = fault.into_response().into_parts();
    let mut page = pages::sign_in(parts.status, &shows, next, Some(&told));
    if let Some(wait) = parts.headers.get(http::header::RETRY_AFTER) {
        page.headers_mut().insert(http::header::RETRY_AFTER, wait.clone());
    }
    page
}
