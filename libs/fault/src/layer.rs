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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    /// Whether a line is wanted is decided for all threads when it is first met: a test that reads the log
    /// must not share that moment with one that does not.
    static ALONE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);

    async fn panics() -> &'static str {
        panic!("the secret is hush")
    }

    async fn fails() -> Fault {
        Fault::new(Kind::Internal, "internal", "something went wrong on our side")
            .because("select hush from secrets: no such table")
    }

    // ASVS 16.5.1
    #[tokio::test]
    async fn whoever_asks_is_told_nothing_of_the_inside() {
        let _alone = ALONE.acquire().await.unwrap();
        let router = layer(Router::new().route("/panic", get(panics)).route("/fail", get(fails)));
        for path in ["/panic", "/fail"] {
            let request = Request::get(path).header(REQUEST_ID, "r1").body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains("something went wrong on our side"), "{body}");
            assert!(body.contains("\"r1\"") && !body.contains("hush"), "{body}");
        }
    }

    async fn is_away() -> Fault {
        Fault::unavailable("database_away", "try again").because("connection refused")
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // ASVS 16.3.4
    #[tokio::test]
    async fn what_was_not_expected_is_logged_once_with_its_cause_and_its_request() {
        let _alone = ALONE.acquire().await.unwrap();
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().json().with_writer(move || writer.clone());
        let _here = tracing::subscriber::set_default(lines.finish());
        let router = Router::new().route("/panic", get(panics)).route("/fail", get(fails));
        let router = layer(router.route("/away", get(is_away)));
        for path in ["/panic", "/fail", "/away"] {
            let request = Request::get(path).header(REQUEST_ID, path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let wanted = [
            ("ERROR", "/panic", "panic: the secret is hush"),
            ("ERROR", "/fail", "no such table"),
            ("WARN", "/away", "connection refused"),
        ];
        assert_eq!(lines.len(), wanted.len(), "{text}");
        for (line, (level, path, cause)) in lines.iter().zip(wanted) {
            let fields = &line["fields"];
            assert_eq!((&line["level"], &fields["request.id"]), (&level.into(), &path.into()));
            assert!(fields["message"].as_str().unwrap().contains(cause), "{line}");
        }
    }
}
