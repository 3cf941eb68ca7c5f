//! What is kept of a request: its metrics, and its one line in the access log.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use http_body::{Frame, SizeHint};
use openframe_tokens::Caller;
use tokio::time::Instant;

use super::Client;
use crate::metrics::{Metrics, RequestLabels};
use crate::serve::Active;

/// Characters of a path that are logged at most.
const PATH_CHARS: usize = 512;

/// What the handler of a request finds out about it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    route: OnceLock<&'static str>,
    caller: OnceLock<Caller>,
}

impl Noted {
    /// The route's path in the table, which names it in metrics. Only the first call counts.
    pub(super) fn route(&self, path: &'static str) {
        self.0.route.get_or_init(|| path);
    }

    /// Who asks. Only the first call counts.
    pub(super) fn caller(&self, caller: &Caller) {
        self.0.caller.get_or_init(|| caller.clone());
    }
}

/// A request that is being answered. The line is written when this is dropped: the answer is sent
/// then, or the client has left.
pub(super) struct Record {
    metrics: Metrics,
    active: Active,
    id: HeaderValue,
    method: Method,
    path: String,
    remote: IpAddr,
    start: Instant,
    noted: Noted,
    status: Option<StatusCode>,
    bytes: u64,
}

impl Record {
    pub(super) fn new(
        metrics: &Metrics,
        active: Active,
        id: HeaderValue,
        client: &Client,
        (method, path): (&Method, &str),
    ) -> Self {
        Self {
            metrics: metrics.clone(),
            active,
            id,
            method: method.clone(),
            // Without the query, which may hold what a person looked for.
            path: path.chars().take(PATH_CHARS).collect(),
            remote: client.remote,
            start: Instant::now(),
            noted: client.noted.clone(),
            status: None,
            bytes: 0,
        }
    }

    /// The head of the answer is there: counts it, and goes on with its body.
    pub(super) fn answered(mut self, response: Response) -> Response {
        self.status = Some(response.status());
        let labels = self.labels();
        let taken = self.start.elapsed().as_secs_f64();
        self.metrics.duration.get_or_create(&labels).observe(taken);
        self.metrics.requests.get_or_create(&labels).inc();
        response.map(|body| Body::new(Recorded { body, record: self }))
    }

    fn labels(&self) -> RequestLabels {
        let status = match self.status.map(|status| status.as_u16()) {
            None => "aborted",
            Some(0..=299) => "2xx",
            Some(300..=399) => "3xx",
            Some(400..=499) => "4xx",
            Some(_) => "5xx",
        };
        RequestLabels { route: self.route(), status }
    }

    fn route(&self) -> &'static str {
        self.noted.0.route.get().copied().unwrap_or("unknown")
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.metrics.requests.get_or_create(&self.labels()).inc();
        }
        let caller = self.noted.0.caller.get();
        let (method, path) = (self.method.as_str(), self.path.as_str());
        tracing::info!(
            target: "access",
            method,
            path,
            request.id = self.id.to_str().unwrap_or_default(),
            route = self.route(),
            status = self.status.map(|status| status.as_u16()),
            aborted = self.status.is_none(),
            bytes = self.bytes,
            duration_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            remote = %self.remote,
            caller.kind = caller.map(Caller::kind),
            caller.id = caller.map(Caller::id),
            "{method} {path}"
        );
    }
}

/// A body whose request is recorded when it ends.
struct Recorded {
    body: Body,
    record: Record,
}

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.record.active.asked();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.record.bytes += u64::try_from(bytes).unwrap_or_default();
            self.record.active.gave();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
