//! The typed client.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Response};
use openframe_fault::{Fault, Kind};
use openframe_ids::{CommandId, DeviceId};
use openframe_mesh::{Client, query};

use crate::{
    Command, CommandPage, Device, DeviceChange, DevicePage, DeviceQuery, Inventory, NewCommand,
    Output, PREFIX, Section, SectionHistory, internal,
};

/// Asks the devices service. Every method fails with the service's own refusal, or with
/// `Unavailable` when it does not answer.
#[derive(Debug, Clone)]
pub struct DevicesClient {
    root: Client,
    api: Client,
}

impl DevicesClient {
    /// A client on top of `client`.
    pub fn new(client: Client) -> Self {
        Self { api: client.under(PREFIX), root: client }
    }

    /// One page of the devices that match.
    pub async fn devices(&self, wanted: &DeviceQuery) -> Result<DevicePage, Fault> {
        let limit = wanted.limit.map(|limit| limit.to_string());
        let query = query(&[
            ("q", wanted.q.as_deref()),
            ("filter", wanted.filter.as_deref()),
            ("facets", wanted.facets.as_deref()),
            ("sort", wanted.sort.as_deref()),
            ("cursor", wanted.cursor.as_deref()),
            ("limit", limit.as_deref()),
        ]);
        self.api.get(&format!("/devices{query}")).await
    }

    /// One device.
    pub async fn device(&self, id: DeviceId) -> Result<Device, Fault> {
        self.api.get(&format!("/devices/{id}")).await
    }

    /// Renames or tags a device.
    pub async fn change(&self, id: DeviceId, change: &DeviceChange) -> Result<Device, Fault> {
        self.api.send(Method::PATCH, &format!("/devices/{id}"), change).await
    }

    /// Removes a device from the fleet.
    pub async fn retire(&self, id: DeviceId) -> Result<(), Fault> {
        self.api.delete(&format!("/devices/{id}")).await
    }

    /// The newest inventory.
    pub async fn inventory(&self, id: DeviceId) -> Result<Inventory, Fault> {
        self.api.get(&format!("/devices/{id}/inventory")).await
    }

    /// A section as it was at an instant (RFC 3339), or is now.
    pub async fn section(
        &self,
        id: DeviceId,
        section: &str,
        at: Option<&str>,
    ) -> Result<Section, Fault> {
        let query = query(&[("at", at)]);
        self.api.get(&format!("/devices/{id}/inventory/{section}{query}")).await
    }

    /// When a section changed.
    pub async fn history(&self, id: DeviceId, section: &str) -> Result<SectionHistory, Fault> {
        self.api.get(&format!("/devices/{id}/inventory/{section}/history")).await
    }

    /// Asks for a command to run.
    pub async fn run(&self, id: DeviceId, command: &NewCommand) -> Result<Command, Fault> {
        self.api.send(Method::POST, &format!("/devices/{id}/commands"), command).await
    }

    /// The same, taken once however often it is asked for with the same `key`: 1 to 128 plain characters.
    pub async fn run_once(
        &self,
        id: DeviceId,
        command: &NewCommand,
        key: &str,
    ) -> Result<Command, Fault> {
        let wrong = |error| {
            Fault::new(Kind::Invalid, "bad_request", "such a key cannot be sent").because(error)
        };
        let key = HeaderValue::from_str(key).map_err(wrong)?;
        self.api.keyed(key).send(Method::POST, &format!("/devices/{id}/commands"), command).await
    }

    /// A device's commands, newest first.
    pub async fn commands(&self, id: DeviceId, cursor: Option<&str>) -> Result<CommandPage, Fault> {
        let query = query(&[("cursor", cursor)]);
        self.api.get(&format!("/devices/{id}/commands{query}")).await
    }

    /// One command.
    pub async fn command(&self, id: CommandId) -> Result<Command, Fault> {
        self.api.get(&format!("/commands/{id}")).await
    }

    /// Cancels a command that has not finished.
    pub async fn cancel(&self, id: CommandId) -> Result<Command, Fault> {
        self.api.send(Method::POST, &format!("/commands/{id}/cancel"), &()).await
    }

    /// What a command has written after the offset `after`.
    pub async fn output(&self, id: CommandId, after: u64) -> Result<Output, Fault> {
        self.api.get(&format!("/commands/{id}/output?after={after}")).await
    }

    /// The bytes that a command has written so far.
    pub async fn raw_output(&self, id: CommandId) -> Result<Response<Body>, Fault> {
        self.api.stream(&format!("/commands/{id}/output/raw")).await
    }

    /// What a command writes, as server-sent events `output` and `command` until it has finished.
    pub async fn stream(&self, id: CommandId) -> Result<Response<Body>, Fault> {
        self.api.stream(&format!("/commands/{id}/stream")).await
    }

    /// Sends one of the bodies of [`internal`] as the device that the credential names.
    pub async fn push(&self, path: &str, body: Bytes) -> Result<(), Fault> {
        self.root.post_bytes(path, internal::PROTOBUF, body).await.map(drop)
    }
}
