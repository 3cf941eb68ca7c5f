//! Which devices exist, what they are, and what they are told to do.
//!
//! Read `domain` first (what is true: presence, the life of a command, the index), then `store`
//! (what is kept, with the model in `store/memory.rs`).
//!
//! Invariants:
//! - what a device says is untrusted: counted, cut at named limits, and otherwise kept as it came;
//! - taking a report twice changes nothing;
//! - a finished command never changes, and a command is accepted at most once;
//! - nothing of another tenant exists for a caller, nor of places whose devices the caller may not read.

pub mod app;
mod certificates;
mod config;
pub mod domain;
mod error;
pub mod http;
mod links;
pub mod metrics;
mod places;
mod siblings;
mod start;
pub mod store;
mod tasks;

pub use certificates::Certificates;
pub use config::Config;
pub use error::Error;
pub use http::openapi;
pub use links::{Gateway, Links, Pushed, Said, frame};
pub use places::Places;
pub use start::{Deps, Running, start};
pub use store::Stores;
