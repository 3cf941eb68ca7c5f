//! Bodies of the paths about devices' identities.

use jiff::Timestamp;
use openframe_ids::{DeviceId, PlaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device that counts no more until somebody re-admits it: two copies of its identity were in use.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QuarantinedDevice {
    /// The device.
    pub device_id: DeviceId,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// A device that has enrolled and waits to be let in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WaitingDevice {
    /// The device.
    pub device_id: DeviceId,
    /// Where it will be: the ids on the way there; none for the whole tenant.
    pub place: Vec<PlaceId>,
    /// What it calls itself. Nothing proves it, nor the serial number.
    pub hostname: String,
    /// Its serial number; empty when it says none.
    pub serial: String,
    /// The address it comes from.
    pub remote_address: String,
    /// The SHA-256 of its key, hex: the agent prints the same.
    pub key: String,
    /// Since when it waits.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}
