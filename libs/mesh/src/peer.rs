//! Where a service lives, and how a request gets there.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn as client;
use hyper::server::conn as server;
use hyper::upgrade::OnUpgrade;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use openframe_fault::{Fault, Kind};
use tower::ServiceExt as _;

use crate::{Service, deadline};

/// How long a call may take until the head of its answer is here.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Bytes that wait in each direction between this process and a service in it, once upgraded.
const UPGRADED_BYTES: usize = 16 << 10;

/// Connections to other processes, pooled. Cheap to clone: clones share the pool.
#[derive(Clone)]
pub struct Connector {
    pool: Pool,
    /// HTTP/1.1 only: what is upgraded has a connection of its own.
    upgrades: Pool,
}

type Pool = HyperClient<HttpsConnector<HttpConnector>, Body>;

impl Connector {
    /// Connections that trust what `tls` trusts. Plain `http` addresses work as well: whoever
    /// chooses the address decides.
    pub fn new(tls: rustls::ClientConfig) -> Self {
        let builder = |tls| {
            hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_http1()
        };
        let pool = |connector| {
            HyperClient::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector)
        };
        let upgrades = pool(builder(tls.clone()).build());
        Self { pool: pool(builder(tls).enable_http2().build()), upgrades }
    }
}

/// Where a service lives.
#[derive(Clone)]
pub enum Peer {
    /// In this process: the request is handed to the service's router. The router is looked up when
    /// called, so services can be put together in any order.
    Local(Late),
    /// Another service of the platform, with replicas.
    Service(Service),
    /// At an address: `scheme://host:port`.
    Remote {
        /// The scheme and authority that each request gets.
        base: Uri,
        /// The pool to take a connection from.
        connector: Box<Connector>,
    },
}

/// A router that is set once the service has started.
#[derive(Clone, Default)]
pub struct Late(Arc<OnceLock<Router>>);

impl Late {
    /// Gives the router. Only the first call counts.
    pub fn set(&self, router: Router) {
        // A second start in the same process would be a bug of `openframe/`; the first one serves.
        drop(self.0.set(router));
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Peer::Local"),
            Self::Service(service) => write!(f, "Peer::{service:?}"),
            Self::Remote { base, .. } => write!(f, "Peer::Remote({base})"),
        }
    }
}

impl From<Router> for Peer {
    fn from(router: Router) -> Self {
        let late = Late::default();
        late.set(router);
        Self::Local(late)
    }
}

impl Peer {
    /// Each replica alone, by a name of its own.
    pub fn each(&self) -> Vec<(String, Self)> {
        match self {
            Self::Local(_) | Self::Remote { .. } => vec![(String::new(), self.clone())],
            Self::Service(service) => {
                let all = service.each().into_iter();
                all.map(|(name, one)| (name, Self::Service(one))).collect()
            }
        }
    }

    /// Sends one request and returns the head of the answer; the body streams. Fails with
    /// `Unavailable` when nobody answers in time.
    pub async fn call(&self, mut request: Request<Body>) -> Result<Response<Body>, Fault> {
        if matches!(self, Self::Service(_)) {
            deadline::tell(request.headers_mut(), deadline::left(DEADLINE));
        }
        in_time(self.send(request)).await
    }

    /// Sends one request without a deadline: for answers that end when the caller goes away.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, Fault> {
        // Extensions cannot cross a socket, so they must not cross in-process either.
        request.extensions_mut().clear();
        let mut response = match self {
            Self::Local(late) => {
                let router = late.0.get().cloned().ok_or_else(|| down("not started yet"))?;
                match router.oneshot(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            // Boxed: a call in this process is not to be as large.
            Self::Service(service) => Box::pin(service.send(request)).await?,
            Self::Remote { base, connector } => {
                *request.uri_mut() = join(base, request.uri())?;
                connector.pool.request(request).await.map_err(down)?.map(Body::new)
            }
        };
        response.extensions_mut().clear();
        Ok(response)
    }

    /// Sends a request that asks for an upgrade. With the head of an answer that agrees (101) comes
    /// the connection; any other answer comes alone.
    pub async fn upgrade(
        &self,
        mut request: Request<Body>,
    ) -> Result<(Response<Body>, Option<OnUpgrade>), Fault> {
        request.extensions_mut().clear();
        let sending = async {
            match self {
                Self::Local(late) => {
                    let router = late.0.get().cloned().ok_or_else(|| down("not started yet"))?;
                    upgrade_local(router, request).await.map_err(down)
                }
                Self::Service(service) => Box::pin(service.upgrade(request)).await,
                Self::Remote { base, connector } => {
                    *request.uri_mut() = join(base, request.uri())?;
                    connector.upgrades.request(request).await.map_err(down)
                }
            }
        };
        let mut response = in_time(sending).await?;
        let agreed = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let upgrade = agreed.then(|| hyper::upgrade::on(&mut response));
        response.extensions_mut().clear();
        Ok((response.map(Body::new), upgrade))
    }
}

/// Speaks HTTP/1.1 to a router in this process, since only a connection can be upgraded.
async fn upgrade_local(
    router: Router,
    request: Request<Body>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (here, there) = tokio::io::duplex(UPGRADED_BYTES);
    let serving = server::http1::Builder::new()
        .serve_connection(TokioIo::new(there), TowerToHyperService::new(router))
        .with_upgrades();
    // Both end with the connection, whose errors the other half reports.
    tokio::spawn(async move { drop(serving.await) });
    let (mut sender, connection) = client::http1::handshake(TokioIo::new(here)).await?;
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    sender.send_request(request).await
}

/// Waits for an answer as long as a call may take, or whoever asks for it waits; fails with
/// `Unavailable` after that.
pub async fn in_time<T>(answer: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(deadline::left(DEADLINE), answer).await {
        Ok(answer) => answer,
        Err(late) => Err(Fault::unavailable(
            "peer_too_slow",
            "a part of the platform did not answer in time; try again",
        )
        .because(late)),
    }
}

fn join(base: &Uri, path: &Uri) -> Result<Uri, Fault> {
    let mut parts = base.clone().into_parts();
    let fallback = PathAndQuery::from_static("/");
    parts.path_and_query = Some(path.path_and_query().cloned().unwrap_or(fallback));
    Uri::from_parts(parts).map_err(|error| {
        Fault::new(Kind::Internal, "bad_peer", "the address of a peer is wrong").because(error)
    })
}

pub(crate) fn down(cause: impl Into<openframe_fault::BoxError>) -> Fault {
    Fault::unavailable("peer_down", "a part of the platform does not answer; try again")
        .because(cause)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use http_body_util::BodyExt as _;

    use super::*;

    fn service() -> Router {
        openframe_fault::layer(
            Router::new()
                .route("/hello", get(async || "hello"))
                .route("/panic", get(async || -> &'static str { panic!("on purpose") })),
        )
    }

    async fn peers() -> [Peer; 2] {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async { axum::serve(listener, service()).await });
        let trust = rustls::RootCertStore::empty();
        let tls =
            rustls::ClientConfig::builder().with_root_certificates(trust).with_no_client_auth();
        [service().into(), Peer::Remote { base, connector: Box::new(Connector::new(tls)) }]
    }

    async fn check(path: &str) -> String {
        let mut answers = Vec::new();
        for peer in peers().await {
            let request = Request::builder().uri(path).header("host", "x");
            let answer = peer.call(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = answer.status();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            answers.push(format!("{} {}", status.as_u16(), String::from_utf8_lossy(&body)));
        }
        assert_eq!(answers[0], answers[1], "in-process and over TCP differ");
        answers.swap_remove(0)
    }

    #[tokio::test]
    async fn both_shapes_answer_the_same() {
        assert_eq!(check("/hello").await, "200 hello");
        assert!(check("/nothing").await.starts_with("404 {\"type\":\"urn:openframe:error:no_such"));
        assert!(check("/panic").await.starts_with("500 {\"type\":\"urn:openframe:error:internal"));
    }

    #[tokio::test]
    async fn a_peer_that_has_not_started_is_unavailable() {
        let peer = Peer::Local(Late::default());
        let fault = peer.call(Request::new(Body::empty())).await.unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "peer_down"));
    }
}
