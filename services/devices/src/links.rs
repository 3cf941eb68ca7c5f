//! The promise that a frame reaches a connected device, kept by the gateway.

use async_trait::async_trait;
use openframe_agent_api::link::{self, frame::Body};
use openframe_devices_api::internal::{LINKS, PROTOBUF};
use openframe_fault::{Fault, Kind};
use openframe_ids::{CommandId, DeviceId, TenantId};
use openframe_mesh::Client;
use prost::Message as _;

use crate::domain::Command;

/// What is said to a device.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Run this; how many bytes of its output are wanted.
    Run(Box<Command>, u64),
    /// Stop that.
    Cancel(CommandId),
}

/// Reaches connected devices.
#[async_trait]
pub trait Links: Send + Sync + 'static {
    /// Hands `said` to the device's connection. True when it was written to it (not: that the
    /// device has it), false when the device is not connected.
    async fn push(&self, to: (TenantId, DeviceId), said: &Said) -> Result<bool, Fault>;
}

/// [`Links`] by way of the gateway.
#[derive(Debug, Clone)]
pub struct Gateway(pub Client);

#[async_trait]
impl Links for Gateway {
    async fn push(&self, (_, device): (TenantId, DeviceId), said: &Said) -> Result<bool, Fault> {
        let body = frame(said).encode_to_vec();
        let path = format!("{LINKS}/{device}/frames");
        match self.0.post_bytes(&path, PROTOBUF, body.into()).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind() == Kind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// The frame that carries `said`; the gateway needs no sequence number on it.
pub fn frame(said: &Said) -> link::Frame {
    let body = match said {
        Said::Cancel(id) => Body::Cancel(link::Cancel { id: id.to_string() }),
        Said::Run(command, limit) => Body::Command(link::Command {
            id: command.id.to_string(),
            interpreter: command.interpreter.clone(),
            script: command.script.clone(),
            timeout_s: command.timeout_s,
            expires_ms: command.expires_at.as_millisecond(),
            idempotent: command.idempotent,
            output_limit_bytes: *limit,
        }),
    };
    link::Frame { channel: link::Channel::Unspecified.into(), seq: 0, body: Some(body) }
}
