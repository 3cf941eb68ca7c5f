//! What this service counts of itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::refused::Refused;

/// The counters. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Samples made durable.
    pub(crate) stored: Counter,
    /// Samples that were there already.
    pub(crate) repeated: Counter,
    /// Samples dropped because they lie in the future.
    pub(crate) future: Counter,
    /// Samples refused or dropped because they are older than what is kept.
    pub(crate) too_old: Counter,
    /// Samples refused for their labels, or their kind.
    pub(crate) bad: Counter,
    /// Samples refused because the tenant has all the series it may have.
    pub(crate) over_limit: Counter,
    /// Samples of other replicas whose series their log does not describe.
    pub(crate) nameless: Counter,
    /// How often old samples had to go before their time, as a limit of bytes was reached.
    pub(crate) early: Counter,
    /// Bytes of samples and series in memory.
    pub(crate) head_bytes: Gauge,
    /// Series in memory.
    pub(crate) head_series: Gauge,
    /// Bytes of the log on disk.
    pub(crate) log_bytes: Gauge,
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
            ("samples_too_old", "Samples not stored for their age", &all.too_old),
            ("samples_bad", "Samples not stored for their labels or kind", &all.bad),
            ("samples_over_limit", "Samples of series beyond the tenant's", &all.over_limit),
            ("samples_nameless", "Samples of other replicas of no known series", &all.nameless),
            ("forgotten_early", "Times that old samples had to go for a limit", &all.early),
            ("series_refused", "Series of devices dropped for their labels", &all.refused_series),
            ("rule_evaluations_failed", "Evaluations that failed", &all.failed_evaluations),
            ("notifications_delivered", "Notifications that arrived", &all.delivered),
            ("notifications_failed", "Attempts to notify that failed", &all.undelivered),
        ];
        let registry = registry.sub_registry_with_prefix("openframe_monitoring");
        for (name, help, counter) in names {
            registry.register(name, help, counter.clone());
        }
        let gauges = [
            ("head_bytes", "Bytes of samples and series in memory", &all.head_bytes),
            ("head_series", "Series in memory", &all.head_series),
            ("log_bytes", "Bytes of the log on disk", &all.log_bytes),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        all
    }

    /// Counts what was refused.
    pub(crate) fn refuse(&self, refused: &Refused) {
        self.future.inc_by(refused.future);
        self.too_old.inc_by(refused.too_old);
        self.over_limit.inc_by(refused.over_limit);
        self.bad.inc_by(refused.labels + refused.kind);
    }
}
