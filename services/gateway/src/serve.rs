//! Sockets: accept, handshake, and speak HTTP with limits.
//!
//! Whoever only holds a connection costs others nothing: there is no queue to be at the head of, a
//! handshake waits in its own task, and each step has a limit of time.

mod activity;
mod places;
mod socket;

pub(crate) use activity::Active;
pub(crate) use places::Place;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openframe_pki::{DeviceIdentity, DeviceRoot, device_identity};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::{Edge, Shared, answer};
use crate::metrics::Refused;
use crate::proxies::is_proxy;
use activity::{Activity, Overdue};
use places::{Full, Places};
use socket::Socket;

/// The wait after a failed accept, such as for want of file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// Headers of a request at most.
const MAX_HEADERS: usize = 100;
/// How long a connection without a request gets to send one when the server stops.
const FIRST_REQUEST_LIMIT: Duration = Duration::from_millis(500);
/// How long a connection that should end gets to say so.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);
/// HTTP/2 connections are asked so often whether they live.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes of one HTTP/2 answer that wait for the client to read.
const STREAM_BYTES: usize = 64 << 10;

/// The connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Who is at the other end of the socket.
    pub(crate) remote: IpAddr,
    /// Whether the socket speaks TLS.
    pub(crate) tls: bool,
    /// The device whose certificate was shown.
    pub(crate) device: Option<Arc<DeviceIdentity>>,
    /// What tells a device whose requests show its certificate; none where that does not count.
    pub(crate) root: Option<DeviceRoot>,
    /// Its place; what goes on after an upgrade keeps it.
    pub(crate) place: Arc<Place>,
}

/// One listener's settings.
#[derive(Clone)]
struct Door {
    router: Router,
    shared: Arc<Shared>,
    places: Arc<Places>,
    tls: Option<TlsAcceptor>,
    root: Option<DeviceRoot>,
    /// Whether only proxies may connect: what others send would cross the network in the clear.
    proxies_only: bool,
    stop: CancellationToken,
}

impl Edge {
    /// Serves people and API clients on `listener` until `stop`; returns when the requests under
    /// way have ended.
    pub async fn serve_users(
        &self,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        stop: CancellationToken,
    ) {
        let config = &self.shared.config;
        let places = Places::new(config.connections, config.connections_per_address);
        let plain = tls.is_none();
        let mut door = self.door(self.users.clone(), (tls, places), stop);
        door.proxies_only = plain && !is_loopback(&listener);
        door.serve(listener).await;
    }

    /// Serves agents on `listener` until `stop`. Their certificates are of `root`, also where a request
    /// shows one because something on the way has ended the agent's TLS.
    pub async fn serve_agents(
        &self,
        listener: TcpListener,
        (tls, root): (Arc<rustls::ServerConfig>, DeviceRoot),
        stop: CancellationToken,
    ) {
        let config = &self.shared.config;
        let places = Places::new(config.agent_connections, config.agent_connections_per_address);
        let mut door = self.door(self.agents.clone(), (Some(tls), places), stop);
        door.root = config.signed_requests.then_some(root);
        door.serve(listener).await;
    }

    fn door(
        &self,
        router: Router,
        (tls, places): (Option<Arc<rustls::ServerConfig>>, Arc<Places>),
        stop: CancellationToken,
    ) -> Door {
        let (shared, tls) = (Arc::clone(&self.shared), tls.map(TlsAcceptor::from));
        Door { router, shared, places, tls, root: None, proxies_only: false, stop }
    }
}

/// Whether a listener is reached from this machine only. One that does not say counts as open.
fn is_loopback(listener: &TcpListener) -> bool {
    listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback())
}

impl Door {
    async fn serve(self, listener: TcpListener) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                // Who has come is let in: closing the listener would break what waits in its queue.
                biased;
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => break,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_WAIT).await;
                    continue;
                }
            };
            // Closed at once: a queue of strangers would cost those who are in.
            let Some(place) = self.admit(remote.ip()) else { continue };
            let door = self.clone();
            tasks.spawn(async move { door.connection(stream, remote, place).await });
        }
        drop(listener);
        tasks.close();
        tasks.wait().await;
    }

    fn admit(&self, remote: IpAddr) -> Option<Place> {
        let proxy = is_proxy(&self.shared.config.trusted_proxies, remote);
        if self.proxies_only && !proxy {
            self.refuse(Refused::Stranger);
            return None;
        }
        let refused = match self.places.take((!proxy).then_some(remote)) {
            Ok(place) => return Some(place),
            Err(Full::All) => Refused::Full,
            Err(Full::Address) => Refused::AddressFull,
        };
        self.refuse(refused);
        None
    }

    fn refuse(&self, why: Refused) {
        self.shared.metrics.refused(why);
    }

    async fn connection(&self, stream: TcpStream, remote: SocketAddr, place: Place) {
        // Nagle's delay would hold back small answers.
        drop(stream.set_nodelay(true));
        let config = &self.shared.config;
        let socket = Socket::new(stream, Duration::from_secs(config.write_timeout_s));
        let remote = remote.ip().to_canonical();
        let (root, place) = (self.root.clone(), Arc::new(place));
        let from = Connection { remote, tls: false, device: None, root, place };
        let Some(acceptor) = &self.tls else { return self.http1(socket, from).await };
        // What costs time here runs without a wait, so at most one handshake a core is computed;
        // the waiting for the client's half is its own task's.
        let limit = Duration::from_secs(config.handshake_timeout_s);
        let Ok(Ok(stream)) = tokio::time::timeout(limit, acceptor.accept(socket)).await else {
            return self.refuse(Refused::Handshake);
        };
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let device = shown.and_then(|shown| device_identity(shown).ok()).map(Arc::new);
        let h2 = session.alpn_protocol() == Some(b"h2");
        let from = Connection { tls: true, device, ..from };
        if h2 { self.http2(stream, from).await } else { self.http1(stream, from).await }
    }

    async fn http1<S>(&self, stream: S, from: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = &self.shared.config;
        let activity = Activity::new();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(config.header_timeout_s))
            .max_buf_size(config.header_bytes.max(8 << 10))
            .max_header_size(config.header_bytes)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), self.service(from, &activity))
            .with_upgrades();
        self.drive(connection, http1::UpgradeableConnection::graceful_shutdown, &activity).await;
    }

    async fn http2<S>(&self, stream: S, from: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = &self.shared.config;
        let activity = Activity::new();
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .max_concurrent_streams(config.streams)
            .max_send_buf_size(STREAM_BYTES)
            .max_header_list_size(u32::try_from(config.header_bytes).unwrap_or(u32::MAX))
            .serve_connection(TokioIo::new(stream), self.service(from, &activity));
        self.drive(connection, http2::Connection::graceful_shutdown, &activity).await;
    }

    /// Answers the requests of one connection.
    fn service(
        &self,
        from: Connection,
        activity: &Arc<Activity>,
    ) -> impl hyper::service::Service<
        http::Request<Incoming>,
        Response = http::Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + use<> {
        let (door, activity) = (self.clone(), Arc::clone(activity));
        service_fn(move |request: http::Request<Incoming>| {
            let (door, from, active) = (door.clone(), from.clone(), activity.begin());
            async move {
                let request = request.map(Body::new);
                Ok(answer(&door.shared, door.router, request, from, active).await)
            }
        })
    }

    /// Lets a connection run until it ends, the server stops, or it is overdue. `end` asks it to
    /// end with the requests under way.
    async fn drive<C>(&self, connection: C, end: fn(Pin<&mut C>), activity: &Activity)
    where
        C: Future<Output = hyper::Result<()>>,
    {
        tokio::pin!(connection);
        let config = &self.shared.config;
        tokio::select! {
            ended = &mut connection => return self.ended(ended),
            overdue = activity.overdue(config) => self.overdue(overdue),
            () = self.stop.cancelled() => {
                // A request may be on its way on a connection that is new.
                tokio::select! {
                    ended = &mut connection => return self.ended(ended),
                    () = activity.began(FIRST_REQUEST_LIMIT) => {}
                }
                end(connection.as_mut());
                tokio::select! {
                    ended = &mut connection => return self.ended(ended),
                    overdue = activity.overdue(config) => self.overdue(overdue),
                    () = activity.rested() => {}
                }
            }
        }
        end(connection.as_mut());
        if let Ok(ended) = tokio::time::timeout(GOODBYE_LIMIT, connection).await {
            self.ended(ended);
        }
    }

    fn overdue(&self, overdue: Overdue) {
        match overdue {
            Overdue::Silent => self.refuse(Refused::TooSlow),
            Overdue::Unread => self.refuse(Refused::Unread),
            Overdue::Idle => {}
        }
    }

    /// Counts what HTTP itself refused: no request ever came of it, so no other line tells.
    fn ended(&self, ended: hyper::Result<()>) {
        let Err(error) = ended else { return };
        if error.is_parse_too_large() {
            self.refuse(Refused::HeadTooLarge);
        } else if error.is_parse() {
            self.refuse(Refused::Malformed);
        } else if error.is_timeout() {
            self.refuse(Refused::TooSlow);
        }
        tracing::debug!("a connection ended early: {error}");
    }
}
