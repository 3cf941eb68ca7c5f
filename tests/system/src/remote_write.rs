//! `remote_write` 1.0 (prometheus/prompb/remote.proto), as little of it as tests and benches send.

use bytes::Bytes;
use prost::Message;

/// A request.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

impl WriteRequest {
    /// As a body: compressed by Snappy, in blocks.
    ///
    /// # Panics
    /// With more than 4 GiB.
    #[expect(clippy::unwrap_used, reason = "no test and no bench sends that much")]
    pub fn body(&self) -> Bytes {
        snap::raw::Encoder::new().compress_vec(&self.encode_to_vec()).unwrap().into()
    }
}

/// Samples of one series.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Sorted by name; `__name__` is the metric.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Oldest first.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

/// One label.
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// One sample.
#[derive(Clone, PartialEq, Message)]
pub struct Sample {
    /// The value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Unix milliseconds.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}
