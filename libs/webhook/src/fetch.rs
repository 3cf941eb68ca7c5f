//! Fetching a short document, or the answer to a form, with the same care as posting.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, header};
use openframe_fault::body;

use super::{Refusal, Webhooks, reachable, reason};

/// How long a fetch may take: a person waits for it.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is fetched.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// From where; see [`address`](super::address).
    pub url: &'a str,
    /// A form to post there; without one it is asked for.
    pub form: Option<&'a str>,
    /// Headers beside the usual ones.
    pub headers: &'a [(HeaderName, String)],
    /// Bytes of the answer at most: a longer one is a failure.
    pub limit: usize,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Webhooks {
    /// Fetches a document. Redirects are not followed: they would lead around the check of the address.
    pub async fn fetch(&self, fetch: Fetch<'_>) -> Result<Fetched, Refusal> {
        let request = request(&fetch)?;
        let answer = tokio::time::timeout(DEADLINE, self.fetched(request, fetch.limit)).await;
        answer.unwrap_or_else(|_| {
            let seconds = DEADLINE.as_secs();
            Err(Refusal::Temporary(format!("it did not answer within {seconds} s")))
        })
    }

    async fn fetched(&self, request: Request<Body>, limit: usize) -> Result<Fetched, Refusal> {
        let answer = self.0.request(request).await;
        let answer = answer.map_err(|error| Refusal::Temporary(reason(&error)))?;
        let status = answer.status().as_u16();
        let body = body::read(Body::new(answer.into_body()), limit).await;
        let body = body.map_err(|fault| Refusal::Final(fault.message().to_owned()))?;
        Ok(Fetched { status, body: body.to_vec() })
    }
}

fn request(fetch: &Fetch<'_>) -> Result<Request<Body>, Refusal> {
    let url = reachable(fetch.url)?;
    let (method, body) = match fetch.form {
        Some(form) => (Method::POST, Body::from(form.to_owned())),
        None => (Method::GET, Body::empty()),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .header(header::USER_AGENT, HeaderValue::from_static("openframe"))
        .body(body)
        .map_err(|error| Refusal::Final(error.to_string()))?;
    if fetch.form.is_some() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
    }
    for (name, value) in fetch.headers {
        let value = HeaderValue::from_str(value);
        let value = value.map_err(|error| Refusal::Final(error.to_string()))?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::{get, post};
    use tokio::net::TcpListener;

    use super::*;

    /// A server on loopback, and what fetches from it.
    async fn server() -> (String, Webhooks) {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let roots = rustls::RootCertStore::empty();
        let tls =
            rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let echo = |headers: http::HeaderMap, body: String| async move {
            let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
            format!("{} {} {body}", text("authorization"), text("content-type"))
        };
        let app = Router::new()
            .route("/long", get(async || "x".repeat(101)))
            .route("/fits", get(async || "x".repeat(100)))
            .route("/away", get(async || Redirect::to("http://169.254.169.254/")))
            .route("/form", post(echo));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, Webhooks::new(tls))
    }

    #[tokio::test]
    async fn an_answer_is_short_and_from_where_it_was_asked_for() {
        let (url, webhooks) = server().await;
        let at = |path: &str| format!("{url}{path}");
        let fetch = async |url: &str, form| {
            let headers = [(header::AUTHORIZATION, "Basic x".to_owned())];
            webhooks.fetch(Fetch { url, form, headers: &headers, limit: 100 }).await
        };
        assert_eq!(fetch(&at("/fits"), None).await.unwrap().body.len(), 100);
        assert!(matches!(fetch(&at("/long"), None).await, Err(Refusal::Final(_))));
        assert_eq!(fetch(&at("/away"), None).await.unwrap().status, 303, "not followed");
        let echoed = fetch(&at("/form"), Some("a=b")).await.unwrap().body;
        let want = "Basic x application/x-www-form-urlencoded a=b";
        assert_eq!(String::from_utf8(echoed).unwrap(), want);
        for bad in ["http://169.254.169.254/", "https://169.254.169.254/", "http://example.org/"] {
            assert!(matches!(fetch(bad, None).await, Err(Refusal::Final(_))), "{bad}");
        }
    }
}
