//! A gateway on a real socket, and services that do as they are told.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use openframe_agent_api::enrolment::RENEW_PATH;
use openframe_auth_api::internal::{
    CHECK_DEVICE, DeviceCheck, DeviceNonce, ENDED, Ended, EndedSince, RESOLVE, ResolveRequest,
    Resolved, SPEND_NONCE, Shown,
};
use openframe_clock::{Clock, Timestamp};
use openframe_fault::{Fault, Json, Kind, body};
use openframe_ids::{ApiKeyId, SessionId, TenantId, UserId};
use openframe_mesh::{Connector, Peer};
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Grants, Role, Subject};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Asked, Asset, Assets, Config, Deps, Edge, Health, start};

/// How long a condition may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running gateway.
pub(super) struct World {
    pub(super) edge: Edge,
    pub(super) address: SocketAddr,
    pub(super) services: Arc<Services>,
    pub(super) stop: CancellationToken,
    registry: Registry,
}

/// What the services do and have done.
pub(super) struct Services {
    pub(super) tenant: TenantId,
    user: UserId,
    session: SessionId,
    key: ApiKeyId,
    /// Whether every secret is nobody's.
    pub(super) revoked: AtomicBool,
    /// Whether the person behind every secret may do less than before.
    pub(super) demoted: AtomicBool,
    /// Whether the auth service's database is away.
    pub(super) away: AtomicBool,
    /// Told when a slow change has begun.
    pub(super) began: Notify,
    /// Lets a slow change go on.
    pub(super) go: Notify,
    pub(super) done: AtomicUsize,
    /// Serial numbers of the certificates that count.
    pub(super) serials: Mutex<HashSet<String>>,
    nonces: Mutex<HashSet<String>>,
}

struct Nothing;

impl Assets for Nothing {
    fn find(&self, _path: &str) -> Option<Asset> {
        None
    }

    fn index(&self) -> Asset {
        let body = "<!doctype html>".into();
        let (content_type, etag) = ("text/html", "\"1\"");
        Asset { body, brotli: None, content_type, etag, immutable: false }
    }

    fn policy(&self) -> &'static str {
        "default-src 'none'"
    }
}

impl Health for Nothing {
    fn replicas(&self) -> BoxFuture<'_, Vec<Asked>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn version(&self) -> &'static str {
        "0"
    }
}

impl World {
    /// A gateway with services in this process.
    pub(super) async fn start(config: Config) -> Self {
        Self::on("127.0.0.1:0", config, false).await
    }

    /// A gateway that listens on `address`, with services in this process or behind a socket.
    pub(super) async fn on(address: &str, config: Config, remote: bool) -> Self {
        openframe_pki::install_provider();
        let services = Arc::new(Services {
            tenant: TenantId::new(),
            user: UserId::new(),
            session: SessionId::new(),
            key: ApiKeyId::new(),
            revoked: AtomicBool::new(false),
            demoted: AtomicBool::new(false),
            away: AtomicBool::new(false),
            began: Notify::new(),
            go: Notify::new(),
            done: AtomicUsize::new(0),
            serials: Mutex::default(),
            nonces: Mutex::default(),
        });
        let router = router(Arc::clone(&services));
        let peer = if remote { over_a_socket(router).await } else { router.into() };
        let (minter, mut registry) = (Minter::generate(), Registry::default());
        let deps = Deps {
            auth: peer.clone(),
            devices: peer.clone(),
            monitoring: peer,
            console: Arc::new(Nothing),
            verifier: minter.verifier("gateway"),
            minter,
            clock: Clock::system(),
            health: Arc::new(Nothing),
            openapi: serde_json::Value::Null,
            tenant: services.tenant,
            metrics: &mut registry,
        };
        let running = start(config, deps);
        tokio::spawn(running.endings.follow());
        let edge = running.edge;
        let listener = TcpListener::bind(address).await.unwrap();
        let mut address = listener.local_addr().unwrap();
        address.set_ip([127, 0, 0, 1].into());
        let (own, stop) = (edge.clone(), CancellationToken::new());
        let token = stop.clone();
        tokio::spawn(async move { own.serve_users(listener, None, token).await });
        Self { edge, address, services, stop, registry }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request as it stands; returns the answer. `{}` lines are ended as HTTP wants.
    pub(super) async fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = self.connect().await;
        let head = format!("{head}\nconnection: close\n\n").replace('\n', "\r\n");
        // The gateway may hang up before it has read all.
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
        rest(&mut stream).await
    }

    /// Waits until the metrics have `line`.
    pub(super) async fn counted(&self, line: &str) {
        until(line, || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
            text.lines().any(|found| found == line)
        })
        .await;
    }
}

/// Waits until `what` holds.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

/// Reads until the gateway closes the connection.
pub(super) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    // A reset is an end as well.
    reading.expect("the connection is closed in time").ok();
    String::from_utf8(read).unwrap()
}

/// Reads until what was read ends with `end`.
pub(super) async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !read.ends_with(end.as_bytes()) {
            read.push(stream.read_u8().await.unwrap());
        }
    };
    let ended = tokio::time::timeout(PATIENCE, reading).await;
    let text = String::from_utf8(read).unwrap();
    assert!(ended.is_ok(), "{text}");
    text
}

async fn over_a_socket(router: Router) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    let tls = openframe_pki::public_client(b"").unwrap();
    Peer::Remote { base, connector: Box::new(Connector::new(tls)) }
}

fn router(services: Arc<Services>) -> Router {
    let router = Router::new()
        .route(RESOLVE, post(resolve))
        .route(ENDED, post(ended))
        .route(CHECK_DEVICE, post(check_device))
        .route(SPEND_NONCE, post(spend_nonce))
        .route(RENEW_PATH, post(seen))
        .route("/api/auth/v1/login", post(seen))
        .route("/api/devices/v1/seen", any(seen))
        .route("/api/devices/v1/slow", post(slow))
        .route("/api/devices/v1/stream", get(stream))
        .route("/api/devices/v1/tunnel", get(tunnel))
        .with_state(services);
    openframe_fault::layer(router)
}

async fn resolve(
    State(services): State<Arc<Services>>,
    Json(request): Json<ResolveRequest>,
) -> Result<Json<Resolved>, Fault> {
    if services.away.load(Ordering::Acquire) {
        return Err(Fault::unavailable("away", "the database does not answer"));
    }
    let demoted = services.demoted.load(Ordering::Acquire);
    let (user, role) = (services.user, if demoted { Role::ReadOnly } else { Role::Owner });
    let grants = Grants::default();
    let subject = match &request.shown {
        Shown::Session(text) if text == "s" => {
            Subject::User { user, session: services.session, role, grants }
        }
        Shown::ApiKey(text) if text == "k" => {
            let scopes = vec!["devices:read".to_owned()];
            Subject::ApiKey { key: services.key, owner: user, role, grants, scopes }
        }
        Shown::Session(_)
        | Shown::ApiKey(_)
        | Shown::AccessToken(_)
        | Shown::BoundToken { .. }
        | Shown::ProvenToken(_) => return Err(nobody()),
    };
    if services.revoked.load(Ordering::Acquire) {
        return Err(nobody());
    }
    let caller = Caller { tenant: services.tenant, subject };
    Ok(Json(Resolved {
        caller: serde_json::to_value(caller).unwrap(),
        csrf_token: matches!(request.shown, Shown::Session(_)).then(|| "t".to_owned()),
        expires_at: Timestamp::MAX,
    }))
}

/// What was asked about for the first time is not told.
async fn ended(
    State(services): State<Arc<Services>>,
    Json(since): Json<EndedSince>,
) -> Json<Ended> {
    let people = since.place.is_some() && services.revoked.load(Ordering::Acquire);
    Json(Ended { place: 1, people, devices: Vec::new() })
}

async fn check_device(
    State(services): State<Arc<Services>>,
    Json(check): Json<DeviceCheck>,
) -> Result<StatusCode, Fault> {
    let counts = services.serials.lock().unwrap().contains(&check.serial);
    let refused = || Fault::new(Kind::Unauthenticated, "bad_device", "no such device");
    counts.then_some(StatusCode::NO_CONTENT).ok_or_else(refused)
}

async fn spend_nonce(
    State(services): State<Arc<Services>>,
    Json(shown): Json<DeviceNonce>,
) -> Result<StatusCode, Fault> {
    let first = services.nonces.lock().unwrap().insert(shown.nonce);
    let refused = || Fault::new(Kind::Unauthenticated, "nonce_seen", "seen before");
    first.then_some(StatusCode::NO_CONTENT).ok_or_else(refused)
}

fn nobody() -> Fault {
    Fault::new(Kind::Unauthenticated, "not_signed_in", "nobody's")
}

/// Says which address the request is from, and how much it brought.
async fn seen(headers: HeaderMap, content: Body) -> Result<String, Fault> {
    let bytes = body::read(content, usize::MAX).await?.len();
    let from = headers.get("x-forwarded-for").unwrap().to_str().unwrap();
    Ok(format!("from {from}, {bytes} bytes"))
}

async fn slow(State(services): State<Arc<Services>>) -> StatusCode {
    services.began.notify_one();
    services.go.notified().await;
    services.done.fetch_add(1, Ordering::AcqRel);
    StatusCode::NO_CONTENT
}

async fn stream() -> Response {
    let first = futures::stream::once(async { Ok::<_, std::io::Error>("data: 1\n\n") });
    let body = Body::from_stream(first.chain(futures::stream::pending()));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// Agrees to any upgrade, and then says everything back in capitals.
async fn tunnel(mut request: Request) -> Response {
    let Some(protocol) = request.headers().get(UPGRADE).cloned() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = TokioIo::new(upgrade.await.unwrap());
        let mut buffer = [0; 64];
        while let Ok(read @ 1..) = io.read(&mut buffer).await {
            let said = buffer[..read].to_ascii_uppercase();
            if io.write_all(&said).await.is_err() || io.flush().await.is_err() {
                break;
            }
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    response.headers_mut().insert(UPGRADE, protocol);
    response.headers_mut().insert(CONNECTION, "upgrade".parse().unwrap());
    response
}
