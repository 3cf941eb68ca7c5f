//! Every metric of this service.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A destination of the audit trail: there are two kinds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    stream: &'static str,
}

/// The counters. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    pub(crate) sign_ins: Counter,
    pub(crate) sign_ins_refused: Counter,
    pub(crate) enrolments: Counter,
    pub(crate) enrolments_refused: Counter,
    pub(crate) sessions_cleaned: Counter,
    pub(crate) tokens_replayed: Counter,
    pub(crate) logouts_told: Counter,
    pub(crate) logouts_not_told: Counter,
    pub(crate) mails_sent: Counter,
    pub(crate) mails_failed: Counter,
    pub(crate) mails_given_up: Counter,
    stream_sent: Family<StreamLabels, Counter>,
    stream_failed: Family<StreamLabels, Counter>,
    stream_behind: Family<StreamLabels, Gauge>,
}

/// The names. Counters get `_total` when they are written.
#[derive(Debug, Clone, Copy)]
enum Name {
    SignIns,
    SignInsRefused,
    Enrolments,
    EnrolmentsRefused,
    SessionsCleaned,
    TokensReplayed,
    LogoutsTold,
    LogoutsNotTold,
    MailsSent,
    MailsFailed,
    MailsGivenUp,
}

/// Those of streams: sent, failed, still to send.
const STREAM: [&str; 3] = [
    "openframe_auth_audit_stream_entries",
    "openframe_auth_audit_stream_failures",
    "openframe_auth_audit_stream_behind",
];

impl Name {
    const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::SignIns, "openframe_auth_sign_ins", "Sessions opened"),
        (Self::SignInsRefused, "openframe_auth_sign_ins_refused", "Sign-ins refused"),
        (Self::Enrolments, "openframe_auth_enrolments", "Devices let in by a token"),
        (Self::EnrolmentsRefused, "openframe_auth_enrolments_refused", "Bad enrolment tokens"),
        (Self::SessionsCleaned, "openframe_auth_sessions_cleaned", "Ended sessions forgotten"),
        (Self::TokensReplayed, "openframe_auth_tokens_replayed", "Codes and tokens shown twice"),
        (Self::LogoutsTold, "openframe_auth_logouts_told", "Clients told of a logout"),
        (Self::LogoutsNotTold, "openframe_auth_logouts_not_told", "Times that telling one failed"),
        (Self::MailsSent, "openframe_auth_mails_sent", "Mails that the server took"),
        (Self::MailsFailed, "openframe_auth_mails_failed", "Times that it did not"),
        (Self::MailsGivenUp, "openframe_auth_mails_given_up", "Mails it never took in time"),
    ];
}

impl Metrics {
    /// Entries of the audit trail were sent.
    pub(crate) fn stream_sent(&self, stream: &'static str, entries: u64) {
        self.stream_sent.get_or_create(&StreamLabels { stream }).inc_by(entries);
    }

    /// Sending them failed.
    pub(crate) fn stream_failed(&self, stream: &'static str) {
        self.stream_failed.get_or_create(&StreamLabels { stream }).inc();
    }

    /// So many are still to be sent by this replica.
    pub(crate) fn stream_behind(&self, stream: &'static str, entries: u64) {
        let entries = entries.try_into().unwrap_or(i64::MAX);
        self.stream_behind.get_or_create(&StreamLabels { stream }).set(entries);
    }

    /// Registers every metric.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, text, help) in Name::ALL {
            let counter = match name {
                Name::SignIns => &self.sign_ins,
                Name::SignInsRefused => &self.sign_ins_refused,
                Name::Enrolments => &self.enrolments,
                Name::EnrolmentsRefused => &self.enrolments_refused,
                Name::SessionsCleaned => &self.sessions_cleaned,
                Name::TokensReplayed => &self.tokens_replayed,
                Name::LogoutsTold => &self.logouts_told,
                Name::LogoutsNotTold => &self.logouts_not_told,
                Name::MailsSent => &self.mails_sent,
                Name::MailsFailed => &self.mails_failed,
                Name::MailsGivenUp => &self.mails_given_up,
            };
            registry.register(text, help, counter.clone());
        }
        let (sent, failed) = (self.stream_sent.clone(), self.stream_failed.clone());
        let [entries, failures, behind] = STREAM;
        registry.register(entries, "Entries of the audit trail sent on", sent);
        registry.register(failures, "Times that sending them on failed", failed);
        registry.register(behind, "Entries still to be sent on", self.stream_behind.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_each_for_itself() {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        metrics.stream_sent("syslog", 7);
        metrics.stream_failed("webhook");
        metrics.stream_behind("syslog", 3);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "openframe_auth_audit_stream_entries_total{stream=\"syslog\"} 7",
            "openframe_auth_audit_stream_failures_total{stream=\"webhook\"} 1",
            "openframe_auth_audit_stream_behind{stream=\"syslog\"} 3",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
