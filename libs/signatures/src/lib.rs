//! Requests that devices sign themselves, where something on the way ends TLS and no certificate can be
//! shown there: HTTP message signatures (RFC 9421) and digests of bodies (RFC 9530).
//!
//! Neither I/O nor keys: [`sign`] is handed what makes a signature, [`Signed`] says what was signed and
//! leaves it to others to check the signature, the certificate and whether the nonce is new.
//!
//! Of all that the standard allows one profile is taken, so that there is nothing to choose and nothing
//! to weaken: one signature, of these [components](COMPONENTS), by [`ALGORITHM`], with the parameters
//! `created`, `nonce`, `keyid`, `alg` and `tag`, once each. `keyid` is the SHA-256 of the certificate that
//! comes with the request, base64url.

mod base;
mod digest;
mod fields;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

pub use digest::Digest;
pub use refusal::Refusal;
pub use request::{
    ALGORITHM, CERTIFICATE, COMPONENTS, SIGNATURE, SIGNATURE_INPUT, SKEW_S, Signed, Signer, TAG,
    keyid, sign,
};
