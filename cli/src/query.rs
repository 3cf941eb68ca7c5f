//! `openframe query`: telemetry in PromQL.

use clap::Args;
use openframe_fault::Fault;
use serde_json::Value;

use crate::connection::Connection;
use crate::{Format, output};

/// What to ask.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The expression
    expr: String,
    /// The instant, RFC 3339 or Unix seconds; now when absent
    #[arg(long, conflicts_with_all = ["start", "end"])]
    time: Option<String>,
    /// Start of a range
    #[arg(long, requires = "end")]
    start: Option<String>,
    /// End of a range
    #[arg(long, requires = "start")]
    end: Option<String>,
    /// Step of a range, such as `30s`
    #[arg(long, default_value = "30s")]
    step: String,
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    args: QueryArgs,
) -> Result<(), Fault> {
    let monitoring = connection.monitoring();
    let answer = match (&args.start, &args.end) {
        (Some(start), Some(end)) => {
            monitoring.query_range(&args.expr, (start, end, &args.step)).await?
        }
        _ => monitoring.query(&args.expr, args.time.as_deref()).await?,
    };
    output::print(format, &answer, &["SERIES", "VALUE"], rows(&answer))
}

/// One row per series: the newest value.
fn rows(answer: &Value) -> Vec<Vec<String>> {
    let result = answer.pointer("/data/result");
    let series = result.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let scalar = answer.pointer("/data/result/1").and_then(Value::as_str);
    if let (Some("scalar" | "string"), Some(value)) =
        (answer.pointer("/data/resultType").and_then(Value::as_str), scalar)
    {
        return vec![vec![String::new(), value.to_owned()]];
    }
    series.iter().map(|one| vec![labels(one), newest(one)]).collect()
}

fn labels(series: &Value) -> String {
    let Some(metric) = series.get("metric").and_then(Value::as_object) else {
        return String::new();
    };
    let name = metric.get("__name__").and_then(Value::as_str).unwrap_or_default();
    let rest: Vec<String> = metric
        .iter()
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    format!("{name}{{{}}}", rest.join(", "))
}

fn newest(series: &Value) -> String {
    let sample = series.get("value").or_else(|| series.get("values")?.as_array()?.last());
    let value = sample.and_then(|sample| sample.get(1)).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_series_is_a_row() {
        let metric = json!({"__name__": "up", "job": "a"});
        let matrix = json!({"data": {"resultType": "matrix", "result": [
            {"metric": metric, "values": [[1, "1"], [2, "3"]]}
        ]}});
        assert_eq!(rows(&matrix), [["up{job=\"a\"}", "3"]]);
        let scalar = json!({"data": {"resultType": "scalar", "result": [1, "7"]}});
        assert_eq!(rows(&scalar), [["", "7"]]);
    }
}
