//! A service with replicas: which of them gets a request, and what is tried again.
//!
//! The cheapest of a few replicas is asked, by peak EWMA of the latency; of many, the cheaper one of
//! two chosen at random (power of two choices, Mitzenmacher 2001). What fails again and again is left
//! alone, but never more than half of the replicas. One without a connection is asked only when no other
//! answers: connections are made beside the requests. A request that was not sent is sent elsewhere; one
//! that was is tried again only if it changes nothing, and within a budget.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::{Body as _, Incoming};
use openframe_fault::{BoxError, Fault};
use tokio_util::sync::CancellationToken;

use crate::Metrics;
use crate::endpoint::{Budget, Endpoint, Tls};
use crate::peer::down;
use crate::replicas::Replicas;

/// How often names are resolved.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);
/// Up to so many replicas are all compared: two at random out of three would take the slow one whenever
/// the other one is busy, though the third is not.
const COMPARE_ALL: usize = 4;
/// Replicas that are tried for one request.
const TRIES: usize = 3;

/// A service that is to be found, and what of a mesh's work is done here. A mesh around the processes
/// (Linkerd, Istio) does the rest; no part of it may be done twice, since retries would multiply.
#[derive(Debug, Clone)]
pub struct Upstream<'a> {
    /// The service's name.
    pub name: &'a str,
    /// Where it is, each `HOST:PORT`; a name may stand for several replicas.
    pub addresses: Vec<String>,
    /// Where each replica is, for what all of them are told; the same as `addresses` when empty.
    pub each: Vec<String>,
    /// Encrypts, and trusts nobody else: see [`openframe_pki::service_client`]. None for connections
    /// that somebody else encrypts.
    pub tls: Option<rustls::ClientConfig>,
    /// Whether a replica is chosen here, and another one tried when it fails.
    pub balanced: bool,
}

/// A service and its replicas. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Parts>);

struct Parts {
    name: String,
    replicas: Replicas,
    /// Where that is not what `replicas` are.
    each: Option<Replicas>,
    /// None where somebody else encrypts.
    tls: Option<Tls>,
    balanced: bool,
    budget: Budget,
    metrics: Metrics,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({} at {})", self.0.name, self.0.replicas.addresses().join(", "))
    }
}

impl Service {
    /// The service's replicas are looked up now, and again and again until `stop`.
    pub async fn find(upstream: Upstream<'_>, metrics: Metrics, stop: CancellationToken) -> Self {
        let parts = Parts {
            name: upstream.name.to_owned(),
            replicas: Replicas::new(upstream.addresses),
            each: (!upstream.each.is_empty()).then(|| Replicas::new(upstream.each)),
            tls: upstream.tls.as_ref().map(Tls::new),
            balanced: upstream.balanced,
            budget: Budget::default(),
            metrics,
        };
        let own = Self(Arc::new(parts));
        own.resolve().await;
        let following = own.clone();
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(RESOLVE_EVERY)).await.is_some() {
                following.resolve().await;
            }
        });
        own
    }

    async fn resolve(&self) {
        for replicas in std::iter::once(&self.0.replicas).chain(&self.0.each) {
            replicas.resolve(&self.0.name).await;
        }
    }

    /// The replicas in the order in which they are to be tried: the cheapest of some first. Any one
    /// where somebody else chooses.
    fn order(&self) -> Vec<Arc<Endpoint>> {
        let (now, all) = (openframe_clock::monotonic(), self.0.replicas.all());
        if !self.0.balanced {
            let random = usize::from_ne_bytes(openframe_ids::random());
            return all.get(random % all.len().max(1)).cloned().into_iter().collect();
        }
        let (ejected, mut rest): (Vec<_>, Vec<_>) =
            all.iter().cloned().partition(|replica| replica.is_ejected(now));
        if ejected.len() > rest.len() {
            rest = all.to_vec();
        }
        // Those without a connection are connected beside, and asked only if nobody else answers.
        let (open, closed): (Vec<_>, Vec<_>) = rest.into_iter().partition(|it| it.is_open());
        let mut order = if open.is_empty() {
            cheapest_first(closed, now)
        } else {
            for replica in &closed {
                replica.connect_soon(self.0.tls.as_ref());
            }
            let mut order = cheapest_first(open, now);
            order.extend(closed);
            order
        };
        order.truncate(TRIES);
        order
    }

    /// Sends one request and returns the head of the answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let began = openframe_clock::monotonic();
        let answer = self.send_somewhere(request).await;
        let took = openframe_clock::monotonic().saturating_duration_since(began);
        let status = answer.as_ref().ok().map(Response::status);
        self.0.metrics.called(&self.0.name, status, took);
        answer
    }

    /// Whether a request may be made once more.
    fn may_retry(&self) -> bool {
        let allowed = self.0.balanced && self.0.budget.retry();
        if allowed {
            self.0.metrics.retried(&self.0.name);
        }
        allowed
    }

    async fn send_somewhere(&self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        self.0.budget.request();
        let mut request = self.addressed(request)?;
        let mut cause: BoxError = "it has no replica".into();
        let mut refused = None;
        for replica in self.order() {
            let again = repeatable(&request);
            match self.try_one(&replica, request).await {
                // It says itself that it cannot: others may.
                Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
                    replica.failed();
                    match again.filter(|_| self.may_retry()) {
                        Some(left) => (request, refused) = (left, Some(answer)),
                        None => return Ok(answer.map(Body::new)),
                    }
                }
                Ok(answer) => return Ok(answer.map(Body::new)),
                Err((error, unsent)) => {
                    replica.failed();
                    cause = error;
                    match unsent.or_else(|| again.filter(|_| self.may_retry())) {
                        Some(left) => request = left,
                        None => break,
                    }
                }
            }
        }
        if let Some(answer) = refused {
            return Ok(answer.map(Body::new));
        }
        tracing::warn!("{} does not answer: {cause}", self.0.name);
        Err(down(cause))
    }

    /// Tries one replica; gives the request back if it was not sent.
    async fn try_one(
        &self,
        replica: &Arc<Endpoint>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, (BoxError, Option<Request<Body>>)> {
        let began = openframe_clock::monotonic();
        let _under_way = replica.begin();
        let mut connection = match replica.connection(self.0.tls.as_ref()).await {
            Ok(connection) => connection,
            Err(error) => return Err((error, Some(request))),
        };
        match connection.try_send_request(request).await {
            Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => Ok(answer),
            Ok(answer) => {
                let now = openframe_clock::monotonic();
                replica.answered(now.saturating_duration_since(began));
                Ok(answer)
            }
            Err(mut error) => {
                let unsent = error.take_message();
                Err((error.into_error().into(), unsent))
            }
        }
    }

    /// Sends a request that asks for an upgrade.
    pub(crate) async fn upgrade(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Fault> {
        let replica = self.order().into_iter().next().ok_or_else(|| down("it has no replica"))?;
        let sent = replica.send_alone(self.0.tls.as_ref(), request).await;
        sent.map_err(|error| {
            replica.failed();
            down(error)
        })
    }

    /// Each replica alone, by its address: for what one of them alone can answer, or all should know.
    pub(crate) fn each(&self) -> Vec<(String, Self)> {
        let one = |replica: &Arc<Endpoint>| {
            let parts = Parts {
                name: self.0.name.clone(),
                replicas: Replicas::one(Arc::clone(replica)),
                each: None,
                tls: self.0.tls.clone(),
                balanced: self.0.balanced,
                budget: Budget::default(),
                metrics: self.0.metrics.clone(),
            };
            (replica.address.to_string(), Self(Arc::new(parts)))
        };
        self.0.each.as_ref().unwrap_or(&self.0.replicas).all().iter().map(one).collect()
    }

    /// The request with a whole address, as HTTP/2 wants it.
    fn addressed(&self, mut request: Request<Body>) -> Result<Request<Body>, Fault> {
        let fallback = PathAndQuery::from_static("/");
        let path = request.uri().path_and_query().cloned().unwrap_or(fallback);
        let scheme = if self.0.tls.is_some() { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(self.0.name.as_str());
        *request.uri_mut() = uri.path_and_query(path).build().map_err(down)?;
        *request.version_mut() = http::Version::HTTP_2;
        // Of one connection, which is another one now (RFC 9113, 8.2.2).
        for name in [http::header::CONNECTION, http::header::HOST, http::header::TRANSFER_ENCODING]
        {
            request.headers_mut().remove(name);
        }
        Ok(request)
    }
}

/// The cheapest of some replicas before the others.
fn cheapest_first(mut replicas: Vec<Arc<Endpoint>>, now: Instant) -> Vec<Arc<Endpoint>> {
    let compared = if replicas.len() <= COMPARE_ALL { replicas.len() } else { 2 };
    // Chosen at random, and in random order: equally cheap ones take turns.
    let mut random = u128::from_ne_bytes(openframe_ids::random());
    for at in 0..compared {
        let left = (replicas.len() - at) as u128;
        replicas.swap(at, at + usize::try_from(random % left).unwrap_or(0));
        random /= left;
    }
    let mut best = (0, f64::INFINITY);
    for (at, replica) in replicas.iter().enumerate().take(compared) {
        let cost = replica.cost(now);
        if cost < best.1 {
            best = (at, cost);
        }
    }
    if best.0 < replicas.len() {
        replicas.swap(0, best.0);
    }
    replicas
}

/// The same request once more, if it changes nothing and has no body.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(Body::empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    *again.version_mut() = request.version();
    Some(again)
}

#[cfg(test)]
mod tests;
