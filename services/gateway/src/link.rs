//! The agents' link: one WebSocket per device, split into what each service takes.
//!
//! `session` says what a received frame means, without I/O; `socket` moves frames between the
//! WebSocket and the services; this file knows which device is connected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, StatusCode};
use openframe_agent_api::link::frame::Body as FrameBody;
use openframe_agent_api::link::{Channel, Drain, Frame};
use openframe_clock::Clock;
use openframe_fault::{Fault, Kind};
use openframe_ids::{DeviceId, LinkId, TenantId};
use openframe_mesh::Peer;
use openframe_pki::DeviceIdentity;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::identity::Identity;
use crate::metrics::Metrics;

mod services;
mod session;
mod socket;

use services::Services;

/// Frames that may wait for a device's socket.
const QUEUE: usize = 64;

/// Every connected device. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    services: Services,
    clock: Clock,
    metrics: Metrics,
    connected: Mutex<HashMap<(TenantId, DeviceId), Link>>,
}

/// A connected device.
#[derive(Clone)]
struct Link {
    id: LinkId,
    frames: mpsc::Sender<Frame>,
    close: CancellationToken,
}

impl Links {
    pub(crate) fn new(
        config: Config,
        identity: Identity,
        (auth, devices, monitoring): (Peer, Peer, Peer),
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let services = Services { identity, auth, devices, monitoring };
        let connected = Mutex::default();
        Self { shared: Arc::new(Shared { config, services, clock, metrics, connected }) }
    }

    /// Answers the request that opens a link (RFC 6455, section 4.2), and runs the link.
    pub(crate) async fn upgrade(
        &self,
        request: &mut Request,
        device: DeviceIdentity,
        remote_address: &str,
    ) -> Result<Response, Fault> {
        let key = websocket_key(request.headers()).ok_or_else(|| {
            Fault::invalid("no_websocket", "this path is a WebSocket")
                .with_status(StatusCode::UPGRADE_REQUIRED)
        })?;
        self.shared.services.check_device(&device).await?;
        let upgraded = hyper::upgrade::on(&mut *request);
        // The place among the connections is given back when the link has ended.
        let permit = request.extensions_mut().remove::<Arc<tokio::sync::OwnedSemaphorePermit>>();
        let (links, remote_address) = (self.clone(), remote_address.to_owned());
        tokio::spawn(async move {
            match upgraded.await {
                Ok(upgraded) => links.run(upgraded, device, remote_address).await,
                Err(error) => tracing::debug!("a link was not opened: {error}"),
            }
            drop(permit);
        });
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(
            SEC_WEBSOCKET_ACCEPT,
            accept.map_err(|error| {
                Fault::new(Kind::Internal, "internal", "the link could not be opened")
                    .because(error)
            })?,
        );
        Ok(response)
    }

    /// Writes a frame to a device. `NotFound` when it is not connected here, `Unavailable` when its
    /// socket does not take what is sent.
    pub(crate) fn push(
        &self,
        tenant: TenantId,
        device: DeviceId,
        frame: Frame,
    ) -> Result<(), Fault> {
        let link = self.connected().get(&(tenant, device)).cloned();
        let link = link.ok_or_else(|| {
            Fault::new(Kind::NotFound, "not_connected", "the device is not connected here")
        })?;
        link.frames.try_send(frame).map_err(|error| {
            Fault::unavailable("device_too_slow", "the device does not take what is sent")
                .because(error.to_string())
        })
    }

    /// Tells every agent to connect again within `spread_ms`.
    pub(crate) fn drain(&self, spread_ms: u32) {
        let links: Vec<Link> = self.connected().values().cloned().collect();
        for link in links {
            let body = FrameBody::Drain(Drain { reconnect_within_ms: spread_ms });
            // A full queue means that the agent does not listen: closing tells it the same.
            drop(link.frames.try_send(management(body)));
            link.close.cancel();
        }
    }

    fn connected(&self) -> std::sync::MutexGuard<'_, HashMap<(TenantId, DeviceId), Link>> {
        self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a device; an older link of the same device is closed.
    fn enter(&self, device: &DeviceIdentity, link: Link) {
        let key = (device.tenant, device.device);
        let mut connected = self.connected();
        if let Some(older) = connected.insert(key, link) {
            older.close.cancel();
        }
        self.shared.metrics.links.set(i64::try_from(connected.len()).unwrap_or(i64::MAX));
    }

    /// Removes a device, unless a newer link has taken its place.
    fn leave(&self, device: &DeviceIdentity, id: LinkId) {
        let key = (device.tenant, device.device);
        let mut connected = self.connected();
        if connected.get(&key).is_some_and(|link| link.id == id) {
            connected.remove(&key);
        }
        self.shared.metrics.links.set(i64::try_from(connected.len()).unwrap_or(i64::MAX));
    }
}

/// The key of a request that asks for a WebSocket.
fn websocket_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let says = |name, part| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains(part))
    };
    let asks = says(UPGRADE, "websocket") && says(CONNECTION, "upgrade");
    headers.get(SEC_WEBSOCKET_KEY).filter(|_| asks).cloned()
}

/// A frame of link management: it is never acknowledged.
fn management(body: FrameBody) -> Frame {
    Frame { channel: Channel::Unspecified.into(), seq: 0, body: Some(body) }
}
