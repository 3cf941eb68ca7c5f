//! What crosses the wire of the devices service: types and a typed client.
//!
//! Public paths begin with `/api/devices/v1`; those of [`internal`] are reached by the gateway only.

mod client;
pub mod internal;
mod types;

pub use client::DevicesClient;
pub use types::*;

/// What every public path begins with.
pub const PREFIX: &str = "/api/devices/v1";
