//! The small messages of OTLP, which are decoded as a whole.

use prost::{Message, Oneof};

/// Attributes of the origin.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(crate) value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(Array),
    #[prost(message, tag = "6")]
    Map(Resource),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Array {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<AnyValue>,
}

/// A data point of a gauge or sum.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NumberPoint {
    #[prost(message, repeated, tag = "7")]
    pub(crate) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    pub(crate) time_unix_nano: u64,
    #[prost(uint32, tag = "8")]
    pub(crate) flags: u32,
    #[prost(oneof = "Number", tags = "4, 6")]
    pub(crate) value: Option<Number>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(crate) enum Number {
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Int(i64),
}

/// A data point of an explicit histogram.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistogramPoint {
    #[prost(message, repeated, tag = "9")]
    pub(crate) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    pub(crate) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    pub(crate) count: u64,
    #[prost(double, optional, tag = "5")]
    pub(crate) sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    pub(crate) counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    pub(crate) bounds: Vec<f64>,
    #[prost(uint32, tag = "10")]
    pub(crate) flags: u32,
}

/// `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answer {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// What of a request was refused.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

/// What data points of all kinds have.
pub(super) trait Point {
    fn nanoseconds(&self) -> u64;
    fn flags(&self) -> u32;
}

impl Point for NumberPoint {
    fn nanoseconds(&self) -> u64 {
        self.time_unix_nano
    }
    fn flags(&self) -> u32 {
        self.flags
    }
}

impl Point for HistogramPoint {
    fn nanoseconds(&self) -> u64 {
        self.time_unix_nano
    }
    fn flags(&self) -> u32 {
        self.flags
    }
}

/// The value of a point; zero when none was sent, as in protobuf.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) fn number(value: Option<Number>) -> f64 {
    match value {
        Some(Number::Double(value)) => value,
        Some(Number::Int(value)) => value as f64,
        None => 0.0,
    }
}

/// Attributes as pairs of text.
pub(super) fn pairs(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let pair = |it: KeyValue| (it.key, it.value.map(text).unwrap_or_default());
    attributes.into_iter().map(pair).collect()
}

/// A value as text: lists and maps as JSON.
pub(super) fn text(value: AnyValue) -> String {
    match value.value {
        Some(Any::Text(text)) => text,
        Some(value) => json(value).to_string(),
        None => String::new(),
    }
}

fn json(value: Any) -> serde_json::Value {
    let inner = |value: Option<AnyValue>| {
        value.and_then(|value| value.value).map_or(serde_json::Value::Null, json)
    };
    match value {
        Any::Text(text) => text.into(),
        Any::Bool(value) => value.into(),
        Any::Int(value) => value.into(),
        Any::Double(value) => value.into(),
        Any::Array(array) => array.values.into_iter().map(|value| inner(Some(value))).collect(),
        Any::Map(map) => {
            let pairs = map.attributes.into_iter().map(|it| (it.key, inner(it.value)));
            serde_json::Value::Object(pairs.collect())
        }
        Any::Bytes(bytes) => bytes.into_iter().map(serde_json::Value::from).collect(),
    }
}
