//! One replica of a service: its connection, and how it has done lately.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openframe_fault::BoxError;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// How long a connection may take to be there, handshake included.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Connections are asked so often whether they live, and this long for an answer: what hangs without
/// closing is found out by it.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));
/// How long after a failure to connect nobody tries again in the background.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);
/// How much of the past counts: an old latency weighs 1/e after this.
const DECAY: Duration = Duration::from_secs(3);
/// What a replica costs of which nothing is known yet, and after a failure, in seconds.
const UNKNOWN_S: f64 = 0.001;
const FAILED_S: f64 = 1.0;
/// Failures in a row after which a replica is left alone, and for how long at first and at most.
const EJECT_AFTER: u32 = 5;
const EJECT_FOR: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// One replica.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    connection: Mutex<Option<http2::SendRequest<Body>>>,
    /// One connects at a time; the others take what it made, or fail as it did.
    connecting: Arc<Semaphore>,
    connect_failed: Mutex<Option<Instant>>,
    in_flight: AtomicU32,
    record: Mutex<Record>,
}

/// How a replica has done.
#[derive(Debug)]
struct Record {
    /// Peak EWMA of the latency, seconds: rises at once, falls slowly (Finagle's; Linkerd's default).
    latency_s: f64,
    at: Instant,
    failures: u32,
    ejected_until: Option<Instant>,
    ejections: u32,
}

/// A request under way: counts until dropped.
pub(crate) struct InFlight(Arc<Endpoint>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The TLS settings of the connections to a service; none for them where somebody else encrypts.
#[derive(Clone)]
pub(crate) struct Tls {
    /// For HTTP/2.
    h2: TlsConnector,
    /// For HTTP/1.1, which alone can be upgraded.
    h1: TlsConnector,
}

/// A connection, with or without TLS of this process.
type Stream = Either<TlsStream<TcpStream>, TcpStream>;

impl Tls {
    pub(crate) fn new(config: &ClientConfig) -> Self {
        let with = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Self { h2: with(b"h2"), h1: with(b"http/1.1") }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Endpoint {
    pub(crate) fn new(address: SocketAddr) -> Arc<Self> {
        let record = Record {
            latency_s: UNKNOWN_S,
            at: openframe_clock::monotonic(),
            failures: 0,
            ejected_until: None,
            ejections: 0,
        };
        Arc::new(Self {
            address,
            connection: Mutex::default(),
            connecting: Arc::new(Semaphore::new(1)),
            connect_failed: Mutex::default(),
            in_flight: AtomicU32::new(0),
            record: Mutex::new(record),
        })
    }

    /// What one more request costs here: the latency lately, times the requests under way.
    pub(crate) fn cost(&self, now: Instant) -> f64 {
        let record = locked(&self.record);
        let age = now.saturating_duration_since(record.at).as_secs_f64();
        let latency = record.latency_s * (-age / DECAY.as_secs_f64()).exp();
        latency.max(UNKNOWN_S) * f64::from(self.in_flight.load(Ordering::Relaxed) + 1)
    }

    /// Whether it has failed so often that it is left alone for now.
    pub(crate) fn is_ejected(&self, now: Instant) -> bool {
        locked(&self.record).ejected_until.is_some_and(|until| now < until)
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Notes an answer that took this long.
    pub(crate) fn answered(&self, took: Duration) {
        let (mut record, now) = (locked(&self.record), openframe_clock::monotonic());
        let took = took.as_secs_f64();
        let age = now.saturating_duration_since(record.at).as_secs_f64();
        let weight = (-age / DECAY.as_secs_f64()).exp();
        // A peak counts at once.
        let mixed = record.latency_s * weight + took * (1.0 - weight);
        record.latency_s = if took > record.latency_s { took } else { mixed };
        record.at = now;
        (record.failures, record.ejections, record.ejected_until) = (0, 0, None);
    }

    /// Notes that it did not answer, or that something is wrong with it.
    pub(crate) fn failed(&self) {
        let (mut record, now) = (locked(&self.record), openframe_clock::monotonic());
        (record.latency_s, record.at) = (record.latency_s.max(FAILED_S), now);
        record.failures += 1;
        if record.failures >= EJECT_AFTER {
            let times = 1_u32.checked_shl(record.ejections.min(16)).unwrap_or(1);
            record.ejected_until = Some(now + (EJECT_FOR.0 * times).min(EJECT_FOR.1));
            record.ejections += 1;
            record.failures = 0;
        }
    }

    /// A connection that takes requests, made if there is none.
    pub(crate) async fn connection(
        &self,
        tls: Option<&Tls>,
    ) -> Result<http2::SendRequest<Body>, BoxError> {
        if let Some(open) = self.open() {
            return Ok(open);
        }
        let asked = openframe_clock::monotonic();
        let _turn = self.connecting.acquire().await?;
        if let Some(open) = self.open() {
            return Ok(open);
        }
        if locked(&self.connect_failed).is_some_and(|at| at >= asked) {
            return Err("nobody could connect a moment ago".into());
        }
        self.connect_now(tls).await
    }

    async fn connect_now(&self, tls: Option<&Tls>) -> Result<http2::SendRequest<Body>, BoxError> {
        let made = match tokio::time::timeout(CONNECT_LIMIT, self.connect(tls)).await {
            Ok(made) => made,
            Err(late) => Err(late.into()),
        };
        match made {
            Ok(made) => {
                *locked(&self.connection) = Some(made.clone());
                Ok(made)
            }
            Err(error) => {
                *locked(&self.connect_failed) = Some(openframe_clock::monotonic());
                Err(error)
            }
        }
    }

    /// Connects in the background, unless somebody does so already or it has failed a moment ago: no
    /// request is to wait for it while another replica takes it at once.
    pub(crate) fn connect_soon(self: &Arc<Self>, tls: Option<&Tls>) {
        let now = openframe_clock::monotonic();
        let recently = |at: Instant| now.saturating_duration_since(at) < CONNECT_AGAIN;
        if locked(&self.connect_failed).is_some_and(recently) {
            return;
        }
        let Ok(turn) = Arc::clone(&self.connecting).try_acquire_owned() else { return };
        let (own, tls) = (Arc::clone(self), tls.cloned());
        tokio::spawn(async move {
            // It notes itself when it fails.
            own.connect_now(tls.as_ref()).await.ok();
            drop(turn);
        });
    }

    /// Whether there is a connection that takes requests.
    pub(crate) fn is_open(&self) -> bool {
        locked(&self.connection).as_ref().is_some_and(|open| !open.is_closed())
    }

    fn open(&self) -> Option<http2::SendRequest<Body>> {
        locked(&self.connection).clone().filter(|open| !open.is_closed())
    }

    async fn connect(&self, tls: Option<&Tls>) -> Result<http2::SendRequest<Body>, BoxError> {
        let stream = self.stream(tls.map(|tls| &tls.h2)).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        // It ends with the connection, whose errors the requests on it report.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn stream(&self, tls: Option<&TlsConnector>) -> Result<Stream, BoxError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = tls else { return Ok(Either::Right(stream)) };
        // Services are known by their names, not by their addresses: nobody checks this one.
        let name = ServerName::from(self.address.ip());
        Ok(Either::Left(tls.connect(name, stream).await?))
    }

    /// Sends a request on a connection of its own, which can be upgraded.
    pub(crate) async fn send_alone(
        &self,
        tls: Option<&Tls>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, BoxError> {
        let stream =
            tokio::time::timeout(CONNECT_LIMIT, self.stream(tls.map(|tls| &tls.h1))).await??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
        Ok(sender.send_request(request).await?)
    }
}

/// Retries that may be made: a share of the requests, or a few a second if that is more, so that
/// retries never multiply a load that is too much already (Finagle's retry budget).
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Hundredths of a retry.
    saved: AtomicU64,
    second: Mutex<Option<(Instant, u32)>>,
}

/// What each request adds, in hundredths of a retry.
const SHARE: u64 = 20;
/// What is saved at most.
const SAVED_LIMIT: u64 = 100 * 100;
/// Retries a second that are allowed whatever was saved.
const ALWAYS: u32 = 3;

impl Budget {
    /// Notes a request that is no retry.
    pub(crate) fn request(&self) {
        let add = |saved: u64| Some((saved + SHARE).min(SAVED_LIMIT));
        // It always gives a value, so it never fails.
        self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
    }

    /// Takes a retry, if there is one left.
    pub(crate) fn retry(&self) -> bool {
        let (mut second, now) = (locked(&self.second), openframe_clock::monotonic());
        let over = |since: Instant| now.saturating_duration_since(since) >= Duration::from_secs(1);
        let (since, used) = second.filter(|(since, _)| !over(*since)).unwrap_or((now, 0));
        let take = |saved: u64| saved.checked_sub(100);
        let saved = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        let allowed = saved || used < ALWAYS;
        *second = Some((since, used + u32::from(allowed)));
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_of_the_requests_and_three_a_second() {
        let budget = Budget::default();
        assert_eq!((0..10).filter(|_| budget.retry()).count(), 3);
        for _ in 0..100 {
            budget.request();
        }
        assert_eq!((0..100).filter(|_| budget.retry()).count(), 20);
    }

    #[test]
    fn a_replica_that_fails_again_and_again_is_left_alone() {
        let endpoint = Endpoint::new(([127, 0, 0, 1], 1).into());
        let now = openframe_clock::monotonic;
        let before = endpoint.cost(now());
        for _ in 1..EJECT_AFTER {
            endpoint.failed();
        }
        assert!(endpoint.cost(now()) > before && !endpoint.is_ejected(now()));
        endpoint.failed();
        assert!(endpoint.is_ejected(now()));
        assert!(!endpoint.is_ejected(now() + EJECT_FOR.0));
        endpoint.answered(Duration::from_millis(1));
        assert!(!endpoint.is_ejected(now()));
    }

    #[test]
    fn a_slow_answer_counts_at_once_and_requests_under_way_too() {
        let (quick, slow) = ([1, 2]).map(|n| Endpoint::new(([127, 0, 0, n], 1).into())).into();
        quick.answered(Duration::from_millis(2));
        slow.answered(Duration::from_millis(20));
        let now = openframe_clock::monotonic();
        assert!(slow.cost(now) > 5.0 * quick.cost(now));
        let under_way: Vec<_> = (0..20).map(|_| quick.begin()).collect();
        assert!(quick.cost(now) > slow.cost(now));
        drop(under_way);
        assert!(quick.cost(now) < slow.cost(now));
    }
}
