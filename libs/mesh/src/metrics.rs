//! What is counted of the calls between services: one label set for each edge.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::lately::{Calls, Lately};

/// Upper bounds, seconds.
pub(crate) const BUCKETS: [f64; 10] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// An edge of the picture: who asks whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Edge {
    from: &'static str,
    to: String,
}

/// An edge, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    from: &'static str,
    to: String,
    /// `2xx`, `3xx`, `4xx` or `5xx`; `down` when nobody answered.
    status: &'static str,
}

/// The counters of one service's calls to others. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    from: &'static str,
    requests: Family<Outcome, Counter>,
    retries: Family<Edge, Counter>,
    duration: Family<Edge, Histogram, fn() -> Histogram>,
    lately: Lately,
}

impl Metrics {
    /// Counters of calls from the service `from`, that nobody reads yet.
    pub fn new(from: &'static str) -> Self {
        let duration: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self(Arc::new(Families {
            from,
            requests: Family::default(),
            retries: Family::default(),
            duration: Family::new_with_constructor(duration),
            lately: Lately::new(openframe_clock::monotonic()),
        }))
    }

    /// The same, registered.
    pub fn register(from: &'static str, registry: &mut Registry) -> Self {
        let own = Self::new(from);
        let Families { requests, retries, duration, .. } = &*own.0;
        registry.register(
            "openframe_mesh_requests",
            "Calls to other services, by outcome",
            requests.clone(),
        );
        registry.register(
            "openframe_mesh_retries",
            "Calls that were made once more",
            retries.clone(),
        );
        registry.register_with_unit(
            "openframe_mesh_request_duration",
            "Time until the head of the answer",
            Unit::Seconds,
            duration.clone(),
        );
        own
    }

    /// The calls of the last minute, by the service that was asked.
    pub fn lately(&self) -> Vec<Calls> {
        self.0.lately.calls(self.0.from, openframe_clock::monotonic())
    }

    /// A call has ended: the status of its answer, if there is one, and how long that took.
    pub(crate) fn called(&self, to: &str, status: Option<http::StatusCode>, took: Duration) {
        let families = &self.0;
        let failed = status.is_none_or(|status| status.is_server_error());
        families.lately.called(to, failed, (took, openframe_clock::monotonic()));
        let status = match status.map(|status| status.as_u16() / 100) {
            Some(2) => "2xx",
            Some(3) => "3xx",
            Some(4) => "4xx",
            Some(_) => "5xx",
            None => "down",
        };
        let (from, to) = (families.from, to.to_owned());
        families.requests.get_or_create(&Outcome { from, to: to.clone(), status }).inc();
        families.duration.get_or_create(&Edge { from, to }).observe(took.as_secs_f64());
    }

    /// A call is made once more.
    pub(crate) fn retried(&self, to: &str) {
        self.0.lately.retried(to, openframe_clock::monotonic());
        let (from, to) = (self.0.from, to.to_owned());
        self.0.retries.get_or_create(&Edge { from, to }).inc();
    }
}
