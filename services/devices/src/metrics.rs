//! Every metric of this service.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::domain::State;

/// The names. Counters get `_total` when they are written.
#[derive(Debug, Clone, Copy)]
enum Name {
    LinksOpened,
    Reports,
    ReportsIgnored,
    CommandsCreated,
    CommandsFinished,
    EventsLagged,
}

impl Name {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::LinksOpened, "openframe_devices_links_opened", "Connections of devices"),
        (Self::Reports, "openframe_devices_reports", "Reports of devices made durable"),
        (
            Self::ReportsIgnored,
            "openframe_devices_reports_ignored",
            "Reports about commands that are unknown or another device's",
        ),
        (Self::CommandsCreated, "openframe_devices_commands_created", "Commands asked for"),
        (Self::CommandsFinished, "openframe_devices_commands_finished", "Commands by final state"),
        (Self::EventsLagged, "openframe_devices_events_lagged", "Event readers that fell behind"),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Final {
    state: &'static str,
}

/// The counters. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// See the name.
    pub links_opened: Counter,
    /// See the name.
    pub reports: Counter,
    /// See the name.
    pub reports_ignored: Counter,
    /// See the name.
    pub commands_created: Counter,
    /// See the name.
    pub events_lagged: Counter,
    finished: Family<Final, Counter>,
}

impl Metrics {
    /// New counters, registered.
    pub fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        for (name, text, help) in Name::ALL {
            match name {
                Name::LinksOpened => registry.register(text, help, all.links_opened.clone()),
                Name::Reports => registry.register(text, help, all.reports.clone()),
                Name::ReportsIgnored => registry.register(text, help, all.reports_ignored.clone()),
                Name::CommandsCreated => {
                    registry.register(text, help, all.commands_created.clone());
                }
                Name::CommandsFinished => registry.register(text, help, all.finished.clone()),
                Name::EventsLagged => registry.register(text, help, all.events_lagged.clone()),
            }
        }
        all
    }

    /// How many commands have finished so.
    #[cfg(test)]
    pub fn finished_so_far(&self, state: State) -> u64 {
        self.finished.get_or_create(&Final { state: state.as_str() }).get()
    }

    /// Counts a command that has finished.
    pub fn finished(&self, state: State) {
        self.finished.get_or_create(&Final { state: state.as_str() }).inc();
    }
}
