//! Logs and metrics of the platform's own processes.
//!
//! [`start_logs`] is called once, in `main`. Metrics are registered in a `prometheus_client`
//! registry by each service; [`exposition`] writes them for the admin port.

use std::io;

use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line, for a collector.
    Json,
}

/// The content type of [`exposition`].
pub const EXPOSITION_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Sends log lines to standard error. `filter` is as `tracing_subscriber::EnvFilter` reads it, such
/// as `info` or `info,openframe_gateway=debug`; a filter that cannot be read is an error.
pub fn start_logs(filter: &str, format: LogFormat) -> Result<(), BadFilter> {
    let filter = filter.parse::<EnvFilter>().map_err(|error| BadFilter(error.to_string()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    drop(match format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    });
    Ok(())
}

/// A log filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log filter cannot be read: {0}")]
pub struct BadFilter(String);

/// All metrics of `registry` in `OpenMetrics` text.
pub fn exposition(registry: &Registry) -> String {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => text,
        Err(error) => format!("# {error}\n# EOF\n"),
    }
}
