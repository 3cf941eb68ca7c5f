//! Answers that last: event streams and tunnels. They end when who opened them may no longer, or
//! when the gateway drains.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderValue, Version};
use http_body::{Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use openframe_fault::{Fault, Kind};
use openframe_mesh::identity as internal;
use openframe_tokens::Caller;

use super::{Client, Shared};
use crate::identity::{Kept, is_own_page};
use crate::pump::pump;
use crate::routes::Target;

/// What is over when it returns.
type End = BoxFuture<'static, ()>;

impl Shared {
    /// When an answer that lasts has to end.
    pub(super) fn end(&self, kept: Option<Kept>, caller: &Caller) -> End {
        let (identity, drain) = (self.identity.clone(), self.agents.drain.clone());
        let (caller, every) = (caller.clone(), Duration::from_secs(self.config.caller_check_s));
        async move {
            let ended = async {
                match kept {
                    Some(kept) => identity.ended(kept, caller, every).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ended => {}
                () = drain.cancelled() => {}
            }
        }
        .boxed()
    }

    /// Joins the client's connection to one of the service's, once that has agreed to the upgrade.
    pub(super) async fn tunnel(
        &self,
        target: Target,
        (mut request, protocol): (Request, HeaderValue),
        (client, caller, end): (&Client, &Caller, End),
    ) -> Result<Response, Fault> {
        let outside = hyper::upgrade::on(&mut request);
        let (mut head, _) = request.into_parts();
        let token = self.identity.token(caller, target.name()).await;
        internal::insert(&mut head.headers, &token);
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, protocol);
        let request = Request::from_parts(head, Body::empty());
        let (answer, inside) = self.peer(target).upgrade(request).await?;
        if let Some(inside) = inside {
            let (idle, metrics) = (self.config.tunnel_idle_s, self.metrics.clone());
            let place = Arc::clone(&client.place);
            self.agents.tasks.spawn(async move {
                metrics.tunnels.inc();
                tokio::select! {
                    () = join(outside, inside, Duration::from_secs(idle)) => {}
                    () = end => {}
                }
                metrics.tunnels.dec();
                drop(place);
            });
        }
        Ok(answer)
    }
}

async fn join(outside: OnUpgrade, inside: OnUpgrade, idle: Duration) {
    let (Ok(outside), Ok(inside)) = futures::join!(outside, inside) else { return };
    if let Err(error) = pump(TokioIo::new(outside), TokioIo::new(inside), idle).await {
        tracing::debug!("a tunnel ended early: {error}");
    }
}

/// The protocol that a request asks to upgrade to. Fails when a page of another origin asks: a
/// browser sends the cookie, but not the token that changes need, with such a request.
pub(super) fn wanted_upgrade(
    version: Version,
    headers: &HeaderMap,
    https: bool,
) -> Result<Option<HeaderValue>, Fault> {
    let mut named = headers.get_all(CONNECTION).into_iter().filter_map(|it| it.to_str().ok());
    let named =
        named.any(|it| it.split(',').any(|name| name.trim().eq_ignore_ascii_case("upgrade")));
    let Some(protocol) = headers.get(UPGRADE).filter(|_| named && version == Version::HTTP_11)
    else {
        return Ok(None);
    };
    if is_own_page(headers, https) {
        return Ok(Some(protocol.clone()));
    }
    let message = "the connection was not asked for by a page of this console";
    Err(Fault::new(Kind::Forbidden, "csrf", message))
}

/// Lets an event stream end at `end`; any other answer stays as it is.
pub(super) fn until(end: End, answer: Response) -> Response {
    let kind = answer.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !kind.starts_with(b"text/event-stream") {
        return answer;
    }
    answer.map(|body| Body::new(Until { body, end: Some(end) }))
}

struct Until {
    body: Body,
    end: Option<End>,
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        if end.as_mut().poll(cx).is_ready() {
            self.end = None;
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
