//! Every metric of this service.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// The counters. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) sign_ins: Counter,
    pub(crate) sign_ins_refused: Counter,
    pub(crate) enrolments: Counter,
    pub(crate) enrolments_refused: Counter,
    pub(crate) sessions_cleaned: Counter,
}

/// The names. Counters get `_total` when they are written.
#[derive(Debug, Clone, Copy)]
enum Name {
    SignIns,
    SignInsRefused,
    Enrolments,
    EnrolmentsRefused,
    SessionsCleaned,
}

impl Name {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::SignIns, "openframe_auth_sign_ins", "Sessions opened"),
        (Self::SignInsRefused, "openframe_auth_sign_ins_refused", "Sign-ins refused"),
        (Self::Enrolments, "openframe_auth_enrolments", "Devices let in by a token"),
        (Self::EnrolmentsRefused, "openframe_auth_enrolments_refused", "Bad enrolment tokens"),
        (Self::SessionsCleaned, "openframe_auth_sessions_cleaned", "Ended sessions forgotten"),
    ];
}

impl Metrics {
    /// Registers every metric.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, text, help) in Name::ALL {
            let counter = match name {
                Name::SignIns => &self.sign_ins,
                Name::SignInsRefused => &self.sign_ins_refused,
                Name::Enrolments => &self.enrolments,
                Name::EnrolmentsRefused => &self.enrolments_refused,
                Name::SessionsCleaned => &self.sessions_cleaned,
            };
            registry.register(text, help, counter.clone());
        }
    }
}
