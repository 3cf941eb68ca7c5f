//! The sign-in of a person whom a program has sent here: both steps, as pages that work without a script.
//! One script of ours is there for passkeys, which browsers show to scripts only.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use openframe_fault::Fault;
use openframe_oauth::Form;
use url::form_urlencoded::Serializer;

use super::oauth::{Posted, cached, go_to};
use super::pages::{self, Offer, Onward, Shows};
use super::passkeys::shown;
use super::sign_in::{half_cookie, session_cookie, with_half, with_passkey_cookie, with_session};
use crate::app::{Entered, NextStep, Origin};
use crate::{Auth, Error};

/// Where the page is, below the provider.
pub(super) const PATH: &str = "/sign-in";

/// Where its script is, below the provider.
const SCRIPT_PATH: &str = "/passkey.js";
const SCRIPT: &str = include_str!("passkey.js");

pub(super) fn routes() -> Router<Auth> {
    Router::new().route(PATH, get(show).post(typed)).route(SCRIPT_PATH, get(script))
}

async fn script() -> Response {
    let kind = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    cached(([kind], SCRIPT).into_response(), "public, max-age=3600")
}

/// Where a person goes on afterwards: back to the request of the program, and nowhere else. Another
/// page's address would let anybody send people through this page to where they like.
pub(super) async fn onward(app: &Auth, next: &str) -> Onward {
    let own = format!("{}/authorize?", openframe_auth_api::PROVIDER);
    // A list that cannot be read keeps nobody from signing in another way.
    let elsewhere = app.sign_in_providers().await.unwrap_or_default();
    let Some(query) = next.strip_prefix(&own) else {
        return Onward { to: "/".to_owned(), program: None, elsewhere };
    };
    // A request that is none is told so by the page of that request.
    let asking = app.asking(query.as_bytes()).await.ok().flatten();
    let program = asking.map(|(client, ask)| (client.name, ask.redirect_uri));
    let back = Serializer::new(String::new()).append_pair("next", next).finish();
    let with = |(name, href): (String, String)| (name, format!("{href}?{back}"));
    let elsewhere = elsewhere.into_iter().map(with).collect();
    Onward { to: next.to_owned(), program, elsewhere }
}

/// Where a form or a query says that the person goes on.
fn next_of(form: &Form) -> &str {
    form.get("next").unwrap_or_default()
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
    let next = onward(&app, next_of(&form)).await;
    page(&app, &shows, &next, half_cookie(&headers), Ok(())).await
}

/// The second step of a sign-in whose first was taken elsewhere: `half` is what the browser is given.
pub(super) async fn second_step(
    app: &Auth,
    next: &Onward,
    (half, step): (&str, NextStep),
) -> Response {
    with_half(page(app, &at(step), next, Some(half), Ok(())).await, half)
}

/// One step as a page; by a passkey too, where the person may have one. `half` is the sign-in that the
/// browser shows, and `wrong` what was wrong with the step before, with its status.
async fn page(
    app: &Auth,
    shows: &Shows,
    next: &Onward,
    half: Option<&str>,
    wrong: Result<(), (StatusCode, &str)>,
) -> Response {
    let asked = match shows {
        Shows::Password(_) => app.ask_passkey().ok(),
        Shows::Code(ways) if ways.passkey => app.ask_second_passkey(half).await.ok(),
        Shows::Code(_)
        | Shows::Forgot
        | Shows::LinkAsked
        | Shows::MustEnrol
        | Shows::Enrol(_)
        | Shows::Confirm
        | Shows::RecoveryCodes(_) => None,
    };
    let script = format!("{}{SCRIPT_PATH}", app.issuer());
    let offer = asked.as_ref().map(|it| Offer { options: it.options.to_string(), script });
    let (status, told) = wrong.err().map_or((StatusCode::OK, None), |(it, told)| (it, Some(told)));
    let page = pages::sign_in(status, shows, next, told, offer.as_ref());
    match asked {
        Some(asked) => with_passkey_cookie(page, &asked.held),
        None => page,
    }
}

fn at(step: NextStep) -> Shows {
    match step {
        NextStep::Code(ways) => Shows::Code(ways),
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
    let next = onward(&app, next_of(&form)).await;
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
        "passkey" | "code-passkey" => {
            // What is no JSON is refused as any other that is not good.
            let credential = serde_json::from_str(text("credential")).unwrap_or_default();
            let shown = shown(&credential, headers);
            let opened = if step == "passkey" {
                app.sign_in_by_passkey(shown, session_cookie(headers), origin).await?
            } else {
                app.finish_by_passkey(half, shown, origin).await?
            };
            Ok(with_session(go_to(&next.to), &opened.secret))
        }
        "enrol" => {
            let enrolment = app.enrol_totp_first(half, origin).await?;
            Ok(page(app, &Shows::Enrol(enrolment), next, half, Ok(())).await)
        }
        "confirm" => {
            let (opened, codes) = app.confirm_totp_first(half, text("code"), origin).await?;
            let page = page(app, &Shows::RecoveryCodes(codes), next, half, Ok(())).await;
            Ok(with_session(page, &opened.secret))
        }
        "again" => {
            let shows = Shows::Password(app.sends_mail());
            Ok(page(app, &shows, next, half, Ok(())).await)
        }
        "forgot" => Ok(page(app, &Shows::Forgot, next, half, Ok(())).await),
        "ask" => {
            app.ask_password_link(text("email"), origin).await?;
            Ok(page(app, &Shows::LinkAsked, next, half, Ok(())).await)
        }
        _ => {
            let typed = (text("email"), text("password"));
            match app.log_in(typed, session_cookie(headers), origin).await? {
                Entered::Whole(opened) => Ok(with_session(go_to(&next.to), &opened.secret)),
                Entered::Half(secret, step) => Ok(second_step(app, next, (&secret, step)).await),
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
        Ok(at_step) if !["password", "passkey", "ask"].contains(&step) => at(at_step),
        Ok(_) | Err(_) if step == "ask" => Shows::Forgot,
        Ok(_) | Err(_) => Shows::Password(app.sends_mail()),
    };
    let fault = Fault::from(error);
    let told = fault.message().to_owned();
    // Logged, and its status and `retry-after` kept, as everywhere else.
    let (parts, _) = fault.into_response().into_parts();
    let wrong = Err((parts.status, told.as_str()));
    let mut page = page(app, &shows, next, half_cookie(headers), wrong).await;
    if let Some(wait) = parts.headers.get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    page
}
