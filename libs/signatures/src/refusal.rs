//! Why a request does not count as signed.

/// What is wrong, in the words of whoever writes a signer. Nothing of it is secret: it is all about the
/// own request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature at all.
    #[error("there is no signature")]
    Unsigned,
    /// A header is there twice, is not there, or is not in the form that the standard gives it.
    #[error("the header {0} must be there once, and as its standard writes it")]
    Malformed(&'static str),
    /// A header is longer than any good one.
    #[error("the header {0} is too long")]
    TooLong(&'static str),
    /// The digest of the body cannot be read, or is by other algorithms only.
    #[error("the header content-digest must have the sha-256 of the body")]
    Digest,
    /// There is not exactly one signature, under one label.
    #[error("send exactly one signature")]
    Several,
    /// Something is not covered that has to be, or something else is.
    #[error(
        "the signature must cover @method, @authority, @path, @query and content-digest, and no more"
    )]
    Components,
    /// A parameter is missing, there twice, of another kind, or one more.
    #[error("the parameters must be created, nonce, keyid, alg and tag")]
    Parameters,
    /// Another algorithm.
    #[error("the algorithm must be ecdsa-p256-sha256")]
    Algorithm,
    /// Made for something else.
    #[error("the tag must be openframe-agent")]
    Tag,
    /// Too short to be made up anew each time, or too long to be kept.
    #[error("the nonce must have 16 to 128 characters")]
    Nonce,
    /// Made too long ago, or in the future.
    #[error("the signature is not of this minute; check the clock")]
    Time,
    /// The certificate that came is not the one whose key has signed.
    #[error("keyid must be the SHA-256 of the first certificate that comes with the request")]
    KeyId,
}
