//! What can be set.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the monitoring service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many days samples are kept, at least 1. Default 7.
    pub retention_days: u32,
    /// Bytes of the log of samples on disk; at the limit the oldest samples go first, before their
    /// time. Has no meaning where samples are on Cassandra. Default 8 GiB.
    pub log_bytes: u64,
    /// Bytes of samples and series in memory; at the limit the oldest samples go first, before their
    /// time. Default 1 GiB.
    pub head_bytes: usize,
    /// Series that one tenant may have. Default 1,000,000.
    pub max_series: usize,
    /// Bytes of one request body that carries samples, as sent. Default 4 MiB.
    pub max_body_bytes: usize,
    /// Bytes of a `remote_write` body once decompressed. Default 32 MiB.
    pub max_decompressed_bytes: usize,
    /// Snapshots in one push of a device. Default 1,000.
    pub max_snapshots: usize,
    /// Samples further ahead of the platform's clock than this many seconds are dropped and
    /// counted. Default 600.
    pub max_future_s: u32,
    /// Samples that one query may hold in memory at once, at 16 bytes. Default 16,000,000.
    pub query_samples: usize,
    /// Series that one selector of a query may fit. Default 200,000.
    pub query_series: usize,
    /// Bytes of one query's answer, before compression. Default 64 MiB.
    pub query_answer_bytes: usize,
    /// Queries that are evaluated at the same time; more of them wait. Default 4.
    pub query_concurrency: usize,
    /// Seconds after which a query is given up, waiting included. Default 9, which is also the most:
    /// parts of the platform wait 10 s for each other.
    pub query_timeout_s: u64,
    /// How many live events a slow viewer may be behind before it misses some. Default 1,024.
    pub live_queue: usize,
    /// Alert rules that one tenant may have. Default 1,000.
    pub max_rules: usize,
    /// Seconds between two evaluations of the alert rules; they are at multiples of it. Default 15.
    pub evaluation_interval_s: u32,
    /// Seconds after a start in which no alert ends when the platform was away before: devices have to
    /// report again first. Default 120.
    pub start_grace_s: u32,
    /// Seconds between two looks at the log: tries a failed one again, trims an old one. Default 5.
    pub upkeep_interval_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention_days: 7,
            log_bytes: 8 << 30,
            head_bytes: 1 << 30,
            max_series: 1_000_000,
            max_body_bytes: 4 << 20,
            max_decompressed_bytes: 32 << 20,
            max_snapshots: 1_000,
            max_future_s: 600,
            query_samples: 16_000_000,
            query_series: 200_000,
            query_answer_bytes: 64 << 20,
            query_concurrency: 4,
            query_timeout_s: 9,
            live_queue: 1_024,
            max_rules: 1_000,
            evaluation_interval_s: 15,
            start_grace_s: 120,
            upkeep_interval_s: 5,
        }
    }
}

impl Config {
    /// How long samples are kept, in milliseconds.
    pub(crate) fn retention_ms(&self) -> i64 {
        i64::from(self.retention_days.max(1)) * 86_400_000
    }

    /// How long a query may take.
    pub(crate) fn query_timeout(&self) -> Duration {
        Duration::from_secs(self.query_timeout_s.clamp(1, 9))
    }

    /// Time between two evaluations of the rules.
    pub(crate) fn evaluation_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.evaluation_interval_s.max(1)))
    }

    /// Time between two looks at the log.
    pub(crate) fn upkeep_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.upkeep_interval_s.max(1)))
    }
}
