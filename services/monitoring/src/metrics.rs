//! What this service counts of itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// The counters. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Samples made durable.
    pub(crate) stored: Counter,
    /// Samples that were there already.
    pub(crate) repeated: Counter,
    /// Samples dropped because they lie in the future.
    pub(crate) future: Counter,
    /// Series of devices dropped: bad labels, or over the tenant's limit.
    pub(crate) refused_series: Counter,
    /// Evaluations of rules that failed.
    pub(crate) failed_evaluations: Counter,
    /// Notifications that arrived.
    pub(crate) delivered: Counter,
    /// Attempts to notify that failed.
    pub(crate) undelivered: Counter,
}

impl Metrics {
    /// Makes the counters and names them.
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        let names = [
            ("samples_stored", "Samples made durable", &all.stored),
            ("samples_repeated", "Samples that were there already", &all.repeated),
            ("samples_future", "Samples dropped because they lie in the future", &all.future),
            ("series_refused", "Series of devices dropped for their labels", &all.refused_series),
            ("rule_evaluations_failed", "Evaluations that failed", &all.failed_evaluations),
            ("notifications_delivered", "Notifications that arrived", &all.delivered),
            ("notifications_failed", "Attempts to notify that failed", &all.undelivered),
        ];
        let registry = registry.sub_registry_with_prefix("openframe_monitoring");
        for (name, help, counter) in names {
            registry.register(name, help, counter.clone());
        }
        all
    }
}
