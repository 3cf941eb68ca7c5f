//! What crosses the wire of the auth service: types and a typed client.
//!
//! Public paths begin with `/api/auth/v1`; those of [`internal`] are reached by the platform's own
//! services only.

mod audit;
mod client;
pub mod internal;
mod types;

pub use audit::{Ask, Audit, Entry, Outcome, REMOTE_ADDRESS};
pub use client::AuthClient;
pub use types::*;

/// What every public path begins with.
pub const PREFIX: &str = "/api/auth/v1";
/// The cookie that holds a browser's session.
pub const SESSION_COOKIE: &str = "__Host-of_sid";
/// The header in which a page sends the CSRF token back.
pub const CSRF_HEADER: &str = "x-csrf-token";
