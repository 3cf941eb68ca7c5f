//! Every metric of the gateway: rate, errors and duration per route (RED), and the agents' links.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds, seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// The labels of a request. Both values come from small closed sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    /// The route's target.
    pub(crate) route: &'static str,
    /// `2xx`, `3xx`, `4xx` or `5xx`.
    pub(crate) status: &'static str,
}

/// The labels of a duration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabel {
    /// The route's target.
    pub(crate) route: &'static str,
}

/// The gateway's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) duration: Family<RouteLabel, Histogram, fn() -> Histogram>,
    pub(crate) links: Gauge,
    pub(crate) frames: Counter,
    pub(crate) poison_frames: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            links: Gauge::default(),
            frames: Counter::default(),
            poison_frames: Counter::default(),
        };
        let own = registry.sub_registry_with_prefix("openframe_gateway");
        own.register("requests", "Requests answered", metrics.requests.clone());
        own.register_with_unit(
            "request_duration",
            "Time until the head of the answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        own.register("links", "Agents connected", metrics.links.clone());
        own.register("frames", "Frames made durable", metrics.frames.clone());
        own.register(
            "poison_frames",
            "Frames that a service refused for good",
            metrics.poison_frames.clone(),
        );
        metrics
    }
}
