//! Every refusal of this service.

use std::time::Duration;

use http::StatusCode;
use openframe_fault::{BoxError, Fault, Kind};

use crate::domain::refused::Refused;
use crate::store::LogError;
use crate::store::alerts::StoreError;

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
    #[error("send {0}")]
    UnsupportedMedia(&'static str),
    /// Some of the samples were not stored. The others are.
    #[error("{0}")]
    Partial(Refused),
    /// A query that has no answer.
    #[error("{0}")]
    Query(openframe_promql::Error),
    /// A rule or channel that cannot be.
    #[error("{0}")]
    BadRule(String),
    /// No such rule, or not the caller's.
    #[error("no such rule")]
    NoSuchRule,
    /// No such channel, or not the caller's.
    #[error("no such channel")]
    NoSuchChannel,
    /// Rules tell this channel.
    #[error("the channel is told by {}; change or remove those rules first", listed(.0))]
    ChannelInUse(Vec<String>),
    /// Another one has that name.
    #[error("the name is taken; choose another")]
    NameTaken,
    /// The tenant has as many as it may have.
    #[error("there are {0} already, which is the most there may be; remove one first")]
    TooManyRules(usize),
    /// The audit trail cannot be written. Nothing was done.
    #[error("the audit trail cannot be written now, so nothing was done; try again")]
    Audit(#[source] BoxError),
    /// The store of alerts cannot be used. Nothing was done.
    #[error("alerts cannot be stored now; try again")]
    Alerts(#[from] StoreError),
    /// A notification cannot be written down.
    #[error("something went wrong; the log says what")]
    Encode(#[source] BoxError),
    /// Where devices are cannot be asked. Only who is let in at some places has to.
    #[error("where devices are cannot be asked now; try again")]
    Places(#[source] BoxError),
    /// The log cannot be written. Nothing was stored.
    #[error("telemetry cannot be stored now; try again")]
    Log(#[source] LogError),
}

/// The first few names, and how many more there are.
fn listed(names: &[String]) -> String {
    let first: Vec<String> = names.iter().take(5).map(|name| format!("{name:?}")).collect();
    let more = names.len().saturating_sub(first.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", first.join(", "))
}

impl Error {
    /// How a caller should treat it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Forbidden(_) => Kind::Forbidden,
            Self::NoSuchDevice | Self::NoSuchRule | Self::NoSuchChannel => Kind::NotFound,
            Self::UnknownTable(_) | Self::NameTaken | Self::ChannelInUse(_) => Kind::Conflict,
            Self::BadBody(_) | Self::UnsupportedMedia(_) | Self::Query(_) | Self::BadRule(_) => {
                Kind::Invalid
            }
            Self::Partial(refused) if !refused.only_over_limit() => Kind::Invalid,
            Self::Partial(_) | Self::TooManyRules(_) => Kind::TooMany,
            Self::Log(_) | Self::Audit(_) | Self::Alerts(_) | Self::Places(_) => Kind::Unavailable,
            Self::Encode(_) => Kind::Internal,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::NoSuchDevice => "no_such_device",
            Self::UnknownTable(_) => "unknown_series_table",
            Self::BadBody(_) => "bad_body",
            Self::UnsupportedMedia(_) => "unsupported_media_type",
            Self::Partial(_) => "partly_stored",
            Self::Query(_) => "bad_query",
            Self::Log(_) => "log_unavailable",
            Self::BadRule(_) => "bad_rule",
            Self::NoSuchRule => "no_such_rule",
            Self::NoSuchChannel => "no_such_channel",
            Self::NameTaken => "name_taken",
            Self::ChannelInUse(_) => "channel_in_use",
            Self::TooManyRules(_) => "too_many_rules",
            Self::Audit(_) => "audit_unavailable",
            Self::Alerts(_) => "alerts_unavailable",
            Self::Places(_) => "places_unavailable",
            Self::Encode(_) => "internal",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.kind(), error.code(), error.to_string());
        match error {
            Error::UnsupportedMedia(_) => fault.with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Error::Log(cause) => fault.retry_after(RETRY_AFTER).because(cause),
            Error::Alerts(cause) => fault.retry_after(RETRY_AFTER).because(cause),
            Error::Audit(cause) | Error::Places(cause) => {
                fault.retry_after(RETRY_AFTER).because(cause)
            }
            Error::Encode(cause) => fault.because(cause),
            Error::Forbidden(_)
            | Error::NoSuchDevice
            | Error::UnknownTable(_)
            | Error::BadBody(_)
            | Error::Partial(_)
            | Error::Query(_)
            | Error::BadRule(_)
            | Error::NoSuchRule
            | Error::NoSuchChannel
            | Error::NameTaken
            | Error::ChannelInUse(_)
            | Error::TooManyRules(_) => fault,
        }
    }
}
