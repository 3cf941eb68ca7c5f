//! The settings of the gateway.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::routes::Size;

/// Settings of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of a request's head at most.
    pub header_bytes: usize,
    /// Bytes of a sign-in, an enrolment and of other requests to the auth service at most.
    pub small_body_bytes: usize,
    /// Bytes of a JSON body at most.
    pub body_bytes: usize,
    /// Bytes of a telemetry write (`remote_write`, OTLP) at most, compressed.
    pub write_bytes: usize,
    /// Bytes that all bodies together may take while they wait for a service. What comes from
    /// nobody known may take a quarter of it.
    pub bodies_bytes: usize,
    /// Seconds that a request's head may take to arrive, from the moment the connection is there or
    /// the answer before it was sent.
    pub header_timeout_s: u64,
    /// Seconds that a request's body may take to arrive.
    pub body_timeout_s: u64,
    /// Seconds that a TLS handshake may take.
    pub handshake_timeout_s: u64,
    /// Connections at most, of people and API clients together.
    pub connections: usize,
    /// Connections of agents at most.
    pub agent_connections: usize,
    /// Connections at most from one address (or one IPv6 network of 64 bits) of people and API
    /// clients. Trusted proxies are not limited: they speak for many.
    pub connections_per_address: usize,
    /// Connections of agents at most from one address: a site behind one router has one.
    pub agent_connections_per_address: usize,
    /// Seconds after which an HTTP/2 connection without a request is closed.
    pub idle_timeout_s: u64,
    /// Seconds that a client may leave unread what is sent to it.
    pub write_timeout_s: u64,
    /// Requests at the same time on one HTTP/2 connection at most.
    pub streams: u32,
    /// Milliseconds for which an answer of the auth service about a secret is believed. A revoked
    /// secret works no longer than this; while the auth service does not answer at all, whoever it
    /// knew in the last minute is believed.
    pub identity_cache_ms: u64,
    /// Seconds between two checks that the caller of an event stream or tunnel still may. It ends when
    /// the session, key or role does, of which the gateway hears twice a second: this is for what it
    /// has not heard.
    pub caller_check_s: u64,
    /// Seconds without a byte in either direction after which a tunnel is closed.
    pub tunnel_idle_s: u64,
    /// Addresses and networks of proxies in front of the platform, such as `["10.0.0.5"]`. Their
    /// `X-Forwarded-For` and `X-Forwarded-Proto` are believed, and no others'.
    pub trusted_proxies: Vec<Network>,
    /// Whether a device may sign its requests in the place of showing its certificate in TLS, as it has to
    /// where something on the way ends TLS. Whatever that is can then read and change what passes.
    pub signed_requests: bool,
    /// Seconds after which an agent that has nothing to send says that it lives.
    pub heartbeat_s: u32,
    /// Seconds between two snapshots of an agent.
    pub snapshot_interval_s: u32,
    /// Seconds between two checks that the certificate of a connected device still counts. A link ends
    /// when the device is revoked, of which the gateway hears twice a second: this is for what it has
    /// not heard.
    pub device_check_s: u64,
    /// Milliseconds over which agents are told to spread at most when the gateway stops: five for
    /// each, and never more than half of `grace_s`.
    pub drain_spread_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header_bytes: 32 << 10,
            small_body_bytes: 64 << 10,
            body_bytes: 1 << 20,
            write_bytes: 4 << 20,
            bodies_bytes: 64 << 20,
            header_timeout_s: 10,
            body_timeout_s: 30,
            handshake_timeout_s: 10,
            connections: 10_000,
            agent_connections: 100_000,
            connections_per_address: 1_000,
            agent_connections_per_address: 10_000,
            idle_timeout_s: 120,
            write_timeout_s: 20,
            streams: 128,
            identity_cache_ms: 1_000,
            caller_check_s: 30,
            tunnel_idle_s: 300,
            trusted_proxies: Vec::new(),
            signed_requests: true,
            heartbeat_s: 30,
            snapshot_interval_s: 10,
            device_check_s: 30,
            drain_spread_ms: 10_000,
        }
    }
}

impl Config {
    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_s)
    }

    /// Bytes of a body of `size` at most.
    pub(crate) fn limit(&self, size: Size) -> usize {
        match size {
            Size::Small => self.small_body_bytes,
            Size::Usual => self.body_bytes,
            Size::Write => self.write_bytes,
        }
    }
}

/// An address, or a network in CIDR notation: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Network(IpNet);

/// A text that is no network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address or network; write 192.0.2.7 or 10.0.0.0/8")]
pub struct BadNetwork(String);

impl Network {
    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Self, BadNetwork> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| BadNetwork(text))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, BadNetwork> {
        text.to_owned().try_into()
    }

    #[track_caller]
    fn contains(network: &str, address: &str, want: bool) {
        let found = self::network(network).unwrap().contains(address.parse().unwrap());
        assert_eq!(found, want, "{network} {address}");
    }

    #[test]
    fn a_network_has_its_addresses_and_no_other() {
        contains("10.0.0.0/8", "10.255.0.1", true);
        contains("10.0.0.0/8", "::ffff:10.255.0.1", true);
        contains("10.0.0.0/8", "11.0.0.1", false);
        contains("192.0.2.7", "192.0.2.7", true);
        contains("192.0.2.7", "192.0.2.6", false);
        contains("0.0.0.0/0", "192.0.2.7", true);
        contains("0.0.0.0/0", "2001:db8::1", false);
        contains("2001:db8::/32", "2001:db8:ffff::1", true);
        contains("2001:db8::/32", "2001:db9::1", false);
        contains("::/0", "2001:db9::1", true);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/x", "10.0.0/8"] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
