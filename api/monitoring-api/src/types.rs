//! Bodies of the service's own API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use openframe_ids::{ChannelId, DeviceId, RuleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /rules`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuleList {
    /// The rules, by name.
    pub items: Vec<Rule>,
}

/// A condition that somebody wants to hear of.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Its definition.
    #[serde(flatten)]
    pub definition: RuleDefinition,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last evaluated.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub evaluated_at: Option<Timestamp>,
    /// Why the last evaluation failed; absent when it did not.
    pub error: Option<String>,
    /// `inactive`, `pending` or `firing`: the worst of its alerts.
    pub state: String,
}

/// `POST /rules` and `PUT /rules/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleDefinition {
    /// The alert's name, 1 to 200 characters, unique in the tenant.
    pub name: String,
    /// PromQL; each series of the answer is one alert.
    pub expr: String,
    /// Seconds that the condition must hold before it fires, 0 to 604,800.
    #[serde(default)]
    pub for_s: u32,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What it means and what to do, at most 2,000 characters.
    #[serde(default)]
    pub summary: String,
    /// Whom to notify.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
}

/// `GET /alerts`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertList {
    /// Pending and firing alerts, and those resolved in the last 24 hours; newest first.
    pub items: Vec<Alert>,
}

/// One series for which a rule's condition holds or held.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// The rule.
    pub rule_id: RuleId,
    /// The rule's name.
    pub name: String,
    /// `pending`, `firing` or `resolved`.
    pub state: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What it means and what to do.
    pub summary: String,
    /// The series' labels.
    pub labels: BTreeMap<String, String>,
    /// The device, if the series is one's.
    pub device_id: Option<DeviceId>,
    /// The value when last evaluated.
    #[serde(with = "crate::number")]
    #[schema(schema_with = crate::number::schema)]
    pub value: f64,
    /// Since when the condition holds.
    #[schema(value_type = String, format = DateTime)]
    pub active_at: Timestamp,
    /// When it fired.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub fired_at: Option<Timestamp>,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

/// `GET /channels`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChannelList {
    /// The channels, by name.
    pub items: Vec<Channel>,
}

/// A way to notify somebody.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Its definition.
    #[serde(flatten)]
    pub definition: ChannelDefinition,
    /// When a notification last arrived.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
    /// Why the last attempt failed; absent when it did not.
    pub error: Option<String>,
}

/// `POST /channels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChannelDefinition {
    /// Its name, 1 to 200 characters, unique in the tenant.
    pub name: String,
    /// Where to `POST` to: `https://…`, or `http://…` on loopback. Whoever may not change channels
    /// sees the host only.
    pub webhook_url: String,
}

/// `GET /devices/{id}/latest`: the newest value of each series of a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Latest {
    /// The series.
    pub items: Vec<LatestValue>,
}

/// The newest value of one series.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LatestValue {
    /// The Prometheus name.
    pub name: String,
    /// Its labels, the device's own left out.
    pub labels: BTreeMap<String, String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The value.
    #[serde(with = "crate::number")]
    #[schema(schema_with = crate::number::schema)]
    pub value: f64,
}

/// Each event of `GET /live` (server-sent).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LiveEvent {
    /// New values of a device are durable; charts of it may ask again.
    Telemetry {
        /// The device.
        device_id: DeviceId,
        /// The newest instant.
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
    },
    /// An alert has changed.
    Alert(Box<Alert>),
}

/// What is posted to a webhook: Alertmanager's message, version 4.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// `4`.
    pub version: String,
    /// What the message is about.
    pub group_key: String,
    /// Alerts left out because there are too many for one message.
    pub truncated_alerts: u32,
    /// `firing` or `resolved`.
    pub status: String,
    /// The channel.
    pub receiver: String,
    /// The labels of the group.
    pub group_labels: BTreeMap<String, String>,
    /// The labels that all alerts have.
    pub common_labels: BTreeMap<String, String>,
    /// The annotations that all alerts have.
    pub common_annotations: BTreeMap<String, String>,
    /// Where the platform is; empty when it does not know.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// The alerts that changed, of one rule.
    pub alerts: Vec<WebhookAlert>,
}

/// One alert of a webhook's message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookAlert {
    /// `firing` or `resolved`.
    pub status: String,
    /// The series' labels, `alertname` and `severity`.
    pub labels: BTreeMap<String, String>,
    /// `summary` and `value`.
    pub annotations: BTreeMap<String, String>,
    /// Since when the condition holds.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it was over; absent while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Where to look at the rule; empty.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    /// What tells the alert from others of its rule.
    pub fingerprint: String,
}
