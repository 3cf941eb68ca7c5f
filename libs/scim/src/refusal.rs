//! Refusals, in the protocol's words.

use serde_json::{Value, json};

/// Why a request is refused, as far as the protocol has a word for it (RFC 7644, 3.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimType {
    /// The filter cannot be read, or is larger than filters may be.
    InvalidFilter,
    /// It would be more work than one request may make.
    TooMany,
    /// Somebody else has the name or the id already.
    Uniqueness,
    /// The body is not what it must be.
    InvalidSyntax,
    /// The path of a change cannot be read.
    InvalidPath,
    /// A change says nothing of where it is to be made.
    NoTarget,
    /// A value is missing, or of another kind than it must be.
    InvalidValue,
}

impl ScimType {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
        }
    }
}

/// A request that is wrong and will stay wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The protocol's word.
    pub kind: ScimType,
    /// What is wrong and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(kind: ScimType, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The body of a refusal.
pub fn error(status: u16, kind: Option<ScimType>, detail: &str) -> Value {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.to_string(),
        "detail": detail,
    });
    if let (Some(kind), Some(fields)) = (kind, body.as_object_mut()) {
        fields.insert("scimType".to_owned(), kind.as_str().into());
    }
    body
}
