//! What the gateway counts.

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
    /// The route's path in the table.
    pub(crate) route: &'static str,
    /// `2xx`, `3xx`, `4xx` or `5xx`; `aborted` when the client left before the answer.
    pub(crate) status: &'static str,
}

/// The labels of a refused connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RefusedLabels {
    reason: &'static str,
}

/// Why a connection ended without, or in the middle of, a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Every place was taken.
    Full,
    /// The client's address had taken all it may.
    AddressFull,
    /// Only named proxies may connect, and this was another.
    Stranger,
    /// TLS failed or was too slow.
    Handshake,
    /// It was no HTTP.
    Malformed,
    /// The head of a request was over the limit.
    HeadTooLarge,
    /// The head of a request did not arrive in time.
    TooSlow,
    /// The client did not read what was sent to it.
    Unread,
}

impl Refused {
    fn reason(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::AddressFull => "address_full",
            Self::Stranger => "stranger",
            Self::Handshake => "handshake",
            Self::Malformed => "malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::TooSlow => "too_slow",
            Self::Unread => "unread",
        }
    }
}

/// The gateway's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) duration: Family<RequestLabels, Histogram, fn() -> Histogram>,
    refused: Family<RefusedLabels, Counter>,
    pub(crate) links: Gauge,
    pub(crate) tunnels: Gauge,
    pub(crate) frames: Counter,
    pub(crate) poison_frames: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            refused: Family::default(),
            links: Gauge::default(),
            tunnels: Gauge::default(),
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
        own.register(
            "refused_connections",
            "Connections that were closed without a proper request",
            metrics.refused.clone(),
        );
        own.register("links", "Agents connected", metrics.links.clone());
        own.register("tunnels", "Other upgraded connections", metrics.tunnels.clone());
        own.register("frames", "Frames made durable", metrics.frames.clone());
        own.register(
            "poison_frames",
            "Frames that a service refused for good",
            metrics.poison_frames.clone(),
        );
        metrics
    }

    pub(crate) fn refused(&self, why: Refused) {
        self.refused.get_or_create(&RefusedLabels { reason: why.reason() }).inc();
    }
}
