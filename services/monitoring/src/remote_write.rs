//! The body of Prometheus' `remote_write` 1.0: `prometheus.WriteRequest`, snappy block format.
//! Exemplars, metadata and native histograms are not read.

use prost::Message;

use crate::Error;
use crate::wire::{self, Fields};

/// All of one request, to make one in tests.
#[cfg(test)]
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

/// Decompresses a body, never to more than `limit` bytes, and gives each of its series to `take`.
pub(crate) fn each(
    body: &[u8],
    limit: usize,
    mut take: impl FnMut(TimeSeries),
) -> Result<(), Error> {
    let size = snap::raw::decompress_len(body).map_err(|_| Error::BadBody("not snappy"))?;
    if size > limit {
        return Err(Error::BadBody("too large once decompressed"));
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body);
    let plain = plain.map_err(|_| Error::BadBody("not snappy"))?;
    for series in Fields(&plain).all(1) {
        take(wire::decode(series?)?);
    }
    Ok(())
}
