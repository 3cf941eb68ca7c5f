//! What a caller can do about a failure. Closed on purpose: a ninth kind would have to say how it
//! differs for the caller from each of these.

use http::StatusCode;

/// How a caller should treat a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong and will stay wrong.
    Invalid,
    /// Who is asking is not known.
    Unauthenticated,
    /// Who is asking is known, and may not.
    Forbidden,
    /// The thing named does not exist, or the caller may not know that it does.
    NotFound,
    /// It clashes with what is already there.
    Conflict,
    /// The caller asked too much or too often.
    TooMany,
    /// Worth trying again.
    Unavailable,
    /// Our bug.
    Internal,
}

impl Kind {
    /// The HTTP status of this kind (RFC 9110, section 15).
    pub fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The kind that a status from elsewhere stands for.
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            429 => Self::TooMany,
            408 | 502..=504 => Self::Unavailable,
            400..=499 => Self::Invalid,
            _ => Self::Internal,
        }
    }

    /// The exit code of a command that failed this way. 1 is left for panics, 2 is bad usage.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Invalid => 2,
            Self::Unauthenticated => 3,
            Self::Forbidden => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::TooMany => 7,
            Self::Unavailable => 8,
            Self::Internal => 9,
        }
    }

    /// Whether the same request may succeed later without a change.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::TooMany | Self::Unavailable => true,
            Self::Invalid
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::Internal => false,
        }
    }

    /// The title of this kind in problem details: the same for every failure of the kind.
    pub fn title(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid request",
            Self::Unauthenticated => "Not signed in",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::Conflict => "Conflict",
            Self::TooMany => "Too many requests",
            Self::Unavailable => "Unavailable",
            Self::Internal => "Internal error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 8] = [
        Kind::Invalid,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::Conflict,
        Kind::TooMany,
        Kind::Unavailable,
        Kind::Internal,
    ];

    #[test]
    fn a_kind_survives_the_trip_over_http() {
        for kind in ALL {
            assert_eq!(Kind::of_status(kind.status()), kind);
        }
    }

    #[test]
    fn every_kind_has_an_exit_code_of_its_own() {
        let mut codes: Vec<u8> = ALL.iter().map(|kind| kind.exit_code()).collect();
        codes.dedup();
        assert_eq!(codes, [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
