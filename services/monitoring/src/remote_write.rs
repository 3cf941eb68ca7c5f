//! The body of Prometheus' `remote_write` 1.0: `prometheus.WriteRequest`, snappy block format.
//! Exemplars, metadata and native histograms are not read.

use prost::Message;

use crate::error::Error;

/// All of one request.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) timeseries: Vec<TimeSeries>,
}

/// One series with its samples.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(crate) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) samples: Vec<Sample>,
}

/// One label.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Label {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// One sample.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Sample {
    #[prost(double, tag = "1")]
    pub(crate) value: f64,
    #[prost(int64, tag = "2")]
    pub(crate) timestamp: i64,
}

/// Decompresses and decodes a body, never to more than `limit` bytes.
pub(crate) fn decode(body: &[u8], limit: usize) -> Result<WriteRequest, Error> {
    let size = snap::raw::decompress_len(body).map_err(|_| Error::BadBody("not snappy"))?;
    if size > limit {
        return Err(Error::BadBody("too large once decompressed"));
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body);
    let plain = plain.map_err(|_| Error::BadBody("not snappy"))?;
    WriteRequest::decode(plain.as_slice()).map_err(|_| Error::BadBody("not a WriteRequest"))
}
