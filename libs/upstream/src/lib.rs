//! Signing in at another OpenID provider (OpenID Connect Core): what it is asked, and whether what it
//! answers is right.
//!
//! Decisions without I/O: whoever asks fetches, and keeps the [`Attempt`] where nobody reads or changes it
//! and uses it once. One flow is spoken: codes, with proof (PKCE, `S256`), state and nonce. ID tokens are
//! checked by the crate `openidconnect`, whose defaults are narrowed here.
//!
//! ```text
//! Document::read --> Attempt::address --browser--> Document::came_back
//!   --> Document::exchange --> id_token_of --> check --> Person
//! ```

mod attempt;
mod document;
mod keys;
#[cfg(test)]
mod tests;
mod token;

pub use attempt::{Attempt, Back, Client, Held};
pub use document::{Document, Exchange, document_address, issuer_fault};
pub use keys::Keys;
pub use token::{Person, Wanted, check, id_token_of};

/// The longest document, set of keys or answer that is read, in bytes.
pub const ANSWER_LIMIT: usize = 256 << 10;

/// Why what a provider says is not right. The words are for the audit trail and for whoever sets the
/// provider up; strangers are told nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not what the standard says.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Its document is of another provider.
    #[error("its document names another issuer")]
    OtherIssuer,
    /// It does not offer what is spoken here.
    #[error("it does not offer {0}")]
    Lacks(&'static str),
    /// The answer comes from another provider (RFC 9207).
    #[error("the answer names another issuer, or none")]
    MixedUp,
    /// It has said no, in its own words.
    #[error("the provider has refused: {0}")]
    Denied(String),
    /// The token is signed with a key that is not known.
    #[error("an unknown key")]
    UnknownKey,
    /// The token is not what was asked for.
    #[error("the ID token is refused: {0}")]
    Token(String),
}
