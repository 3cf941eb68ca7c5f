//! What can go wrong in the devices service.

use openframe_fault::{BoxError, Fault, Kind};
use openframe_ids::{CommandId, DeviceId};

/// Every refusal of the devices service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such device, or not the caller's.
    #[error("no device {0}")]
    NoSuchDevice(DeviceId),
    /// No such command, or not the caller's.
    #[error("no command {0}")]
    NoSuchCommand(CommandId),
    /// The device has no such section, or had none at that instant.
    #[error("the device has no inventory of that section at that time")]
    NoSuchSection,
    /// The caller may not do this.
    #[error("this needs the permission {0}")]
    NotPermitted(&'static str),
    /// Only a device may do this, for itself.
    #[error("only a device can send this")]
    DevicesOnly,
    /// Only another replica of this service may tell news.
    #[error("only a replica of the devices service can send this")]
    SiblingsOnly,
    /// The request says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The cursor was not made by this service, or for another order.
    #[error("the cursor is not one of this list; start again without it")]
    BadCursor,
    /// What a device sent does not hold.
    #[error("the report is wrong: {0}")]
    BadReport(&'static str),
    /// The idempotency key was used with another body.
    #[error("this idempotency key was used for another request; use a new one")]
    KeyReused,
    /// As many commands as may wait for the device do.
    #[error(
        "{0} commands wait for this device already; wait until some have ended, or cancel them"
    )]
    TooManyCommands(u32),
    /// No such place.
    #[error("no such place")]
    NoSuchPlace,
    /// Something else changed the same thing again and again.
    #[error("it was changed by somebody else at the same time; try again")]
    Busy(#[source] BoxError),
    /// The audit trail did not take the entry, so nothing was done.
    #[error("the audit trail does not answer, so nothing was done; try again")]
    Audit(#[source] BoxError),
    /// The auth service did not revoke the device, so nothing was done.
    #[error("the auth service does not answer, so nothing was done; try again")]
    Certificates(#[source] BoxError),
    /// The store did not answer.
    #[error("the device store does not answer; try again")]
    Store(#[source] BoxError),
    /// What the store holds cannot be read.
    #[error("something went wrong on our side")]
    Damaged(#[source] BoxError),
}

impl Error {
    /// How a caller should treat it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoSuchDevice(_)
            | Self::NoSuchCommand(_)
            | Self::NoSuchSection
            | Self::NoSuchPlace => Kind::NotFound,
            Self::NotPermitted(_) | Self::DevicesOnly | Self::SiblingsOnly => Kind::Forbidden,
            Self::Invalid(_) | Self::BadCursor | Self::BadReport(_) => Kind::Invalid,
            Self::KeyReused => Kind::Conflict,
            Self::TooManyCommands(_) => Kind::TooMany,
            Self::Busy(_) | Self::Audit(_) | Self::Certificates(_) | Self::Store(_) => {
                Kind::Unavailable
            }
            Self::Damaged(_) => Kind::Internal,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchDevice(_) => "no_such_device",
            Self::NoSuchCommand(_) => "no_such_command",
            Self::NoSuchSection => "no_such_section",
            Self::NoSuchPlace => "no_such_place",
            Self::NotPermitted(_) => "not_permitted",
            Self::DevicesOnly => "devices_only",
            Self::SiblingsOnly => "siblings_only",
            Self::Invalid(_) => "invalid_request",
            Self::BadCursor => "bad_cursor",
            Self::BadReport(_) => "bad_report",
            Self::KeyReused => "idempotency_key_reused",
            Self::TooManyCommands(_) => "too_many_commands",
            Self::Busy(_) => "busy",
            Self::Certificates(_) => "auth_unavailable",
            Self::Audit(_) => "audit_unavailable",
            Self::Store(_) => "store_unavailable",
            Self::Damaged(_) => "internal",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.kind(), error.code(), error.to_string());
        match error {
            Error::Busy(cause)
            | Error::Audit(cause)
            | Error::Certificates(cause)
            | Error::Store(cause)
            | Error::Damaged(cause) => fault.because(cause),
            Error::NoSuchDevice(_)
            | Error::NoSuchCommand(_)
            | Error::NoSuchSection
            | Error::NoSuchPlace
            | Error::NotPermitted(_)
            | Error::DevicesOnly
            | Error::SiblingsOnly
            | Error::Invalid(_)
            | Error::BadCursor
            | Error::BadReport(_)
            | Error::KeyReused
            | Error::TooManyCommands(_) => fault,
        }
    }
}
