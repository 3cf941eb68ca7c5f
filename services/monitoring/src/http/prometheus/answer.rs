//! Answers as JSON in Prometheus' shape, written piece by piece.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, StatusCode, header};
use openframe_fault::Fault;
use openframe_promql::{Error as PromqlError, Labels, Sample, Series, Value, format_value};
use serde_json::json;

use crate::Error;
use crate::app::query::Place;

pub(super) type Answer = Result<Response, Fault>;

/// An answer larger than this keeps its place among the queries until it is sent: so many of them
/// can be in memory as there are places, however slowly they are read.
const LARGE: usize = 1 << 20;
/// Bytes handed to the socket at once.
const PIECE: usize = 64 << 10;
/// What is said of an answer that was cut off.
const TRUNCATED: &str = "results truncated due to limit";

/// The `data` of an answer, as JSON.
#[derive(Debug)]
pub(super) struct Data {
    json: Vec<u8>,
    truncated: bool,
}

impl Data {
    pub(super) fn new(json: &str) -> Self {
        Self { json: json.as_bytes().to_vec(), truncated: false }
    }

    /// What has a JSON form already and is small.
    pub(super) fn of(value: &(impl Into<serde_json::Value> + Clone)) -> Result<Self, Error> {
        let value: serde_json::Value = value.clone().into();
        let json = serde_json::to_vec(&value).map_err(|error| Error::Encode(error.into()))?;
        Ok(Self { json, truncated: false })
    }

    /// A list, cut off at `limit`.
    pub(super) fn list<T>(
        items: &[T],
        limit: Option<usize>,
        write: &dyn Fn(&mut Vec<u8>, &T),
    ) -> Self {
        let most = limit.unwrap_or(items.len());
        let mut json = vec![b'['];
        for item in items.iter().take(most) {
            separate(&mut json);
            write(&mut json, item);
        }
        json.push(b']');
        Self { json, truncated: items.len() > most }
    }
}

/// What a query gave; its samples are freed as they are written.
pub(super) fn of_value(
    value: Value,
    limit: Option<usize>,
    most: usize,
) -> Result<Data, PromqlError> {
    let mut out = Vec::new();
    let truncated = match value {
        Value::Scalar(sample) => {
            out.extend_from_slice(br#"{"resultType":"scalar","result":"#);
            point(&mut out, sample);
            false
        }
        Value::String(t_ms, value) => {
            out.extend_from_slice(br#"{"resultType":"string","result":["#);
            time(&mut out, t_ms);
            out.push(b',');
            text(&mut out, &value);
            out.push(b']');
            false
        }
        Value::Vector(elements) => {
            out.extend_from_slice(br#"{"resultType":"vector","result":["#);
            let write = |out: &mut Vec<u8>, (own, sample): (Labels, Sample)| {
                metric(out, &own);
                out.extend_from_slice(br#","value":"#);
                point(out, sample);
                out.push(b'}');
            };
            all(&mut out, elements, (limit, most), write)?
        }
        Value::Matrix(series) => {
            out.extend_from_slice(br#"{"resultType":"matrix","result":["#);
            let write = |out: &mut Vec<u8>, series: Series| {
                metric(out, &series.labels);
                out.extend_from_slice(br#","values":["#);
                for sample in series.samples {
                    separate(out);
                    point(out, sample);
                }
                out.extend_from_slice(b"]}");
            };
            all(&mut out, series, (limit, most), write)?
        }
    };
    out.push(b'}');
    Ok(Data { json: out, truncated })
}

/// Writes the elements and the end of the list; says whether some were left out.
fn all<T>(
    out: &mut Vec<u8>,
    items: Vec<T>,
    (limit, most): (Option<usize>, usize),
    write: impl Fn(&mut Vec<u8>, T),
) -> Result<bool, PromqlError> {
    let count = items.len();
    let limit = limit.unwrap_or(count);
    for item in items.into_iter().take(limit) {
        separate(out);
        write(out, item);
        if out.len() > most {
            let message = format!("the answer is larger than {most} bytes; ask for less");
            return Err(PromqlError::TooMuch(message));
        }
    }
    out.push(b']');
    Ok(count > limit)
}

/// A comma, unless this is the first of a list.
fn separate(out: &mut Vec<u8>) {
    if out.last().is_some_and(|last| *last != b'[' && *last != b'{') {
        out.push(b',');
    }
}

fn metric(out: &mut Vec<u8>, own: &Labels) {
    out.extend_from_slice(br#"{"metric":"#);
    labels(out, own.iter());
}

pub(super) fn labels<'l>(out: &mut Vec<u8>, all: impl Iterator<Item = (&'l str, &'l str)>) {
    out.push(b'{');
    for (name, value) in all {
        separate(out);
        text(out, name);
        out.push(b':');
        text(out, value);
    }
    out.push(b'}');
}

pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    // Writing a text into memory cannot fail.
    drop(serde_json::to_writer(out, value));
}

fn point(out: &mut Vec<u8>, sample: Sample) {
    out.push(b'[');
    time(out, sample.t_ms);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(format_value(sample.v).as_bytes());
    out.extend_from_slice(b"\"]");
}

/// Seconds, with milliseconds when there are any.
fn time(out: &mut Vec<u8>, t_ms: i64) {
    let sign = if t_ms < 0 { "-" } else { "" };
    let (seconds, ms) = (t_ms.unsigned_abs() / 1_000, t_ms.unsigned_abs() % 1_000);
    // Writing into memory cannot fail.
    drop(if ms == 0 {
        write!(out, "{sign}{seconds}")
    } else {
        write!(out, "{sign}{seconds}.{ms:03}")
    });
}

/// Prometheus' envelope. Who may not ask at all is told in ours.
pub(super) fn finish(answer: Result<(Data, Option<Place>), Error>) -> Answer {
    let (status, body) = match answer {
        Ok((data, place)) => (StatusCode::OK, success(data, place)),
        Err(Error::Query(error)) => {
            let (status, kind) = kind(&error);
            let error = error.to_string();
            let told = json!({ "status": "error", "errorType": kind, "error": error });
            (status, Body::from(told.to_string()))
        }
        Err(other) => return Err(other.into()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response.into_response())
}

fn kind(error: &PromqlError) -> (StatusCode, &'static str) {
    match error {
        PromqlError::Parse(_) => (StatusCode::BAD_REQUEST, "bad_data"),
        PromqlError::Execution(_) | PromqlError::TooMuch(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "execution")
        }
        PromqlError::TimedOut(_) => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
        PromqlError::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "canceled"),
        PromqlError::Source(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

fn success(data: Data, place: Option<Place>) -> Body {
    let mut json = br#"{"status":"success","data":"#.to_vec();
    let end =
        if data.truncated { format!(r#","warnings":["{TRUNCATED}"]}}"#) } else { "}".to_owned() };
    if data.json.len() < LARGE {
        json.extend_from_slice(&data.json);
        json.extend_from_slice(end.as_bytes());
        return Body::from(json);
    }
    let pieces = [Bytes::from(json), Bytes::from(data.json), Bytes::from(end)];
    Body::from_stream(Held { pieces: pieces.into(), _place: place })
}

/// An answer in pieces, which keeps its place among the queries until it is sent or given up.
struct Held {
    pieces: std::collections::VecDeque<Bytes>,
    _place: Option<Place>,
}

impl Stream for Held {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(first) = self.pieces.front_mut() else { return Poll::Ready(None) };
        let piece = first.split_to(first.len().min(PIECE));
        if first.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Some(Ok(piece)))
    }
}
