//! Logs and metrics of the platform's own processes.
//!
//! [`start_logs`] is called once, in `main`. Metrics are registered in a `prometheus_client`
//! registry by each service; [`exposition`] writes them for the admin port.

mod lines;

use std::io;

use prometheus_client::registry::Registry;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use lines::OneLine;

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

/// What tells errors of whatever strangers send. It is refused, and on the audit trail.
const QUIET: &str = "webauthn_rs_core";

/// The filter, with [`QUIET`] left out unless it is asked for.
fn with_quiet(filter: &str) -> String {
    if filter.contains(QUIET) { filter.to_owned() } else { format!("{filter},{QUIET}=off") }
}

/// Sends log lines to standard error. `filter` is as `tracing_subscriber::EnvFilter` reads it, such
/// as `info` or `info,openframe_gateway=debug`; a filter that cannot be read is an error.
pub fn start_logs(filter: &str, format: LogFormat) -> Result<(), BadFilter> {
    let filter = with_quiet(filter);
    let filter = filter.parse::<EnvFilter>().map_err(|error| BadFilter(error.to_string()))?;
    // A second call in one process (tests) keeps the first subscriber.
    drop(subscriber(filter, format, io::stderr).try_init());
    Ok(())
}

/// What writes events as lines. Without colours: what obeys them would obey others as well.
fn subscriber<W: io::Write>(
    filter: EnvFilter,
    format: LogFormat,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let registry = tracing_subscriber::registry().with(filter);
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || OneLine(to()));
    match format {
        LogFormat::Text => Box::new(registry.with(lines.with_target(false))),
        LogFormat::Json => Box::new(registry.with(lines.json().flatten_event(true))),
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // ASVS 16.4.1
    #[test]
    fn whatever_is_in_an_event_it_is_one_line_that_only_shows() {
        let hostile =
            "x\r\n2026-01-01T00:00:00Z ERROR forged \u{1b}[2J \u{9b}2J \u{2028}\u{202e}\0\"}";
        for format in [LogFormat::Text, LogFormat::Json] {
            let log = Log::default();
            let writer = log.clone();
            let to = subscriber(EnvFilter::new("info"), format, move || writer.clone());
            tracing::subscriber::with_default(to, || {
                tracing::info!(field = hostile, shown = %hostile, "{hostile}");
                tracing::warn!("the next");
            });
            let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
            let lines: Vec<&str> = text.split_terminator('\n').collect();
            assert_eq!(lines.len(), 2, "{format:?}: {text}");
            for line in lines {
                assert!(!line.contains(char::is_control), "{format:?}: {line:?}");
                assert!(!line.contains(['\u{2028}', '\u{202e}']), "{format:?}: {line:?}");
                assert!(!line.starts_with("2026-01-01"), "{format:?}: {line:?}");
            }
            if format == LogFormat::Json {
                let first = text.lines().next().unwrap();
                let read: serde_json::Value = serde_json::from_str(first).unwrap();
                assert_eq!((&read["field"], &read["message"]), (&hostile.into(), &hostile.into()));
            }
        }
    }
}
