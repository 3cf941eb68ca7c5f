//! What can be wrong with a key, a certificate or a request for one.

/// Why a certificate cannot be made, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that is malformed, not signed by its own key, or of a kind not accepted.
    #[error("the certificate request is not acceptable: {0}")]
    BadRequest(&'static str),
    /// A certificate that does not name a device of this platform.
    #[error("the certificate does not name a device")]
    NotADevice,
    /// A certificate that does not name a service of this platform, or is not good any more.
    #[error("the certificate does not name a service of this platform")]
    NotAService,
    /// What is not signed by this platform, or not for this purpose, or says something else.
    #[error("it was not sealed by this platform")]
    NotASeal,
    /// A stored key or certificate that cannot be read.
    #[error("a stored key or certificate is damaged")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Making a key or certificate failed.
    #[error("a certificate could not be made")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged(cause.into())
    }

    pub(crate) fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(cause.into())
    }
}
