//! A failure on its way to a caller, in this process or across a socket.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::Kind;

/// Any cause. Only ever logged.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A failure: what the caller is told, and the cause that only the log sees.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    kind: Kind,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<Duration>,
    status: Option<StatusCode>,
    #[source]
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// Problem details (RFC 9457, section 3.1) as they cross the wire.
#[derive(Debug, Serialize, Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    uri: String,
    title: String,
    status: u16,
    code: String,
    detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// How Prometheus' API refuses, which `/prometheus` keeps to.
#[derive(Debug, Deserialize)]
struct PrometheusRefusal {
    #[serde(rename = "errorType")]
    kind: String,
    error: String,
}

impl Fault {
    /// A failure of `kind`. `code` is `snake_case`, stable and listed in the API's document;
    /// `message` is for the caller: what is wrong and what to do, never the cause.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        let (code, message) = (Cow::Borrowed(code), message.into());
        Self { kind, code, message, retry_after: None, status: None, cause: None }
    }

    /// A request that is wrong and will stay wrong.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// A dependency that did not answer; the caller may try again.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, code, message)
    }

    /// Keeps `cause` for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<BoxError>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// Tells the caller when to try again (`Retry-After`, whole seconds, at least one).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Uses a more exact status than the kind's own (413, 415, 405, …) of the same meaning.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// How the caller should treat it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, such as `no_such_device`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What the caller is told.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status it is sent with.
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| self.kind.status())
    }

    /// The failure that an answer with a status of 400 or above stands for. A body that is not
    /// problem details gives the code `http_<status>`: it came from something in between.
    pub fn from_answer(status: StatusCode, body: &[u8]) -> Self {
        let kind = Kind::of_status(status);
        let problem = serde_json::from_slice::<Problem>(body).ok();
        let (code, message) = problem
            .map(|problem| (problem.code, problem.detail))
            .or_else(|| {
                let refusal = serde_json::from_slice::<PrometheusRefusal>(body).ok()?;
                Some((refusal.kind, refusal.error))
            })
            .unwrap_or_else(|| {
                (format!("http_{}", status.as_u16()), format!("the server said {status}"))
            });
        let (code, status) = (Cow::Owned(code), Some(status));
        Self { kind, code, message, retry_after: None, status, cause: None }
    }

    /// The body of the answer, with the id of the request if there is one.
    pub(crate) fn body(&self, request_id: Option<&str>) -> Vec<u8> {
        let problem = Problem {
            uri: format!("urn:openframe:error:{}", self.code),
            title: self.kind.title().to_owned(),
            status: self.status().as_u16(),
            code: self.code.clone().into_owned(),
            detail: self.message.clone(),
            request_id: request_id.map(str::to_owned),
        };
        serde_json::to_vec(&problem).unwrap_or_default()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body(None)));
        *response.status_mut() = self.status();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        if let Some(wait) = self.retry_after {
            let seconds = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        // For the layer, which knows the request's id and logs the cause.
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes an error with its causes on one line, for the log.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_every_form() {
        let problem = br#"{"type":"x","title":"x","status":400,"code":"bad_name","detail":"no"}"#;
        let prometheus = br#"{"status":"error","errorType":"bad_data","error":"parse error: x"}"#;
        for (body, code, message) in [
            (&problem[..], "bad_name", "no"),
            (&prometheus[..], "bad_data", "parse error: x"),
            (b"<html>", "http_400", "the server said 400 Bad Request"),
        ] {
            let fault = Fault::from_answer(StatusCode::BAD_REQUEST, body);
            assert_eq!((fault.code(), fault.message()), (code, message));
        }
    }
}
