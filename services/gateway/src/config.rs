//! The settings of the gateway.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of a request's head at most.
    pub header_bytes: usize,
    /// Bytes of a JSON body at most.
    pub body_bytes: usize,
    /// Bytes of a telemetry write (`remote_write`, OTLP) at most, compressed.
    pub write_bytes: usize,
    /// Seconds that a request's head may take to arrive.
    pub header_timeout_s: u64,
    /// Seconds that a request's body may take to arrive.
    pub body_timeout_s: u64,
    /// Seconds that a TLS handshake may take.
    pub handshake_timeout_s: u64,
    /// Connections at most, of people and API clients together.
    pub connections: usize,
    /// Connections of agents at most.
    pub agent_connections: usize,
    /// Requests at the same time on one HTTP/2 connection at most.
    pub streams: u32,
    /// Milliseconds for which an answer of the auth service about a secret is believed. A revoked
    /// secret works no longer than this.
    pub identity_cache_ms: u64,
    /// Seconds after which an agent that has nothing to send says that it lives.
    pub heartbeat_s: u32,
    /// Seconds between two snapshots of an agent.
    pub snapshot_interval_s: u32,
    /// Seconds between two checks that a connected device has not been revoked.
    pub device_check_s: u64,
    /// Milliseconds over which agents are told to spread when the gateway stops.
    pub drain_spread_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header_bytes: 32 << 10,
            body_bytes: 1 << 20,
            write_bytes: 32 << 20,
            header_timeout_s: 10,
            body_timeout_s: 30,
            handshake_timeout_s: 10,
            connections: 10_000,
            agent_connections: 100_000,
            streams: 128,
            identity_cache_ms: 1_000,
            heartbeat_s: 30,
            snapshot_interval_s: 10,
            device_check_s: 5,
            drain_spread_ms: 10_000,
        }
    }
}

impl Config {
    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }
}
