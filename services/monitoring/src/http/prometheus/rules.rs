//! The alert rules and alerts, in Prometheus' shape.

use axum::extract::{Request, State};
use jiff::Timestamp;
use openframe_mesh::identity::Asking;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Data, finish};
use super::form::Form;
use crate::app::Monitoring;
use crate::app::alerting::{AlertShown, RuleShown, time};
use crate::domain::alert::State as AlertState;

/// The one group that all rules are in.
const GROUP: &str = "openframe";

/// `GET /alerts`: the pending and the firing ones.
pub(super) async fn alerts(State(app): State<Monitoring>, Asking(caller): Asking) -> Answer {
    let data = app.alerts(&caller).await.and_then(|all| {
        let shown: Vec<Value> = all.iter().filter_map(alert).collect();
        Ok((Data::of(&json!({ "alerts": shown }))?, None))
    });
    finish(data)
}

/// `GET /rules`, narrowed by `type`, `rule_name[]` and `rule_group[]`.
pub(super) async fn rules(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let fits = |parameter: &'static str, value: &str| {
        form.all(parameter).next().is_none() || form.all(parameter).any(|wanted| wanted == value)
    };
    let wanted = fits("type", "alert") && fits("rule_group[]", GROUP) && fits("file[]", "");
    let data = async {
        let (rules, alerts) = (app.rules(&caller).await?, app.alerts(&caller).await?);
        let alerts = if form.get("exclude_alerts") == Some("true") { Vec::new() } else { alerts };
        let names = rules.iter().filter(|it| fits("rule_name[]", &it.rule.definition.name));
        let shown: Vec<Value> = names.map(|it| rule(it, &alerts)).collect();
        let newest = rules.iter().filter_map(|it| it.evaluated_ms).max();
        let groups = if wanted && !shown.is_empty() {
            vec![json!({
                "name": GROUP,
                "file": "",
                "rules": shown,
                "interval": app.evaluation_interval().as_secs(),
                "limit": 0,
                "evaluationTime": 0,
                "lastEvaluation": evaluated(newest),
            })]
        } else {
            Vec::new()
        };
        Ok((Data::of(&json!({ "groups": groups }))?, None))
    };
    finish(data.await)
}

fn rule(shown: &RuleShown, alerts: &[AlertShown]) -> Value {
    let definition = &shown.rule.definition;
    let own = alerts.iter().filter(|it| it.rule.id == shown.rule.id);
    let health = match (shown.evaluated_ms, &shown.error) {
        (_, Some(_)) => "err",
        (Some(_), None) => "ok",
        (None, None) => "unknown",
    };
    json!({
        "type": "alerting",
        "state": shown.state.map_or("inactive", AlertState::as_str),
        "name": definition.name,
        "query": definition.expr,
        "duration": definition.for_s,
        "keepFiringFor": 0,
        "labels": { "severity": definition.severity.as_str() },
        "annotations": { "summary": definition.summary },
        "alerts": own.filter_map(alert).collect::<Vec<_>>(),
        "health": health,
        "lastError": shown.error,
        "evaluationTime": 0,
        "lastEvaluation": evaluated(shown.evaluated_ms),
    })
}

fn alert(shown: &AlertShown) -> Option<Value> {
    let (definition, alert) = (&shown.rule.definition, &shown.alert);
    (alert.state != AlertState::Resolved).then_some(())?;
    let mut labels: Map<String, Value> =
        alert.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    labels.insert("alertname".to_owned(), json!(definition.name));
    labels.insert("severity".to_owned(), json!(definition.severity.as_str()));
    Some(json!({
        "labels": labels,
        "annotations": { "summary": definition.summary },
        "state": alert.state.as_str(),
        "activeAt": time(alert.active_ms).to_string(),
        "value": openframe_promql::format_value(alert.value),
    }))
}

/// When something was evaluated; Go's zero time when it never was.
fn evaluated(ms: Option<i64>) -> String {
    ms.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |ms| Timestamp::to_string(&time(ms)))
}
