//! Bodies of the paths about devices' identities.

use jiff::Timestamp;
use openframe_ids::DeviceId;
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
