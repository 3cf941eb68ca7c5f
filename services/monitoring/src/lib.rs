//! What devices measure: taken, made durable, kept in memory and answered from there.
//!
//! Reading order: [`domain`] (labels, chunks, series, records), [`store`] (the log's promise),
//! [`app`] (one method per thing a caller can ask), `http` (the routes), `start`.
//!
//! Invariants: nothing is acknowledged before the log has it; a sample sent twice is kept once; a
//! series belongs to one tenant, and no other tenant can learn that it exists; everything in memory
//! can be rebuilt from the log; an alert's change and the
//! notification of it are kept together or not at all.

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
mod http;
pub mod metrics;
pub mod notify;
mod otlp;
pub mod places;
mod remote_write;
mod start;
pub mod store;
mod tasks;
#[cfg(test)]
mod testing;
mod wire;

pub use config::Config;
pub use error::Error;
pub use http::openapi;
pub use notify::Webhooks;
pub use start::{Deps, Part, Running, start};
