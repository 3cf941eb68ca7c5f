//! How the platform itself is, as it crosses the wire: types and a typed client.
//!
//! The gateway answers [`HEALTH`]; each service tells it how it is at [`internal::REPORT`].

mod client;
pub mod internal;
mod types;

pub use client::PlatformClient;
pub use types::*;

/// `GET`: how each replica of each service is, and how they reach each other.
pub const HEALTH: &str = "/api/platform/v1/health";
