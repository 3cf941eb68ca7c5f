//! The typed client.

use bytes::Bytes;
use http::Method;
use openframe_fault::Fault;
use openframe_ids::{ChannelId, DeviceId, RuleId};
use openframe_mesh::{Client, query};
use serde_json::Value;

use crate::{
    AlertList, Channel, ChannelDefinition, ChannelList, Latest, PREFIX, PROMETHEUS, Rule,
    RuleDefinition, RuleList, TELEMETRY,
};

/// Asks the monitoring service. Every method fails with the service's own refusal, or with
/// `Unavailable` when it does not answer.
#[derive(Debug, Clone)]
pub struct MonitoringClient {
    root: Client,
    api: Client,
    prometheus: Client,
}

impl MonitoringClient {
    /// A client on top of `client`.
    pub fn new(client: Client) -> Self {
        Self { api: client.under(PREFIX), prometheus: client.under(PROMETHEUS), root: client }
    }

    /// Hands over an encoded `TelemetryPush` as the device that the credential names; returns once
    /// it is durable.
    pub async fn push(&self, body: Bytes) -> Result<(), Fault> {
        self.root.post_bytes(TELEMETRY, "application/x-protobuf", body).await.map(drop)
    }

    /// An instant query; the answer is Prometheus' own JSON.
    pub async fn query(&self, expr: &str, time: Option<&str>) -> Result<Value, Fault> {
        let query = query(&[("query", Some(expr)), ("time", time)]);
        self.prometheus.get(&format!("/query{query}")).await
    }

    /// A range query over `(start, end, step)`, each as Prometheus takes it; the answer is
    /// Prometheus' own JSON.
    pub async fn query_range(
        &self,
        expr: &str,
        (start, end, step): (&str, &str, &str),
    ) -> Result<Value, Fault> {
        let query = query(&[
            ("query", Some(expr)),
            ("start", Some(start)),
            ("end", Some(end)),
            ("step", Some(step)),
        ]);
        self.prometheus.get(&format!("/query_range{query}")).await
    }

    /// The alert rules.
    pub async fn rules(&self) -> Result<RuleList, Fault> {
        self.api.get("/rules").await
    }

    /// Makes a rule.
    pub async fn create_rule(&self, rule: &RuleDefinition) -> Result<Rule, Fault> {
        self.api.send(Method::POST, "/rules", rule).await
    }

    /// Replaces a rule.
    pub async fn replace_rule(&self, id: RuleId, rule: &RuleDefinition) -> Result<Rule, Fault> {
        self.api.send(Method::PUT, &format!("/rules/{id}"), rule).await
    }

    /// Removes a rule and its alerts.
    pub async fn delete_rule(&self, id: RuleId) -> Result<(), Fault> {
        self.api.delete(&format!("/rules/{id}")).await
    }

    /// The alerts.
    pub async fn alerts(&self) -> Result<AlertList, Fault> {
        self.api.get("/alerts").await
    }

    /// The notification channels.
    pub async fn channels(&self) -> Result<ChannelList, Fault> {
        self.api.get("/channels").await
    }

    /// Makes a notification channel.
    pub async fn create_channel(&self, channel: &ChannelDefinition) -> Result<Channel, Fault> {
        self.api.send(Method::POST, "/channels", channel).await
    }

    /// Removes a notification channel.
    pub async fn delete_channel(&self, id: ChannelId) -> Result<(), Fault> {
        self.api.delete(&format!("/channels/{id}")).await
    }

    /// The newest values of a device.
    pub async fn latest(&self, id: DeviceId) -> Result<Latest, Fault> {
        self.api.get(&format!("/devices/{id}/latest")).await
    }
}
