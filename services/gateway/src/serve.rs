//! Sockets to requests: accepting, TLS, HTTP, and letting go in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::edge::{Edge, Origin};

/// How long accepting rests when the process has no file left for a connection.
const REST: Duration = Duration::from_millis(100);

impl Edge {
    /// Serves people and API clients on `listener` until `stop`, then lets requests under way end.
    pub async fn serve_people(
        &self,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        stop: CancellationToken,
    ) {
        let room = self.inner.config.connections;
        self.serve(listener, tls, Door { agents: false, room }, stop).await;
    }

    /// Serves agents on `listener` until `stop`. Client certificates that `tls` has verified name
    /// devices.
    pub async fn serve_agents(
        &self,
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        stop: CancellationToken,
    ) {
        let room = self.inner.config.agent_connections;
        self.serve(listener, Some(tls), Door { agents: true, room }, stop).await;
    }

    /// Tells every agent to connect elsewhere, spread over the time that is configured.
    pub fn drain_links(&self) {
        self.inner.links.drain(self.inner.config.drain_spread_ms);
    }

    async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        door: Door,
        stop: CancellationToken,
    ) {
        let room = Arc::new(Semaphore::new(door.room));
        let graceful = GracefulShutdown::new();
        let acceptor = tls.map(TlsAcceptor::from);
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                next = next => next,
                () = stop.cancelled() => break,
            };
            match (permit, accepted) {
                (Ok(permit), Ok((stream, remote))) => {
                    let watcher = graceful.watcher();
                    let connection = Connection { edge: self.clone(), remote, agents: door.agents };
                    let work = connection.run(stream, acceptor.clone(), watcher, permit);
                    tokio::spawn(work);
                }
                (_, Err(error)) => {
                    tracing::warn!("a connection cannot be accepted: {error}");
                    tokio::time::sleep(REST).await;
                }
                (Err(_), _) => break,
            }
        }
        drop(listener);
        graceful.shutdown().await;
    }
}

struct Door {
    agents: bool,
    room: usize,
}

struct Connection {
    edge: Edge,
    remote: SocketAddr,
    agents: bool,
}

impl Connection {
    async fn run(
        self,
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
        watcher: hyper_util::server::graceful::Watcher,
        permit: OwnedSemaphorePermit,
    ) {
        // Small frames go out at once; an error here is a connection that is gone already.
        stream.set_nodelay(true).ok();
        let Some(acceptor) = acceptor else {
            let origin = self.origin(false, None);
            return self.http(stream, origin, watcher, permit).await;
        };
        let patience = Duration::from_secs(self.edge.inner.config.handshake_timeout_s);
        let tls = match tokio::time::timeout(patience, acceptor.accept(stream)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!("TLS handshake failed: {error}"),
            Err(_) => return tracing::debug!("TLS handshake was too slow"),
        };
        let chain = tls.get_ref().1.peer_certificates();
        let shown = chain.and_then(<[_]>::first);
        let device = shown.and_then(|shown| openframe_pki::device_identity(shown).ok());
        let origin = self.origin(true, device);
        self.http(tls, origin, watcher, permit).await;
    }

    fn origin(&self, tls: bool, device: Option<openframe_pki::DeviceIdentity>) -> Origin {
        let remote_address = self.remote.ip().to_canonical().to_string();
        Origin { remote_address, tls, agents: self.agents, device }
    }

    async fn http<S>(
        self,
        stream: S,
        origin: Origin,
        watcher: hyper_util::server::graceful::Watcher,
        permit: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = &self.edge.inner.config;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(config.header_timeout_s))
            .max_buf_size(config.header_bytes.max(8192));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.streams)
            .max_header_list_size(u32::try_from(config.header_bytes).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(30));
        let edge = self.edge.clone();
        // Kept until an upgraded connection has ended as well: it still holds its socket.
        let permit = Arc::new(permit);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (edge, origin) = (edge.clone(), origin.clone());
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&permit));
            async move { Ok::<_, Infallible>(edge.answer(request, origin).await) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!("a connection ended early: {error}");
        }
    }
}
