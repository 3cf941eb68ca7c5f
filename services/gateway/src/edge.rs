//! One request from head to answer.

mod forward;
mod intake;
mod lasting;
mod record;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use openframe_agent_api::LINK_PATH;
use openframe_agent_api::enrolment::{ENROL_PATH, RECOVER_PATH, RENEW_PATH};
use openframe_fault::{Fault, Json, Kind, REQUEST_ID};
use openframe_ids::{RequestId, TenantId};
use openframe_mesh::Peer;
use openframe_pki::{DeviceIdentity, DeviceRoot};
use openframe_signatures::{Refusal, Signed};
use openframe_tokens::{Caller, Subject};
use tokio_util::task::TaskTracker;
use tower_http::compression::CompressionLayer;

use crate::agents::{Agents, not_a_device};
use crate::identity::{Identity, Kept, check_csrf, is_own_page};
use crate::metrics::Metrics;
use crate::refused::Wanted;
use crate::routes::{Access, Route, Routes, Size, Target, is_api};
use crate::serve::{Active, Connection, Place};
use crate::signed::Sender;
use crate::{Assets, Config, Health, assets, headers, proxies, signed};
use forward::{Way, headers_for_service};
pub(crate) use intake::Intake;
use lasting::{until, wanted_upgrade};
use record::{Noted, Record};

/// Once nobody has asked for this long, whatever is in front has noticed that we leave.
const FAREWELL: Duration = Duration::from_millis(500);
/// The farewell's end, also where somebody goes on asking.
const FAREWELL_LIMIT: Duration = Duration::from_secs(3);

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
    pub(crate) intake: Intake,
    /// Changes that services work on.
    pub(crate) work: TaskTracker,
    /// How many requests of people there were.
    pub(crate) asked: AtomicU64,
    pub(crate) config: Config,
}

/// The public side of the gateway.
#[derive(Clone)]
pub struct Edge {
    pub(crate) shared: Arc<Shared>,
    pub(crate) users: Router,
    pub(crate) agents: Router,
}

/// Who sent a request, as far as the connection and the proxies in front tell.
#[derive(Debug, Clone)]
struct Client {
    /// The client's own address.
    remote: IpAddr,
    /// Whether the client speaks TLS, to us or to a proxy.
    https: bool,
    device: Option<Arc<DeviceIdentity>>,
    root: Option<DeviceRoot>,
    place: Arc<Place>,
    noted: Noted,
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

    /// Asks every agent to connect elsewhere, each at a moment of its own, and ends event streams
    /// and tunnels. Waits until all are gone; those that are not when `grace` is over are cut off.
    /// Meanwhile people are served, and each answer asks for another connection, so that none is
    /// closed while somebody sends on it.
    pub async fn drain(&self, grace: Duration) {
        let farewell = tokio::time::timeout(FAREWELL_LIMIT.min(grace), self.shared.unasked());
        drop(tokio::join!(self.shared.agents.leave(grace), farewell));
    }

    /// Returns when every change that was begun is done.
    pub async fn finish(&self) {
        self.shared.work.close();
        self.shared.work.wait().await;
    }
}

/// Gives a request its id, and its answer the headers that every answer has.
pub(crate) async fn answer(
    shared: &Shared,
    router: Router,
    mut request: Request,
    connection: Connection,
    active: Active,
) -> Response {
    let id = RequestId::new().to_string();
    let id = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    // The inbound one goes first: the refusals of the layer below must carry ours.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let client = Client::of(connection, request.headers(), &shared.config);
    let (method, path) = (request.method(), request.uri().path());
    let record = Record::new(&shared.metrics, active, id.clone(), &client, (method, path));
    let (api, https) = (is_api(path), client.https);
    let insist = https && !headers::is_loopback(&headers::host(&request));
    request.extensions_mut().insert(client);
    // A connection of HTTP/1.1 cannot say otherwise that it is about to end (RFC 9112, 9.6).
    let one_at_a_time = request.version() < http::Version::HTTP_2;
    // A second length of a body in chunks is gone by now. Whoever is in front may have believed it, and
    // what follows may be part of this body (RFC 9112, 6.1).
    let doubtful = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = match tower::ServiceExt::oneshot(router, request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    response.extensions_mut().clear();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        headers::remove_hop(response.headers_mut());
        if one_at_a_time && (doubtful || shared.agents.drain.has_begun()) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    headers::secure(response.headers_mut(), api, insist);
    response.headers_mut().insert(REQUEST_ID, id);
    record.answered(response)
}

impl Client {
    fn of(connection: Connection, headers: &HeaderMap, config: &Config) -> Self {
        let Connection { remote, tls, device, root, place } = connection;
        let proxies = &config.trusted_proxies;
        Self {
            remote: proxies::client(proxies, remote, headers),
            https: proxies::is_https(proxies, remote, headers, tls),
            device,
            root,
            place,
            noted: Noted::default(),
        }
    }
}

async fn users(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Fault> {
    shared.asked.fetch_add(1, Ordering::Relaxed);
    let table = shared.routes.load_full();
    let route = table.find(request.method(), request.uri().path());
    client.noted.route(route.map_or("console", |route| route.path));
    match route {
        Some(route) => shared.routed(route, request, &client).await,
        None => shared.console(&request),
    }
}

async fn from_agents(
    State(shared): State<Arc<Shared>>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, Fault> {
    shared.agent(request, &client).await
}

impl Shared {
    /// Returns once no person has asked for a while.
    async fn unasked(&self) {
        loop {
            let asked = self.asked.load(Ordering::Relaxed);
            tokio::time::sleep(FAREWELL).await;
            if self.asked.load(Ordering::Relaxed) == asked {
                return;
            }
        }
    }

    async fn agent(&self, mut request: Request, client: &Client) -> Result<Response, Fault> {
        headers::check(&mut request)?;
        let remote = client.remote.to_string();
        let path = request.uri().path().to_owned();
        let stranger = || Subject::Service { name: "gateway".to_owned() };
        let (route, subject, body) = match (request.method(), path.as_str()) {
            (&Method::POST, ENROL_PATH) => (ENROL_PATH, stranger(), None),
            (&Method::POST, RECOVER_PATH) => (RECOVER_PATH, stranger(), None),
            (&Method::POST, RENEW_PATH) => {
                let Sender { device, body } =
                    self.sender(client, self.agents.signed(&request)).await?;
                self.agents.check(&device).await?;
                (RENEW_PATH, Subject::Device { device: device.device }, body)
            }
            (&Method::GET, LINK_PATH) => {
                client.noted.route(LINK_PATH);
                let Sender { device, body } =
                    self.sender(client, self.agents.signed(&request)).await?;
                signed::check_body(body, &[])?;
                let subject = Subject::Device { device: device.device };
                client.noted.caller(&Caller { tenant: device.tenant, subject });
                let place = Arc::clone(&client.place);
                return self.agents.link(request, device, (remote, place)).await;
            }
            _ => return Err(openframe_fault::not_found().await),
        };
        client.noted.route(route);
        headers_for_service(request.headers_mut(), &remote, Access::Known);
        let open = matches!(subject, Subject::Service { .. });
        let caller = Caller { tenant: self.tenant, subject };
        client.noted.caller(&caller);
        let way = Way { target: Target::Auth, size: Size::Small, open, body };
        self.forward(way, request, &caller).await
    }

    /// The device that sends a request: by its certificate in TLS or, where something on the way has
    /// ended that, by its signature.
    async fn sender(
        &self,
        client: &Client,
        signed: Result<Signed, Refusal>,
    ) -> Result<Sender, Fault> {
        match (&client.device, &client.root) {
            (Some(device), _) => Ok(Sender { device: Arc::clone(device), body: None }),
            (None, Some(root)) => self.agents.signer(root, signed.map_err(signed::refused)?).await,
            (None, None) => Err(not_a_device()),
        }
    }

    async fn routed(
        &self,
        route: &Route,
        mut request: Request,
        client: &Client,
    ) -> Result<Response, Fault> {
        headers::check(&mut request)?;
        let remote = client.remote.to_string();
        let wanted = Wanted::of(&request, &remote);
        let mut upgrade = None;
        if route.upgrade {
            upgrade = wanted_upgrade(request.version(), request.headers(), client.https)?;
        }
        // A sign-in ends the session that the same browser had.
        let path = request.uri().path();
        let changes = !request.method().is_safe();
        let ends_session = path.ends_with("/logout")
            || path == openframe_auth_api::UPSTREAM_CALLBACK
            || (changes && (route.access.is_open() || path.ends_with("/me/password")));
        let shown = ends_session.then(|| request.headers().clone());
        let (caller, kept) = self.caller(route, &mut request, client, &remote).await?;
        client.noted.caller(&caller);
        headers_for_service(request.headers_mut(), &remote, route.access);
        let answer = match route.target {
            Target::Health => self.health(&caller).await,
            Target::OpenApi => Ok(json(self.openapi.clone())),
            target @ (Target::Auth | Target::Devices | Target::Monitoring) => {
                let end = self.end(kept, &caller);
                if let Some(protocol) = upgrade {
                    let asking = (client, &caller, end);
                    return self.tunnel(target, (request, protocol), asking).await;
                }
                let open = route.access.is_open();
                let way = Way { target, size: route.size, open, body: None };
                let answer = self.forward(way, request, &caller).await;
                answer.map(|answer| until(end, answer))
            }
        };
        if let Some(shown) = shown {
            self.identity.forget(&shown).await;
        }
        let status = answer.as_ref().map_or_else(Fault::status, Response::status);
        wanted.note(&self.identity, &caller, status).await;
        answer
    }

    /// Who asks, and the secret that says so if there is one.
    async fn caller(
        &self,
        route: &Route,
        request: &mut Request,
        client: &Client,
        remote: &str,
    ) -> Result<(Caller, Option<Kept>), Fault> {
        if route.access.is_open() {
            if route.access != Access::Sent {
                check_origin(request.method(), request.headers(), client.https)?;
            }
            let subject = Subject::Service { name: "gateway".to_owned() };
            return Ok((Caller { tenant: self.tenant, subject }, None));
        }
        let (resolved, kept) = self.identity.resolve(request, remote).await?;
        check_csrf(&resolved, request.method(), request.headers(), client.https)?;
        Ok((resolved.caller.clone(), Some(kept)))
    }

    async fn health(&self, caller: &Caller) -> Result<Response, Fault> {
        Ok(Json(crate::health::tell(&*self.health, caller).await?).into_response())
    }

    fn console(&self, request: &Request) -> Result<Response, Fault> {
        let path = request.uri().path();
        let get = [Method::GET, Method::HEAD].contains(request.method());
        let found = (get && !is_api(path))
            .then(|| assets::serve(&self.console, path, request.headers()))
            .flatten();
        found.ok_or_else(|| Fault::new(Kind::NotFound, "no_such_path", "nothing is served here"))
    }
}

/// Refuses a sign-in that a page of another origin sends.
fn check_origin(method: &Method, headers: &HeaderMap, https: bool) -> Result<(), Fault> {
    if method.is_safe() || is_own_page(headers, https) {
        return Ok(());
    }
    Err(Fault::new(Kind::Forbidden, "csrf", "the request did not come from a page of this console"))
}

fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests;
