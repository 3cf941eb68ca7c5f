//! What directories send and are told, in SCIM's own shape.

use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openframe_fault::{Fault, Kind, chain};
use openframe_scim::{Change, MEDIA_TYPE, Refusal, ScimType, error, version};
use serde_json::Value;

use super::{Fields, Wish};
use crate::app::Asked;
use crate::http::header_text;
use crate::{Auth, Error};

/// A refusal in SCIM's words (RFC 7644, 3.12).
pub(super) struct Refused {
    fault: Fault,
    kind: Option<ScimType>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, kind: None }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let kind = Some(refusal.kind);
        Self { fault: Fault::invalid("invalid", refusal.message), kind }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let kind = if matches!(error, Error::EmailTaken | Error::ExternalIdTaken) {
            Some(ScimType::Uniqueness)
        } else if matches!(error, Error::TooManyPeople(_) | Error::GroupsFull) {
            Some(ScimType::TooMany)
        } else if matches!(error, Error::Invalid(_)) {
            Some(ScimType::InvalidValue)
        } else {
            None
        };
        Self { fault: error.into(), kind }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { fault, kind } = self;
        match fault.kind() {
            Kind::Internal | Kind::Unavailable => {
                tracing::warn!("a directory is refused: {}", chain(&fault));
            }
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::TooMany => {}
        }
        let (status, body) =
            (fault.status(), error(fault.status().as_u16(), kind, fault.message()));
        // When to come back is said by the fault itself.
        let wait = fault.into_response().headers_mut().remove(header::RETRY_AFTER);
        let mut response = told(status, &body);
        response.headers_mut().extend(wait.map(|wait| (header::RETRY_AFTER, wait)));
        response
    }
}

/// The directory that asks. Nobody else's request is read any further.
pub(super) struct Asks(pub(super) Asked);

impl FromRequestParts<Auth> for Asks {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Auth) -> Result<Self, Refused> {
        let asked = Asked::from_request_parts(parts, app).await?;
        app.directory(&asked)?;
        Ok(Self(asked))
    }
}

/// What is asked about one resource: its id, what is to be shown, and what the directory has seen.
pub(super) struct One {
    pub(super) id: String,
    pub(super) wish: Wish,
    pub(super) headers: HeaderMap,
}

impl FromRequestParts<Auth> for One {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Auth) -> Result<Self, Refused> {
        let openframe_fault::Path(id) =
            openframe_fault::Path::from_request_parts(parts, app).await?;
        let wish = Wish::parse(parts.uri.query())?;
        Ok(Self { id, wish, headers: parts.headers.clone() })
    }
}

/// A body: one object.
pub(super) struct Sent(pub(super) Fields);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        if !is_json(request.headers()) {
            let fault = Fault::invalid("not_json", format!("send {MEDIA_TYPE}"));
            return Err(fault.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into());
        }
        let read = Bytes::from_request(request, state).await;
        let bytes = read.map_err(|refusal: BytesRejection| {
            Fault::invalid("bad_body", refusal.body_text()).with_status(refusal.status())
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) | Err(_) => {
                Err(Refusal::new(ScimType::InvalidSyntax, "the body is no JSON object").into())
            }
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = header_text(headers, &header::CONTENT_TYPE).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    [MEDIA_TYPE, "application/json"].contains(&kind)
}

/// An answer with a body.
pub(super) fn told(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer with a resource, of which `shown` is told.
pub(super) fn resource(status: StatusCode, whole: &Fields, shown: Fields) -> Response {
    let mut response = told(status, &shown.into());
    let location = whole.get("meta").and_then(|meta| meta.get("location")).and_then(Value::as_str);
    let own = version(whole);
    let headers = [(header::ETAG, Some(own.as_str())), (header::LOCATION, location)];
    for (name, value) in headers {
        let value = value.and_then(|value| HeaderValue::from_str(value).ok());
        response.headers_mut().extend(value.map(|value| (name, value)));
    }
    response
}

/// Whether a header names this state of a resource.
fn names(headers: &HeaderMap, name: header::HeaderName, whole: &Fields) -> Option<bool> {
    let wanted = headers.get(name)?.to_str().unwrap_or_default();
    let own = version(whole);
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    Some(wanted.trim() == "*" || wanted.split(',').any(|tag| plain(tag) == plain(&own)))
}

/// Refuses a change of a resource that is not as the directory has seen it last.
pub(super) fn as_seen(headers: &HeaderMap, whole: &Fields) -> Result<(), Refused> {
    if names(headers, header::IF_MATCH, whole) == Some(false) {
        let message = "this has been changed by somebody else; read it again";
        let fault = Fault::new(Kind::Conflict, "changed_meanwhile", message);
        return Err(fault.with_status(StatusCode::PRECONDITION_FAILED).into());
    }
    Ok(())
}

/// Whether the directory has this state already.
pub(super) fn is_known(headers: &HeaderMap, whole: &Fields) -> bool {
    names(headers, header::IF_NONE_MATCH, whole) == Some(true)
}

pub(super) fn nothing(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// What a PATCH makes of what is shown (RFC 7644, 3.5.2).
pub(super) fn patched(before: &Fields, body: Fields) -> Result<Fields, Refused> {
    let mut after = before.clone();
    Change::parse(&body.into())?.apply(&mut after)?;
    Ok(after)
}
