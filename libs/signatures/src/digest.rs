//! What a body is known by (RFC 9530).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::fields;

/// The one algorithm that is looked at.
const ALGORITHM: &str = "sha-256";

/// The SHA-256 of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of `body`.
    pub fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }

    /// Whether it is that of `body`.
    pub fn fits(self, body: &[u8]) -> bool {
        self == Self::of(body)
    }

    /// As `Content-Digest` has it.
    pub(crate) fn to_text(self) -> String {
        format!("{ALGORITHM}=:{}:", STANDARD.encode(self.0))
    }

    /// Reads a `Content-Digest`. Others may be beside ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let digests = fields::labelled_bytes(text)?;
        let own = digests.into_iter().find(|(name, _)| name == ALGORITHM)?;
        own.1.try_into().ok().map(Self)
    }
}
