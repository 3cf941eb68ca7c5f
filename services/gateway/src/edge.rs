//! One request from head to answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use openframe_agent_api::LINK_PATH;
use openframe_agent_api::enrolment::{ENROL_PATH, RECOVER_PATH, RENEW_PATH};
use openframe_fault::{Fault, Kind, REQUEST_ID, body};
use openframe_ids::{RequestId, TenantId};
use openframe_mesh::{Peer, identity};
use openframe_pki::DeviceIdentity;
use openframe_tokens::{Caller, Permission, Subject};
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

use crate::agents::{Agents, not_a_device};
use crate::identity::{Identity, check_csrf};
use crate::metrics::{Metrics, RequestLabels, RouteLabel};
use crate::refused::Wanted;
use crate::routes::{Route, Routes, Size, Target, is_api};
use crate::{Assets, Config, Health, assets, headers};

/// Telemetry writes whose bodies are read at the same time at most: what bounds their memory.
pub(crate) const WRITES_AT_ONCE: usize = 8;

/// What every request shares.
pub(crate) struct Shared {
    pub(crate) routes: ArcSwap<Routes>,
    pub(crate) identity: Identity,
    pub(crate) peers: [Peer; 3],
    pub(crate) console: Arc<dyn Assets>,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) openapi: Bytes,
    pub(crate) tenant: TenantId,
    pub(crate) metrics: Metrics,
    pub(crate) agents: Agents,
    pub(crate) writes: Semaphore,
    pub(crate) config: Config,
}

/// The public side of the gateway.
#[derive(Clone)]
pub struct Edge {
    pub(crate) shared: Arc<Shared>,
    pub(crate) users: Router,
    pub(crate) agents: Router,
}

/// The connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) remote: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) device: Option<Arc<DeviceIdentity>>,
}

impl Edge {
    pub(crate) fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let users = Router::new().route("/", any(users)).route("/{*path}", any(users));
        let agents = Router::new().route("/{*path}", any(from_agents));
        let layer = |router: Router<Arc<Shared>>| {
            openframe_fault::layer(router.with_state(Arc::clone(&shared)))
        };
        let users = layer(users).layer(CompressionLayer::new());
        let agents = layer(agents);
        Self { shared, users, agents }
    }

    /// The table of routes. Storing another one holds for the requests that begin after it.
    pub fn routes(&self) -> &ArcSwap<Routes> {
        &self.shared.routes
    }

    /// Asks every agent to connect elsewhere, each at a moment of its own, and waits until they
    /// are gone, at most for `grace`.
    pub async fn drain(&self, grace: Duration) {
        self.shared.agents.drain.cancel();
        self.shared.agents.tasks.close();
        if tokio::time::timeout(grace, self.shared.agents.tasks.wait()).await.is_err() {
            tracing::info!(links = self.shared.agents.tasks.len(), "agents still connected");
        }
    }
}

/// Gives a request its id, and its answer the headers that every answer has.
pub(crate) async fn answer(
    router: Router,
    mut request: Request,
    connection: Connection,
) -> Response {
    let id = RequestId::new().to_string();
    let id = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    // The inbound one goes first: the refusals of the layer below must carry ours.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let api = is_api(request.uri().path());
    let tls = connection.tls;
    request.extensions_mut().insert(connection);
    let mut response = match tower::ServiceExt::oneshot(router, request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    response.extensions_mut().clear();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        headers::remove_hop(response.headers_mut());
    }
    headers::secure(response.headers_mut(), api, tls);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn users(
    State(shared): State<Arc<Shared>>,
    Extension(from): Extension<Connection>,
    request: Request,
) -> Result<Response, Fault> {
    let start = openframe_clock::monotonic();
    let table = shared.routes.load_full();
    let route = table.find(request.method(), request.uri().path());
    let name = route.map_or("console", |route| route.target.name());
    let answer = match route {
        Some(route) => shared.routed(route, request, &from).await,
        None => shared.console(&request),
    };
    shared.seen(name, start, &answer);
    answer
}

async fn from_agents(
    State(shared): State<Arc<Shared>>,
    Extension(from): Extension<Connection>,
    request: Request,
) -> Result<Response, Fault> {
    let start = openframe_clock::monotonic();
    let answer = shared.agent(request, &from).await;
    shared.seen("agent", start, &answer);
    answer
}

impl Shared {
    fn seen(&self, route: &'static str, start: Instant, answer: &Result<Response, Fault>) {
        let status = answer.as_ref().map_or_else(Fault::status, Response::status);
        let class = match status.as_u16() {
            0..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let taken = start.elapsed();
        self.metrics.requests.get_or_create(&RequestLabels { route, status: class }).inc();
        self.metrics.duration.get_or_create(&RouteLabel { route }).observe(taken.as_secs_f64());
        let duration_ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(route, status = status.as_u16(), duration_ms, "request answered");
    }

    async fn agent(&self, mut request: Request, from: &Connection) -> Result<Response, Fault> {
        headers::check(&mut request)?;
        let remote = from.remote.ip().to_string();
        let path = request.uri().path().to_owned();
        let subject = match (request.method(), path.as_str()) {
            (&Method::POST, ENROL_PATH | RECOVER_PATH) => {
                Subject::Service { name: "gateway".to_owned() }
            }
            (&Method::POST, RENEW_PATH) => {
                let device = from.device.as_ref().ok_or_else(not_a_device)?;
                self.agents.check(device).await?;
                Subject::Device { device: device.device }
            }
            (&Method::GET, LINK_PATH) => {
                let device = from.device.as_ref().ok_or_else(not_a_device)?;
                return self.agents.link(request, Arc::clone(device), remote).await;
            }
            _ => return Err(openframe_fault::not_found().await),
        };
        headers_for_service(request.headers_mut(), &remote);
        let caller = Caller { tenant: self.tenant, subject };
        self.forward((Target::Auth, Size::Usual), request, &caller).await
    }

    async fn routed(
        &self,
        route: &Route,
        mut request: Request,
        from: &Connection,
    ) -> Result<Response, Fault> {
        headers::check(&mut request)?;
        let remote = from.remote.ip().to_string();
        let wanted = Wanted::of(&request, &remote);
        let path = request.uri().path();
        // A sign-in ends the session that the same browser had.
        let ends_session = !request.method().is_safe() && (route.open || path.contains("/logout"));
        let shown = ends_session.then(|| request.headers().clone());
        let caller = if route.open {
            check_origin(request.method(), request.headers(), from.tls)?;
            let subject = Subject::Service { name: "gateway".to_owned() };
            Caller { tenant: self.tenant, subject }
        } else {
            let resolved = self.identity.resolve(request.headers_mut(), &remote).await?;
            check_csrf(&resolved, request.method(), request.headers(), from.tls)?;
            resolved.caller.clone()
        };
        let cookie = request.headers_mut().remove(COOKIE).filter(|_| route.open);
        headers_for_service(request.headers_mut(), &remote);
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie);
        }
        let answer = match route.target {
            Target::Health => self.platform_health(&caller),
            Target::OpenApi => Ok(json(self.openapi.clone())),
            Target::Auth | Target::Devices | Target::Monitoring => {
                self.forward((route.target, route.size), request, &caller).await
            }
        };
        if let Some(shown) = shown {
            self.identity.forget(&shown).await;
        }
        let status = answer.as_ref().map_or_else(Fault::status, Response::status);
        wanted.note(&self.identity, &caller, status).await;
        answer
    }

    /// Sends a request on, in the caller's name. The caller is known before the body is read, so
    /// that nobody unknown can make the gateway hold large bodies.
    async fn forward(
        &self,
        (target, size): (Target, Size),
        request: Request,
        caller: &Caller,
    ) -> Result<Response, Fault> {
        let (mut head, content) = request.into_parts();
        if size == Size::Usual && headers::is_encoded(&head.headers) {
            let message = "send the body without compression";
            return Err(Fault::invalid("encoded_body", message)
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let content = self.read(size, content).await?;
        let token = self.identity.token(caller, target.name()).await;
        identity::insert(&mut head.headers, &token);
        let [auth, devices, monitoring] = &self.peers;
        let peer = match target {
            Target::Devices => devices,
            Target::Monitoring => monitoring,
            Target::Auth | Target::Health | Target::OpenApi => auth,
        };
        head.version = http::Version::HTTP_11;
        peer.call(Request::from_parts(head, Body::from(content))).await
    }

    async fn read(&self, size: Size, content: Body) -> Result<Bytes, Fault> {
        let late = || {
            Fault::invalid("body_too_slow", "the body did not arrive in time")
                .with_status(StatusCode::REQUEST_TIMEOUT)
        };
        let read = async {
            match size {
                Size::Usual => body::read(content, self.config.body_bytes).await,
                Size::Write => {
                    let _permit = self.writes.acquire().await;
                    body::read(content, self.config.write_bytes).await
                }
            }
        };
        tokio::time::timeout(self.config.body_timeout(), read).await.map_err(|_| late())?
    }

    fn console(&self, request: &Request) -> Result<Response, Fault> {
        let path = request.uri().path();
        let get = [Method::GET, Method::HEAD].contains(request.method());
        let found = (get && !is_api(path))
            .then(|| assets::serve(&self.console, path, request.headers()))
            .flatten();
        found.ok_or_else(|| Fault::new(Kind::NotFound, "no_such_path", "nothing is served here"))
    }

    fn platform_health(&self, caller: &Caller) -> Result<Response, Fault> {
        if !caller.may(Permission::PlatformRead) {
            let message = "your role may not see the platform's health";
            return Err(Fault::new(Kind::Forbidden, "not_allowed", message));
        }
        let part = |part: crate::Part| {
            serde_json::json!({
                "name": part.name,
                "ready": part.ready,
                "waiting_for": part.waiting_for,
                "detail": part.detail,
            })
        };
        let parts: Vec<_> = self.health.parts().into_iter().map(part).collect();
        let health = serde_json::json!({
            "parts": parts,
            "version": self.health.version(),
            "uptime_s": self.health.uptime_s(),
        });
        Ok(json(health.to_string().into()))
    }
}

/// Takes away every secret and every forged header; what is left may go to a service.
fn headers_for_service(headers: &mut HeaderMap, remote: &str) {
    let id = headers.get(REQUEST_ID).cloned();
    headers::clean(headers, remote);
    headers.remove(COOKIE);
    headers.remove(http::header::AUTHORIZATION);
    // The body is read here and sent on whole, with a length of its own.
    headers.remove(http::header::CONTENT_LENGTH);
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
}

/// Refuses a sign-in that a page of another origin sends.
fn check_origin(method: &Method, headers: &HeaderMap, tls: bool) -> Result<(), Fault> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if tls { "https" } else { "http" };
    let own = format!("{scheme}://{host}");
    if method.is_safe()
        || headers.get(ORIGIN).is_none_or(|origin| origin.as_bytes() == own.as_bytes())
    {
        return Ok(());
    }
    Err(Fault::new(Kind::Forbidden, "csrf", "the request did not come from a page of this console"))
}

fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests;
