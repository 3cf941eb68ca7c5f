//! How rules and alerts are written down: JSON with names that may be added to, not changed.

use openframe_fault::BoxError;
use openframe_ids::{ChannelId, RuleId, TenantId};
use openframe_monitoring::domain::alert::{Alert, AlertLabels, Definition, Rule, Severity, State};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct RuleRecord {
    id: RuleId,
    tenant: TenantId,
    name: String,
    expr: String,
    for_s: u32,
    severity: String,
    summary: String,
    channels: Vec<ChannelId>,
    created_ms: i64,
}

#[derive(Serialize, Deserialize)]
struct AlertRecord {
    rule: RuleId,
    labels: AlertLabels,
    state: String,
    /// As text: JSON has no infinity.
    value: String,
    active_ms: i64,
    fired_ms: Option<i64>,
    resolved_ms: Option<i64>,
}

pub(crate) fn write_rule(rule: &Rule) -> Result<String, BoxError> {
    let definition = rule.definition.clone();
    let record = RuleRecord {
        id: rule.id,
        tenant: rule.tenant,
        name: definition.name,
        expr: definition.expr,
        for_s: definition.for_s,
        severity: definition.severity.as_str().to_owned(),
        summary: definition.summary,
        channels: definition.channels,
        created_ms: rule.created_ms,
    };
    Ok(serde_json::to_string(&record)?)
}

pub(crate) fn rule(text: &str) -> Result<Rule, BoxError> {
    let record: RuleRecord = serde_json::from_str(text)?;
    let severity = Severity::of_text(&record.severity).ok_or("an unknown severity")?;
    let definition = Definition {
        name: record.name,
        expr: record.expr,
        for_s: record.for_s,
        severity,
        summary: record.summary,
        channels: record.channels,
    };
    let (id, tenant, created_ms) = (record.id, record.tenant, record.created_ms);
    Ok(Rule { id, tenant, definition, created_ms })
}

/// The labels as the text that tells alerts of one rule apart: sorted by name.
pub(crate) fn labels(labels: &AlertLabels) -> Result<String, BoxError> {
    Ok(serde_json::to_string(labels)?)
}

pub(crate) fn write_alert(alert: &Alert) -> Result<String, BoxError> {
    let record = AlertRecord {
        rule: alert.rule,
        labels: alert.labels.clone(),
        state: alert.state.as_str().to_owned(),
        value: alert.value.to_string(),
        active_ms: alert.active_ms,
        fired_ms: alert.fired_ms,
        resolved_ms: alert.resolved_ms,
    };
    Ok(serde_json::to_string(&record)?)
}

pub(crate) fn alert(text: &str) -> Result<Alert, BoxError> {
    let record: AlertRecord = serde_json::from_str(text)?;
    Ok(Alert {
        rule: record.rule,
        labels: record.labels,
        state: State::of_text(&record.state).ok_or("an unknown state")?,
        value: record.value.parse()?,
        active_ms: record.active_ms,
        fired_ms: record.fired_ms,
        resolved_ms: record.resolved_ms,
    })
}
