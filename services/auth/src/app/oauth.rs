//! Access for programs: OAuth 2.1 and OpenID Connect. What is right is decided in `openframe_oauth`;
//! here it is read, written and put on the audit trail.

mod authorize;
mod backchannel;
mod browser;
mod clients;
mod device;
mod keyring;
mod logout;
mod proofs;
mod pushed;
mod tokens;

use bytes::Bytes;
use openframe_oauth::{Code, Form, Refusal};

use super::{Auth, Origin};
use crate::Error;
use crate::store::StoreError;

pub use authorize::{Answered, ConsentAsked};
pub use clients::{MadeClient, NewClient};
pub use device::{DeviceAnswered, DeviceAsked, DeviceConsent};
pub(super) use keyring::Keyring;
pub use keyring::{KeyShown, Rotation};
pub use logout::{LoggedOut, LogoutAsked};
pub use proofs::{KeyProof, Proven};
pub use pushed::PushedAnswer;
pub use tokens::{Introspected, PersonClaims, Tokens};

/// Why a program is refused.
#[derive(Debug)]
pub enum OAuthError {
    /// In the protocol's words.
    Refused(Refusal),
    /// For a reason of ours.
    Failed(Error),
}

/// What a program sends to an endpoint of its own.
#[derive(Debug, Default)]
pub struct Sent {
    /// A form.
    pub body: Bytes,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `DPoP` header: a proof of a key.
    pub proof: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

impl Sent {
    fn form(&self) -> Result<Form, Refusal> {
        Form::read(&self.body)
    }
}

/// The answer to a page comes from elsewhere.
const ELSEWHERE: Refusal = Refusal::new(
    Code::InvalidRequest,
    "the answer did not come from the page that asked, or the session has ended; start anew",
);

impl OAuthError {
    /// What the program is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Failed(Error::Store(_) | Error::Busy) => Refusal::new(
                Code::TemporarilyUnavailable,
                "a part of the platform is away; try again",
            ),
            Self::Failed(_) => Refusal::new(Code::ServerError, "something went wrong on our side"),
        }
    }
}

impl From<Refusal> for OAuthError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Auth {
    /// Whether the provider knows what it is called.
    pub fn has_issuer(&self) -> bool {
        !self.config.url.is_empty()
    }

    /// What the provider calls itself (RFC 8414, 2): the same for every replica.
    pub fn issuer(&self) -> String {
        format!("{}{}", self.own_url(), openframe_auth_api::PROVIDER)
    }
}
