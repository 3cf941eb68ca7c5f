//! Secrets that callers hold, and the short-lived token that carries a caller between services.
//!
//! [`opaque`] makes and reads the prefixed secrets that people and devices are given; only their
//! hash is ever stored. [`internal`] is the 60 s `EdDSA` token that the gateway mints for each
//! request to a service: the service learns who asks from it and from nothing else. [`Caller`] is
//! what it says; [`Permission`] is what a caller may do, and a [`Place`] where. [`sealing`] is for the few secrets that must be
//! read back.

mod caller;
pub mod internal;
pub mod opaque;
pub mod sealing;

pub use caller::{Behalf, Caller, Subject};
pub use openframe_authz::{
    Access, Effect, Grant, Grants, MOST_GRANTS, NotAPlace, Permission, Place, Reach, Role,
};
