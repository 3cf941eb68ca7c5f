//! The agents' door: enrol without a certificate, renew and link with one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use moka::future::Cache;
use openframe_agent_api::MAX_FRAME_BYTES;
use openframe_auth_api::AuthClient;
use openframe_auth_api::internal::DeviceCheck;
use openframe_fault::{Fault, Kind};
use openframe_ids::{DeviceId, TenantId};
use openframe_pki::DeviceIdentity;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::ended::Beginning;
use crate::link::{Drain, Line, Registry, Services, drive};
use crate::serve::Place;

/// How long a good answer about a device is believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// Devices remembered at most.
const REMEMBERED: u64 = 100_000;
/// The time that each returning agent is given when all are asked to leave.
const EACH_RETURN: Duration = Duration::from_millis(5);
/// No agent is asked to return much sooner: a server that starts again needs a moment.
const FIRST_RETURN: Duration = Duration::from_secs(1);
/// How long links that are cut off get to say so.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// A frame that an agent sends in spite of the announced limit is still read up to here, so that
/// the service behind can refuse it: cut off, it would come again and again, and nothing after it.
const HARD_FRAME_BYTES: usize = 4 * MAX_FRAME_BYTES;
/// Bytes that a link reads at once.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// What the agents' door needs.
#[derive(Clone)]
pub(crate) struct Agents {
    pub(crate) auth: AuthClient,
    beginning: Beginning,
    pub(crate) services: Services,
    links: Arc<Registry>,
    config: Config,
    tenant: TenantId,
    good: Cache<DeviceIdentity, ()>,
    pub(crate) drain: Drain,
    pub(crate) tasks: TaskTracker,
}

impl Agents {
    pub(crate) fn new(
        (auth, beginning): (AuthClient, Beginning),
        services: Services,
        links: Arc<Registry>,
        config: Config,
        tenant: TenantId,
    ) -> Self {
        let good = Cache::builder().max_capacity(REMEMBERED).time_to_live(BELIEVED).build();
        let (drain, tasks) = (Drain::default(), TaskTracker::new());
        Self { auth, beginning, services, links, config, tenant, good, drain, tasks }
    }

    /// Asks every link to end within a part of `grace`, and cuts off those that then remain.
    pub(crate) async fn leave(&self, grace: Duration) {
        let longest = Duration::from_millis(self.config.drain_spread_ms.into()).min(grace / 2);
        let links = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX);
        let spread = EACH_RETURN.saturating_mul(links).max(FIRST_RETURN).min(longest);
        self.drain.begin(spread);
        self.tasks.close();
        let patience = grace.saturating_sub(CLOSE_LIMIT);
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_ok() {
            return;
        }
        tracing::info!(links = self.tasks.len(), "cutting off agents that have not left");
        self.drain.cut();
        if tokio::time::timeout(CLOSE_LIMIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(links = self.tasks.len(), "agents still connected");
        }
    }

    /// Ends a revoked device's link, and asks about every device anew.
    pub(crate) fn revoke(&self, device: DeviceId) {
        self.good.invalidate_all();
        self.links.revoke(self.tenant, device);
    }

    /// Fails unless the device's certificate still counts.
    pub(crate) async fn check(&self, device: &DeviceIdentity) -> Result<(), Fault> {
        if device.tenant != self.tenant || device.not_after <= self.services.clock.now() {
            return Err(not_a_device());
        }
        if self.good.contains_key(device) {
            return Ok(());
        }
        let check = DeviceCheck {
            tenant_id: device.tenant,
            device_id: device.device,
            serial: device.serial.clone(),
        };
        self.beginning.place().await?;
        self.auth.check_device(&check).await?;
        self.good.insert(device.clone(), ()).await;
        Ok(())
    }

    /// Answers the upgrade to a link, and drives the link in a task of its own.
    pub(crate) async fn link(
        &self,
        mut request: Request<Body>,
        device: Arc<DeviceIdentity>,
        (remote, place): (String, Arc<Place>),
    ) -> Result<Response<Body>, Fault> {
        if self.drain.has_begun() {
            return Err(Fault::unavailable("draining", "this gateway is stopping; connect again")
                .retry_after(Duration::from_secs(1)));
        }
        let accept = accept_key(request.headers())?;
        self.check(&device).await?;
        let upgrade = hyper::upgrade::on(&mut request);
        let agents = self.clone();
        self.tasks.spawn(async move {
            let Ok(io) = upgrade.await else { return };
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_BUFFER_BYTES)
                .write_buffer_size(0)
                .max_write_buffer_size(2 * MAX_FRAME_BYTES)
                .max_message_size(Some(HARD_FRAME_BYTES))
                .max_frame_size(Some(HARD_FRAME_BYTES));
            let io = TokioIo::new(io);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            drive(socket, agents.line(&device, remote)).await;
            drop(place);
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        Ok(response)
    }

    fn line(&self, device: &Arc<DeviceIdentity>, remote: String) -> Line {
        let (agents, known) = (self.clone(), Arc::clone(device));
        let check = move || {
            let (agents, known) = (agents.clone(), Arc::clone(&known));
            let future = async move { agents.check(&known).await };
            let boxed: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(future);
            boxed
        };
        Line {
            registered: self.links.enter(device.tenant, device.device),
            behind: self.services.for_device((device.tenant, device.device)),
            config: self.config.clone(),
            clock: self.services.clock.clone(),
            metrics: self.services.metrics.clone(),
            remote,
            check: Box::new(check),
            drain: self.drain.clone(),
        }
    }
}

/// The answer's half of the WebSocket handshake (RFC 6455, section 4.2).
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Fault> {
    let is = |name, want: &str| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case(want)))
    };
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let whole =
        is(UPGRADE, "websocket") && is(CONNECTION, "upgrade") && is(SEC_WEBSOCKET_VERSION, "13");
    let bad = || {
        Fault::invalid("not_a_websocket", "upgrade to a WebSocket of version 13")
            .with_status(StatusCode::UPGRADE_REQUIRED)
    };
    let key = key.filter(|_| whole).ok_or_else(bad)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| bad())
}

/// The refusal of a connection that shows no certificate, or one that does not count.
pub(crate) fn not_a_device() -> Fault {
    Fault::new(Kind::Unauthenticated, "not_a_device", "show the certificate of an enrolled device")
}
