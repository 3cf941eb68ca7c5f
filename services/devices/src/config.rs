//! The settings of the devices service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the devices service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds between two looks at which devices have fallen silent.
    pub presence_interval_s: u32,
    /// Seconds between two writes of when devices were last heard from. What a power cut may lose
    /// of that time is this much.
    pub last_seen_interval_s: u32,
    /// Seconds between two looks for commands whose time is over.
    pub expiry_interval_s: u32,
    /// Seconds between two readings of the whole registry, where there are several replicas: what one
    /// of them could not tell the others before it died is seen then.
    pub reread_interval_s: u32,
    /// Bytes of a command's output that are kept.
    pub output_limit_bytes: u64,
    /// Versions of one inventory section that are kept for one device.
    pub inventory_versions: u32,
    /// Bytes of inventory, old versions included, that are kept for one device. The newest version
    /// of each section always is.
    pub inventory_bytes: u64,
    /// Commands that may wait for one device, or run on it, at the same time.
    pub waiting_commands: u32,
    /// Hours for which an idempotency key is remembered.
    pub idempotency_hours: u32,
    /// Events that a slow reader of the event stream may be behind before it is told to read anew.
    pub event_backlog: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            presence_interval_s: 5,
            last_seen_interval_s: 600,
            expiry_interval_s: 10,
            reread_interval_s: 600,
            output_limit_bytes: 1 << 20,
            inventory_versions: 200,
            inventory_bytes: 32 << 20,
            waiting_commands: 500,
            idempotency_hours: 24,
            event_backlog: 1024,
        }
    }
}
