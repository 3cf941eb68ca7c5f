//! Rules, alerts and channels.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use openframe_auth_api::Ask;
use openframe_fault::{Fault, Json, Path};
use openframe_ids::{ChannelId, DeviceId, RuleId};
use openframe_mesh::identity::Asking;
use openframe_monitoring_api as api;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Error;
use crate::app::Monitoring;
use crate::app::alerting::{AlertShown, RuleShown, time};
use crate::domain::alert::{Channel, Definition, Severity};
use crate::domain::labels::DEVICE;

pub(super) fn routes() -> OpenApiRouter<Monitoring> {
    OpenApiRouter::new()
        .routes(routes!(rules, create_rule))
        .routes(routes!(replace_rule, delete_rule))
        .routes(routes!(alerts))
        .routes(routes!(channels, create_channel))
        .routes(routes!(delete_channel))
}

fn ask(Asking(caller): Asking, headers: &HeaderMap) -> Ask {
    Ask::of(caller, headers)
}

/// Lists the alert rules.
#[utoipa::path(get, path = "/rules", tag = "alerts",
    responses((status = 200, body = api::RuleList)))]
async fn rules(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
) -> Result<Json<api::RuleList>, Fault> {
    let items = app.rules(&caller).await?.into_iter().map(rule).collect();
    Ok(Json(api::RuleList { items }))
}

/// Makes an alert rule.
#[utoipa::path(post, path = "/rules", tag = "alerts", request_body = api::RuleDefinition,
    responses((status = 201, body = api::Rule)))]
async fn create_rule(
    State(app): State<Monitoring>,
    who: Asking,
    headers: HeaderMap,
    Json(wanted): Json<api::RuleDefinition>,
) -> Result<(StatusCode, Json<api::Rule>), Fault> {
    let made = app.put_rule(&ask(who, &headers), None, definition(wanted)?).await?;
    Ok((StatusCode::CREATED, Json(rule(made))))
}

/// Replaces an alert rule.
#[utoipa::path(put, path = "/rules/{id}", tag = "alerts", params(("id" = RuleId, Path)),
    request_body = api::RuleDefinition, responses((status = 200, body = api::Rule)))]
async fn replace_rule(
    State(app): State<Monitoring>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<RuleId>,
    Json(wanted): Json<api::RuleDefinition>,
) -> Result<Json<api::Rule>, Fault> {
    let made = app.put_rule(&ask(who, &headers), Some(id), definition(wanted)?).await?;
    Ok(Json(rule(made)))
}

/// Removes an alert rule and its alerts.
#[utoipa::path(delete, path = "/rules/{id}", tag = "alerts", params(("id" = RuleId, Path)),
    responses((status = 204)))]
async fn delete_rule(
    State(app): State<Monitoring>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<RuleId>,
) -> Result<StatusCode, Fault> {
    app.delete_rule(&ask(who, &headers), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the alerts: pending, firing, and resolved in the last 24 hours.
#[utoipa::path(get, path = "/alerts", tag = "alerts",
    responses((status = 200, body = api::AlertList)))]
async fn alerts(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
) -> Result<Json<api::AlertList>, Fault> {
    let items = app.alerts(&caller).await?.into_iter().map(alert).collect();
    Ok(Json(api::AlertList { items }))
}

/// Lists the notification channels.
#[utoipa::path(get, path = "/channels", tag = "alerts",
    responses((status = 200, body = api::ChannelList)))]
async fn channels(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
) -> Result<Json<api::ChannelList>, Fault> {
    let items = app.channels(&caller).await?.into_iter().map(channel).collect();
    Ok(Json(api::ChannelList { items }))
}

/// Makes a notification channel.
#[utoipa::path(post, path = "/channels", tag = "alerts", request_body = api::ChannelDefinition,
    responses((status = 201, body = api::Channel)))]
async fn create_channel(
    State(app): State<Monitoring>,
    who: Asking,
    headers: HeaderMap,
    Json(wanted): Json<api::ChannelDefinition>,
) -> Result<(StatusCode, Json<api::Channel>), Fault> {
    let wanted = (wanted.name, wanted.webhook_url);
    let made = app.add_channel(&ask(who, &headers), wanted).await?;
    Ok((StatusCode::CREATED, Json(channel(made))))
}

/// Removes a notification channel.
#[utoipa::path(delete, path = "/channels/{id}", tag = "alerts", params(("id" = ChannelId, Path)),
    responses((status = 204)))]
async fn delete_channel(
    State(app): State<Monitoring>,
    who: Asking,
    headers: HeaderMap,
    Path(id): Path<ChannelId>,
) -> Result<StatusCode, Fault> {
    app.delete_channel(&ask(who, &headers), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn definition(wanted: api::RuleDefinition) -> Result<Definition, Error> {
    let severity = Severity::of_text(&wanted.severity)
        .ok_or_else(|| Error::BadRule("`severity` must be info, warning or critical".to_owned()))?;
    Ok(Definition {
        name: wanted.name,
        expr: wanted.expr,
        for_s: wanted.for_s,
        severity,
        summary: wanted.summary,
        channels: wanted.channels,
    })
}

fn rule(shown: RuleShown) -> api::Rule {
    let definition = shown.rule.definition;
    api::Rule {
        id: shown.rule.id,
        definition: api::RuleDefinition {
            name: definition.name,
            expr: definition.expr,
            for_s: definition.for_s,
            severity: definition.severity.as_str().to_owned(),
            summary: definition.summary,
            channels: definition.channels,
        },
        created_at: time(shown.rule.created_ms),
        evaluated_at: shown.evaluated_ms.map(time),
        error: shown.error,
        state: shown.state.map_or("inactive", |state| state.as_str()).to_owned(),
    }
}

pub(super) fn alert(shown: AlertShown) -> api::Alert {
    let (definition, alert) = (shown.rule.definition, shown.alert);
    let device = alert.labels.get(DEVICE).and_then(|id| id.parse::<DeviceId>().ok());
    api::Alert {
        rule_id: alert.rule,
        name: definition.name,
        state: alert.state.as_str().to_owned(),
        severity: definition.severity.as_str().to_owned(),
        summary: definition.summary,
        device_id: device,
        labels: alert.labels,
        value: alert.value,
        active_at: time(alert.active_ms),
        fired_at: alert.fired_ms.map(time),
        resolved_at: alert.resolved_ms.map(time),
    }
}

fn channel(channel: Channel) -> api::Channel {
    api::Channel {
        id: channel.id,
        definition: api::ChannelDefinition { name: channel.name, webhook_url: channel.webhook_url },
        delivered_at: channel.delivered_ms.map(time),
        error: channel.error,
    }
}
