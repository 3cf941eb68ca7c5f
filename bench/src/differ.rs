//! A real Prometheus writes into the product while it keeps everything itself; then both answer
//! the same queries, and the answers are compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use openframe_system::Server;
use serde_json::Value;

use crate::client::Target;
use crate::peer::Prometheus;
use crate::say;

/// Metrics that Prometheus has of itself: counters, gauges, and a histogram.
const COUNTERS: [&str; 4] = [
    "process_cpu_seconds_total",
    "go_memstats_alloc_bytes_total",
    "prometheus_http_requests_total",
    "prometheus_tsdb_head_samples_appended_total",
];
const GAUGES: [&str; 4] =
    ["go_goroutines", "go_memstats_heap_inuse_bytes", "up", "process_resident_memory_bytes"];
const HISTOGRAM: &str = "prometheus_http_request_duration_seconds";
/// What is asked of each: `M` is the metric.
const OF_COUNTERS: [&str; 13] = [
    "M",
    "rate(M[30s])",
    "irate(M[30s])",
    "increase(M[30s])",
    "sum(rate(M[20s]))",
    "resets(M[40s])",
    "changes(M[40s])",
    "count_over_time(M[30s])",
    "max_over_time(rate(M[10s])[30s:5s])",
    "topk(2, M)",
    "sum by (handler) (M)",
    "M offset 10s",
    "deriv(M[30s])",
];
const OF_GAUGES: [&str; 17] = [
    "M",
    "avg_over_time(M[30s])",
    "min_over_time(M[30s])",
    "max_over_time(M[30s])",
    "sum_over_time(M[30s])",
    "stddev_over_time(M[30s])",
    "quantile_over_time(0.9, M[30s])",
    "last_over_time(M[30s])",
    "delta(M[30s])",
    "abs(-M)",
    "clamp(M, 10, 1000)",
    "M > 10",
    "M * 2 + 1",
    "absent(M)",
    "label_replace(M, \"x\", \"$1\", \"job\", \"(.*)\")",
    "quantile(0.5, M)",
    "predict_linear(M[30s], 60)",
];
const OF_HISTOGRAMS: [&str; 3] = [
    "histogram_quantile(0.9, rate(M_bucket[30s]))",
    "histogram_quantile(0.5, sum by (le) (M_bucket))",
    "M_sum / M_count",
];
/// What has no answer: `M` is a gauge.
const REFUSED: [&str; 12] = [
    "M{",
    "sum(M",
    "rate(M)",
    "M[1e30]",
    "nosuchfunction(M)",
    "M{job=~\"(\"}",
    "M{job=~\"a)|(b\"}",
    "topk(NaN, M)",
    "M + on() go_info * on() group_left() go_info > bool \"x\"",
    "sum by (job) (M) + on() {__name__=~\"go_goroutines|up\"}",
    "label_replace(M, \"\", \"x\", \"job\", \".*\")",
    "double_exponential_smoothing(M[30s], 2, 0.5)",
];
/// How far behind the newest sample is asked: everything has arrived by then.
const BEHIND_S: u64 = 10;
/// Relative difference that sums in another order may have.
const TOLERANCE: f64 = 1e-9;

/// Runs for `seconds`, then compares. Fails when any answer differs.
pub(crate) async fn run(prometheus: &Path, seconds: u64) -> anyhow::Result<()> {
    let server = Server::start()?;
    let peer = Prometheus::start(prometheus, Some((&server.url, &server.key))).await?;
    let own = Target::new(&server.url, &server.key)?;
    tokio::time::sleep(Duration::from_secs(seconds + BEHIND_S)).await;
    let now = crate::now_ms()? / 1_000;
    let end = now - BEHIND_S;
    let (mut asked, mut empty, mut different) = (0, 0, Vec::new());
    for (query, refused) in queries() {
        let at = [("query", query.clone()), ("time", end.to_string())];
        let (start, step) = ((end - seconds / 2).to_string(), "7".to_owned());
        let over =
            [("query", query.clone()), ("start", start), ("end", end.to_string()), ("step", step)];
        for (path, parameters) in [("query", &at[..]), ("query_range", &over[..])] {
            let theirs = peer.target.json(&format!("/api/v1/{path}"), parameters).await?;
            let ours = own.json(&format!("/prometheus/api/v1/{path}"), parameters).await?;
            let (theirs, ours) = (outcome(&theirs)?, outcome(&ours)?);
            asked += 1;
            empty += usize::from(matches!(&theirs, Outcome::Series(series) if series.is_empty()));
            if matches!(theirs, Outcome::Refused(..)) != refused {
                different.push(format!("{path} {query}: Prometheus says {theirs:?}"));
            } else if !ours.same(&theirs) {
                different.push(format!("{path} {query}: {ours:?}, wanted {theirs:?}"));
            }
        }
    }
    say(&format!(
        "{asked} questions after {seconds} s of remote_write; {empty} have an empty answer; {} differ",
        different.len()
    ));
    for line in &different {
        say(line);
    }
    anyhow::ensure!(different.is_empty(), "answers differ");
    anyhow::ensure!(empty * 4 < asked, "too many answers are empty to say anything");
    Ok(())
}

/// Each query, and whether it is one that has no answer.
fn queries() -> Vec<(String, bool)> {
    let of = |shapes: &'static [&'static str], metric: &'static str| {
        shapes.iter().map(move |shape| (shape.replace('M', metric), false))
    };
    let refused = REFUSED.iter().map(|shape| (shape.replace('M', GAUGES[0]), true));
    let counters = COUNTERS.into_iter().flat_map(|metric| of(&OF_COUNTERS, metric));
    let gauges = GAUGES.into_iter().flat_map(|metric| of(&OF_GAUGES, metric));
    counters.chain(gauges).chain(of(&OF_HISTOGRAMS, HISTOGRAM)).chain(refused).collect()
}

/// Each series with its points, times as text.
type Flat = BTreeMap<String, Vec<(String, f64)>>;

/// What an answer says.
#[derive(Debug)]
enum Outcome {
    /// Series.
    Series(Flat),
    /// The kind of an error, and what can be compared of its text.
    Refused(String, String),
}

impl Outcome {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Series(a), Self::Series(b)) => same(a, b),
            (Self::Refused(kind, text), Self::Refused(other_kind, other_text)) => {
                kind == other_kind && text == other_text
            }
            (Self::Series(_), Self::Refused(..)) | (Self::Refused(..), Self::Series(_)) => false,
        }
    }
}

fn outcome(answer: &Value) -> anyhow::Result<Outcome> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("status") == "success" {
        return Ok(Outcome::Series(flat(answer)));
    }
    let (kind, error) = (text("errorType"), text("error"));
    anyhow::ensure!(!kind.is_empty() && !error.is_empty(), "not Prometheus' shape: {answer}");
    // How a text cannot be read, each parser says in its own words; what is wrong with a match
    // names one of several series.
    let end = if kind == "bad_data" { ":" } else { "[" };
    let class = error.split(end).next().unwrap_or_default().to_owned();
    Ok(Outcome::Refused(kind, class))
}

fn flat(answer: &Value) -> Flat {
    let series = answer.pointer("/data/result").and_then(Value::as_array);
    let point = |point: &Value| {
        let value = point.get(1).and_then(Value::as_str).unwrap_or("NaN");
        let time = point.get(0).and_then(Value::as_f64).unwrap_or(f64::NAN);
        (format!("{time:.3}"), value.parse().unwrap_or(f64::NAN))
    };
    let one = |series: &Value| {
        let name = series.get("metric").map(ToString::to_string).unwrap_or_default();
        let values = match (series.get("value"), series.get("values").and_then(Value::as_array)) {
            (Some(value), _) => vec![point(value)],
            (None, values) => values.into_iter().flatten().map(point).collect(),
        };
        (name, values)
    };
    series.into_iter().flatten().map(one).collect()
}

fn same(ours: &Flat, theirs: &Flat) -> bool {
    let close = |a: f64, b: f64| {
        (a.is_nan() && b.is_nan())
            || a.to_bits() == b.to_bits()
            || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
    };
    let points = |a: &[(String, f64)], b: &[(String, f64)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && close(a.1, b.1))
    };
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(a, b)| a.0 == b.0 && points(a.1, b.1))
}
