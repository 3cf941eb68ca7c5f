//! How the platform is, gathered from its parts.

use std::sync::Arc;
use std::time::Instant;

use openframe_gateway::{Health, Part};

/// The parts of this process.
pub(crate) struct PlatformHealth {
    started: Instant,
    monitoring: Arc<openframe_monitoring::Running>,
}

impl PlatformHealth {
    pub(crate) fn new(monitoring: Arc<openframe_monitoring::Running>) -> Self {
        Self { started: Instant::now(), monitoring }
    }
}

impl Health for PlatformHealth {
    fn parts(&self) -> Vec<Part> {
        let part = |part: openframe_monitoring::Part| Part {
            name: format!("monitoring.{}", part.name),
            ready: part.waiting_for.is_none(),
            waiting_for: part.waiting_for,
            detail: part.detail,
        };
        self.monitoring.ready().into_iter().map(part).collect()
    }

    fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
