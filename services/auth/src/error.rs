//! What can go wrong in the auth service.

use std::time::Duration;

use openframe_fault::{BoxError, Fault, Kind};

/// Every refusal of the auth service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret is nobody's, or its time is over.
    #[error("sign in, or send an API key")]
    NotSignedIn,
    /// Mail address or password is wrong; which of them is not said.
    #[error("the mail address or the password is wrong")]
    BadLogin,
    /// The password that was shown for a change is not the person's.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The enrolment token is unknown, used up, or too old; which of them is not said.
    #[error("the enrolment token cannot be used; make a new one")]
    BadEnrolmentToken,
    /// The device is unknown or was revoked.
    #[error("the device is not known here; enrol it again")]
    BadDevice,
    /// The caller may not do this.
    #[error("this needs the permission {0}")]
    NotPermitted(&'static str),
    /// Only a person in a session, or an owner's key that no scope holds back, may do this.
    #[error("this API key cannot do this; sign in, or use an owner's key that has every scope")]
    PeopleOnly,
    /// Only one of the platform's own services may ask.
    #[error("only the platform's own services may ask this")]
    ServicesOnly,
    /// The first owner exists, or the setup token is wrong.
    #[error("there is nothing to set up, or the link is not valid; a new start prints a new one")]
    NoSetup,
    /// No such person, session, key, token or device.
    #[error("no such {0}")]
    Missing(&'static str),
    /// Somebody has this mail address already.
    #[error("somebody has this mail address already")]
    EmailTaken,
    /// The last owner who can sign in must stay one.
    #[error("this is the last owner who can sign in; make another owner first")]
    LastOwner,
    /// A field says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Too many tries to sign in or to set up.
    #[error("too many tries to sign in; wait and try again")]
    TooManyLogins(Duration),
    /// Too many enrolments that were refused.
    #[error("too many enrolments were refused; wait and try again")]
    TooManyEnrolments(Duration),
    /// Every password hasher is busy.
    #[error("too many people are signing in; try again")]
    Busy,
    /// The store did not answer.
    #[error("the store of people and keys does not answer; try again")]
    Store(#[source] BoxError),
    /// What the store holds cannot be read.
    #[error("something went wrong on our side")]
    Damaged(#[source] BoxError),
}

impl Error {
    /// How a caller should treat it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotSignedIn | Self::BadLogin | Self::BadEnrolmentToken | Self::BadDevice => {
                Kind::Unauthenticated
            }
            Self::NotPermitted(_) | Self::PeopleOnly | Self::ServicesOnly => Kind::Forbidden,
            Self::NoSetup | Self::Missing(_) => Kind::NotFound,
            Self::EmailTaken | Self::LastOwner => Kind::Conflict,
            Self::Invalid(_) | Self::WrongPassword => Kind::Invalid,
            Self::TooManyLogins(_) | Self::TooManyEnrolments(_) => Kind::TooMany,
            Self::Busy | Self::Store(_) => Kind::Unavailable,
            Self::Damaged(_) => Kind::Internal,
        }
    }

    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::BadLogin => "bad_login",
            Self::WrongPassword => "wrong_password",
            Self::BadEnrolmentToken => "bad_enrolment_token",
            Self::BadDevice => "bad_device",
            Self::NotPermitted(_) => "not_permitted",
            Self::PeopleOnly => "people_only",
            Self::ServicesOnly => "services_only",
            Self::NoSetup => "no_setup",
            Self::Missing(_) => "not_found",
            Self::EmailTaken => "email_taken",
            Self::LastOwner => "last_owner",
            Self::Invalid(_) => "invalid",
            Self::TooManyLogins(_) => "too_many_logins",
            Self::TooManyEnrolments(_) => "too_many_enrolments",
            Self::Busy => "busy",
            Self::Store(_) => "store_down",
            Self::Damaged(_) => "internal",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.kind(), error.code(), error.to_string());
        match error {
            Error::TooManyLogins(wait) | Error::TooManyEnrolments(wait) => fault.retry_after(wait),
            Error::Busy => fault.retry_after(Duration::from_secs(2)),
            Error::Store(cause) | Error::Damaged(cause) => fault.because(cause),
            Error::NotSignedIn
            | Error::BadLogin
            | Error::WrongPassword
            | Error::BadEnrolmentToken
            | Error::BadDevice
            | Error::NotPermitted(_)
            | Error::PeopleOnly
            | Error::ServicesOnly
            | Error::NoSetup
            | Error::Missing(_)
            | Error::EmailTaken
            | Error::LastOwner
            | Error::Invalid(_) => fault,
        }
    }
}
