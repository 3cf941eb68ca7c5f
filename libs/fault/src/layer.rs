//! What every router of a service has around it.

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{Fault, Kind, chain};

/// The header that carries a request's id from the gateway through every service.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a service's router: unknown paths and methods answer as problem details, a panic becomes
/// a 500 of this request only, each refusal carries the request's id, and causes are logged once.
pub fn layer(router: Router) -> Router {
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(finish))
}

/// The answer to a path that nobody serves.
pub async fn not_found() -> Fault {
    Fault::new(Kind::NotFound, "no_such_path", "nothing is served at this path")
}

/// The answer to a method that a path does not have.
pub async fn method_not_allowed(method: Method) -> Fault {
    Fault::invalid("method_not_allowed", format!("this path does not answer {method}"))
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that the layer asks for")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default();
    Fault::new(Kind::Internal, "internal", "something went wrong on our side")
        .because(format!("panic: {text}"))
        .into_response()
}

async fn finish(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let Some(fault) = response.extensions_mut().remove::<Fault>() else { return response };
    let id = id.as_ref().and_then(|id| id.to_str().ok());
    log(&fault, &path, id.unwrap_or_default());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(fault.body(id));
    response
}

/// Errors are logged once, where the request ends, at a level that depends on the kind alone.
fn log(fault: &Fault, path: &str, request_id: &str) {
    let (code, cause) = (fault.code(), chain(fault));
    match fault.kind() {
        Kind::Internal => tracing::error!(request.id = request_id, code, path, "failed: {cause}"),
        Kind::Unavailable => {
            tracing::warn!(request.id = request_id, code, path, "unavailable: {cause}");
        }
        Kind::Invalid
        | Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::NotFound
        | Kind::Conflict
        | Kind::TooMany => tracing::debug!(request.id = request_id, code, path, "refused: {cause}"),
    }
}
