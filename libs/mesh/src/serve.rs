//! A service's door for the other services: who asks, by mutual TLS or by a signed token, and who may
//! ask for what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use openframe_clock::Clock;
use openframe_fault::{BoxError, Fault, Kind};
use openframe_pki::service_name;
use openframe_tokens::internal::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::deadline;
use crate::identity::{PeerService, bearer};

/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// How long the head of a request may take to arrive.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The wait after a failed accept, such as for want of file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// Connections are asked so often whether they live, and this long for an answer.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(10));
/// Requests of all services under way at the same time; what is more is refused at once, since a queue
/// would only make all of them late.
const UNDER_WAY_LIMIT: u32 = 4096;
/// Requests on one connection at the same time.
const STREAMS: u32 = 1024;

/// Which services may ask for paths that begin so. What no rule names is refused.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The beginning of the path.
    pub prefix: &'static str,
    /// The services; none for anybody, also without a certificate.
    pub services: &'static [&'static str],
}

/// Is told of each refusal: which service (empty for none), and the path.
pub type Told = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// How it is known which service asks.
#[derive(Debug, Clone)]
pub enum Known {
    /// By the certificate that its connection shows: TLS is spoken here.
    ByCertificate(Arc<rustls::ServerConfig>),
    /// By the certificate that each request's token carries: a mesh around the processes encrypts.
    ByToken(Verifier, Clock),
}

/// What is the same for every connection.
struct Door {
    router: Router,
    rules: &'static [Rule],
    told: Told,
    under_way: Arc<AtomicU32>,
    /// None where TLS is spoken.
    tokens: Option<(Verifier, Clock)>,
}

/// Serves the other services on `listener` until `stop`; returns when the requests under way have
/// ended. A request that no rule allows to the service that asks is refused before the router sees it.
pub async fn serve(
    listener: TcpListener,
    known: Known,
    (router, rules, told): (Router, &'static [Rule], Told),
    stop: CancellationToken,
) {
    let (acceptor, tokens) = match known {
        Known::ByCertificate(tls) => (Some(TlsAcceptor::from(tls)), None),
        Known::ByToken(verifier, clock) => (None, Some((verifier, clock))),
    };
    let door = Arc::new(Door { router, rules, told, under_way: Arc::default(), tokens });
    let tasks = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let (acceptor, door, stop) = (acceptor.clone(), Arc::clone(&door), stop.clone());
                tasks.spawn(async move {
                    if let Err(error) = connection(stream, acceptor, door, stop).await {
                        tracing::debug!("a service's connection has ended: {error}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!("a service's connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_WAIT).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    door: Arc<Door>,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else {
        return requests(stream, None, door, stop).await;
    };
    let stream = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await??;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    // A certificate of the root's that is no service's, such as a device's, is nobody's here.
    let peer = shown.and_then(|leaf| service_name(leaf).ok()).map(Arc::<str>::from);
    requests(stream, peer, door, stop).await
}

/// Answers what comes on a connection of `peer`.
async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Option<Arc<str>>,
    door: Arc<Door>,
    stop: CancellationToken,
) -> Result<(), BoxError> {
    let router = door.router.clone();
    let check = move |request, next| checked(peer.clone(), Arc::clone(&door), request, next);
    let router = router.layer(from_fn(check));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .max_concurrent_streams(STREAMS);
    let service = TowerToHyperService::new(router);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => return ended,
        () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    serving.await
}

async fn checked(
    peer: Option<Arc<str>>,
    door: Arc<Door>,
    mut request: Request,
    next: Next,
) -> Response {
    let Door { rules, told, under_way, tokens, .. } = &*door;
    let peer = peer.or_else(|| signer(tokens.as_ref()?, &request));
    let path = request.uri().path();
    let rule = rules.iter().find(|rule| path.starts_with(rule.prefix));
    let allowed = rule.is_some_and(|rule| {
        rule.services.is_empty()
            || peer.as_deref().is_some_and(|name| rule.services.contains(&name))
    });
    if !allowed {
        let name = peer.as_deref().unwrap_or("nobody");
        tracing::warn!(peer = name, path, "the service {name} may not ask for {path}");
        told(peer.as_deref().unwrap_or_default(), path);
        let message = "this service may not ask for this";
        return Fault::new(Kind::Forbidden, "service_not_allowed", message).into_response();
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(PeerService(peer));
    }
    let Some(_place) = Place::take(under_way) else {
        let message = "this replica has as much to do as it can; try again";
        return Fault::unavailable("overloaded", message).into_response();
    };
    let left = deadline::told(request.headers_mut());
    let answer = deadline::within(left, next.run(request)).await;
    answer.unwrap_or_else(|| {
        let message = "whoever asked does not wait any longer";
        Fault::unavailable("deadline_over", message).into_response()
    })
}

/// The service that signed a request's token.
fn signer((verifier, clock): &(Verifier, Clock), request: &Request) -> Option<Arc<str>> {
    let token = bearer(request.headers())?;
    verifier.signer(token, clock.now()).ok()?.map(Arc::from)
}

/// A place among the requests under way; free again when dropped.
struct Place(Arc<AtomicU32>);

impl Place {
    /// None when there are as many as this process can do well: others may take the request.
    fn take(under_way: &Arc<AtomicU32>) -> Option<Self> {
        let place = Self(Arc::clone(under_way));
        (under_way.fetch_add(1, Ordering::Relaxed) < UNDER_WAY_LIMIT).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
