//! What crosses the wire of the monitoring service: types and a typed client.
//!
//! Public paths begin with `/api/monitoring/v1` and `/prometheus/api/v1`; the second are exactly as
//! Prometheus has them, so its own clients work.

mod client;
mod number;
mod types;

pub use client::MonitoringClient;
pub use types::*;

/// What every public path of the service's own API begins with.
pub const PREFIX: &str = "/api/monitoring/v1";
/// What Prometheus' paths begin with.
pub const PROMETHEUS: &str = "/prometheus/api/v1";
/// `POST`, body `ExportMetricsServiceRequest` of OpenTelemetry.
pub const OTLP_METRICS: &str = "/otlp/v1/metrics";
/// `POST`, body `TelemetryPush` of `agent-api`, answer 204 once all of it is durable; a `Conflict`
/// with the code `unknown_series_table` asks for the tables again.
pub const TELEMETRY: &str = "/internal/v1/telemetry";
