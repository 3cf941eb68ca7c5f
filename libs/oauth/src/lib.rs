//! OAuth 2.1 (draft-ietf-oauth-v2-1) and OpenID Connect, as decisions without I/O.
//!
//! Only what is safe is spoken: codes with proof (PKCE, `S256`), refresh tokens that are used once, a
//! client's own credentials; no implicit or hybrid flow, no password grant, no `plain`, no wildcard in
//! an address. Texts come in as [`Form`]s; clock and random bytes are passed in; what is kept goes in
//! and out as a [`Family`].
//!
//! ```text
//! Form --Ask::read--> Ask --Ask::next--> sign-in, consent --Family::granted--> code
//! Form --TokenRequest::read--> Family::exchange, Family::refresh, Family::of_client --> Step
//! ```

mod amr;
mod assertion;
mod authorize;
mod backchannel;
mod client;
mod device;
pub mod dpop;
pub mod family;
mod form;
#[cfg(test)]
mod hostile;
pub mod id_token;
mod jose;
pub mod keys;
mod logout;
mod metadata;
mod pkce;
mod pushed;
mod redirect;
mod refusal;
pub mod scope;
mod token;

pub use amr::Amr;
pub use authorize::{Ask, Next, Refused, SignedIn, UNKNOWN as UNKNOWN_CLIENT, client_of};
pub use backchannel::{Ended, LOGOUT_LIFETIME};
pub use client::{Client, Credentials, Demand, GrantType, Pkce, UNKNOWN as BAD_CLIENT};
pub use device::{DEVICE_LIFETIME, DeviceGrant, UserCode};
pub use family::Family;
pub use form::{FORM_LIMIT, Form};
pub use id_token::Said;
pub use jose::{ClientKeys, OneTime};
pub use logout::Logout;
pub use metadata::metadata;
pub use pkce::Challenge;
pub use pushed::{OPENED_LIFETIME, PUSHED_LIFETIME, Pushed};
pub use redirect::{BadRedirectUri, RedirectUri};
pub use refusal::{Code, Refusal};
pub use scope::Scopes;
pub use token::{ShownToken, TokenRequest};
