//! One agent's link from its first frame to its last.
//!
//! `session` has the protocol's laws, `registry` which device is where, `rate` how fast one may
//! send, `socket` reads and writes.

mod drain;
mod rate;
mod registry;
mod session;
mod socket;

pub(crate) use drain::Drain;
pub(crate) use registry::{Pushed, Registered, Registry};
pub(crate) use socket::{Line, drive};

use bytes::Bytes;
use openframe_agent_api::link::frame::Body;
use openframe_agent_api::link::{Channel, Frame, ReportPush, TelemetryPush};
use openframe_clock::Clock;
use openframe_devices_api::internal::{PROTOBUF, REPORT};
use openframe_fault::Fault;
use openframe_ids::{DeviceId, TenantId};
use openframe_mesh::{Client, Peer, identity};
use openframe_monitoring_api::TELEMETRY;
use openframe_tokens::internal::Minter;
use openframe_tokens::{Caller, Subject};
use prost::Message as _;

use crate::metrics::Metrics;

/// The services behind the links.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) devices: Peer,
    pub(crate) monitoring: Peer,
    pub(crate) minter: Minter,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

/// The services, asked in the name of one device.
#[derive(Clone)]
pub(crate) struct Behind {
    devices: Client,
    monitoring: Client,
}

impl Services {
    pub(crate) fn for_device(&self, (tenant, device): (TenantId, DeviceId)) -> Behind {
        let caller = Caller { tenant, subject: Subject::Device { device } };
        let client = |peer: &Peer, audience: &'static str| {
            let (minter, clock, caller) = (self.minter.clone(), self.clock.clone(), caller.clone());
            let credential = move |headers: &mut http::HeaderMap| {
                identity::insert(headers, &minter.mint(&caller, audience, clock.now()));
            };
            Client::new(peer.clone(), std::sync::Arc::new(credential))
        };
        Behind {
            devices: client(&self.devices, "devices"),
            monitoring: client(&self.monitoring, "monitoring"),
        }
    }
}

impl Behind {
    /// Tells the devices service something about the link.
    pub(crate) async fn tell(&self, path: &str, body: Vec<u8>) -> Result<(), Fault> {
        self.devices.post_bytes(path, PROTOBUF, body.into()).await.map(drop)
    }

    /// Hands frames of one channel on; returns once they are durable.
    pub(crate) async fn hand_on(self, channel: Channel, body: Bytes) -> Result<(), Fault> {
        let (client, path) = match channel {
            Channel::Telemetry => (&self.monitoring, TELEMETRY),
            Channel::Control | Channel::Unspecified => (&self.devices, REPORT),
        };
        client.post_bytes(path, PROTOBUF, body).await.map(drop)
    }
}

/// What a service gets for `frames` of one channel.
pub(crate) fn encode(channel: Channel, frames: &[Frame]) -> Bytes {
    if channel == Channel::Control {
        return ReportPush { frames: frames.to_vec() }.encode_to_vec().into();
    }
    let snapshot = |frame: &Frame| match &frame.body {
        Some(Body::Snapshot(snapshot)) => Some(snapshot.clone()),
        _ => None,
    };
    let snapshots = frames.iter().filter_map(snapshot).collect();
    TelemetryPush { snapshots }.encode_to_vec().into()
}
