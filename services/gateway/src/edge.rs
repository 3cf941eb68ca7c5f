//! One request, from its head to its answer.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method, StatusCode};
use openframe_agent_api::LINK_PATH;
use openframe_agent_api::enrolment::{ENROL_PATH, RENEW_PATH};
use openframe_fault::{Fault, Kind, body};
use openframe_ids::{RequestId, TenantId};
use openframe_mesh::Peer;
use openframe_pki::DeviceIdentity;
use openframe_tokens::{Caller, Permission, Subject};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use crate::assets::{self, Assets};
use crate::config::Config;
use crate::health::Health;
use crate::identity::{Identity, check_csrf};
use crate::link::Links;
use crate::metrics::{Metrics, RequestLabels, RouteLabel};
use crate::routes::{Route, Routes, Size, Target, is_api};

mod headers;

/// What is known of the connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) remote_address: String,
    /// Whether TLS is spoken on it.
    pub(crate) tls: bool,
    /// Whether it is the agents' listener.
    pub(crate) agents: bool,
    /// The device whose certificate was shown.
    pub(crate) device: Option<DeviceIdentity>,
}

/// Answers every request from outside. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    pub(crate) inner: Arc<Inner>,
    router: Router,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edge")
    }
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) routes: ArcSwap<Routes>,
    pub(crate) identity: Identity,
    pub(crate) auth: Peer,
    pub(crate) devices: Peer,
    pub(crate) monitoring: Peer,
    pub(crate) assets: Arc<dyn Assets>,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) openapi: serde_json::Value,
    pub(crate) tenant: TenantId,
    pub(crate) links: Links,
    pub(crate) metrics: Metrics,
}

impl Edge {
    pub(crate) fn new(inner: Inner) -> Self {
        let inner = Arc::new(inner);
        let router = Router::new().fallback(dispatch).with_state(Arc::clone(&inner));
        let router = guarded(router).layer(CompressionLayer::new());
        Self { inner, router }
    }

    /// Replaces the route table. Requests under way keep the one they began with, and no
    /// connection is closed.
    pub fn replace_routes(&self, routes: Routes) {
        self.inner.routes.store(Arc::new(routes));
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, mut request: Request, origin: Origin) -> Response {
        let started = Instant::now();
        let id = RequestId::new();
        let method = request.method().clone();
        let class = self.class(&request, &origin);
        headers::clean(&mut request, id, &origin);
        request.extensions_mut().insert(origin);
        let mut response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        headers::finish(&mut response, id);
        let (status, seconds) = (response.status(), started.elapsed().as_secs_f64());
        self.inner.metrics.observe(class, status, seconds);
        let duration_ms = seconds * 1e3;
        tracing::info!(
            request.id = %id, route = class, status = status.as_u16(), duration_ms,
            "answered {method} {class} with {}", status.as_u16()
        );
        response
    }

    fn class(&self, request: &Request, origin: &Origin) -> &'static str {
        if origin.agents {
            return "agent";
        }
        let routes = self.inner.routes.load();
        let found = routes.find(request.method(), request.uri().path());
        found.map_or("console", |route| route.target.name())
    }
}

impl Metrics {
    fn observe(&self, route: &'static str, status: StatusCode, seconds: f64) {
        let status = match status.as_u16() {
            ..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&RequestLabels { route, status }).inc();
        self.duration.get_or_create(&RouteLabel { route }).observe(seconds);
    }
}

/// `fault::layer` without its fallback, which the dispatcher is.
fn guarded(router: Router) -> Router {
    let inner = openframe_fault::layer(Router::new()).fallback_service(router);
    Router::new().fallback_service(inner)
}

async fn dispatch(State(inner): State<Arc<Inner>>, mut request: Request) -> Response {
    let Some(origin) = request.extensions_mut().remove::<Origin>() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = if origin.agents {
        inner.agent(request, &origin).await
    } else {
        inner.person(request, &origin).await
    };
    answer.unwrap_or_else(Fault::into_response)
}

impl Inner {
    /// A request on the listener of people.
    async fn person(&self, mut request: Request, origin: &Origin) -> Result<Response, Fault> {
        let path = request.uri().path().to_owned();
        let route = self.routes.load().find(request.method(), &path).cloned();
        let Some(route) = route else { return self.page(&request) };
        check_size(&route, &request, &self.config)?;
        let csrf_headers = request.headers().clone();
        let caller = if route.open {
            self.identity.forget(request.headers()).await;
            self.nobody()
        } else {
            if path == "/api/auth/v1/logout" {
                self.identity.forget(request.headers()).await;
            }
            let remote = &origin.remote_address;
            let resolved = self.identity.resolve(request.headers_mut(), remote).await?;
            check_csrf(&resolved, request.method(), &csrf_headers, origin.tls)?;
            resolved.caller.clone()
        };
        match route.target {
            Target::Auth => self.forward(&self.auth, &route, &caller, request).await,
            Target::Devices => self.forward(&self.devices, &route, &caller, request).await,
            Target::Monitoring => self.forward(&self.monitoring, &route, &caller, request).await,
            Target::Health => self.platform_health(&caller),
            Target::OpenApi => Ok(openframe_fault::Json(self.openapi.clone()).into_response()),
        }
    }

    /// A request on the listener of agents.
    async fn agent(&self, mut request: Request, origin: &Origin) -> Result<Response, Fault> {
        let route = |path| Route {
            path,
            whole: true,
            method: Some(Method::POST),
            target: Target::Auth,
            open: true,
            size: Size::Usual,
        };
        let path = request.uri().path().to_owned();
        match (request.method().clone(), path.as_str()) {
            (Method::POST, ENROL_PATH) => {
                check_size(&route(ENROL_PATH), &request, &self.config)?;
                self.forward(&self.auth, &route(ENROL_PATH), &self.nobody(), request).await
            }
            (Method::POST, RENEW_PATH) => {
                check_size(&route(RENEW_PATH), &request, &self.config)?;
                let caller = device_caller(origin)?;
                self.forward(&self.auth, &route(RENEW_PATH), &caller, request).await
            }
            (Method::GET, LINK_PATH) => {
                let device = origin.device.clone().ok_or_else(no_certificate)?;
                self.links.upgrade(&mut request, device, &origin.remote_address).await
            }
            _ => Err(openframe_fault::not_found().await),
        }
    }

    /// Hands a request to a service, with a token that says who asks.
    async fn forward(
        &self,
        peer: &Peer,
        route: &Route,
        caller: &Caller,
        request: Request,
    ) -> Result<Response, Fault> {
        let token = self.identity.token(caller, route.target.name()).await;
        let limit = self.limit(route);
        let (mut head, content) = request.into_parts();
        // Read whole before the service sees anything, so that a slow sender holds only this task.
        let reading = tokio::time::timeout(self.config.body_timeout(), body::read(content, limit));
        let content = reading.await.map_err(|_| {
            Fault::invalid("body_too_slow", "the body did not arrive in time")
                .with_status(StatusCode::REQUEST_TIMEOUT)
        })??;
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
        openframe_mesh::identity::insert(&mut head.headers, &token);
        let mut answer = peer.call(Request::from_parts(head, Body::from(content))).await?;
        headers::drop_hop_by_hop(answer.headers_mut());
        Ok(answer)
    }

    fn limit(&self, route: &Route) -> usize {
        match route.size {
            Size::Usual => self.config.body_bytes,
            Size::Write => self.config.write_bytes,
        }
    }

    /// Who asks where nobody needs to be signed in.
    fn nobody(&self) -> Caller {
        let subject = Subject::Service { name: "gateway".to_owned() };
        Caller { tenant: self.tenant, subject }
    }

    fn page(&self, request: &Request) -> Result<Response, Fault> {
        let path = request.uri().path();
        let missing =
            || Fault::new(Kind::NotFound, "no_such_path", "nothing is served at this path");
        if is_api(path) {
            return Err(missing());
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let message = format!("this path does not answer {}", request.method());
            return Err(Fault::invalid("method_not_allowed", message)
                .with_status(StatusCode::METHOD_NOT_ALLOWED));
        }
        assets::serve(&self.assets, path, request.headers()).ok_or_else(missing)
    }

    fn platform_health(&self, caller: &Caller) -> Result<Response, Fault> {
        if !caller.may(Permission::PlatformRead) {
            let message = "your role does not show the platform's health";
            return Err(Fault::new(Kind::Forbidden, "forbidden", message));
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
        let text = serde_json::json!({
            "parts": parts,
            "version": self.health.version(),
            "uptime_s": self.health.uptime_s(),
        });
        Ok(openframe_fault::Json(text).into_response())
    }
}

fn device_caller(origin: &Origin) -> Result<Caller, Fault> {
    let device = origin.device.as_ref().ok_or_else(no_certificate)?;
    let subject = Subject::Device { device: device.device };
    Ok(Caller { tenant: device.tenant, subject })
}

fn no_certificate() -> Fault {
    let message = "this path needs a device's certificate; enrol the device first";
    Fault::new(Kind::Unauthenticated, "no_certificate", message)
}

/// Refuses what can be refused by the head alone.
fn check_size(route: &Route, request: &Request, config: &Config) -> Result<(), Fault> {
    let limit = match route.size {
        Size::Usual => config.body_bytes,
        Size::Write => config.write_bytes,
    };
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(body::too_large(limit));
    }
    if route.size == Size::Usual && request.headers().contains_key(CONTENT_ENCODING) {
        return Err(Fault::invalid("compressed_body", "send the body without compression")
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    if request.uri().authority().is_none() && !request.headers().contains_key(HOST) {
        return Err(Fault::invalid("no_host", "the request names no host"));
    }
    Ok(())
}
