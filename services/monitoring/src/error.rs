//! Every refusal of this service.

use std::time::Duration;

use http::StatusCode;
use openframe_fault::{Fault, Kind};

use crate::domain::labels::BadLabels;
use crate::store::LogError;

/// When a caller that found the log unavailable should try again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What can go wrong for a caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not do this.
    #[error("you may not do this; ask for the permission {0}")]
    Forbidden(&'static str),
    /// Nothing is known of such a device, or it is not the caller's.
    #[error("no telemetry of such a device")]
    NoSuchDevice,
    /// A snapshot names a table that was never sent: send it with its table.
    #[error("the table of series {0:016x} is not known; send the snapshot with its table")]
    UnknownTable(u64),
    /// The body is not what it should be.
    #[error("the body is wrong: {0}")]
    BadBody(&'static str),
    /// A content type or encoding that is not taken.
    #[error(
        "send application/x-protobuf of prometheus.WriteRequest (remote_write 1.0), compressed with snappy; remote_write 2.0 is not taken"
    )]
    UnsupportedMedia,
    /// Labels that are not allowed.
    #[error("{0}")]
    BadLabels(BadLabels),
    /// The tenant has as many series as it may have.
    #[error("the tenant has {0} series, which is the most it may have")]
    TooManySeries(usize),
    /// A query that has no answer.
    #[error("{0}")]
    Query(openframe_promql::Error),
    /// The log cannot be written. Nothing was stored.
    #[error("telemetry cannot be stored now; try again")]
    Log(#[source] LogError),
}

impl Error {
    /// How a caller should treat it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Forbidden(_) => Kind::Forbidden,
            Self::NoSuchDevice => Kind::NotFound,
            Self::UnknownTable(_) => Kind::Conflict,
            Self::BadBody(_) | Self::UnsupportedMedia | Self::BadLabels(_) | Self::Query(_) => {
                Kind::Invalid
            }
            Self::TooManySeries(_) => Kind::TooMany,
            Self::Log(_) => Kind::Unavailable,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::NoSuchDevice => "no_such_device",
            Self::UnknownTable(_) => "unknown_series_table",
            Self::BadBody(_) => "bad_body",
            Self::UnsupportedMedia => "unsupported_media_type",
            Self::BadLabels(_) => "bad_labels",
            Self::Query(_) => "bad_query",
            Self::TooManySeries(_) => "too_many_series",
            Self::Log(_) => "log_unavailable",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.kind(), error.code(), error.to_string());
        match error {
            Error::UnsupportedMedia => fault.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Error::Log(cause) => fault.retry_after(RETRY_AFTER).because(cause),
            Error::Forbidden(_)
            | Error::NoSuchDevice
            | Error::UnknownTable(_)
            | Error::BadBody(_)
            | Error::BadLabels(_)
            | Error::Query(_)
            | Error::TooManySeries(_) => fault,
        }
    }
}
