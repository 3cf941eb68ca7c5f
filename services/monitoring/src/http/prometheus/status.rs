//! What clients ask about the server itself. Only what is true here is said.

use axum::extract::State;
use openframe_mesh::identity::Asking;
use serde_json::{Value, json};

use super::answer::{Answer, Data, finish};
use crate::Error;
use crate::app::Monitoring;

fn told(value: &Value) -> Answer {
    finish(Data::of(value).map(|data| (data, None)))
}

/// `GET /metadata`: what kinds metrics are is not kept, which is an empty answer.
pub(super) async fn metadata(Asking(_): Asking) -> Answer {
    told(&json!({}))
}

/// `GET /status/buildinfo`: which version's API this is.
pub(super) async fn build(Asking(_): Asking) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    told(&json!({ "version": "3.16.0", "application": format!("OpenFrame {version}") }))
}

/// `GET /status/runtimeinfo`.
pub(super) async fn runtime(State(app): State<Monitoring>, Asking(_): Asking) -> Answer {
    let settings = app.query_settings();
    told(&json!({
        "startTime": settings.started.to_string(),
        "reloadConfigSuccess": true,
        "lastConfigTime": settings.started.to_string(),
        "storageRetention": format!("{}d", settings.retention_days),
    }))
}

/// `GET /status/flags`: the limits of queries under Prometheus' names.
pub(super) async fn flags(State(app): State<Monitoring>, Asking(_): Asking) -> Answer {
    let settings = app.query_settings();
    told(&json!({
        "query.lookback-delta": "5m",
        "query.max-concurrency": settings.concurrency.to_string(),
        "query.max-samples": settings.samples.to_string(),
        "query.timeout": format!("{}s", settings.timeout.as_secs()),
        "storage.tsdb.retention.time": format!("{}d", settings.retention_days),
    }))
}

/// `GET /status/config`: there are no scrapes, and rules are kept by the API.
pub(super) async fn config(State(app): State<Monitoring>, Asking(_): Asking) -> Answer {
    let interval = app.evaluation_interval().as_secs();
    told(&json!({ "yaml": format!("global:\n  evaluation_interval: {interval}s\n") }))
}

/// `GET /status/tsdb`: how much the caller's tenant has.
pub(super) async fn head(State(app): State<Monitoring>, Asking(caller): Asking) -> Answer {
    let list = |all: Vec<(String, u64)>| -> Vec<Value> {
        all.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let data = app.statistics(&caller).await.map(|found| {
        json!({
            "headStats": { "numSeries": found.series, "numLabelPairs": found.label_pairs },
            "seriesCountByMetricName": list(found.by_metric),
            "labelValueCountByLabelName": list(found.by_label),
            "memoryInBytesByLabelName": [],
            "seriesCountByLabelValuePair": [],
        })
    });
    finish(data.and_then(|value| Ok::<_, Error>((Data::of(&value)?, None))))
}
