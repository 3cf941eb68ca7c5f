//! How the platform is, gathered from its parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use openframe_gateway::{Health, Part};

/// The parts of this process.
pub(crate) struct PlatformHealth {
    started: Instant,
    monitoring: Arc<openframe_monitoring::Running>,
    stopping: AtomicBool,
}

impl PlatformHealth {
    pub(crate) fn new(monitoring: Arc<openframe_monitoring::Running>) -> Self {
        Self { started: Instant::now(), monitoring, stopping: AtomicBool::new(false) }
    }

    /// Makes the platform not ready from now on, so that nothing new is sent to it.
    pub(crate) fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

impl Health for PlatformHealth {
    fn parts(&self) -> Vec<Part> {
        let part = |part: openframe_monitoring::Part| Part {
            name: format!("monitoring.{}", part.name),
            ready: part.waiting_for.is_none(),
            waiting_for: part.waiting_for,
            detail: String::new(),
        };
        let stopping = self.stopping.load(Ordering::Acquire);
        let gateway = Part {
            name: "gateway".to_owned(),
            ready: !stopping,
            waiting_for: stopping.then(|| "the end: the server stops".to_owned()),
            detail: String::new(),
        };
        let monitoring = self.monitoring.ready().into_iter().map(part);
        std::iter::once(gateway).chain(monitoring).collect()
    }

    fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
