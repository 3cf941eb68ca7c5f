//! Prometheus' own query API (version 1, "HTTP API"), so that its clients work.
//!
//! Answers have Prometheus' envelope: `{"status", "data"}` or `{"status", "errorType", "error"}`.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use openframe_fault::{Fault, Path, body};
use openframe_mesh::identity::Asking;
use openframe_promql::{
    Error as PromqlError, Labels, Matcher, Value, format_value, parse_selector,
};
use serde_json::{Map, Value as Json, json};

use crate::Error;
use crate::app::Monitoring;
use crate::app::query::When;

/// A form's size at most, bytes.
const MAX_FORM: usize = 64 << 10;
/// Points of one series in a range answer at most, as in Prometheus.
const MAX_POINTS: i64 = 11_000;

type Answer = Result<Response, Fault>;

/// `GET|POST /query`.
pub(super) async fn query(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let now = app.now_ms();
    let answer = async {
        let time = form.time("time")?.unwrap_or(now);
        app.query(&caller, form.required("query")?, When::At(time)).await
    };
    finish(answer.await.map(|value| data(&value)))
}

/// `GET|POST /query_range`.
pub(super) async fn query_range(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let answer = async {
        let missing = |name| bad(format!("invalid parameter {name:?}: it is missing"));
        let start = form.time("start")?.ok_or_else(|| missing("start"))?;
        let end = form.time("end")?.ok_or_else(|| missing("end"))?;
        let step = form.duration("step")?.ok_or_else(|| missing("step"))?;
        if end < start {
            return Err(bad(
                "invalid parameter \"end\": end timestamp must not be before start time",
            ));
        }
        if step <= 0 {
            return Err(bad(
                "invalid parameter \"step\": zero or negative query resolution step widths are not \
                 accepted. Try a positive integer",
            ));
        }
        if (end - start) / step > MAX_POINTS {
            return Err(bad(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the \
                 query resolution (?step=XX)",
            ));
        }
        app.query(&caller, form.required("query")?, When::Steps(start, end, step)).await
    };
    finish(answer.await.map(|value| data(&value)))
}

/// `GET|POST /series`.
pub(super) async fn series(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let answer = async {
        let selectors = form.selectors()?;
        if selectors.is_empty() {
            return Err(bad("no match[] parameter provided"));
        }
        app.series(&caller, &selectors, form.range()?)
    };
    finish(answer.await.map(|found| found.iter().map(metric).collect()))
}

/// `GET|POST /labels`.
pub(super) async fn labels(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    request: Request,
) -> Answer {
    let form = Form::read(request).await?;
    let answer = async { app.series(&caller, &form.selectors_or_all()?, form.range()?) };
    finish(answer.await.map(|found| {
        let names: std::collections::BTreeSet<String> =
            found.iter().flat_map(Labels::iter).map(|(name, _)| name.to_owned()).collect();
        names.into_iter().map(Json::from).collect()
    }))
}

/// `GET /label/{name}/values`.
pub(super) async fn label_values(
    State(app): State<Monitoring>,
    Asking(caller): Asking,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let answer = async { app.series(&caller, &form.selectors_or_all()?, form.range()?) };
    finish(answer.await.map(|found| {
        let values: std::collections::BTreeSet<&str> = found
            .iter()
            .map(|labels| labels.get(&name))
            .filter(|value| !value.is_empty())
            .collect();
        values.into_iter().map(Json::from).collect()
    }))
}

/// `GET /metadata`: what kinds metrics are is not kept, which is an empty answer.
pub(super) async fn metadata(Asking(_): Asking) -> Answer {
    finish(Ok(json!({})))
}

/// `GET /status/buildinfo`: which version's API this is.
pub(super) async fn buildinfo(Asking(_): Asking) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    finish(Ok(json!({ "version": "3.16.0", "application": format!("OpenFrame {version}") })))
}

/// The parameters of a request: of its query string, and of its form when it is a `POST`.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(request: Request) -> Result<Self, Fault> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut form = Self::parse(query.as_bytes());
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            let body = body::read(request.into_body(), MAX_FORM).await?;
            form.0.extend(Self::parse(&body).0);
        }
        Ok(form)
    }

    fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<String, Error> {
        let found = self.get(name).filter(|value| !value.is_empty());
        found
            .map(str::to_owned)
            .ok_or_else(|| bad(format!("invalid parameter {name:?}: it is missing")))
    }

    /// An instant, Unix milliseconds: Unix seconds or RFC 3339.
    fn time(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        if let Some(ms) = text.parse().ok().and_then(seconds_to_ms) {
            return Ok(Some(ms));
        }
        let at = text.parse::<Timestamp>().map_err(|_| {
            bad(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid timestamp"))
        })?;
        Ok(Some(at.as_millisecond()))
    }

    /// A duration, milliseconds: seconds, or `5m`.
    fn duration(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let plain = text.parse().ok().and_then(seconds_to_ms);
        plain.or_else(|| spelled(text)).map(Some).ok_or_else(|| {
            bad(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid duration"))
        })
    }

    fn range(&self) -> Result<(i64, i64), Error> {
        Ok((self.time("start")?.unwrap_or(i64::MIN / 2), self.time("end")?.unwrap_or(i64::MAX / 2)))
    }

    fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Error> {
        let texts = self.0.iter().filter(|(name, _)| name == "match[]");
        texts.map(|(_, text)| parse_selector(text).map_err(Error::Query)).collect()
    }

    fn selectors_or_all(&self) -> Result<Vec<Vec<Matcher>>, Error> {
        let selectors = self.selectors()?;
        Ok(if selectors.is_empty() { vec![Vec::new()] } else { selectors })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be within range")]
fn seconds_to_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    (ms.abs() < 9e15).then_some(ms as i64)
}

/// A duration as Prometheus spells it: numbers with `ms`, `s`, `m`, `h`, `d`, `w`, `y`.
fn spelled(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, left) = after.split_at_checked(end)?;
        let ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(ms)?)?;
        rest = left;
    }
    (!text.is_empty()).then_some(total)
}

fn bad(message: impl Into<String>) -> Error {
    Error::Query(PromqlError::Parse(message.into()))
}

fn data(value: &Value) -> Json {
    let point = |t_ms: i64, v: f64| json!([seconds(t_ms), format_value(v)]);
    match value {
        Value::Scalar(sample) => {
            json!({ "resultType": "scalar", "result": point(sample.t_ms, sample.v) })
        }
        Value::String(t_ms, text) => {
            json!({ "resultType": "string", "result": [seconds(*t_ms), text] })
        }
        Value::Vector(elements) => {
            let one = |(labels, sample): &(Labels, openframe_promql::Sample)| json!({ "metric": metric(labels), "value": point(sample.t_ms, sample.v) });
            let result: Vec<Json> = elements.iter().map(one).collect();
            json!({ "resultType": "vector", "result": result })
        }
        Value::Matrix(series) => {
            let one = |series: &openframe_promql::Series| {
                let values: Vec<Json> =
                    series.samples.iter().map(|sample| point(sample.t_ms, sample.v)).collect();
                json!({ "metric": metric(&series.labels), "values": values })
            };
            let result: Vec<Json> = series.iter().map(one).collect();
            json!({ "resultType": "matrix", "result": result })
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of any real date fit")]
fn seconds(t_ms: i64) -> Json {
    if t_ms % 1000 == 0 { json!(t_ms / 1000) } else { json!(t_ms as f64 / 1000.0) }
}

fn metric(labels: &Labels) -> Json {
    let pairs = labels.iter().map(|(name, value)| (name.to_owned(), Json::from(value)));
    Json::Object(pairs.collect::<Map<_, _>>())
}

/// Prometheus' envelope. Who may not ask at all is told in ours.
fn finish(answer: Result<Json, Error>) -> Answer {
    let (status, text) = match answer {
        Ok(data) => (StatusCode::OK, json!({ "status": "success", "data": data })),
        Err(Error::Query(error)) => {
            let (status, kind) = match &error {
                PromqlError::Parse(_) => (StatusCode::BAD_REQUEST, "bad_data"),
                PromqlError::Execution(_) | PromqlError::TooMuch(_) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "execution")
                }
                PromqlError::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
                PromqlError::Source(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            };
            let error = error.to_string();
            (status, json!({ "status": "error", "errorType": kind, "error": error }))
        }
        Err(other) => return Err(other.into()),
    };
    let mut response = Response::new(Body::from(text.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_in_prometheus() {
        for (text, want) in [
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("15ms", Some(15)),
            ("", None),
            ("5", None),
            ("m", None),
            ("5x", None),
        ] {
            assert_eq!(spelled(text), want, "{text}");
        }
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        let form = Form::parse(b"a=1.5&b=1970-01-01T00:00:02Z&c=x&step=15s");
        assert_eq!(form.time("a").unwrap(), Some(1500));
        assert_eq!(form.time("b").unwrap(), Some(2000));
        assert!(form.time("c").is_err());
        assert_eq!((form.time("d").unwrap(), form.duration("step").unwrap()), (None, Some(15_000)));
    }
}
