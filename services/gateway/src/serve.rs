//! Sockets: accept, handshake, and speak HTTP with limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use openframe_pki::device_identity;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::edge::{Connection, Edge, answer};

/// Handshakes at the same time at most: each costs a signature.
const HANDSHAKES: usize = 64;
/// The wait after a failed accept, such as for want of file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// Headers of a request at most.
const MAX_HEADERS: usize = 100;
/// How long requests under way may take after the stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// HTTP/2 connections are asked so often whether they live.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// One listener's settings.
#[derive(Clone)]
struct Door {
    router: Router,
    tls: Option<TlsAcceptor>,
    config: Config,
    handshakes: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Edge {
    /// Serves people and API clients on `listener` until `stop`, then lets requests under way end.
    pub async fn serve_users(
        &self,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        stop: CancellationToken,
    ) {
        let connections = self.shared.config.connections;
        self.door(self.users.clone(), tls, stop).serve(listener, connections).await;
    }

    /// Serves agents on `listener` until `stop`.
    pub async fn serve_agents(
        &self,
        listener: TcpListener,
        tls: Arc<rustls::ServerConfig>,
        stop: CancellationToken,
    ) {
        let connections = self.shared.config.agent_connections;
        self.door(self.agents.clone(), Some(tls), stop).serve(listener, connections).await;
    }

    fn door(
        &self,
        router: Router,
        tls: Option<Arc<rustls::ServerConfig>>,
        stop: CancellationToken,
    ) -> Door {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        let config = self.shared.config.clone();
        Door { router, tls: tls.map(TlsAcceptor::from), config, handshakes, stop }
    }
}

impl Door {
    async fn serve(self, listener: TcpListener, connections: usize) {
        let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
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
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let door = self.clone();
            tasks.spawn(async move {
                door.connection(stream, remote).await;
                drop(place);
            });
        }
        drop(listener);
        tasks.close();
        if tokio::time::timeout(STOP_LIMIT, tasks.wait()).await.is_err() {
            tracing::info!(connections = tasks.len(), "connections cut at the stop");
        }
    }

    async fn connection(&self, stream: TcpStream, remote: SocketAddr) {
        // Nagle's delay would hold back small answers.
        drop(stream.set_nodelay(true));
        let Some(acceptor) = &self.tls else {
            let from = Connection { remote, tls: false, device: None };
            return self.http(stream, from).await;
        };
        let handshake = async {
            let _one_of_few = self.handshakes.acquire().await;
            acceptor.accept(stream).await
        };
        let limit = Duration::from_secs(self.config.handshake_timeout_s);
        let Ok(Ok(stream)) = tokio::time::timeout(limit, handshake).await else { return };
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let device = shown.and_then(|shown| device_identity(shown).ok()).map(Arc::new);
        self.http(stream, Connection { remote, tls: true, device }).await;
    }

    async fn http<S>(&self, stream: S, from: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(self.config.header_timeout_s))
            .max_buf_size(self.config.header_bytes.max(8 << 10))
            .max_headers(MAX_HEADERS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .max_concurrent_streams(self.config.streams)
            .max_header_list_size(u32::try_from(self.config.header_bytes).unwrap_or(u32::MAX));
        let service = service_fn(|request: http::Request<Incoming>| {
            let (router, from) = (self.router.clone(), from.clone());
            async move { Ok::<_, Infallible>(answer(router, request.map(Body::new), from).await) }
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(STOP_LIMIT, connection).await {
                    Ok(ended) => ended,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended early: {error}");
        }
    }
}
