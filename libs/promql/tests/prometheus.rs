//! Every query of `prometheus/queries.txt` answers as the real Prometheus did (see its README.md).

#![expect(clippy::unwrap_used, reason = "a test fails by it, in its helpers as well")]

use std::collections::BTreeMap;

use openframe_promql::{
    Budget, Engine, Error, Labels, Matcher, STALE_NAN, Sample, Series, Source, Value, format_value,
};
use serde_json::Value as Json;

const START_MS: i64 = 1_700_000_000_000;
const END_MS: i64 = START_MS + 1_200_000;
const INSTANT_MS: i64 = START_MS + 900_000;
const STEP_MS: i64 = 97_000;
/// Relative difference that sums in another order may have.
const TOLERANCE: f64 = 1e-9;
/// Queries whose result has an order of its own.
const ORDERED: [&str; 2] = ["sort(", "sort_desc("];

struct Data(Vec<Series>);

impl Source for Data {
    fn select(
        &self,
        matchers: &[Matcher],
        start_ms: i64,
        end_ms: i64,
        _: &Budget,
    ) -> Result<Vec<Series>, Error> {
        let fits = |series: &&Series| {
            matchers.iter().all(|matcher| matcher.matches(series.labels.get(&matcher.name)))
        };
        let cut = |series: &Series| {
            let inside = |sample: &&Sample| sample.t_ms > start_ms && sample.t_ms <= end_ms;
            let samples: Vec<_> = series.samples.iter().filter(inside).copied().collect();
            Series { labels: series.labels.clone(), samples }
        };
        let found = self.0.iter().filter(fits).map(cut);
        Ok(found.filter(|series| !series.samples.is_empty()).collect())
    }
}

/// Reads the lines that `record.py` writes: `name{label="value",…} value seconds`.
fn data() -> Data {
    let text = include_str!("prometheus/data.txt");
    let mut all: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    for line in text.lines() {
        let (series, rest) = line.rsplit_once("} ").unwrap();
        let (value, seconds) = rest.split_once(' ').unwrap();
        let t_ms = seconds.replace('.', "").parse().unwrap();
        let stale = value == "StaleNaN";
        let v = if stale { f64::from_bits(STALE_NAN) } else { value.parse().unwrap() };
        all.entry(series).or_default().push(Sample { t_ms, v });
    }
    let labelled = |(text, samples): (&str, Vec<Sample>)| {
        let (name, labels) = text.split_once('{').unwrap();
        let mut pairs = vec![("__name__", name)];
        for pair in labels.split("\",") {
            let (name, value) = pair.split_once("=\"").unwrap();
            pairs.push((name, value.trim_end_matches('"')));
        }
        Series { labels: Labels::new(pairs), samples }
    };
    Data(all.into_iter().map(labelled).collect())
}

/// An answer in the form in which two are compared: each series with its values.
type Flat = Vec<(String, Vec<(i64, f64)>)>;

fn labels(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" ")
}

fn ours(value: Value) -> Flat {
    match value {
        Value::Scalar(sample) => vec![(String::new(), vec![(sample.t_ms, sample.v)])],
        Value::String(t_ms, text) => vec![(text, vec![(t_ms, 0.0)])],
        Value::Vector(vector) => {
            vector.into_iter().map(|(own, it)| (labels(&own), vec![(it.t_ms, it.v)])).collect()
        }
        Value::Matrix(series) => series
            .into_iter()
            .map(|one| {
                let samples = one.samples.iter().map(|it| (it.t_ms, it.v)).collect();
                (labels(&one.labels), samples)
            })
            .collect(),
    }
}

fn point(json: &Json) -> (i64, f64) {
    let seconds = json[0].as_f64().unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a recent year")]
    let t_ms = (seconds * 1_000.0).round() as i64;
    (t_ms, json[1].as_str().unwrap().parse().unwrap_or(0.0))
}

fn theirs(json: &Json) -> Flat {
    let result = &json["result"];
    match json["resultType"].as_str().unwrap() {
        "scalar" => vec![(String::new(), vec![point(result)])],
        "string" => vec![(result[1].as_str().unwrap().to_owned(), vec![point(result)])],
        _ => result.as_array().unwrap().iter().map(one).collect(),
    }
}

fn one(json: &Json) -> (String, Vec<(i64, f64)>) {
    let pairs = json["metric"].as_object().unwrap().iter();
    let own = Labels::new(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
    let values = match json.get("value") {
        Some(value) => vec![point(value)],
        None => json["values"].as_array().unwrap().iter().map(point).collect(),
    };
    (labels(&own), values)
}

fn same(a: f64, b: f64) -> bool {
    let close = (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
    (a.is_nan() && b.is_nan()) || a.to_bits() == b.to_bits() || (close && a.is_finite())
}

/// What is different, in words; `None` when nothing is.
fn difference(ordered: bool, mut got: Flat, mut wanted: Flat) -> Option<String> {
    if !ordered {
        got.sort_by(|a, b| a.0.cmp(&b.0));
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let names = |flat: &Flat| flat.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(&got) != names(&wanted) {
        return Some(format!("series {:?}\n  wanted {:?}", names(&got), names(&wanted)));
    }
    for ((name, a), (_, b)) in got.iter().zip(&wanted) {
        let times = |values: &[(i64, f64)]| values.iter().map(|it| it.0).collect::<Vec<_>>();
        if times(a) != times(b) {
            return Some(format!("{name}: times {:?}\n  wanted {:?}", times(a), times(b)));
        }
        let pairs = a.iter().zip(b);
        if let Some(((t, a), (_, b))) = pairs.into_iter().find(|(a, b)| !same(a.1, b.1)) {
            let (a, b) = (format_value(*a), format_value(*b));
            return Some(format!("{name} at {t}: {a}, wanted {b}"));
        }
    }
    None
}

fn compare(query: &str, got: Result<Value, Error>, wanted: &Json) -> Option<String> {
    let kind = |error: &Error| match error {
        Error::Parse(_) => "bad_data",
        Error::Execution(_)
        | Error::TooMuch(_)
        | Error::TimedOut(_)
        | Error::Cancelled
        | Error::Source(_) => "execution",
    };
    match (got, wanted.get("error").and_then(Json::as_str)) {
        (Ok(value), None) => {
            let ordered = ORDERED.iter().any(|start| query.starts_with(start));
            let ordered = ordered && wanted["resultType"] == "vector";
            difference(ordered, ours(value), theirs(wanted))
        }
        (Err(Error::Parse(_)), Some("bad_data")) => None,
        (Err(error), Some(kind_wanted)) if kind(&error) == kind_wanted => {
            let text = wanted["text"].as_str().unwrap();
            (error.to_string() != text).then(|| format!("{error}\n  wanted {text}"))
        }
        (Err(error), wanted) => Some(format!("{} {error}; wanted {wanted:?}", kind(&error))),
        (Ok(_), Some(wanted)) => Some(format!("an answer; wanted {wanted}")),
    }
}

#[test]
fn every_query_answers_as_prometheus_does() {
    let (data, engine) = (data(), Engine::default());
    let answers: Vec<Json> = serde_json::from_str(include_str!("prometheus/answers.json")).unwrap();
    assert!(answers.len() > 700, "{} queries", answers.len());
    let mut wrong = Vec::new();
    for answer in &answers {
        let query = answer["query"].as_str().unwrap();
        let instant = engine.instant(&data, query, INSTANT_MS);
        let steps = engine.range(&data, query, (START_MS, END_MS, STEP_MS));
        for (kind, got) in [("instant", instant), ("range", steps)] {
            let different = compare(query, got, &answer[kind]);
            wrong.extend(different.map(|what| format!("{kind} {query}\n  {what}")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
