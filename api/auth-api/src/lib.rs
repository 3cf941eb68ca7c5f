//! What crosses the wire of the auth service: types and a typed client.
//!
//! Public paths begin with `/api/auth/v1`; those of [`internal`] are reached by the platform's own
//! services only.

mod audit;
mod client;
mod clients;
mod devices;
mod factors;
mod groups;
mod identity_providers;
pub mod internal;
mod invitations;
mod passkeys;
mod places;
mod types;

use http::{HeaderMap, HeaderName};

pub use audit::{Ask, Audit, Entry, Outcome, REMOTE_ADDRESS};
pub use client::AuthClient;
pub use clients::*;
pub use devices::{QuarantinedDevice, WaitingDevice};
pub use factors::*;
pub use groups::*;
pub use identity_providers::*;
pub use invitations::*;
pub use passkeys::*;
pub use places::*;
pub use types::*;

/// What every public path begins with.
pub const PREFIX: &str = "/api/auth/v1";
/// Where directories say who is there (SCIM 2.0).
pub const SCIM: &str = "/scim/v2";
/// What the paths of the OAuth provider begin with; its last part names the tenant.
pub const PROVIDER: &str = "/t/main";
/// Where programs send browsers to log out; pages of other origins may post a form there.
pub const PROVIDER_LOGOUT: &str = "/t/main/logout";
/// Where a person signs in whom a program has sent there.
pub const PROVIDER_SIGN_IN: &str = "/t/main/sign-in";
/// What goes before the id of another provider where a browser is sent there to sign in.
pub const UPSTREAM: &str = "/login/upstream/";
/// Where other providers send browsers back to.
pub const UPSTREAM_CALLBACK: &str = "/login/upstream/callback";
/// Where programs find out about the provider (RFC 8414, 3.1); they may also ask below [`PROVIDER`].
pub const PROVIDER_METADATA: &str = "/.well-known/oauth-authorization-server/t/main";
/// Where the gateway puts the `Authorization` header of a request to the provider.
pub const AUTHORIZATION_SHOWN: HeaderName = HeaderName::from_static("x-openframe-authorization");
/// Proofs of keys that come with programs' requests (RFC 9449).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");
/// A request comes with several proofs, or one that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadProof;

/// The one proof of a key that a request may come with (RFC 9449, 4.3).
pub fn proof_of_key(headers: &HeaderMap) -> Result<Option<&str>, BadProof> {
    let mut proofs = headers.get_all(DPOP).iter();
    let first = proofs.next().map(|proof| proof.to_str().map_err(|_| BadProof)).transpose()?;
    if proofs.next().is_some() { Err(BadProof) } else { Ok(first) }
}

/// The cookie that holds a browser's session.
pub const SESSION_COOKIE: &str = "__Host-of_sid";
/// The cookie that holds a sign-in whose second factor is to come.
pub const HALF_COOKIE: &str = "__Host-of_half";
/// The cookie that holds what a browser was asked to show of a passkey, until it answers.
pub const PASSKEY_COOKIE: &str = "__Host-of_pk";
/// The cookie that holds a sign-in at another provider until the browser comes back.
pub const UPSTREAM_COOKIE: &str = "__Host-of_up";
/// The header in which a message to a webhook is signed: `t=UNIX_SECONDS,v1=HEX`, HMAC-SHA-256 of the
/// seconds, a dot, and the body.
pub const SIGNATURE: &str = "openframe-signature";
/// The header in which a page sends the CSRF token back.
pub const CSRF_HEADER: &str = "x-csrf-token";
