//! Why a client's request is refused, in the protocol's own words.

use std::fmt;

/// An error code of RFC 6749 (4.1.2.1, 5.2), RFC 6750 (3.1), RFC 7009 (2.2.1) or OpenID Connect Core
/// (3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A parameter is missing, malformed, or there twice.
    InvalidRequest,
    /// Nobody knows the client, or it has not shown that it is the one.
    InvalidClient,
    /// The code or the refresh token is good no more, or is another client's.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// There is no such grant here.
    UnsupportedGrantType,
    /// There is no such response type here.
    UnsupportedResponseType,
    /// A scope is unknown, or more than the client may have.
    InvalidScope,
    /// The person said no.
    AccessDenied,
    /// Nobody is signed in, and the client wants nobody asked.
    LoginRequired,
    /// The person has not allowed it, and the client wants nobody asked.
    ConsentRequired,
    /// Requests in a `request` parameter are not taken.
    RequestNotSupported,
    /// Requests behind a `request_uri` are not taken.
    RequestUriNotSupported,
    /// The person has not answered yet (RFC 8628, 3.5).
    AuthorizationPending,
    /// The same, and the client asks too often.
    SlowDown,
    /// The person has not answered in time.
    ExpiredToken,
    /// The proof that goes with a token is missing or wrong (RFC 9449, 12.2).
    InvalidDpopProof,
    /// The access token is good no more.
    InvalidToken,
    /// The access token does not reach as far.
    InsufficientScope,
    /// Something that a later try may find mended.
    TemporarilyUnavailable,
    /// Something is wrong on this side.
    ServerError,
}

impl Code {
    /// As it is written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The HTTP status of an answer that is given to the client itself.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::TemporarilyUnavailable => 503,
            Self::ServerError => 500,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::InvalidScope
            | Self::AccessDenied
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::AuthorizationPending
            | Self::SlowDown
            | Self::ExpiredToken
            | Self::InvalidDpopProof => 400,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request is refused. The description never repeats what was sent: it ends up in pages, logs
/// and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct Refusal {
    /// For the client's program.
    pub code: Code,
    /// For who reads its log: what to do. Only characters that RFC 6749 allows (section 5.2).
    pub description: &'static str,
}

impl Refusal {
    /// A refusal.
    pub const fn new(code: Code, description: &'static str) -> Self {
        Self { code, description }
    }

    /// [`Code::InvalidRequest`], which is most of them.
    pub(crate) const fn invalid(description: &'static str) -> Self {
        Self::new(Code::InvalidRequest, description)
    }

    /// [`Code::InvalidGrant`]. Which of its reasons it is, is not said: a thief would learn from it.
    pub const fn grant() -> Self {
        Self::new(Code::InvalidGrant, "this is good no more, or not for this client; start anew")
    }
}
