//! Webhooks: what is sent, and where to. The body is Alertmanager's, version 4
//! (prometheus.io/docs/alerting/latest/configuration, `webhook_config`), so that what receives
//! Alertmanager's alerts receives ours.

use std::collections::BTreeMap;

use async_trait::async_trait;
use openframe_fault::BoxError;
use openframe_ids::ChannelId;
use openframe_monitoring_api::{Webhook, WebhookAlert};
use openframe_promql::format_value;
use openframe_webhook::Post;
use sha2::{Digest as _, Sha256};

pub use openframe_webhook::{Refusal, Webhooks};

use crate::app::alerting::time;
use crate::domain::alert::{Alert, Rule, State};

/// Alerts in one message at most; how many more there are is said in it.
const MAX_TOLD: usize = 100;

/// Sends notifications.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Posts `body` to `url`; the receiver tells repeats by `key`.
    async fn post(&self, url: &str, key: &str, body: &str) -> Result<(), Refusal>;
}

#[async_trait]
impl Sender for Webhooks {
    async fn post(&self, url: &str, key: &str, body: &str) -> Result<(), Refusal> {
        Self::post(self, Post { url, key, body, headers: &[] }).await
    }
}

/// What tells this message, about alerts of one rule in one state, from every other.
pub(crate) fn key(alerts: &[&Alert], now_ms: i64, channel: ChannelId) -> String {
    let Some(first) = alerts.first() else { return String::new() };
    let (rule, state) = (first.rule, first.state.as_str());
    let mut hash = Sha256::new();
    for alert in alerts {
        hash.update(fingerprint(alert));
        hash.update(alert.active_ms.to_le_bytes());
    }
    format!("{rule}-{}-{now_ms}-{state}-{channel}", short(hash))
}

fn fingerprint(alert: &Alert) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &alert.labels {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.update([0]);
    }
    short(hash)
}

fn short(hash: Sha256) -> String {
    let hash = hash.finalize();
    let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// What is sent about alerts of one rule in one state.
pub(crate) fn body(rule: &Rule, alerts: &[&Alert], channel: ChannelId) -> Result<String, BoxError> {
    let told: Vec<_> = alerts.iter().take(MAX_TOLD).map(|alert| told(rule, alert)).collect();
    let resolved = alerts.iter().all(|alert| alert.state == State::Resolved);
    let name = ("alertname".to_owned(), rule.definition.name.clone());
    let message = Webhook {
        version: "4".to_owned(),
        group_key: rule.id.to_string(),
        truncated_alerts: u32::try_from(alerts.len() - told.len()).unwrap_or(u32::MAX),
        status: if resolved { "resolved" } else { "firing" }.to_owned(),
        receiver: channel.to_string(),
        group_labels: [name].into(),
        common_labels: shared(told.iter().map(|alert| &alert.labels)),
        common_annotations: shared(told.iter().map(|alert| &alert.annotations)),
        external_url: String::new(),
        alerts: told,
    };
    Ok(serde_json::to_string(&message)?)
}

fn told(rule: &Rule, alert: &Alert) -> WebhookAlert {
    let definition = &rule.definition;
    let mut labels = alert.labels.clone();
    labels.insert("alertname".to_owned(), definition.name.clone());
    labels.insert("severity".to_owned(), definition.severity.as_str().to_owned());
    let annotations = [
        ("summary".to_owned(), definition.summary.clone()),
        ("value".to_owned(), format_value(alert.value)),
    ];
    WebhookAlert {
        status: if alert.state == State::Resolved { "resolved" } else { "firing" }.to_owned(),
        labels,
        annotations: annotations.into(),
        starts_at: time(alert.active_ms),
        ends_at: alert.resolved_ms.map(time),
        generator_url: String::new(),
        fingerprint: fingerprint(alert),
    }
}

/// What all have in common.
fn shared<'a>(
    mut all: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut common = all.next().cloned().unwrap_or_default();
    for other in all {
        common.retain(|name, value| other.get(name) == Some(value));
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(device: &str, state: State) -> Alert {
        let labels = [("device".to_owned(), device.to_owned()), ("job".to_owned(), "a".to_owned())];
        Alert {
            rule: openframe_ids::RuleId(uuid::Uuid::from_u128(1)),
            labels: labels.into(),
            state,
            value: f64::INFINITY,
            active_ms: 5,
            fired_ms: Some(6),
            resolved_ms: None,
        }
    }

    #[test]
    fn alerts_of_one_rule_share_a_message() {
        let channel = ChannelId(uuid::Uuid::from_u128(2));
        let definition = crate::domain::alert::Definition {
            name: "hot".to_owned(),
            expr: "up".to_owned(),
            for_s: 0,
            severity: crate::domain::alert::Severity::Critical,
            summary: "cool it".to_owned(),
            channels: vec![channel],
        };
        let rule = openframe_ids::RuleId(uuid::Uuid::from_u128(1));
        let tenant = openframe_ids::TenantId(uuid::Uuid::from_u128(3));
        let rule = Rule { id: rule, tenant, definition, created_ms: 0 };
        let alerts: Vec<_> = (0..103).map(|n| alert(&n.to_string(), State::Firing)).collect();
        let alerts: Vec<_> = alerts.iter().collect();
        let message: Webhook =
            serde_json::from_str(&body(&rule, &alerts, channel).unwrap()).unwrap();
        assert_eq!((message.alerts.len(), message.truncated_alerts), (MAX_TOLD, 3));
        let common = [("alertname", "hot"), ("job", "a"), ("severity", "critical")];
        assert!(message.common_labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq(common));
        assert_eq!(message.alerts[0].annotations["value"], "+Inf");
        let one = key(&alerts, 9, channel);
        assert_eq!(one, key(&alerts, 9, channel));
        assert_ne!(one, key(&alerts[1..], 9, channel));
        assert_ne!(one, key(&alerts, 10, channel));
    }
}
