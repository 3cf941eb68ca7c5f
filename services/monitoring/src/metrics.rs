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
        ];
        let registry = registry.sub_registry_with_prefix("openframe_monitoring");
        for (name, help, counter) in names {
            registry.register(name, help, counter.clone());
        }
        all
    }
}
