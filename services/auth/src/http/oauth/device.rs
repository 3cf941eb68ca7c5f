//! Programs on devices without a browser, and the page where people answer them.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use openframe_oauth::Form;
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::{Posted, failed, sign_in_first};
use crate::Auth;
use crate::app::{DeviceAnswered, OAuthError, Origin, Sent};
use crate::error::Error;
use crate::http::pages;
use crate::http::sign_in::session_cookie;

/// A program asks.
pub(super) async fn authorization(State(app): State<Auth>, sent: Sent) -> Response {
    match app.device_authorization(&sent).await {
        Ok(asked) => {
            let code =
                Serializer::new(String::new()).append_pair("user_code", &asked.user_code).finish();
            let view = json!({
                "device_code": asked.device_code,
                "user_code": asked.user_code,
                "verification_uri_complete": format!("{}?{code}", asked.verification_uri),
                "verification_uri": asked.verification_uri,
                "expires_in": asked.expires_in,
                "interval": asked.interval,
            });
            axum::Json(view).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// A person comes to answer.
pub(super) async fn show(
    State(app): State<Auth>,
    RawQuery(query): RawQuery,
    origin: Origin,
    headers: HeaderMap,
) -> Response {
    let form = match Form::read(query.unwrap_or_default().as_bytes()) {
        Ok(form) => form,
        Err(refusal) => return pages::refused(refusal),
    };
    let typed = form.get("user_code");
    page(app.device_page(typed, session_cookie(&headers), &origin).await, typed.unwrap_or_default())
}

/// What a person has answered to the page that asked.
pub(super) async fn answer(
    State(app): State<Auth>,
    origin: Origin,
    headers: HeaderMap,
    Posted(form): Posted,
) -> Response {
    let text = |name| form.get(name).unwrap_or_default();
    let (typed, allowed) = (text("user_code"), text("answer") == "allow");
    let cookie = session_cookie(&headers);
    page(app.answer_device((typed, allowed), text("csrf_token"), cookie, &origin).await, typed)
}

fn page(answered: Result<DeviceAnswered, Error>, typed: &str) -> Response {
    match answered {
        Ok(DeviceAnswered::SignIn) => {
            let code = Serializer::new(String::new()).append_pair("user_code", typed).finish();
            sign_in_first(&format!("device?{code}"))
        }
        Ok(DeviceAnswered::Enter { wrong }) => pages::enter_code(wrong),
        Ok(DeviceAnswered::TooMany) => pages::too_many_codes(),
        Ok(DeviceAnswered::Ask(asked)) => pages::device_consent(&asked, typed),
        Ok(DeviceAnswered::Done { allowed }) => pages::device_answered(allowed),
        Ok(DeviceAnswered::Refused(refusal)) => pages::refused(refusal),
        Err(error) => pages::refused(OAuthError::from(error).refusal()),
    }
}
