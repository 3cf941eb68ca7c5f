//! Paths between the gateway and the devices service. Bodies are prost messages of `agent-api`
//! (`application/x-protobuf`); the device is the caller of the internal token. And one between
//! replicas of the devices service.

use jiff::Timestamp;
use openframe_ids::{CommandId, DeviceId, LinkId, TenantId};
use serde::{Deserialize, Serialize};

/// `POST`, body `LinkOpened`, answer 204: the device has connected. The service then pushes what
/// waits for the device through the gateway's own path, in a task of its own.
pub const LINK_OPENED: &str = "/internal/v1/links/opened";
/// `POST`, body `LinkClosed`, answer 204: the device's connection has ended.
pub const LINK_CLOSED: &str = "/internal/v1/links/closed";
/// `POST`, body `ReportPush`, answer 204 once all of it is durable.
pub const REPORT: &str = "/internal/v1/reports";
/// `POST`, empty body, answer 204: the device has been heard from.
pub const HEARD: &str = "/internal/v1/links/heard";
/// The gateway's paths, each with 404 when the device is not connected to this gateway:
/// `POST /internal/v1/links/{device}/frames`, body one `Frame` without a sequence number, answer 204
/// when it was written to the device's connection, 503 when that found no room for some seconds;
/// `DELETE /internal/v1/links/{device}`, answer 204 when the connection ends because the device was
/// retired.
pub const LINKS: &str = "/internal/v1/links";
/// The content type of all of them.
pub const PROTOBUF: &str = "application/x-protobuf";
/// `POST`, body [`SiblingNews`], answer 204: what one replica of the devices service tells another.
pub const SIBLINGS: &str = "/internal/v1/siblings";

/// What a replica has heard and changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SiblingNews {
    /// Which replica: it knows its own news.
    pub from: String,
    /// What is new, by device.
    pub devices: Vec<DeviceNews>,
}

/// What is new about a device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceNews {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which device.
    pub device_id: DeviceId,
    /// Its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkNews>,
    /// When it was last heard from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// Its record was written, or it was retired.
    #[serde(default)]
    pub record: bool,
    /// Its inventory was written.
    #[serde(default)]
    pub inventory: bool,
    /// A command has written something.
    #[serde(default)]
    pub output: bool,
    /// Commands that were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandId>,
    /// Those of them that are new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<CommandId>,
}

/// A device's connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinkNews {
    /// The newest that was opened.
    pub newest: LinkId,
    /// Since when it is open, if it is.
    pub open_since: Option<Timestamp>,
    /// When the device was last heard from.
    pub last_heard: Timestamp,
    /// How the connection ended: the number of the link protocol.
    pub goodbye: i64,
}
